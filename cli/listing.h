/*
 * listing.h - the options that `query` and the `list` commands share.
 */
#ifndef MNEME_CLI_LISTING_H
#define MNEME_CLI_LISTING_H

#include "cli.h"

#define LISTING_OPTIONS                                                                            \
    OPTION_TIME("since", "TIME", "not before: 2026-11-21, 36h, 7d, ..."),                          \
        OPTION_TIME("until", "TIME", "before this time"),                                          \
        OPTION_PAIR("meta", "NAME=VALUE", "with this metadata", .repeats = true),                  \
        OPTION_WHOLE("limit", "N", "how many at most; 100 if not given", 1, 10000),                \
        OPTION_TEXT("after", "CURSOR", "go on where a listing ended"),                             \
        OPTION_CHOICE("order", "ORDER", "newest first if not given", "newest|oldest"),             \
        OPTION_SWITCH("ids", "print ids only")

/* What only some kinds have. */
#define LISTING_TYPE_OPTION(choices_) OPTION_WORD("type", "TYPE", "of this type", choices_)
#define LISTING_TAG_OPTION OPTION_TEXT("tag", "TAG", "with this tag", .repeats = true)
#define LISTING_CONTEXT_OPTIONS                                                                    \
    OPTION_TEXT("domain", "DOMAIN", "of this domain"),                                             \
        OPTION_TEXT("language", "NAME", "in this language"),                                       \
        OPTION_TEXT("framework", "NAME", "with this framework")
#define LISTING_OUTCOME_OPTION                                                                     \
    OPTION_CHOICE("outcome", "OUTCOME", "that ended so", OUTCOME_CHOICES "|open")
#define LISTING_ENDS_OPTIONS                                                                       \
    OPTION_ID("from", "ID", "that begin at this record"),                                          \
        OPTION_ID("to", "ID", "that end at this record")

#define LISTING_DETAILS                                                                            \
    "All conditions must hold. Order comes before limit, and when more records follow, the "       \
    "listing says how to go on."

#endif
