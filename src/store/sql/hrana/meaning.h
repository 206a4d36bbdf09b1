/*
 * meaning.h - what an error of a Hrana server means to us: the border from its codes to ours.
 */
#ifndef MNEME_STORE_SQL_HRANA_MEANING_H
#define MNEME_STORE_SQL_HRANA_MEANING_H

#include "base/base.h"

/* What an error of a step does to the program. */
enum hrana_reach {
    HRANA_STEP,    /* it is the step's own; the guards have seen to the rest */
    HRANA_REPEAT,  /* nothing is kept of the program; run it again */
    HRANA_UNKNOWN, /* nobody knows what became of it; run it again, since it is idempotent */
    HRANA_END      /* nothing is kept of it, and the next run would end like this one */
};

struct hrana_meaning {
    const char *code;    /* the server's; "SQLITE_BUSY" is SQLITE_BUSY_SNAPSHOT, too */
    const char *message; /* part of the server's text that this row is for; NULL: any */
    enum hrana_reach reach;
    int status;
    const char *says; /* to people */
};

/* Never NULL. An unknown code is a statement that SQL refuses: HRANA_STEP with MNEME_FAILURE. */
const struct hrana_meaning *hrana_meaning_of(struct slice code, struct slice message);

#endif
