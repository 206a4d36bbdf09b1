/*
 * store_killed.c - plays a script in a child process that is killed, and looks at what is left.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/mem.h"
#include "support/store_compare.h"
#include "support/store_property.h"

/* Batch number n of a script, counted over all its operations; NULL behind the last. */
static const struct script_batch *batch_at(const struct script *script, size_t n) {
    for (size_t i = 0; i < script->count; i++) {
        const struct script_op *op = &script->ops[i];
        if (op->action != SCRIPT_APPLY)
            continue;
        if (n < op->count)
            return &op->as.batches[n];
        n -= op->count;
    }
    return NULL;
}

static int play_batch(const struct script_batch *batch, struct store *store) {
    AUTO_FREE struct script_mutations *filled = mem_alloc(sizeof *filled);
    if (!filled)
        return MNEME_NO_MEMORY;
    TRY(script_batch_fill(batch, store, filled));
    (void)apply_mutations(store, filled->mutations, filled->count, NULL);
    return 0;
}

/* The child: play batch after batch, tell of each one that ended, and wait to be killed. */
static void play_until_killed(const struct store_home *home, const struct script *script,
                              int acknowledge) {
    struct store *store = NULL;
    if (home->maker->open(home->path, &store, NULL))
        _exit(1);
    const struct script_batch *batch;
    for (size_t n = 0; (batch = batch_at(script, n)) != NULL; n++)
        if (play_batch(batch, store) || write(acknowledge, "", 1) != 1)
            _exit(1);
    for (;;)
        pause();
}

/* Read acknowledgements: up to `wanted`, or all there are; how many came. */
static size_t read_acknowledged(int from, size_t wanted) {
    size_t count = 0;
    char bytes[64];
    while (count < wanted) {
        ssize_t n = read(from, bytes, size_min(sizeof bytes, wanted - count));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        count += (size_t)n;
    }
    return count;
}

/* Run the child and kill it about when it acknowledges batch `when`; how many it acknowledged
 * in all, or SIZE_MAX when it ended by itself. */
static size_t run_and_kill(const struct store_home *home, const struct script *script,
                           size_t when) {
    int ends[2];
    if (pipe(ends))
        return SIZE_MAX;
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        play_until_killed(home, script, ends[1]);
    }
    close(ends[1]);
    if (child < 0) {
        close(ends[0]);
        return SIZE_MAX;
    }
    size_t count = read_acknowledged(ends[0], when);
    int ended = 0;
    kill(child, SIGKILL);
    waitpid(child, &ended, 0);
    count += read_acknowledged(ends[0], SIZE_MAX);
    close(ends[0]);
    return WIFSIGNALED(ended) && count >= when ? count : SIZE_MAX;
}

/* Whether the store differs from mem after these many batches of the script, or one more. */
static bool left_over_differs(struct comparison *c, const struct script *script, size_t count) {
    for (size_t n = 0; n < count; n++)
        if (play_batch(batch_at(script, n), c->model))
            return differs_by(c, "a batch could not be played on mem");
    if (!changes_differ(c, 0, STORE_PAGE_MAX) && !stats_differ(c))
        return false;
    const struct script_batch *next = batch_at(script, count);
    if (!next || play_batch(next, c->model))
        return true;
    c->version_count = 0;
    return changes_differ(c, 0, STORE_PAGE_MAX) || stats_differ(c);
}

static bool killed_differs(struct store_home *home, struct comparison *c, uint64_t seed,
                           const struct script *script) {
    mneme_error error = {0};
    struct store_stats stats;
    struct test_random random = {~seed};
    size_t batches = 0;
    while (batch_at(script, batches))
        batches++;
    /* No store is open, and so no thread of one runs, while the process forks. */
    store_close(TAKE(home->store));
    size_t count = run_and_kill(home, script, test_random_below(&random, (unsigned)batches + 1));
    if (count == SIZE_MAX)
        return differs_by(c, "the child ended before it was killed");
    if (home->maker->open(home->path, &home->store, &error) ||
        store_stats(home->store, &stats, &error) || mem_store_open(stats.device, &c->model, &error))
        return differs_by(c, "open after a kill: %s", error.message);
    c->store = home->store;
    return left_over_differs(c, script, count);
}

bool property_killed_differs(const struct store_maker *maker, uint64_t seed,
                             struct property_failure *failure) {
    *failure = (struct property_failure){.seed = seed};
    script_make(&failure->script, seed, false);
    AUTO_FREE struct comparison *c = mem_zalloc(1, sizeof *c);
    if (!c)
        return true;
    struct store_home home;
    mneme_error error = {0};
    bool differs = store_home_make(&home, maker, &error)
                       ? differs_by(c, "open: %s", error.message)
                       : killed_differs(&home, c, seed, &failure->script);
    snprintf(failure->text, sizeof failure->text, "%s", c->text);
    store_close(c->model);
    store_home_remove(&home);
    return differs;
}
