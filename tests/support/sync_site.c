/*
 * sync_site.c - see sync_site.h.
 */
#include "support/sync_site.h"

#include <string.h>
#include <sys/wait.h>

#include <signal.h>

#include "os/os.h"

enum { ROUNDS = 40, NAP_US = 20 * 1000 };

void sync_site_make(struct sync_site *site, unsigned count, const char *url,
                    const char *plain_url) {
    *site = (struct sync_site){.count = count};
    home_make(&site->home);
    snprintf(site->url, sizeof site->url, "%s", url);
    snprintf(site->plain_url, sizeof site->plain_url, "%s", plain_url);
    for (unsigned i = 0; i < count; i++)
        snprintf(site->paths[i], sizeof site->paths[i], "%s/device%u.mdb", site->home.directory,
                 i + 1);
}

void sync_site_remove(struct sync_site *site) { home_remove(&site->home); }

mneme_options sync_site_options(const struct sync_site *site, mneme_sync_mode mode) {
    mneme_options options = quiet_options();
    options.sync.url = site->url;
    options.sync.mode = mode;
    options.sync.poll_ms = 20;
    options.sync.poll_max_ms = 100;
    options.sync.lease_ms = 60 * SYNC_SLOWER;
    return options;
}

bool sync_child_hangs(pid_t child, int *exit_code) {
    int64_t give_up_us = clock_monotonic_us() + SYNC_PATIENCE_US;
    siginfo_t info = {0};
    while (waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == 0) {
        if (clock_monotonic_us() > give_up_us) {
            kill(child, SIGKILL);
            *exit_code = child_wait(child);
            return true;
        }
        usleep(500);
    }
    *exit_code = child_wait(child);
    return false;
}

/* ---- Until nothing moves ------------------------------------------------------------------- */

static bool says(char problem[SYNC_PROBLEM], unsigned device, const char *what) {
    snprintf(problem, SYNC_PROBLEM, "device %u: %s", device, what);
    return true;
}

/* By ourselves: who was killed with the lease is for some time taken for one that works. */
static bool sync_one(mneme *m, unsigned device, mneme_sync_report *report,
                     char problem[SYNC_PROBLEM]) {
    int64_t give_up_us = clock_monotonic_us() + SYNC_PATIENCE_US;
    mneme_error error = {0};
    int status = 0;
    do {
        *report = (mneme_sync_report){.size = sizeof *report};
        status = mneme_sync(m, NULL, report, &error);
    } while (status == MNEME_LOCKED && clock_monotonic_us() < give_up_us && usleep(NAP_US) == 0);
    return status ? says(problem, device, error.message) : false;
}

static bool sync_all(const struct sync_site *site, mneme *const *stores, bool *moved,
                     char problem[SYNC_PROBLEM]) {
    *moved = false;
    for (unsigned i = 0; i < site->count; i++) {
        mneme_sync_report report;
        if (sync_one(stores[i], i + 1, &report, problem))
            return true;
        *moved = *moved || report.pushed || report.pulled || report.merged || report.superseded;
    }
    return false;
}

static bool is_unsettled(mneme *m, unsigned device, char problem[SYNC_PROBLEM]) {
    mneme_sync_status status = {.size = sizeof status};
    mneme_error error;
    if (mneme_sync_status_get(m, &status, &error))
        return says(problem, device, error.message);
    if (status.held_refused)
        return says(problem, device, "something was refused");
    if (status.pending)
        return says(problem, device, "nothing moves, and something waits to go out");
    if (status.error_us)
        return says(problem, device, status.error_text);
    return status.cursor < status.head ? says(problem, device, "it has not taken all") : false;
}

static bool settle(const struct sync_site *site, mneme *const *stores, char problem[SYNC_PROBLEM]) {
    bool moved = true;
    for (int round = 0; round < ROUNDS && moved; round++)
        if (sync_all(site, stores, &moved, problem))
            return true;
    if (moved)
        return says(problem, 0, "it does not come to rest");
    for (unsigned i = 0; i < site->count; i++)
        if (is_unsettled(stores[i], i + 1, problem))
            return true;
    return false;
}

/* ---- Comparing ----------------------------------------------------------------------------- */

/* The line in which two texts begin to differ. */
static mneme_text line_at(const mneme_bytes *text, size_t at) {
    size_t from = at < text->size ? at : text->size, to = from;
    while (from > 0 && text->data[from - 1] != '\n')
        from--;
    while (to < text->size && text->data[to] != '\n')
        to++;
    return (mneme_text){text->data + from, to - from};
}

static bool texts_differ(const struct sync_view *first, const struct sync_view *other,
                         unsigned device, char problem[SYNC_PROBLEM]) {
    const mneme_bytes *a = &first->text, *b = &other->text;
    size_t at = 0;
    while (at < a->size && at < b->size && a->data[at] == b->data[at])
        at++;
    if (at == a->size && at == b->size)
        return false;
    mneme_text left = line_at(a, at), right = line_at(b, at);
    fprintf(stderr, "device 1: %.*s\nstore %u:  %.*s\n", (int)left.size, left.data, device,
            (int)right.size, right.data);
    return says(problem, device, "it does not hold what device 1 holds (0: the remote)");
}

static bool stores_differ(const struct sync_site *site, mneme *const *stores, mneme *remote,
                          const struct sync_board *board, char problem[SYNC_PROBLEM]) {
    struct sync_view views[SYNC_SITE_DEVICES + 1] = {0};
    bool wrong = sync_view_take(remote, board, 0, &views[0], problem);
    for (unsigned i = 1; i <= site->count && !wrong; i++)
        wrong = sync_view_take(stores[i - 1], board, i, &views[i], problem);
    for (unsigned i = 2; i <= site->count && !wrong; i++)
        wrong = texts_differ(&views[1], &views[i], i, problem);
    wrong = wrong || texts_differ(&views[1], &views[0], 0, problem) ||
            sync_board_misses(board, &views[1], problem);
    for (unsigned i = 0; i <= site->count; i++)
        sync_view_free(&views[i]);
    return wrong;
}

static mneme *open_remote(const struct sync_site *site) {
    mneme_options options = quiet_options();
    mneme *m = NULL;
    mneme_error error;
    options.cache.off = true;
    OK(mneme_open(site->plain_url, &options, &m, &error), &error);
    return m;
}

bool sync_site_differs(const struct sync_site *site, const struct sync_board *board,
                       char problem[SYNC_PROBLEM]) {
    mneme *stores[SYNC_SITE_DEVICES] = {0};
    mneme_options options = sync_site_options(site, MNEME_SYNC_MANUAL);
    mneme_error error;
    for (unsigned i = 0; i < site->count; i++)
        OK(mneme_open(site->paths[i], &options, &stores[i], &error), &error);
    bool wrong = settle(site, stores, problem);
    if (!wrong) {
        mneme *remote = open_remote(site);
        wrong = stores_differ(site, stores, remote, board, problem);
        store_close_ok(remote);
    }
    for (unsigned i = 0; i < site->count; i++)
        store_close_ok(stores[i]);
    for (unsigned i = 0; i < site->count; i++)
        assert_verified(site->paths[i]);
    return wrong;
}
