/*
 * process_test.c - several processes and threads on one file at once, fork, and a map that grows
 * under everybody.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "store/kv.h"
#include "support/api_fixture.h"

enum { PROCESSES = 4, THREADS = 4, STEPS = 25, ALL = PROCESSES * THREADS * STEPS };

/* ---- Processes of threads ------------------------------------------------------------------- */

/* What the threads of all processes share. */
struct crowd {
    const char *path;
    mneme_id episode;
    bool until_closed; /* append until the episode takes no more */
    /* In shared memory: */
    struct told {
        _Atomic unsigned acknowledged;
        _Atomic unsigned refused;
        unsigned char numbers[ALL * 8]; /* by step number: how often it was given */
    } * told;
};

struct worker {
    struct crowd *crowd;
    mneme *m;
    unsigned process, thread;
};

static void *work(void *context) {
    struct worker *w = context;
    struct crowd *crowd = w->crowd;
    mneme_id own = {{0}};
    mneme_error error = {0};
    mneme_episode episode = {.task = text("an episode of one thread")};
    int status = mneme_episode_start(w->m, &episode, NULL, &own, &error);
    CHILD_CHECK(status == 0, "%s", error.message);
    for (unsigned n = 1; n <= STEPS || crowd->until_closed; n++) {
        char output[64];
        uint64_t number = 0, own_number = 0;
        snprintf(output, sizeof output, "process %u thread %u step %u", w->process, w->thread, n);
        mneme_step step = step_of("count", output);
        status = mneme_step_append(w->m, &crowd->episode, &step, NULL, NULL, &number, &error);
        if (status == MNEME_CONFLICT && crowd->until_closed) {
            crowd->told->refused++;
            return NULL;
        }
        CHILD_CHECK(status == 0, "%s", error.message);
        CHILD_CHECK(number >= 1 && number < sizeof crowd->told->numbers, "number %llu",
                    (unsigned long long)number);
        __atomic_fetch_add(&crowd->told->numbers[number], 1, __ATOMIC_RELAXED);
        crowd->told->acknowledged++;
        status = mneme_step_append(w->m, &own, &step, NULL, NULL, &own_number, &error);
        CHILD_CHECK(status == 0 && own_number == n, "step %u got number %llu", n,
                    (unsigned long long)own_number);
    }
    return NULL;
}

struct process {
    struct crowd *crowd;
    unsigned number;
};

static int process_run(void *context) {
    struct process *process = context;
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    mneme_error error = {0};
    mneme_options options = quiet_options();
    mneme *m = NULL;
    int status = mneme_open(process->crowd->path, &options, &m, &error);
    CHILD_CHECK(status == 0, "%s", error.message);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){process->crowd, m, process->number, i};
        CHILD_CHECK(pthread_create(&threads[i], NULL, work, &workers[i]) == 0, "thread");
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    status = mneme_close(m, &error);
    CHILD_CHECK(status == 0, "%s", error.message);
    return 0;
}

static void crowd_make(struct crowd *crowd, struct home *home, bool until_closed) {
    *crowd = (struct crowd){.path = home->path, .until_closed = until_closed};
    crowd->told =
        mmap(NULL, sizeof *crowd->told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(crowd->told, MAP_FAILED);
    mneme *m = store_open_quiet(home->path);
    crowd->episode = start_episode(m, "an episode of all");
    store_close_ok(m);
}

static void crowd_start(struct crowd *crowd, struct process *processes, pid_t *children) {
    for (unsigned i = 0; i < PROCESSES; i++) {
        processes[i] = (struct process){crowd, i};
        children[i] = child_start(process_run, &processes[i]);
    }
}

static void crowd_wait(const pid_t *children) {
    for (unsigned i = 0; i < PROCESSES; i++)
        assert_int_equal(child_wait(children[i]), 0);
}

/* The steps of the common episode are numbered 1 to n, and each number was given once. */
static void assert_numbered(mneme *m, const struct crowd *crowd) {
    const mneme_record *record;
    mneme_error error;
    OK(mneme_acquire(m, MNEME_EPISODE, &crowd->episode, &record, &error), &error);
    const mneme_step_list *steps = &record->as.episode->steps;
    assert_int_equal(steps->count, crowd->told->acknowledged);
    for (size_t i = 0; i < steps->count; i++) {
        assert_int_equal(steps->items[i].number, i + 1);
        assert_int_equal(crowd->told->numbers[i + 1], 1);
    }
    mneme_release(m, record);
}

static void many_append_to_one_episode__numbers_have_no_gap(void **state) {
    struct home *home = *state;
    struct process processes[PROCESSES];
    pid_t children[PROCESSES];
    struct crowd crowd;
    crowd_make(&crowd, home, false);
    crowd_start(&crowd, processes, children);
    crowd_wait(children);
    mneme *m = store_open_quiet(home->path);
    assert_int_equal(crowd.told->acknowledged, ALL);
    assert_numbered(m, &crowd);
    assert_int_equal(count_records(m, MNEME_EPISODE), 1 + PROCESSES * THREADS);
    assert_int_equal(count_records(m, MNEME_STEP), 2 * ALL);
    store_close_ok(m);
    assert_verified(home->path);
    munmap(crowd.told, sizeof *crowd.told);
}

static void complete_races_with_appends__what_was_acknowledged_is_inside(void **state) {
    struct home *home = *state;
    struct process processes[PROCESSES];
    pid_t children[PROCESSES];
    struct crowd crowd;
    mneme_error error = {0};
    crowd_make(&crowd, home, true);
    mneme *m = store_open_quiet(home->path);
    crowd_start(&crowd, processes, children);
    while (crowd.told->acknowledged < 100)
        usleep(1000);
    OK(complete(m, &crowd.episode, &error), &error);
    crowd_wait(children);
    assert_int_equal(crowd.told->refused, PROCESSES * THREADS);
    const mneme_record *record;
    OK(mneme_acquire(m, MNEME_EPISODE, &crowd.episode, &record, &error), &error);
    assert_true(record->flags & MNEME_FLAG_SEALED);
    mneme_release(m, record);
    assert_numbered(m, &crowd);
    REFUSED(complete(m, &crowd.episode, &error), MNEME_CONFLICT, &error);
    store_close_ok(m);
    assert_verified(home->path);
    munmap(crowd.told, sizeof *crowd.told);
}

/* ---- Fork ------------------------------------------------------------------------------------ */

struct forked {
    mneme *m;
    struct home *home;
    mneme_id id, episode;
};

/* Every call on the parent's handle, in a child. */
static int use_parents_handle(void *context) {
    struct forked *f = context;
    mneme_error error;
    mneme_pattern pattern = pattern_of("a", "b");
    mneme_record put = {.kind = MNEME_PATTERN, .as.pattern = &pattern};
    mneme_episode episode = {.task = text("t")};
    mneme_step step = step_of("a", "b");
    mneme_completion completion = {.outcome = {.kind = MNEME_SUCCESS}};
    mneme_query query = {.kind = MNEME_PATTERN};
    mneme_stats stats = {.size = sizeof stats};
    const mneme_record *record = NULL;
    const mneme_page *page = NULL;
    size_t trained;
    const int codes[] = {
        mneme_put(f->m, &put, 1, NULL, NULL, &error),
        mneme_delete(f->m, MNEME_PATTERN, &f->id, 1, NULL, &error),
        mneme_episode_start(f->m, &episode, NULL, NULL, &error),
        mneme_step_append(f->m, &f->episode, &step, NULL, NULL, NULL, &error),
        mneme_episode_complete(f->m, &f->episode, &completion, NULL, &error),
        mneme_tag_add(f->m, MNEME_PATTERN, &f->id, text("t"), NULL, &error),
        mneme_tag_remove(f->m, MNEME_PATTERN, &f->id, text("t"), NULL, &error),
        mneme_ticket_wait(f->m, 1, 0, &error),
        mneme_flush(f->m, &error),
        mneme_acquire(f->m, MNEME_PATTERN, &f->id, &record, &error),
        mneme_list(f->m, &query, &page, &error),
        mneme_stats_get(f->m, &stats, &error),
        mneme_backup(f->m, "x", &error),
        mneme_train(f->m, &trained, &error),
        mneme_close(f->m, &error),
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        CHILD_CHECK(codes[i] == MNEME_FORKED, "call %zu: %s", i, mneme_status_name(codes[i]));
    CHILD_CHECK(error.code == MNEME_FORKED && error.message[0], "%s", error.message);

    mneme *own = NULL;
    mneme_options options = quiet_options();
    int status = mneme_open(f->home->path, &options, &own, &error);
    CHILD_CHECK(status == 0, "%s", error.message);
    status = mneme_acquire(own, MNEME_PATTERN, &f->id, &record, &error);
    CHILD_CHECK(status == 0, "%s", error.message);
    mneme_release(own, record);
    status = mneme_put(own, &put, 1, NULL, NULL, &error);
    CHILD_CHECK(status == 0, "%s", error.message);
    return mneme_close(own, &error) == 0 ? 0 : 1;
}

static void child_after_fork__is_refused_and_may_open_its_own(void **state) {
    struct home *home = *state;
    struct forked f = {.home = home};
    f.m = store_open_quiet(home->path);
    f.id = put_pattern(f.m, "made", "before fork");
    f.episode = start_episode(f.m, "before fork");
    assert_int_equal(child_run(use_parents_handle, &f), 0);
    put_pattern(f.m, "made", "after fork");
    append_step(f.m, &f.episode, "after fork");
    assert_int_equal(count_records(f.m, MNEME_PATTERN), 3);
    store_close_ok(f.m);
    assert_verified(home->path);
}

/* An application may take no notice of its children, or be told of each by a handler. */
static void children_are_not_waited_for__opening_and_verify_work(void **state) {
    struct home *home = *state;
    mneme *m = store_open_quiet(home->path);
    put_pattern(m, "a", "b");
    store_close_ok(m);
    mneme_error error, *none = NULL;
    void (*before)(int) = signal(SIGCHLD, SIG_IGN);
    assert_verified(home->path);
    struct file_bytes bytes = file_read(home->path);
    const char *cut = home_file(home, "cut.mdb");
    file_write(cut, bytes.data, bytes.size - 4096);
    REFUSED(mneme_open(cut, NULL, &m, &error), MNEME_CORRUPT, &error);
    assert_int_equal(mneme_verify(cut, NULL, NULL, NULL, none), MNEME_CORRUPT);
    signal(SIGCHLD, before);
    file_bytes_free(&bytes);
}

/* ---- Two handles ---------------------------------------------------------------------------- */

static void same_file_opened_twice__shares_one_environment(void **state) {
    struct home *home = *state;
    mneme_error error;
    mneme *first = store_open_quiet(home->path), *second = store_open_quiet(home->path);
    mneme_id id = put_pattern(first, "seen", "by both");
    const mneme_record *record;
    OK(mneme_acquire(second, MNEME_PATTERN, &id, &record, &error), &error);
    store_close_ok(first);
    put_pattern(second, "after", "the first was closed");
    assert_int_equal(record->as.pattern->name.size, 4); /* a snapshot outlives handles */
    mneme_release(second, record);
    store_close_ok(second);
    second = store_open_quiet(home->path);
    assert_int_equal(count_records(second, MNEME_PATTERN), 2);
    store_close_ok(second);
}

static void file_deleted_under_a_handle__writes_are_refused(void **state) {
    struct home *home = *state;
    mneme_error error;
    mneme *m = store_open_quiet(home->path);
    mneme_pattern pattern = pattern_of("lost", "were it acknowledged");
    mneme_record put = {.kind = MNEME_PATTERN, .as.pattern = &pattern};
    put_pattern(m, "a", "b");
    assert_int_equal(unlink(home->path), 0);
    REFUSED(mneme_put(m, &put, 1, NULL, NULL, &error), MNEME_NOT_FOUND, &error);
    assert_says(&error, home->path);
    assert_false(file_exists(home->path));
    mneme *fresh = store_open_quiet(home->path); /* a new file, in a process that has the old one */
    put_pattern(fresh, "in the new file", "");
    assert_int_equal(count_records(fresh, MNEME_PATTERN), 1);
    assert_int_equal(count_records(m, MNEME_PATTERN), 1);
    REFUSED(mneme_put(m, &put, 1, NULL, NULL, &error), MNEME_NOT_FOUND, &error);
    assert_int_equal(mneme_close(m, &error), 0);
    put_pattern(fresh, "in the new file", "");
    store_close_ok(fresh);
    assert_verified(home->path);
}

/* ---- A map that grows ------------------------------------------------------------------------ */

enum { BLOB = 20000, BLOBS = 120 };

static int put_blob(struct store *store, unsigned writer, unsigned n) {
    static uint8_t bytes[BLOB];
    memset(bytes, (int)n, sizeof bytes);
    struct mutation put = {.op = MUTATION_PUT,
                           .record = {.kind = MNEME_PATTERN,
                                      .id = {{1, (uint8_t)writer, (uint8_t)n}},
                                      .time_us = n + 1,
                                      .body = slice_of(bytes, sizeof bytes)}};
    struct batch batch = {.mutations = &put, .count = 1}, *only = &batch;
    (void)store_apply(store, &only, 1);
    CHILD_CHECK(batch.status == 0, "%s", batch.error.message);
    return batch.status;
}

static int grow_map(void *context) {
    struct process *process = context;
    struct kv_options options = {.map_bytes = 1 << 20};
    struct store *store = NULL;
    mneme_error error;
    int status = kv_store_open(process->crowd->path, &options, &store, &error);
    CHILD_CHECK(status == 0, "%s", error.message);
    for (unsigned n = 0; n < BLOBS; n++) {
        AUTO_RECORDS struct record_set found = {0};
        mneme_id id = {{1, (uint8_t)process->number, (uint8_t)n}};
        put_blob(store, process->number, n);
        status = store_get_one(store, MNEME_PATTERN, &id, &found, &error);
        CHILD_CHECK(status == 0 && found.records[0].body.data[BLOB - 1] == (uint8_t)n, "%s",
                    error.message);
    }
    store_close(store);
    return 0;
}

/* Reads, and never writes, while others grow the map. */
static int read_while_it_grows(void *context) {
    struct process *process = context;
    struct kv_options options = {.map_bytes = 1 << 20};
    struct store *store = NULL;
    mneme_error error;
    size_t seen = 0;
    int status = kv_store_open(process->crowd->path, &options, &store, &error);
    CHILD_CHECK(status == 0, "%s", error.message);
    while (seen < 3 * BLOBS) {
        AUTO_RECORDS struct record_set found = {0};
        struct store_query query = {.kind = MNEME_PATTERN, .limit = 1000, .without_bodies = true};
        bool more;
        status = store_query(store, &query, &found, &more, &error);
        CHILD_CHECK(status == 0, "%s", error.message);
        CHILD_CHECK(found.count >= seen, "records went away");
        seen = found.count;
    }
    store_close(store);
    return 0;
}

static void map_grows_in_one_process__the_others_follow(void **state) {
    struct home *home = *state;
    struct crowd crowd = {.path = home->path};
    struct process processes[PROCESSES];
    pid_t children[PROCESSES];
    for (unsigned i = 0; i < PROCESSES; i++) {
        processes[i] = (struct process){&crowd, i};
        children[i] = child_start(i < 3 ? grow_map : read_while_it_grows, &processes[i]);
    }
    crowd_wait(children);
}

/* A listing so long that it gives up its snapshot on the way must find its way on, too. */
static int grow_once(void *context) {
    struct process *process = context;
    struct kv_options options = {.map_bytes = 1 << 20};
    struct store *store = NULL;
    mneme_error error;
    int status = kv_store_open(process->crowd->path, &options, &store, &error);
    CHILD_CHECK(status == 0, "%s", error.message);
    for (unsigned n = 0; n < BLOBS; n++)
        put_blob(store, process->number, n);
    store_close(store);
    return 0;
}

static void map_grows_during_a_long_listing__it_goes_on(void **state) {
    enum { MANY = 10000, BATCH = 1000 };
    struct home *home = *state;
    struct crowd crowd = {.path = home->path};
    struct kv_options options = {.map_bytes = 4 << 20};
    struct store *store = NULL;
    mneme_error error;
    OK(kv_store_open(home->path, &options, &store, &error), &error);
    struct mutation *puts = calloc(BATCH, sizeof *puts);
    assert_non_null(puts);
    for (unsigned n = 0; n < MANY; n++) {
        puts[n % BATCH] = (struct mutation){.op = MUTATION_PUT,
                                            .record = {.kind = MNEME_RELATION, .time_us = n + 1}};
        put_be64(puts[n % BATCH].record.id.bytes, n + 1);
        if (n % BATCH == BATCH - 1) {
            struct batch batch = {.mutations = puts, .count = BATCH}, *only = &batch;
            OK(store_apply(store, &only, 1), &batch.error);
            OK(batch.status, &batch.error);
        }
    }
    free(puts);
    struct process process = {&crowd, 9};
    pid_t child = child_start(grow_once, &process);
    for (unsigned round = 0; round < 40; round++) {
        AUTO_RECORDS struct record_set found = {0};
        struct store_query query = {.kind = MNEME_RELATION, .limit = MANY, .without_bodies = true};
        bool more;
        OK(store_query(store, &query, &found, &more, &error), &error);
        assert_int_equal(found.count, MANY);
    }
    assert_int_equal(child_wait(child), 0);
    store_close(store);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, home_setup, home_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(many_append_to_one_episode__numbers_have_no_gap),
        CASE(complete_races_with_appends__what_was_acknowledged_is_inside),
        CASE(child_after_fork__is_refused_and_may_open_its_own),
        CASE(children_are_not_waited_for__opening_and_verify_work),
        CASE(same_file_opened_twice__shares_one_environment),
        CASE(file_deleted_under_a_handle__writes_are_refused),
        CASE(map_grows_in_one_process__the_others_follow),
        CASE(map_grows_during_a_long_listing__it_goes_on),
    };
    return cmocka_run_group_tests_name("reliability/process", tests, NULL, NULL);
}
