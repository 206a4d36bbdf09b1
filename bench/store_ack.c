/*
 * store_ack.c - sixteen threads, each of which waits until its own record is on disk, against one
 * thread that does the least a durable write can do: pwrite and fdatasync to a file whose blocks
 * are there already.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "bench/store_cases.h"

enum { THREADS = 16, LOG_BYTES = 16 << 20 };

struct acks {
    struct kit *kit;
    struct scratch_path path, log_path;
    struct live_steps steps;
    size_t a_thread;          /* records that each thread puts in a run */
    size_t logged;            /* records that the reference writes */
    struct write_set encoded; /* what the reference writes: the stored bodies of these records */
    bool are_steps;
    int log;
    off_t log_at;
    mneme *m; /* during a run */
};

struct worker {
    struct acks *acks;
    size_t number;
    mneme_id episode;
    pthread_t thread;
    int status;
    mneme_error error;
};

static int put_one(struct worker *w, size_t i) {
    struct acks *a = w->acks;
    if (a->are_steps)
        return mneme_step_append(a->m, &w->episode, &a->steps.items[i % a->steps.count], NULL, NULL,
                                 NULL, &w->error);
    const struct record_list *fresh = &a->kit->corpus.fresh;
    mneme_episode blank = *fresh->items[i % fresh->count]->as.episode;
    blank.id = (mneme_id){{0}};
    const mneme_record record = {.kind = MNEME_EPISODE, .as.episode = &blank};
    return mneme_put(a->m, &record, 1, NULL, NULL, &w->error);
}

static void *work(void *argument) {
    struct worker *w = argument;
    size_t count = w->acks->a_thread;
    for (size_t i = 0; i < count && w->status == 0; i++)
        w->status = put_one(w, w->number * count + i);
    return NULL;
}

static int run_workers(struct worker *workers, double *seconds, mneme_error *error) {
    size_t started = 0;
    int status = 0;
    double start = seconds_now();
    while (started < THREADS && status == 0) {
        status = thread_start(&workers[started].thread, work, &workers[started], error);
        started += status == 0;
    }
    for (size_t i = 0; i < started; i++)
        pthread_join(workers[i].thread, NULL);
    *seconds = seconds_now() - start;
    for (size_t i = 0; i < started && status == 0; i++)
        if (workers[i].status)
            status = error_set(error, workers[i].status, "%s", workers[i].error.message);
    return status;
}

static int run_threads(void *context, double *value, mneme_error *error) {
    struct acks *a = context;
    struct worker workers[THREADS];
    AUTO_HANDLE mneme *m = NULL;
    double seconds = 0;
    TRY(kit_open(a->kit, &a->path, &m, error));
    a->m = m;
    for (size_t i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.acks = a, .number = i};
        TRY(live_episode_start(m, &workers[i].episode, error));
    }
    TRY(run_workers(workers, &seconds, error));
    *value = (double)(a->a_thread * THREADS) / seconds;
    return 0;
}

static int run_log(void *context, double *value, mneme_error *error) {
    struct acks *a = context;
    double start = seconds_now();
    for (size_t i = 0; i < a->logged; i++) {
        struct slice body = a->encoded.mutations[i % a->encoded.count].record.body;
        if (a->log_at + (off_t)body.size > LOG_BYTES)
            a->log_at = 0;
        if (pwrite(a->log, body.data, body.size, a->log_at) != (ssize_t)body.size ||
            fdatasync(a->log) != 0)
            return error_set_errno(error, errno, "cannot write %s", a->log_path.text);
        a->log_at += (off_t)body.size;
    }
    *value = (double)a->logged / (seconds_now() - start);
    return 0;
}

/* Written once in whole, so that no write has to find blocks or change the file's size. */
static int log_prepare(struct acks *a, mneme_error *error) {
    static const char zeros[1 << 16];
    a->log = open(a->log_path.text, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = a->log >= 0;
    for (off_t at = 0; ok && at < LOG_BYTES; at += (off_t)sizeof zeros)
        ok = pwrite(a->log, zeros, sizeof zeros, at) == (ssize_t)sizeof zeros;
    ok = ok && fsync(a->log) == 0;
    return ok ? 0 : error_set_errno(error, errno, "cannot write %s", a->log_path.text);
}

static int encode_all(struct kit *kit, const struct record_list *records, struct write_set *set,
                      mneme_error *error) {
    for (size_t i = 0; i < records->count; i++)
        TRY(kit_encode(kit, records->items[i], set, error));
    return 0;
}

static void acks_fini(struct acks *a) {
    if (a->log >= 0)
        close(a->log);
    write_set_fini(&a->encoded);
}

static int compare_acks(struct acks *a, const char *name, mneme_error *error) {
    return kit_compare(a->kit, name, "rec/s", (struct contestant){run_threads, a},
                       "pwrite + fdatasync", (struct contestant){run_log, a}, AT_LEAST(4), error);
}

int store_acknowledgements(struct kit *kit, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    CLEANUP(acks_fini)
    struct acks a = {.kit = kit,
                     .path = scratch_path_of(&kit->scratch, "acks.mdb"),
                     .log_path = scratch_path_of(&kit->scratch, "log"),
                     .a_thread = bench_size(kit->options, 5, 200, 1000),
                     .logged = bench_size(kit->options, 20, 400, 2000),
                     .log = -1};
    TRY(live_steps_make(kit, &arena, &a.steps, error));
    TRY(log_prepare(&a, error));
    a.are_steps = true;
    TRY(encode_all(kit, &kit->steps, &a.encoded, error));
    TRY(compare_acks(&a, "16 threads, each one step", error));
    a.are_steps = false;
    write_set_fini(&a.encoded);
    TRY(encode_all(kit, &kit->corpus.fresh, &a.encoded, error));
    return compare_acks(&a, "16 threads, each one episode", error);
}
