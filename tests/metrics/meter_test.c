/*
 * meter_test.c - counting from many threads, and meters of one store in many processes.
 */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "metrics/meter_impl.h"
#include "metrics/metrics.h"
#include "support/api_fixture.h"

/* A directory of our own in shared memory. */
static char directory[64];

static int setup(void **state) {
    (void)state;
    snprintf(directory, sizeof directory, "/dev/shm/mneme-test-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

/* Nothing is left behind: the directory is empty. */
static int teardown(void **state) {
    (void)state;
    return rmdir(directory);
}

static struct meter *open_meter(const char *store) {
    struct meter_options options = {.store = store, .directory = directory, .slow_ns = 1000000000};
    struct meter *meter;
    mneme_error error;
    OK(meter_open(&options, &meter, &error), &error);
    return meter;
}

static void count_some(struct meter *meter, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        (void)meter_end(meter, METER_KV_GET, meter_begin(meter), 0);
}

struct told {
    uint64_t total, minute, ended;
    size_t processes;
    uint64_t own;
};

static uint64_t life_of(const mneme_process *process, unsigned window) {
    for (size_t i = 0; i < process->operation_count; i++)
        if (strcmp(process->operations[i].name, "get") == 0)
            return process->operations[i].windows[window].count;
    return 0;
}

static struct told read_meter(struct meter *meter) {
    AUTO_ARENA struct arena arena = {0};
    mneme_metrics metrics;
    mneme_error error;
    OK(meter_read(meter, &arena, &metrics, &error), &error);
    struct told told = {.total = life_of(&metrics.total, MNEME_WINDOW_LIFE),
                        .minute = life_of(&metrics.total, MNEME_WINDOW_MINUTE),
                        .ended = metrics.ended,
                        .processes = metrics.process_count};
    for (size_t i = 0; i < metrics.process_count; i++)
        if (metrics.processes[i].self)
            told.own += life_of(&metrics.processes[i], MNEME_WINDOW_LIFE);
    return told;
}

/* ---- Threads --------------------------------------------------------------------------------- */

enum { THREADS = 8, EACH = 20000 };

static void *count_thread(void *meter) {
    count_some(meter, EACH);
    return NULL;
}

static void *move_thread(void *argument) {
    struct meter *meter = argument;
    for (int i = 0; i < 200; i++)
        meter_advance(meter);
    return NULL;
}

static void meter__loses_no_count_of_any_thread(void **state) {
    (void)state;
    pthread_t threads[THREADS + 1];
    struct meter *meter = open_meter("threads");
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_thread, meter), 0);
    assert_int_equal(pthread_create(&threads[THREADS], NULL, move_thread, meter), 0);
    for (int i = 0; i < 5; i++)
        assert_true(read_meter(meter).total <= THREADS * EACH);
    for (int i = 0; i <= THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(read_meter(meter).total, THREADS * EACH);
    meter_close(meter);
}

static void hits__stand_for_those_that_were_let_go_by(void **state) {
    (void)state;
    enum { HITS = 100000 };
    struct meter *meter = open_meter("hits");
    AUTO_ARENA struct arena arena = {0};
    mneme_metrics metrics;
    mneme_error error;
    for (int i = 0; i < HITS; i++) {
        if (meter_hit_is_due())
            (void)meter_hit_end(meter, meter_begin(meter));
        if (i % 3 == 0) { /* and a miss, which counts for itself */
            bool due = meter_hit_is_due();
            meter_hit_take_back();
            (void)due;
        }
    }
    OK(meter_read(meter, &arena, &metrics, &error), &error);
    uint64_t counted = 0;
    for (size_t i = 0; i < metrics.total.operation_count; i++)
        if (strcmp(metrics.total.operations[i].layer, "cache") == 0)
            counted = metrics.total.operations[i].windows[MNEME_WINDOW_LIFE].count;
    assert_true(counted <= HITS && counted + 96 > HITS);
    meter_close(meter);
}

/* ---- Processes ------------------------------------------------------------------------------- */

/* A child that counts, says so, and waits to be told to end: 'c' closes, else it is killed. */
struct mate {
    pid_t pid;
    int to, from;
};

static void mate_run(const char *store, unsigned count, int in, int out) {
    struct meter *meter = open_meter(store);
    char byte = 'r';
    count_some(meter, count);
    CHILD_CHECK(write(out, &byte, 1) == 1, "cannot say so");
    CHILD_CHECK(read(in, &byte, 1) == 1, "nobody tells");
    meter_close(meter);
    _exit(0);
}

static struct mate mate_start(const char *store, unsigned count) {
    int down[2], up[2];
    char byte;
    assert_int_equal(pipe(down) | pipe(up), 0);
    struct mate mate = {.pid = fork(), .to = down[1], .from = up[0]};
    if (mate.pid == 0)
        mate_run(store, count, down[0], up[1]);
    close(down[0]);
    close(up[1]);
    assert_int_equal(read(mate.from, &byte, 1), 1);
    return mate;
}

static void mate_end(struct mate *mate, bool kill_it) {
    int status;
    if (kill_it)
        kill(mate->pid, SIGKILL);
    else
        assert_int_equal(write(mate->to, "c", 1), 1);
    assert_int_equal(waitpid(mate->pid, &status, 0), mate->pid);
    assert_int_equal(kill_it ? WIFSIGNALED(status) : WIFEXITED(status) && !WEXITSTATUS(status), 1);
    close(mate->to);
    close(mate->from);
}

static void processes__see_each_other(void **state) {
    (void)state;
    struct meter *meter = open_meter("two");
    count_some(meter, 10);
    struct mate mate = mate_start("two", 100), stranger = mate_start("three", 1000);
    struct told told = read_meter(meter);
    assert_int_equal(told.processes, 2);
    assert_int_equal(told.total, 110);
    assert_int_equal(told.minute, 110);
    assert_int_equal(told.own, 10);
    mate_end(&mate, false);
    told = read_meter(meter);
    assert_int_equal(told.processes, 1);
    assert_int_equal(told.ended, 1);
    assert_int_equal(told.total, 110);
    assert_int_equal(told.minute, 110);
    mate_end(&stranger, false);
    meter_close(meter);
}

static void processes__that_are_killed_stay_in_the_total(void **state) {
    (void)state;
    struct meter *meter = open_meter("killed");
    for (unsigned i = 1; i <= 5; i++) {
        struct mate mate = mate_start("killed", 100), other = mate_start("killed", 1);
        mate_end(&mate, true);
        mate_end(&other, i % 2);
        struct told told = read_meter(meter);
        assert_int_equal(told.processes, 1);
        assert_int_equal(told.ended, 2 * i);
        assert_int_equal(told.total, 101 * i);
    }
    meter_close(meter);
}

static void processes__leave_nothing_when_all_were_killed(void **state) {
    (void)state;
    struct mate mates[] = {mate_start("dead", 10), mate_start("dead", 20)};
    for (size_t i = 0; i < COUNT_OF(mates); i++)
        mate_end(&mates[i], true);
    struct meter *meter = open_meter("dead"); /* begins anew: nobody was there to tell */
    struct told told = read_meter(meter);
    assert_int_equal(told.total, 0);
    assert_int_equal(told.ended, 0);
    meter_close(meter);
}

static void stores__that_were_left_are_swept_by_the_next(void **state) {
    (void)state;
    struct mate mate = mate_start("left", 10);
    mate_end(&mate, true);
    meter_close(open_meter("another")); /* teardown finds an empty directory */
}

static void handles__of_one_process_are_one(void **state) {
    (void)state;
    struct meter *one = open_meter("same"), *two = open_meter("same"), *other = open_meter("else");
    count_some(one, 3);
    count_some(two, 4);
    count_some(other, 100);
    struct told told = read_meter(one);
    assert_int_equal(told.processes, 1);
    assert_int_equal(told.total, 7);
    assert_int_equal(told.own, 7);
    meter_close(one);
    told = read_meter(two);
    assert_int_equal(told.total, 7);
    assert_int_equal(told.ended, 1);
    assert_int_equal(told.own, 4);
    meter_close(two);
    meter_close(other);
}

enum { STORM = 6, STORM_TURNS = 30 };

/* One that the others keep the lock from for too long, on a slow machine, is alone, and says so. */
static struct meter *open_with_others(const char *store) {
    struct meter *meter = open_meter(store);
    for (int i = 0; i < 100 && strstr(meter_alone(meter), "locked"); i++) {
        meter_close(meter);
        meter = open_meter(store);
    }
    return meter;
}

/* Many come and go at once: nothing is lost of those who overlap, and nothing is left. */
static int storm_run(void *context) {
    unsigned seed = *(unsigned *)context;
    for (int i = 0; i < STORM_TURNS; i++) {
        struct meter *meter = open_with_others("storm");
        CHILD_CHECK(meter_alone(meter)[0] == 0, "alone: %s", meter_alone(meter));
        count_some(meter, 10);
        struct told told = read_meter(meter);
        CHILD_CHECK(told.own == 10 && told.total >= 10, "%llu", (unsigned long long)told.total);
        seed = seed * 1103515245 + 12345;
        usleep(seed >> 16 & 0x3ff);
        meter_close(meter);
    }
    return 0;
}

static void processes__come_and_go_at_once(void **state) {
    (void)state;
    pid_t children[STORM];
    unsigned seeds[STORM];
    struct meter *meter = open_meter("storm");
    for (unsigned i = 0; i < STORM; i++) {
        seeds[i] = i * 7919 + 1;
        children[i] = child_start(storm_run, &seeds[i]);
    }
    for (unsigned i = 0; i < STORM; i++)
        assert_int_equal(child_wait(children[i]), 0);
    struct told told = read_meter(meter);
    assert_int_equal(told.total, STORM * STORM_TURNS * 10);
    assert_int_equal(told.ended, STORM * STORM_TURNS);
    meter_close(meter);
}

static void child__of_fork_leaves_its_parents_numbers_alone(void **state) {
    (void)state;
    struct meter *meter = open_meter("forked");
    count_some(meter, 5);
    struct mate mate = mate_start("forked", 7); /* a child that has this meter in its list, too */
    struct told told = read_meter(meter);
    assert_int_equal(told.processes, 2);
    assert_int_equal(told.total, 12);
    mate_end(&mate, false);
    assert_int_equal(read_meter(meter).total, 12);
    meter_close(meter);
}

/* ---- What cannot be had ---------------------------------------------------------------------- */

static void assert_alone(const struct meter_options *options, const char *why) {
    struct meter *meter;
    mneme_error error;
    OK(meter_open(options, &meter, &error), &error);
    if (!strstr(meter_alone(meter), why))
        fail_msg("\"%s\" does not say \"%s\"", meter_alone(meter), why);
    count_some(meter, 3);
    assert_int_equal(read_meter(meter).total, 3);
    meter_close(meter);
}

static void meter__without_shared_memory_says_why(void **state) {
    (void)state;
    char root[128];
    struct meter_options options = {.store = "x", .directory = "/nonexistent"};
    assert_alone(&options, "/nonexistent");
    options.directory = "/proc";
    assert_alone(&options, "not in memory");
    options.directory = directory;
    options.store = NULL;
    assert_alone(&options, "no other process");
    options.store = "x";
    snprintf(root, sizeof root, "%s/mneme-%lu", directory, (unsigned long)geteuid());
    assert_int_equal(symlink("/dev/shm", root), 0);
    assert_alone(&options, root); /* a link is not followed */
    assert_int_equal(unlink(root), 0);
    assert_int_equal(mkdir(root, 0777) | chmod(root, 0777), 0);
    assert_alone(&options, root); /* nor what others may write to */
    assert_int_equal(rmdir(root), 0);
}

/* Somebody who was stopped with the lock stops nobody. */
static void meter__does_not_wait_for_a_lock(void **state) {
    (void)state;
    char path[256];
    struct meter *meter = open_meter("locked");
    struct meter_options options = {.store = "locked", .directory = directory};
    snprintf(path, sizeof path, "%s/mneme-%lu/locked/ended", directory, (unsigned long)geteuid());
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_alone(&options, "locked");
    count_some(meter, 2);
    assert_int_equal(read_meter(meter).total, 2); /* its own, without the others */
    close(fd);
    meter_close(meter);
}

static void meter__passes_damaged_files_over(void **state) {
    (void)state;
    static const char *const names[] = {"1-0-0", "77-ab-1", "999999-1-0"};
    char path[256];
    struct meter *meter = open_meter("damaged");
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(path, sizeof path, "%s/mneme-%lu/damaged/%s", directory, (unsigned long)geteuid(),
                 names[i]);
        file_write(path, "not what is expected", i * 9);
    }
    count_some(meter, 2);
    assert_int_equal(read_meter(meter).total, 2);
    snprintf(path, sizeof path, "%s/mneme-%lu/damaged/ended", directory, (unsigned long)geteuid());
    file_write(path, "nor this", 8);
    assert_int_equal(read_meter(meter).total, 2);
    struct mate mate = mate_start("damaged", 5);
    mate_end(&mate, false);
    assert_int_equal(read_meter(meter).total, 7);
    meter_close(meter);
}

/* ---- Slow operations and queries ---------------------------------------------------------------
 */

static void slow__texts_are_cut_between_characters(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    char detail[600];
    mneme_metrics metrics;
    mneme_error error;
    struct meter *meter = open_meter("slow");
    for (size_t i = 0; i + 2 < sizeof detail; i += 2)
        memcpy(detail + i, "ä", 2);
    for (size_t from = 0; from < 2; from++) {
        struct meter_slow slow = {.operation = METER_API_LIST,
                                  .begun = meter_begin(meter),
                                  .detail = slice_of(detail + 2 * from, 400 + 2 * from)};
        meter_slow(meter, &slow);
    }
    usleep(2000); /* so that it is the latest by the clock */
    struct meter_slow lines = {.operation = METER_API_PUT,
                               .begun = meter_begin(meter),
                               .status = MNEME_CONFLICT,
                               .records = 4,
                               .detail = slice_of_string("one\ntwo\x1b[2J")};
    meter_slow(meter, &lines);
    OK(meter_read(meter, &arena, &metrics, &error), &error);
    assert_int_equal(metrics.slow_count, 3);
    assert_string_equal(metrics.slow[0].detail, "one two [2J");
    assert_int_equal(metrics.slow[0].code, MNEME_CONFLICT);
    assert_int_equal(metrics.slow[0].records, 4);
    assert_int_equal(metrics.slow[0].pid, getpid());
    for (size_t i = 1; i < 3; i++) {
        const char *told = metrics.slow[i].detail;
        assert_true(utf8_valid(slice_of_string(told)));
        assert_string_equal(told + strlen(told) - 3, "…");
    }
    meter_close(meter);
}

static void query__shapes_are_counted(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    mneme_metrics metrics;
    mneme_error error;
    struct meter *meter = open_meter("shapes");
    for (int i = 0; i < 10; i++)
        meter_query(meter, slice_of_string(i % 5 ? "often" : "seldom"), meter_begin(meter), i % 2,
                    i == 3 ? MNEME_CORRUPT : 0);
    OK(meter_read(meter, &arena, &metrics, &error), &error);
    assert_int_equal(metrics.total.shape_count, 2);
    const mneme_query_shape *often = &metrics.total.shapes[0];
    assert_string_equal(often->text, "often");
    assert_int_equal(often->count, 8);
    assert_int_equal(often->hits, 4);
    assert_int_equal(often->errors, 1);
    assert_int_equal(often->latency.count, 8);
    meter_close(meter);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    static const struct CMUnitTest tests[] = {
        CASE(meter__loses_no_count_of_any_thread),
        CASE(hits__stand_for_those_that_were_let_go_by),
        CASE(processes__see_each_other),
        CASE(processes__that_are_killed_stay_in_the_total),
        CASE(processes__leave_nothing_when_all_were_killed),
        CASE(stores__that_were_left_are_swept_by_the_next),
        CASE(handles__of_one_process_are_one),
        CASE(processes__come_and_go_at_once),
        CASE(child__of_fork_leaves_its_parents_numbers_alone),
        CASE(meter__without_shared_memory_says_why),
        CASE(meter__does_not_wait_for_a_lock),
        CASE(meter__passes_damaged_files_over),
        CASE(slow__texts_are_cut_between_characters),
        CASE(query__shapes_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
