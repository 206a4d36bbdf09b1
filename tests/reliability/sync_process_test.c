/*
 * sync_process_test.c - several processes with background sync on the same files, and the one that
 * syncs is killed again and again: another takes over, each process reads what it wrote and never
 * goes back in time, and in the end everything is on the server, once.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "os/os.h"
#include "support/api_fixture.h"
#include "support/server_database.h"
#include "support/store_records.h"
#include "support/sync_board.h"
#include "support/sync_site.h"

enum { DEVICES = 2, PROCESSES = 5, KILLS = 16 / SYNC_SLOWER + 2, NAP_US = 1000 };
enum { SLOT_EPISODE = 1, SLOT_WATCHED = 2, SLOT_OWN = 3 };

/* ---- What the processes share -------------------------------------------------------------- */

struct told {
    atomic_bool stop;
    atomic_int worker[DEVICES]; /* who syncs the device, as somebody saw it lately; 0: nobody */
    atomic_uint looks;          /* of the watching threads */
};

struct crowd {
    struct sync_site site;
    struct sync_board *board;
    struct told *told;
};

struct process {
    struct crowd *crowd;
    unsigned device;
    unsigned number; /* never the same again */
    mneme *m;
    mneme_id own;
    unsigned turns;
};

static mneme_id episode_id(void) { return numbered_id(1000 + SLOT_EPISODE); }
static mneme_id watched_id(void) { return numbered_id(1000 + SLOT_WATCHED); }

/* ---- A thread that watches ----------------------------------------------------------------- */

static bool is_older(mneme_version a, mneme_version b) {
    return a.clock < b.clock || (a.clock == b.clock && a.device < b.device);
}

static const mneme_record *acquire(mneme *m, mneme_kind kind, mneme_id id) {
    const mneme_record *record;
    mneme_error error;
    int status = mneme_acquire(m, kind, &id, &record, &error);
    CHILD_CHECK(status == 0, "%s", error.message);
    return record;
}

/* What was read once is not read older again: the watched record, and how many steps there are. */
static void *watch(void *context) {
    const struct process *p = context;
    mneme_version last = {0};
    size_t steps = 0;
    while (!p->crowd->told->stop) {
        const mneme_record *record = acquire(p->m, MNEME_PATTERN, watched_id());
        CHILD_CHECK(!is_older(record->version, last), "the watched record went back in time");
        last = record->version;
        mneme_release(p->m, record);
        record = acquire(p->m, MNEME_EPISODE, episode_id());
        CHILD_CHECK(record->as.episode->steps.count >= steps, "%zu steps, and then %zu", steps,
                    record->as.episode->steps.count);
        steps = record->as.episode->steps.count;
        mneme_release(p->m, record);
        p->crowd->told->looks++;
        usleep(NAP_US);
    }
    return NULL;
}

/* ---- A process that works ------------------------------------------------------------------ */

static struct sync_deed *plan(struct process *p, const char *what, unsigned slot) {
    struct sync_deed deed = {
        .what = what, .adds = true, .device = p->device + 1, .agent = p->number, .slot = slot};
    return sync_deed_plan(p->crowd->board, &deed);
}

static void append_and_read(struct process *p) {
    char token[24];
    mneme_error error;
    mneme_id id = episode_id();
    struct sync_deed *deed = plan(p, "step", SLOT_EPISODE);
    if (!deed)
        return;
    snprintf(token, sizeof token, "w%u;", sync_deed_number(p->crowd->board, deed));
    mneme_step step = step_of("tool", token);
    sync_deed_begin(deed);
    int status = mneme_step_append(p->m, &id, &step, NULL, NULL, NULL, &error);
    CHILD_CHECK(status == 0, "%s", error.message);
    sync_deed_end(deed, SYNC_DONE);
    const mneme_record *record = acquire(p->m, MNEME_EPISODE, id);
    const mneme_step_list *steps = &record->as.episode->steps;
    size_t found = 0;
    for (size_t i = 0; i < steps->count; i++)
        found += steps->items[i].output.size == strlen(token) &&
                 memcmp(steps->items[i].output.data, token, strlen(token)) == 0;
    CHILD_CHECK(found == 1, "%s was written, and is read %zu times", token, found);
    mneme_release(p->m, record);
}

static void put(struct process *p, mneme_id id, const char *name, const char *description) {
    mneme_pattern pattern = pattern_of(name, description);
    mneme_record record = {.kind = MNEME_PATTERN, .id = id, .as.pattern = &pattern};
    mneme_error error;
    int status = mneme_put(p->m, &record, 1, NULL, NULL, &error);
    CHILD_CHECK(status == 0, "%s", error.message);
}

/* Of a record that nobody else writes to: it is as it was put. */
static void put_and_read(struct process *p) {
    char turn[24];
    snprintf(turn, sizeof turn, "turn %u", p->turns);
    put(p, p->own, "of one process", turn);
    const mneme_record *record = acquire(p->m, MNEME_PATTERN, p->own);
    mneme_text read = record->as.pattern->description;
    CHILD_CHECK(read.size == strlen(turn) && memcmp(read.data, turn, read.size) == 0,
                "%s was written, and %.*s is read", turn, (int)read.size, read.data);
    mneme_release(p->m, record);
}

static void tell_worker(struct process *p) {
    mneme_sync_status status = {.size = sizeof status};
    mneme_error error;
    int pid = 0;
    CHILD_CHECK(mneme_sync_status_get(p->m, &status, &error) == 0, "%s", error.message);
    if (sscanf(status.worker, "process %d", &pid) != 1)
        pid = 0;
    p->crowd->told->worker[p->device] = pid;
}

static int process_run(void *context) {
    struct process *p = context;
    mneme_options options = sync_site_options(&p->crowd->site, MNEME_SYNC_BACKGROUND);
    mneme_error error;
    pthread_t watcher;
    CHILD_CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0, "prctl");
    p->own = numbered_id(5000 + p->number);
    int status = mneme_open(p->crowd->site.paths[p->device], &options, &p->m, &error);
    CHILD_CHECK(status == 0, "%s", error.message);
    CHILD_CHECK(pthread_create(&watcher, NULL, watch, p) == 0, "thread");
    for (; !p->crowd->told->stop; p->turns++) {
        append_and_read(p);
        if (p->turns % 4 == 1)
            put_and_read(p);
        if (p->turns % 4 == 3)
            put(p, watched_id(), "watched", "by all");
        tell_worker(p);
        usleep(4 * NAP_US);
    }
    pthread_join(watcher, NULL);
    CHILD_CHECK(mneme_close(p->m, &error) == 0, "%s", error.message);
    return 0;
}

/* ---- The parent ---------------------------------------------------------------------------- */

struct running {
    struct process process;
    pid_t pid;
};

static void start(struct crowd *crowd, struct running *running, unsigned device) {
    static unsigned number;
    running->process = (struct process){.crowd = crowd, .device = device, .number = ++number};
    running->pid = child_start(process_run, &running->process);
}

static struct running *find(struct running *all, pid_t pid) {
    for (unsigned i = 0; i < PROCESSES; i++)
        if (all[i].pid == pid)
            return &all[i];
    return NULL;
}

/* Wait until one of the processes syncs the device; a process that failed fails the test. */
static struct running *worker_of(struct crowd *crowd, struct running *all, unsigned device) {
    int64_t give_up_us = clock_monotonic_us() + SYNC_PATIENCE_US;
    while (clock_monotonic_us() < give_up_us) {
        pid_t pid = crowd->told->worker[device];
        struct running *worker = pid ? find(all, pid) : NULL;
        if (worker)
            return worker;
        usleep(NAP_US);
    }
    fail_msg("nobody syncs device %u", device + 1);
    return NULL;
}

static void kill_worker(struct crowd *crowd, struct running *all, unsigned device) {
    struct running *worker = worker_of(crowd, all, device);
    usleep((useconds_t)(clock_monotonic_us() % (20 * NAP_US))); /* at some moment of its work */
    kill(worker->pid, SIGKILL);
    assert_int_equal(child_wait(worker->pid), 1000 + SIGKILL);
    sync_board_reap(crowd->board, worker->process.number);
    worker->pid = 0;
    worker_of(crowd, all, device); /* another has taken over */
    start(crowd, worker, device);
}

static void prepare(struct crowd *crowd) {
    struct server_database database;
    mneme_error error;
    OK(server_database_make(&database, &error), &error);
    sync_site_make(&crowd->site, DEVICES, database.url, database.url);
    crowd->board = sync_board_make();
    crowd->told =
        mmap(NULL, sizeof *crowd->told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(crowd->told, MAP_FAILED);
    mneme_options options = sync_site_options(&crowd->site, MNEME_SYNC_MANUAL);
    mneme_episode episode = {.id = episode_id(), .task = text("of all")};
    for (unsigned device = 0; device < DEVICES; device++) {
        struct process self = {.crowd = crowd};
        OK(mneme_open(crowd->site.paths[device], &options, &self.m, &error), &error);
        if (device == 0) {
            OK(mneme_episode_start(self.m, &episode, NULL, NULL, &error), &error);
            put(&self, watched_id(), "watched", "at first");
        }
        OK(mneme_sync(self.m, NULL, NULL, &error), &error);
        store_close_ok(self.m);
    }
}

static void worker_is_killed__another_goes_on_and_nothing_is_lost(void **state) {
    struct crowd crowd;
    struct running all[PROCESSES] = {0};
    char problem[SYNC_PROBLEM];
    (void)state;
    prepare(&crowd);
    for (unsigned i = 0; i < PROCESSES; i++)
        start(&crowd, &all[i], i % DEVICES);
    for (unsigned i = 0; i < KILLS; i++)
        kill_worker(&crowd, all, i % DEVICES);
    crowd.told->stop = true;
    for (unsigned i = 0; i < PROCESSES; i++) {
        int code;
        assert_false(sync_child_hangs(all[i].pid, &code));
        assert_int_equal(code, 0);
    }
    print_message("%u deeds, %u looks, %d kills\n", (unsigned)crowd.board->next - 1,
                  (unsigned)crowd.told->looks, KILLS);
    if (sync_site_differs(&crowd.site, crowd.board, problem))
        fail_msg("%s\nThe files are in %s", problem, crowd.site.home.directory);
    assert_true(crowd.board->next > 50 && crowd.told->looks > 50);
    munmap(crowd.told, sizeof *crowd.told);
    sync_board_free(crowd.board);
    sync_site_remove(&crowd.site);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(worker_is_killed__another_goes_on_and_nothing_is_lost),
    };
    return cmocka_run_group_tests_name("reliability/sync_process", tests, NULL, NULL);
}
