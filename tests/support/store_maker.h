/*
 * store_maker.h - the stores that the suites run over, and a home for one under test.
 *
 * A new store or decorator becomes part of both suites with one row of the table in
 * store_maker.c.
 */
#ifndef MNEME_TESTS_STORE_MAKER_H
#define MNEME_TESTS_STORE_MAKER_H

#include "store/store.h"

struct store_maker {
    const char *name;
    /* Whether the store is one file: opened again, or a copy of it opened, it has everything. */
    bool persistent;
    int (*open)(const char *path, struct store **out, mneme_error *error);
    /* Whether a read that lacks memory is tried another way, and so may succeed. */
    bool recovers;
    /* Whether it is far slower than the others, and is to be tried less often. */
    bool slow;
    /* Whether the largest record that store.h allows is refused. */
    bool refuses_largest;
    /* Whether it can be the local side of sync (store/shared.h). */
    bool shares;
};

extern const struct store_maker store_makers[];
extern const size_t store_maker_count;

/* Whether a test program that was given names on its command line runs this maker; all by
 * default. */
bool store_maker_wanted(const struct store_maker *maker, int argc, char **argv);

/* A store in a directory of its own. Calls report failure as a status, with a text. */
struct store_home {
    const struct store_maker *maker;
    struct store *store; /* NULL when it could not be opened */
    char directory[256];
    char path[320];
    unsigned crashes;
};

int store_home_make(struct store_home *home, const struct store_maker *maker, mneme_error *error);
/* Close the store and remove the directory with all in it. */
void store_home_remove(struct store_home *home);

/* Close and open again. Only of a persistent store. */
int store_home_reopen(struct store_home *home, mneme_error *error);

/*
 * What a crash leaves: the file as it is at this moment, without the lock file, opened elsewhere.
 * The store that "crashed" is closed after the copy was made. Only of a persistent store, and
 * while nobody writes.
 */
int store_home_crash(struct store_home *home, mneme_error *error);

#endif
