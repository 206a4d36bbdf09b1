/*
 * feed_cases.h - what src/store/feed.h demands, as cases for any feed.
 */
#ifndef MNEME_TESTS_FEED_CASES_H
#define MNEME_TESTS_FEED_CASES_H

#include "store/feed.h"

enum { FEED_PLACE_FEEDS = 2 };

/* An empty remote and feeds of it, as two machines have them. */
struct feed_place {
    void *context;       /* of the maker */
    struct store *store; /* the remote's records, to look at */
    struct feed *feeds[FEED_PLACE_FEEDS];
};

struct feed_maker {
    const char *name;
    int (*open)(struct feed_place *place, mneme_error *error);
    void (*close)(struct feed_place *place); /* also of what `open` left half done */
    /* What not every feed can be made to do; NULL, or 0: the cases that need it are left out. */
    void (*lose_next)(struct feed_place *place, size_t feed, bool done); /* the next answer */
    size_t refused_bytes; /* a body of this size is refused by the remote, and by nothing before */
};

/* Run all cases as a group of cmocka's tests; how many failed. */
int feed_cases_run(const struct feed_maker *maker);

#endif
