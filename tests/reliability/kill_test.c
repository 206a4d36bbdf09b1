/*
 * kill_test.c - an acknowledged write survives kill -9 at any moment, and no part of a batch is
 * ever seen.
 *
 * Writers are processes that make calls of every kind (support/ack_model.h) and tell in shared
 * memory which call they begin and which has returned. The parent kills them after a random time,
 * opens the store, and holds it against the models: every writer's records must be exactly what
 * its returned calls left, with the one call that was under way seen whole or not at all.
 *
 * MNEME_KILLS is how many kills each case makes; without it, enough for the ordinary run.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "os/os.h"
#include "support/ack_model.h"
#include "support/api_fixture.h"
#include "support/random_record.h"

enum { KILLS = 400, VERIFY_EVERY = 10, ROUND_CYCLES = 25, CALLS = 30, PATIENCE_MS = 80 };

/* What a writer tells the parent, in shared memory. */
struct progress {
    volatile uint64_t begun; /* calls */
    volatile uint64_t acknowledged;
    char failure[ACK_PROBLEM]; /* of a call that must not fail */
};

struct world {
    struct home home;
    unsigned writers;
    struct ack_model *models, *seen;
    struct progress *progress;      /* shared */
    uint64_t followed[ACK_WRITERS]; /* calls that the model has */
    struct rng rng;
    unsigned kills, unfinished, unfinished_seen;
    uint64_t acknowledged;
};

/* ---- The writer --------------------------------------------------------------------------- */

static void writer_fail(struct progress *progress, const char *what, const mneme_error *error) {
    snprintf(progress->failure, sizeof progress->failure, "%s: %s", what, error->message);
    _exit(1);
}

static void writer_run(const char *path, struct ack_model *model, struct progress *progress) {
    mneme_error error = {0};
    mneme *m = NULL;
    if (mneme_open(path, NULL, &m, &error))
        writer_fail(progress, "open", &error);
    for (;;) {
        struct ack_op op;
        if (ack_model_full(model)) {
            pause();
            continue;
        }
        ack_plan(model, progress->begun, &op);
        progress->begun++;
        if (ack_run(m, model, &op, &error))
            writer_fail(progress, "write", &error);
        ack_apply(model, &op);
        progress->acknowledged++;
    }
}

/* ---- The parent --------------------------------------------------------------------------- */

static void sleep_us(uint64_t us) {
    struct timespec time = {.tv_sec = (time_t)(us / 1000000),
                            .tv_nsec = (long)(us % 1000000) * 1000};
    nanosleep(&time, NULL);
}

/* Bring a model to where its writer stood when it was killed, by what is seen in the store. */
static void follow_writer(struct world *w, unsigned n) {
    char problem[ACK_PROBLEM], other[ACK_PROBLEM];
    struct progress *progress = &w->progress[n];
    struct ack_model *model = &w->models[n];
    struct ack_op op;
    if (progress->failure[0])
        fail_msg("writer %u: %s", n, progress->failure);
    for (; w->followed[n] < progress->acknowledged; w->followed[n]++) {
        ack_plan(model, w->followed[n], &op);
        ack_apply(model, &op);
        w->acknowledged++;
    }
    bool unfinished = progress->begun > progress->acknowledged;
    w->unfinished += unfinished;
    if (ack_same(&w->seen[n], model, problem)) {
        progress->begun = progress->acknowledged; /* it left no trace: it is made again */
        return;
    }
    if (!unfinished)
        fail_msg("seed %llu: %s", (unsigned long long)model->seed, problem);
    ack_plan(model, progress->acknowledged, &op);
    ack_apply(model, &op);
    if (!ack_same(&w->seen[n], model, other))
        fail_msg("seed %llu, call %llu: neither before it (%s) nor after it (%s)",
                 (unsigned long long)model->seed, (unsigned long long)progress->begun, problem,
                 other);
    w->unfinished_seen++;
    progress->acknowledged = ++w->followed[n];
}

/*
 * A writer that dies between its commit's last write and its note of that in the lock file leaves
 * a commit that readers do not see until the next writer takes over the lock. Here that is us, so
 * that what is seen now is what the writers that follow will see.
 */
static void take_over_lock(mneme *m) {
    mneme_relation relation = {.id = {{1}}, .type = text("probe"), .from = {{1}}, .to = {{2}}};
    mneme_record record = {.kind = MNEME_RELATION, .as.relation = &relation};
    mneme_error error;
    OK(mneme_put(m, &record, 1, NULL, NULL, &error), &error);
}

static void check_store(struct world *w, mneme *held) {
    char problem[ACK_PROBLEM];
    mneme *m = held ? held : store_open_quiet(w->home.path);
    if (held)
        take_over_lock(m);
    if (!ack_observe(m, w->seen, w->writers, problem))
        fail_msg("%s", problem);
    for (unsigned n = 0; n < w->writers; n++)
        follow_writer(w, n);
    store_close_ok(m);
}

/* Let a writer make some calls, as many as fit into PATIENCE_MS, and a part of the next. */
static void let_it_write(struct world *w, const struct progress *progress) {
    uint64_t until = progress->acknowledged + rng_below(&w->rng, CALLS);
    int64_t deadline = clock_monotonic_us() + PATIENCE_MS * 1000;
    while (progress->acknowledged < until && clock_monotonic_us() < deadline)
        sleep_us(200);
    sleep_us(rng_below(&w->rng, 3000));
}

/* Start the writers, kill each after a time of its own, and look at what is left. Every other time
 * this process has the store open all along, so that the lock file outlives the writers. */
static void cycle(struct world *w) {
    pid_t children[ACK_WRITERS];
    bool hold = rng_chance(&w->rng, 50) && file_exists(w->home.path);
    mneme *held = hold ? store_open_quiet(w->home.path) : NULL;
    for (unsigned n = 0; n < w->writers; n++) {
        children[n] = fork();
        if (children[n] == 0)
            writer_run(w->home.path, &w->models[n], &w->progress[n]);
        assert_true(children[n] > 0);
    }
    bool early = rng_chance(&w->rng, 25); /* while they open */
    for (unsigned n = 0; n < w->writers; n++) {
        if (early)
            sleep_us(rng_below(&w->rng, 3000));
        else
            let_it_write(w, &w->progress[n]);
        kill(children[n], SIGKILL);
        w->kills++;
    }
    for (unsigned n = 0; n < w->writers; n++)
        child_wait(children[n]);
    check_store(w, held);
}

static bool round_is_over(const struct world *w, unsigned cycles) {
    bool over = cycles == ROUND_CYCLES;
    for (unsigned n = 0; n < w->writers; n++)
        over = over || ack_model_full(&w->models[n]);
    return over;
}

/* A round begins without a store, so that kills hit its making too. */
static void round_of_cycles(struct world *w, unsigned wanted) {
    home_make(&w->home);
    memset(w->progress, 0, w->writers * sizeof *w->progress);
    for (unsigned n = 0; n < w->writers; n++) {
        ack_model_init(&w->models[n], n, rng_next(&w->rng));
        ack_model_init(&w->seen[n], n, w->models[n].seed);
        w->followed[n] = 0;
    }
    for (unsigned cycles = 0; w->kills < wanted && !round_is_over(w, cycles); cycles++) {
        cycle(w);
        if (cycles % VERIFY_EVERY == 0)
            assert_verified(w->home.path);
    }
    assert_verified(w->home.path);
    home_remove(&w->home);
}

static void kill_writers(unsigned writers) {
    const char *option = getenv("MNEME_KILLS");
    unsigned wanted = option ? (unsigned)strtoul(option, NULL, 10) : KILLS;
    size_t shared = writers * sizeof(struct progress);
    struct world w = {.writers = writers, .rng = {(uint64_t)time(NULL)}};
    print_message("seed %llu\n", (unsigned long long)w.rng.state);
    w.models = calloc(2 * writers, sizeof *w.models);
    w.progress = mmap(NULL, shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_non_null(w.models);
    assert_ptr_not_equal(w.progress, MAP_FAILED);
    w.seen = w.models + writers;
    while (w.kills < wanted)
        round_of_cycles(&w, wanted);
    print_message(
        "%u kills of %u writers, %llu calls acknowledged, %u under way, %u of them whole\n",
        w.kills, writers, (unsigned long long)w.acknowledged, w.unfinished, w.unfinished_seen);
    assert_true(w.acknowledged > 0);
    munmap(w.progress, shared);
    free(w.models);
}

static void kill_one_writer__keeps_every_acknowledged_call(void **state) {
    (void)state;
    kill_writers(1);
}

static void kill_four_writers__keeps_every_acknowledged_call(void **state) {
    (void)state;
    kill_writers(4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kill_one_writer__keeps_every_acknowledged_call),
        cmocka_unit_test(kill_four_writers__keeps_every_acknowledged_call),
    };
    return cmocka_run_group_tests_name("reliability/kill", tests, NULL, NULL);
}
