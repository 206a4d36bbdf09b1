/*
 * soak_worker.c - one process of a soak: it opens the store, lets its hands work until it is asked
 * to end, and sees meanwhile to what concerns the process as a whole.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bench/generate.h"
#include "bench/measure.h"
#include "bench/soak_hand.h"
#include "os/os.h"
#include "store/kv.h"

enum { TICK_US = 10 * 1000, TICKS_A_SAMPLE = 25, SPARE_BYTES = 1 << 20 };

static void pause_us(long us) {
    struct timespec time = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    nanosleep(&time, NULL);
}

/* ---- Opening -------------------------------------------------------------------------------- */

/* Requests end soon, so that many of them fail. */
static mneme_options options_of(const struct soak_post *post) {
    mneme_options options = {.size = sizeof options,
                             .remote = {.timeout_ms = 2500,
                                        .stall_ms = 800,
                                        .connect_ms = 800,
                                        .attempts = 3,
                                        .breaker_open_ms = 100}};
    if (post->role == SOAK_FAR) {
        options.remote.pool_max = 1;
        options.remote.acquire_ms = 150;
        return options;
    }
    options.sync =
        (mneme_sync_options){.url = post->url, .poll_ms = 50, .poll_max_ms = 400, .lease_ms = 1500};
    if (post->role == SOAK_TINY) {
        options.compression = MNEME_COMPRESS_LZ4;
        for (unsigned i = 0; i < MNEME_CACHE_COUNT; i++)
            options.cache.limits[i] = (mneme_cache_limits){.bytes = 48 << 10, .entries = 24};
    }
    return options;
}

/* With the store open by itself, whose environment the handle then shares: its map begins small,
 * and grows as the file does. */
static int open_small(const struct soak_crew *crew, struct store **out, mneme_error *error) {
    struct soak_path path = soak_store_path(crew->post.directory);
    const struct kv_options options = {.map_bytes = 1 << 20};
    return kv_store_open(path.text, &options, out, error);
}

static int open_handle(struct soak_crew *crew, mneme_error *error) {
    struct soak_path path = soak_store_path(crew->post.directory);
    mneme_options options = options_of(&crew->post);
    bool far = crew->post.role == SOAK_FAR;
    int64_t begin_ns = soak_now_ns();
    int status;
    do {
        TRY(interrupt_check(error));
        status = mneme_open(far ? crew->post.url : path.text, &options, &crew->m, error);
        if (status)
            pause_us(TICK_US);
    } while (far && (status == MNEME_UNAVAILABLE || status == MNEME_UNCERTAIN));
    soak_times_add(&crew->board->times[far][CALL_OPEN], soak_now_ns() - begin_ns);
    return status;
}

/* What the process before this one left pending: on this machine it can be read how it went. */
static int hand_prepare(struct soak_crew *crew, unsigned number, mneme_error *error) {
    struct soak_hand *h = &crew->hands[number];
    const struct soak_post *post = &crew->post;
    unsigned writer = soak_writer(post->slot, number);
    struct soak_path path = soak_ledger_path(post->directory, writer);
    h->crew = crew;
    h->number = number;
    h->eye = (struct soak_eye){crew->m, post->seed};
    TRY(ledger_open(path.text, writer, true, &h->ledger, error));
    h->first = h->ledger.next;
    h->chance = mix(soak_chance(post->seed, writer, h->first),
                    (uint64_t)atomic_load(&crew->slot->generation));
    if (post->role != SOAK_FAR)
        return soak_settle_all(&h->eye, &h->ledger, true, error);
    return 0;
}

/* ---- A full disk ---------------------------------------------------------------------------- */

/* The ledgers must still have room. */
static bool ledgers_fit(const struct soak_crew *crew, uint64_t limit) {
    for (unsigned i = 0; i < crew->post.threads; i++) {
        struct soak_path path =
            soak_ledger_path(crew->post.directory, soak_writer(crew->post.slot, i));
        struct path_info info;
        if (path_inspect(path.text, &info, NULL) || info.size + SPARE_BYTES > limit)
            return false;
    }
    return true;
}

static void limit_set(struct soak_crew *crew) {
    struct soak_path path = soak_store_path(crew->post.directory);
    struct rlimit limit;
    struct path_info info;
    if (path_inspect(path.text, &info, NULL) || !ledgers_fit(crew, info.size) ||
        getrlimit(RLIMIT_FSIZE, &limit))
        return;
    atomic_store(&crew->limited_until, INT64_MAX);
    limit.rlim_cur = info.size;
    (void)setrlimit(RLIMIT_FSIZE, &limit);
}

static void limit_lift(struct soak_crew *crew) {
    struct rlimit limit;
    (void)getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_FSIZE, &limit);
    atomic_store(&crew->limited_until, soak_now_ns() / 1000);
}

static bool all_drained(const struct soak_crew *crew) {
    for (unsigned i = 0; i < crew->post.threads; i++)
        if (!atomic_load(&crew->hands[i].drained))
            return false;
    return true;
}

/* First nothing stays queued, then the limit comes; later the other way round. */
static void see_to_limit(struct soak_crew *crew) {
    bool full = atomic_load(&crew->slot->full) && crew->post.role != SOAK_FAR;
    bool limited = atomic_load(&crew->limited_until) == INT64_MAX;
    if (full && !atomic_load(&crew->careful)) {
        for (unsigned i = 0; i < crew->post.threads; i++)
            atomic_store(&crew->hands[i].drained, false);
        atomic_store(&crew->careful, true);
    } else if (full && !limited && all_drained(crew)) {
        limit_set(crew);
    } else if (!full && atomic_load(&crew->careful)) {
        if (limited)
            limit_lift(crew);
        atomic_store(&crew->careful, false);
    }
}

/* ---- The process ---------------------------------------------------------------------------- */

static unsigned count_descriptors(void) {
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (directory && readdir(directory))
        count++;
    if (directory)
        closedir(directory);
    return count;
}

static void sample(struct soak_crew *crew) {
    struct soak_slot *slot = crew->slot;
    uint64_t kib = 0;
    unsigned descriptors = count_descriptors();
    (void)proc_number("/proc/self/status", "RssAnon", &kib, NULL);
    if (!atomic_load(&slot->memory_start)) {
        atomic_store(&slot->memory_start, kib << 10);
        atomic_store(&slot->descriptors_start, descriptors);
    }
    atomic_store(&slot->memory_now, kib << 10);
    atomic_store(&slot->descriptors_now, descriptors);
}

/* The first hand that ended with an error. */
static struct soak_hand *find_failed(const struct soak_crew *crew) {
    for (unsigned i = 0; i < crew->post.threads; i++)
        if (atomic_load(&crew->hands[i].status))
            return &crew->hands[i];
    return NULL;
}

static int work(struct soak_crew *crew, mneme_error *error) {
    int status = 0;
    for (unsigned i = 0; i < crew->post.threads && status == 0; i++) {
        struct soak_hand *h = &crew->hands[i];
        status = thread_start(&h->thread, soak_hand_run, h, error);
        h->started = status == 0;
    }
    for (unsigned tick = 0; status == 0 && !find_failed(crew) && !interrupt_check(NULL); tick++) {
        see_to_limit(crew);
        if (tick % TICKS_A_SAMPLE == TICKS_A_SAMPLE - 1)
            sample(crew);
        pause_us(TICK_US);
    }
    atomic_store(&crew->stop, true);
    for (unsigned i = 0; i < crew->post.threads; i++)
        if (crew->hands[i].started)
            pthread_join(crew->hands[i].thread, NULL);
    if (atomic_load(&crew->limited_until) == INT64_MAX)
        limit_lift(crew);
    const struct soak_hand *failed = find_failed(crew);
    return failed ? error_set(error, failed->status, "%s", failed->error.message) : status;
}

static int close_handle(struct soak_crew *crew, mneme_error *error) {
    int64_t begin_ns = soak_now_ns();
    int status = mneme_close(TAKE(crew->m), error);
    soak_times_add(&crew->board->times[crew->post.role == SOAK_FAR][CALL_CLOSE],
                   soak_now_ns() - begin_ns);
    return status;
}

static int serve(struct soak_crew *crew, mneme_error *error) {
    struct store *small = NULL;
    int status = 0;
    atomic_store(&crew->slot->memory_start, 0);
    if (crew->post.role == SOAK_TINY)
        TRY(open_small(crew, &small, error));
    status = open_handle(crew, error);
    for (unsigned i = 0; i < crew->post.threads && status == 0; i++)
        status = hand_prepare(crew, i, error);
    if (status == 0)
        status = work(crew, error);
    if (crew->m && status == 0)
        status = close_handle(crew, error);
    else
        (void)mneme_close(crew->m, NULL);
    store_close(small);
    for (unsigned i = 0; i < crew->post.threads; i++)
        ledger_close(&crew->hands[i].ledger);
    return status;
}

static bool take_arguments(int argc, char **argv, struct soak_post *post) {
    if (argc != 7)
        return false;
    *post = (struct soak_post){.directory = argv[1],
                               .url = argv[2],
                               .seed = strtoull(argv[3], NULL, 10),
                               .slot = (unsigned)strtoul(argv[4], NULL, 10),
                               .threads = (unsigned)strtoul(argv[5], NULL, 10),
                               .role = (enum soak_role)strtoul(argv[6], NULL, 10)};
    return post->slot < SOAK_SLOTS_MAX && post->threads <= SOAK_THREADS_MAX;
}

int soak_worker_main(int argc, char **argv) {
    struct soak_crew crew = {.limited_until = 0};
    mneme_error error = {0};
    if (!take_arguments(argc, argv, &crew.post)) {
        fputs("mneme bench soak-worker: `mneme bench soak` starts this\n", stderr);
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGXFSZ, SIG_IGN);
    interrupt_catch();
    crew.hands = mem_zalloc(SOAK_THREADS_MAX, sizeof *crew.hands);
    int status = crew.hands ? soak_board_map(crew.post.directory, &crew.board, &error)
                            : error_set(&error, MNEME_NO_MEMORY, "no memory for threads");
    for (unsigned i = 0; i < SOAK_THREADS_MAX && crew.hands; i++)
        crew.hands[i].ledger.fd = -1;
    if (status == 0) {
        crew.slot = &crew.board->slots[crew.post.slot];
        status = serve(&crew, &error);
    }
    if (status == MNEME_CANCELLED)
        status = 0;
    if (status)
        fprintf(stderr, "mneme bench soak: process %ld, slot %u: %s\n", (long)getpid(),
                crew.post.slot, error.message);
    soak_board_unmap(crew.board);
    mem_free(crew.hands);
    return status ? 1 : 0;
}
