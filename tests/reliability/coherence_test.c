/*
 * coherence_test.c - processes with caches on one file: who reads sees every write that was
 * acknowledged before the read began, whoever wrote it, and nothing that was read goes back.
 *
 * Every process writes and reads, one with four threads, and one is killed and started again all
 * the while. Shared memory (the board) has for each record what has been acknowledged of it: a
 * reader looks there first, then reads, and must not find less. The counter of a record is its
 * member `occurrences`.
 *
 * MNEME_COHERENCE_SECONDS is how long each case runs.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "os/os.h"
#include "support/api_fixture.h"
#include "support/random_record.h"

enum { SECONDS = 3, KILL_EVERY_MS = 150, READS_A_WRITE = 24, NEWEST = 8 };
enum { THREADS = 4, PROCESSES = 3, VICTIM = THREADS + PROCESSES - 1, WRITERS = VICTIM + 1 };
enum { OWN = 3, SHARED = 6, COUNTERS = WRITERS * OWN + SHARED };
enum { SLOTS = 3, LIVES = 2000, STEPS = 30, GROWN = 60, MORTALS = 20000 };

enum mortal { UNBORN, BORN, DYING, DEAD }; /* the last two: delete begun, and acknowledged */

struct board {
    atomic_bool stop;
    struct {
        atomic_uint begun, acknowledged;
    } counters[COUNTERS]; /* of each writer OWN that it alone writes, then those that all write */
    /* Open episodes, one at a time in each slot: its life, and of each life the greatest number of
     * a step that was acknowledged, and whether it was completed. */
    atomic_uint life[SLOTS];
    atomic_uint steps[SLOTS][LIVES];
    atomic_bool completed[SLOTS][LIVES];
    struct {
        atomic_uint begun, acknowledged;
    } grown[WRITERS];             /* records of a tag that is the writer's own */
    atomic_uint mortals[WRITERS]; /* how many were begun */
    atomic_uchar mortal[WRITERS][MORTALS];
    atomic_uint_fast64_t reads, writes, hits, misses;
};

struct worker {
    struct board *board;
    mneme *m;
    unsigned number;
    struct rng rng;
    unsigned least[COUNTERS], least_steps[SLOTS][LIVES], least_grown[WRITERS];
    uint64_t reads, writes;
};

/* ---- Records ----------------------------------------------------------------------------- */

enum space { COUNTER = 1, EPISODE, GROWING, MORTAL };

static mneme_id id_in(enum space space, unsigned owner, unsigned n) {
    return (mneme_id){
        {(uint8_t)space, (uint8_t)owner, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n, 1}};
}

static unsigned number_in(const mneme_id *id) {
    return (unsigned)id->bytes[2] << 16 | (unsigned)id->bytes[3] << 8 | id->bytes[4];
}

static void raise_to(atomic_uint *what, unsigned least) {
    unsigned is = atomic_load(what);
    while (is < least && !atomic_compare_exchange_weak(what, &is, least))
        ;
}

/* Put a pattern with a counter and a tag. With a version it goes in only when that is greater than
 * what is there: so of two writers of one record the greater counter stays. */
static void put(struct worker *w, mneme_id id, unsigned counter, const char *tag, bool versioned) {
    mneme_text tags[] = {text(tag)};
    mneme_pattern pattern = pattern_of("a counter", tag);
    mneme_record record = {.kind = MNEME_PATTERN, .id = id, .as.pattern = &pattern};
    mneme_write how = {.keep_versions = versioned};
    mneme_error error;
    pattern.occurrences = counter;
    pattern.tags = (mneme_text_list){tags, 1};
    if (versioned)
        record.version = (mneme_version){counter, 1};
    int status = mneme_put(w->m, &record, 1, &how, NULL, &error);
    CHILD_CHECK(status == 0, "%s", error.message);
    w->writes++;
}

/* A record's counter; 0: it is not there. */
static unsigned read_counter_of(struct worker *w, const mneme_id *id) {
    const mneme_record *record;
    mneme_error error;
    int status = mneme_acquire(w->m, MNEME_PATTERN, id, &record, &error);
    CHILD_CHECK(status == 0 || status == MNEME_NOT_FOUND, "%s", error.message);
    unsigned counter = status ? 0 : (unsigned)record->as.pattern->occurrences;
    if (status == 0)
        mneme_release(w->m, record);
    w->reads++;
    return counter;
}

static const mneme_page *list(struct worker *w, const mneme_query *query) {
    const mneme_page *page;
    mneme_error error;
    int status = mneme_list(w->m, query, &page, &error);
    CHILD_CHECK(status == 0, "%s", error.message);
    w->reads++;
    return page;
}

/* ---- Counters ---------------------------------------------------------------------------- */

static bool is_shared(unsigned n) { return n >= WRITERS * OWN; }

static void check_counter(struct worker *w, unsigned n, unsigned counter, unsigned known) {
    CHILD_CHECK(counter >= known, "counter %u: %u was acknowledged, and %u is read", n, known,
                counter);
    CHILD_CHECK(counter >= w->least[n], "counter %u went from %u back to %u", n, w->least[n],
                counter);
    w->least[n] = counter;
}

static void read_counter(struct worker *w, unsigned n) {
    mneme_id id = id_in(COUNTER, 0, n);
    unsigned known = atomic_load(&w->board->counters[n].acknowledged);
    check_counter(w, n, read_counter_of(w, &id), known);
}

static void write_counter(struct worker *w) {
    bool shared = rng_chance(&w->rng, 50);
    unsigned n = shared ? (unsigned)(WRITERS * OWN + rng_below(&w->rng, SHARED))
                        : (unsigned)(w->number * OWN + rng_below(&w->rng, OWN));
    unsigned counter = atomic_fetch_add(&w->board->counters[n].begun, 1) + 1;
    put(w, id_in(COUNTER, 0, n), counter, shared ? "shared" : "own", is_shared(n));
    raise_to(&w->board->counters[n].acknowledged, counter);
    read_counter(w, n);
    CHILD_CHECK(shared || w->least[n] == counter, "counter %u: wrote %u, and read %u", n, counter,
                w->least[n]);
}

/* All counters of a tag, in one page. */
static void list_counters(struct worker *w, bool shared) {
    unsigned known[COUNTERS], seen[COUNTERS] = {0};
    mneme_pair where = {.name = text("tag"), .value = text(shared ? "shared" : "own")};
    mneme_query query = {.kind = MNEME_PATTERN, .where = &where, .where_count = 1};
    for (unsigned n = 0; n < COUNTERS; n++)
        known[n] = atomic_load(&w->board->counters[n].acknowledged);
    const mneme_page *page = list(w, &query);
    for (size_t i = 0; i < page->count; i++)
        seen[number_in(&page->records[i]->id)] =
            (unsigned)page->records[i]->as.pattern->occurrences;
    for (unsigned n = 0; n < COUNTERS; n++)
        if (is_shared(n) == shared)
            check_counter(w, n, seen[n], known[n]);
    mneme_page_release(w->m, page);
}

/* ---- Open episodes ----------------------------------------------------------------------- */

static void start_life(struct worker *w, unsigned slot, unsigned life) {
    if (life == LIVES)
        return;
    mneme_episode episode = {.id = id_in(EPISODE, slot, life), .task = text("grows")};
    mneme_error error;
    int status = mneme_episode_start(w->m, &episode, NULL, NULL, &error);
    CHILD_CHECK(status == 0 || status == MNEME_CONFLICT, "%s", error.message);
    raise_to(&w->board->life[slot], life);
}

/* Complete an episode that has enough steps, and begin the next one. Many may try. */
static void end_life(struct worker *w, unsigned slot, unsigned life) {
    mneme_id id = id_in(EPISODE, slot, life);
    mneme_error error;
    int status = complete(w->m, &id, &error);
    CHILD_CHECK(status == 0 || status == MNEME_CONFLICT, "%s", error.message);
    atomic_store(&w->board->completed[slot][life], true);
    start_life(w, slot, life + 1);
}

static void read_episode(struct worker *w, unsigned slot, unsigned life) {
    struct board *board = w->board;
    mneme_id id = id_in(EPISODE, slot, life);
    bool completed = atomic_load(&board->completed[slot][life]);
    unsigned known = atomic_load(&board->steps[slot][life]);
    const mneme_record *record;
    mneme_error error;
    int status = mneme_acquire(w->m, MNEME_EPISODE, &id, &record, &error);
    CHILD_CHECK(status == 0, "%s", error.message);
    unsigned steps = (unsigned)record->as.episode->steps.count;
    CHILD_CHECK(steps >= known, "episode %u.%u: step %u was acknowledged, and %u are read", slot,
                life, known, steps);
    CHILD_CHECK(steps >= w->least_steps[slot][life], "episode %u.%u went from %u steps back to %u",
                slot, life, w->least_steps[slot][life], steps);
    CHILD_CHECK(!completed || record->flags & MNEME_FLAG_SEALED, "episode %u.%u is open again",
                slot, life);
    w->least_steps[slot][life] = steps;
    mneme_release(w->m, record);
    w->reads++;
}

/* Its steps as a list: all of them, unless they have moved into it. */
static void list_steps(struct worker *w, unsigned slot, unsigned life) {
    mneme_id id = id_in(EPISODE, slot, life);
    mneme_query query = {.kind = MNEME_STEP, .parent = &id, .limit = 1000};
    unsigned known = atomic_load(&w->board->steps[slot][life]);
    const mneme_page *page = list(w, &query);
    size_t count = page->count;
    mneme_page_release(w->m, page);
    if (count >= known)
        return;
    const mneme_record *record;
    mneme_error error;
    int status = mneme_acquire(w->m, MNEME_EPISODE, &id, &record, &error);
    CHILD_CHECK(status == 0, "%s", error.message);
    CHILD_CHECK(record->flags & MNEME_FLAG_SEALED && count == 0,
                "episode %u.%u is open: step %u was acknowledged, and %zu are listed", slot, life,
                known, count);
    mneme_release(w->m, record);
}

static void write_step(struct worker *w) {
    unsigned slot = (unsigned)rng_below(&w->rng, SLOTS);
    unsigned life = atomic_load(&w->board->life[slot]);
    mneme_id id = id_in(EPISODE, slot, life);
    mneme_step step = step_of("count", "a step");
    mneme_error error;
    uint64_t number = 0;
    int status = mneme_step_append(w->m, &id, &step, NULL, NULL, &number, &error);
    CHILD_CHECK(status == 0 || status == MNEME_CONFLICT, "%s", error.message);
    if (status == 0)
        raise_to(&w->board->steps[slot][life], (unsigned)number);
    w->writes++;
    read_episode(w, slot, life);
    if ((status || number >= STEPS) && life + 1 < LIVES)
        end_life(w, slot, life); /* also when it was refused: who should have may be dead */
}

/* ---- Lists that grow, records that go ---------------------------------------------------- */

static const char *const grown_tags[] = {"g0", "g1", "g2", "g3", "g4", "g5", "g6"};
_Static_assert(sizeof grown_tags / sizeof *grown_tags == WRITERS, "a tag for each writer");

static void list_grown(struct worker *w, unsigned owner) {
    mneme_pair where = {.name = text("tag"), .value = text(grown_tags[owner])};
    mneme_query query = {.kind = MNEME_PATTERN, .where = &where, .where_count = 1};
    unsigned known = atomic_load(&w->board->grown[owner].acknowledged);
    const mneme_page *page = list(w, &query);
    unsigned count = (unsigned)page->count;
    CHILD_CHECK(count >= known, "list %u: %u were acknowledged, and %u are listed", owner, known,
                count);
    CHILD_CHECK(count >= w->least_grown[owner], "list %u went from %u back to %u", owner,
                w->least_grown[owner], count);
    w->least_grown[owner] = count;
    mneme_page_release(w->m, page);
}

static void write_grown(struct worker *w) {
    unsigned n = atomic_fetch_add(&w->board->grown[w->number].begun, 1);
    if (n >= GROWN)
        return;
    put(w, id_in(GROWING, w->number, n), 1, grown_tags[w->number], false);
    atomic_fetch_add(&w->board->grown[w->number].acknowledged, 1);
    list_grown(w, w->number);
}

static void read_mortal(struct worker *w, unsigned owner, unsigned n) {
    mneme_id id = id_in(MORTAL, owner, n);
    enum mortal before = (enum mortal)atomic_load(&w->board->mortal[owner][n]);
    bool found = read_counter_of(w, &id) > 0;
    CHILD_CHECK(before != DEAD || !found, "record %u.%u was deleted, and is found", owner, n);
    if (before == BORN && !found)
        CHILD_CHECK(atomic_load(&w->board->mortal[owner][n]) != BORN, "record %u.%u is not found",
                    owner, n);
}

static void write_mortal(struct worker *w) {
    unsigned n = atomic_fetch_add(&w->board->mortals[w->number], 1);
    mneme_id id = id_in(MORTAL, w->number, n % MORTALS);
    mneme_error error;
    if (n >= MORTALS)
        return;
    atomic_uchar *state = &w->board->mortal[w->number][n];
    put(w, id, 1, "mortal", false);
    atomic_store(state, BORN);
    read_mortal(w, w->number, n);
    atomic_store(state, DYING);
    int status = mneme_delete(w->m, MNEME_PATTERN, &id, 1, NULL, &error);
    CHILD_CHECK(status == 0, "%s", error.message);
    atomic_store(state, DEAD);
    read_mortal(w, w->number, n);
}

/* ---- Processes --------------------------------------------------------------------------- */

static void read_something(struct worker *w) {
    unsigned slot = (unsigned)rng_below(&w->rng, SLOTS);
    unsigned owner = (unsigned)rng_below(&w->rng, WRITERS);
    unsigned life = atomic_load(&w->board->life[slot]), back = (unsigned)rng_below(&w->rng, 3);
    unsigned mortals = atomic_load(&w->board->mortals[owner]);
    life -= back < life ? back : life;
    switch (rng_below(&w->rng, 8)) {
    case 0:
    case 1:
        read_counter(w, (unsigned)rng_below(&w->rng, COUNTERS));
        break;
    case 2:
        list_counters(w, rng_chance(&w->rng, 50));
        break;
    case 3:
    case 4:
        read_episode(w, slot, life);
        break;
    case 5:
        list_steps(w, slot, life);
        break;
    case 6:
        list_grown(w, owner);
        break;
    default:
        if (mortals && mortals <= MORTALS)
            read_mortal(w, owner, mortals - 1 - (unsigned)rng_below(&w->rng, NEWEST) % mortals);
    }
}

static void *work(void *context) {
    struct worker *w = context;
    static void (*const writes[])(struct worker *) = {write_counter, write_step, write_grown,
                                                      write_mortal};
    while (!atomic_load(&w->board->stop)) {
        writes[rng_below(&w->rng, sizeof writes / sizeof *writes)](w);
        uint64_t reads = rng_below(&w->rng, 2 * READS_A_WRITE);
        for (uint64_t i = 0; i < reads; i++)
            read_something(w);
    }
    atomic_fetch_add(&w->board->reads, w->reads);
    atomic_fetch_add(&w->board->writes, w->writes);
    return NULL;
}

struct process {
    const struct home *home;
    struct board *board;
    bool tiny;
    unsigned first, threads; /* numbers of its workers */
};

static mneme *open_caches(const struct process *process) {
    mneme_options options = {.size = sizeof options, .no_training = true};
    mneme *m = NULL;
    mneme_error error;
    for (size_t i = 0; process->tiny && i < MNEME_CACHE_COUNT; i++)
        options.cache.limits[i] = (mneme_cache_limits){.bytes = 20000, .entries = 5};
    int status = mneme_open(process->home->path, &options, &m, &error);
    CHILD_CHECK(status == 0, "%s", error.message);
    return m;
}

static void count_hits(mneme *m, struct board *board) {
    mneme_stats stats = {.size = sizeof stats};
    mneme_error error;
    int status = mneme_stats_get(m, &stats, &error);
    CHILD_CHECK(status == 0, "%s", error.message);
    for (size_t i = 0; i < MNEME_CACHE_COUNT; i++) {
        atomic_fetch_add(&board->hits, stats.caches[i].hits);
        atomic_fetch_add(&board->misses, stats.caches[i].misses);
    }
}

static int process_run(void *context) {
    const struct process *process = context;
    struct worker *workers = calloc(process->threads, sizeof *workers);
    pthread_t threads[THREADS];
    mneme *m = open_caches(process);
    mneme_error error;
    CHILD_CHECK(workers, "no memory");
    for (unsigned i = 0; i < process->threads; i++) {
        workers[i].board = process->board;
        workers[i].m = m;
        workers[i].number = process->first + i;
        workers[i].rng.state = (uint64_t)clock_monotonic_us() + process->first + i;
        CHILD_CHECK(pthread_create(&threads[i], NULL, work, &workers[i]) == 0, "thread");
    }
    for (unsigned i = 0; i < process->threads; i++)
        pthread_join(threads[i], NULL);
    count_hits(m, process->board);
    CHILD_CHECK(mneme_close(m, &error) == 0, "%s", error.message);
    free(workers);
    return 0;
}

/* ---- The parent, which has no store open while it forks ---------------------------------- */

static void start_lives(const struct process *process) {
    struct worker first = {.board = process->board, .m = open_caches(process)};
    for (unsigned slot = 0; slot < SLOTS; slot++)
        start_life(&first, slot, 0);
    store_close_ok(first.m);
}

/* Kill the victim again and again until the time is up, then tell all to end. False: it ended by
 * itself, with a word of what it found. */
static bool kill_victims(struct process *victim, int64_t until_us, unsigned *kills, pid_t *last) {
    bool good = true;
    pid_t child = child_start(process_run, victim);
    while (good && clock_monotonic_us() < until_us) {
        usleep(KILL_EVERY_MS * 1000);
        kill(child, SIGKILL);
        good = child_wait(child) == 1000 + SIGKILL;
        *kills += good;
        child = good ? child_start(process_run, victim) : 0;
    }
    atomic_store(&victim->board->stop, true);
    *last = child;
    return good;
}

static void run_processes(const struct home *home, bool tiny) {
    const char *option = getenv("MNEME_COHERENCE_SECONDS");
    int64_t seconds = option ? strtoll(option, NULL, 10) : SECONDS;
    struct process processes[PROCESSES];
    pid_t children[PROCESSES];
    struct board *board =
        mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(board, MAP_FAILED);
    for (unsigned i = 0; i < PROCESSES; i++)
        processes[i] =
            (struct process){home, board, tiny, i ? THREADS + i - 1 : 0, i ? 1 : THREADS};
    struct process victim = {home, board, tiny, VICTIM, 1};
    start_lives(&victim);
    for (unsigned i = 0; i < PROCESSES; i++)
        children[i] = child_start(process_run, &processes[i]);
    unsigned kills = 0;
    pid_t last = 0;
    bool good = kill_victims(&victim, clock_monotonic_us() + seconds * 1000000, &kills, &last);
    for (unsigned i = 0; i < PROCESSES; i++)
        good = child_wait(children[i]) == 0 && good;
    if (last > 0)
        good = child_wait(last) == 0 && good;
    assert_true(good);
    uint64_t looked = board->hits + board->misses;
    print_message("%llu reads checked among %llu writes and %u kills; %llu of %llu look-ups hit\n",
                  (unsigned long long)board->reads, (unsigned long long)board->writes, kills,
                  (unsigned long long)board->hits, (unsigned long long)looked);
    assert_true(board->reads > 0 && board->writes > 0);
    assert_true(tiny || board->hits > looked / 2);
    assert_verified(home->path);
    munmap(board, sizeof *board);
}

static void processes_with_caches__see_what_was_acknowledged(void **state) {
    run_processes(*state, false);
}

static void processes_with_tiny_caches__see_what_was_acknowledged(void **state) {
    run_processes(*state, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(processes_with_caches__see_what_was_acknowledged,
                                        home_setup, home_teardown),
        cmocka_unit_test_setup_teardown(processes_with_tiny_caches__see_what_was_acknowledged,
                                        home_setup, home_teardown),
    };
    return cmocka_run_group_tests_name("reliability/coherence", tests, NULL, NULL);
}
