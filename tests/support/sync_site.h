/*
 * sync_site.h - the devices of a test, each a file, and their remote: opened, synced until nothing
 * moves, and compared.
 *
 * Errors end the test.
 */
#ifndef MNEME_TESTS_SYNC_SITE_H
#define MNEME_TESTS_SYNC_SITE_H

#include "support/api_fixture.h"
#include "support/sync_board.h"

enum { SYNC_SITE_DEVICES = 4, SYNC_PATIENCE_US = 60 * 1000 * 1000 };

/* A sanitizer, and a machine that is shared, make everything slower. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SYNC_SLOWER = 6 };
#elif defined(NDEBUG)
enum { SYNC_SLOWER = 1 };
#else
enum { SYNC_SLOWER = 3 };
#endif

struct sync_site {
    struct home home;
    unsigned count;
    char paths[SYNC_SITE_DEVICES][400];
    char url[160];       /* of the remote, as devices reach it */
    char plain_url[160]; /* … without the wire */
};

void sync_site_make(struct sync_site *site, unsigned count, const char *url, const char *plain_url);
void sync_site_remove(struct sync_site *site);

/* How a device is opened: quiet, with its remote, and with short pauses. */
mneme_options sync_site_options(const struct sync_site *site, mneme_sync_mode mode);

/* Wait for a child's end; one that hangs is ended, and true comes back. *exit_code: child_wait's.
 */
bool sync_child_hangs(pid_t child, int *exit_code);

/*
 * Sync all devices until nothing moves, then look: the devices and the remote hold the same shared
 * records, nothing is where it must not be, every acknowledged deed of the board (may be NULL) is
 * accounted for, and all files are sound. True: not so, and `problem` says what.
 */
bool sync_site_differs(const struct sync_site *site, const struct sync_board *board,
                       char problem[SYNC_PROBLEM]);

#endif
