/*
 * import.c - mneme_import: threads that prepare chunks, and the caller's, which commits them.
 *
 * The chunks in flight stand in a queue in the order of the files. Any thread takes the next chunk
 * from the source and prepares it; only the caller's commits, from the front of the queue, as many
 * finished chunks as a transaction may hold. So ids, change numbers and callbacks follow the order
 * of the files whatever the threads do, and a transaction on its way to the disk stops nobody.
 * With one thread there is no other, and the same loop does everything in turn.
 */
#include "api/import.h"
#include "api/calls.h"
#include "os/log.h"

enum {
    BATCH_DEFAULT = 10000,
    BATCH_BYTES = 40 << 20,  /* of files, in one transaction */
    FAR_BATCH_DEFAULT = 500, /* the same for a transaction that is one request to a server */
    FAR_BATCH_BYTES = 4 << 20,
    FLIGHT_BYTES = 96 << 20, /* … and in the queue */
    TRAIN_LEAST = 32 << 10,  /* of files, below which training is of no use */
    THREADS_MAX = 64,
    PROGRESS_US = 100 * 1000
};

/* ---- Chunks in flight --------------------------------------------------------------------- */

/* Whether another chunk may be taken. An empty queue takes one of any size. */
static bool has_room(const struct import *import) {
    return !import->first ||
           (import->flying < 4 * import->options.batch && import->flying_bytes < FLIGHT_BYTES);
}

/* What a chunk counts in the queue: its records; without any, as at the end of a file, one. */
static size_t weight_of(const struct chunk *chunk) { return size_max(chunk->count, 1); }

/* Take the next chunk to the back of the queue; NULL at the end. Called with the lock. */
static struct chunk *take_chunk(struct import *import) {
    struct chunk *chunk = NULL;
    import->status = source_next(&import->source, &chunk, &import->error);
    signal_all(&import->moved);
    if (import->status || !chunk) {
        import->ended = true;
        return NULL;
    }
    if (import->last)
        import->last->next = chunk;
    else
        import->first = chunk;
    import->last = chunk;
    import->flying += weight_of(chunk);
    import->flying_bytes += chunk->bytes;
    return chunk;
}

static int prepare_slot(struct import *import, struct chunk *chunk, struct slot *slot) {
    bool duplicate = false;
    chunk->set.local_only = import->options.local_only;
    slot->first = chunk->set.count;
    int status = record_prepare(import->m, chunk->input, slot, import->now_us, &chunk->set,
                                &duplicate, &chunk->error);
    slot->count = chunk->set.count - slot->first;
    if (record_is_bad(status))
        return slot_reject(chunk, slot, &chunk->error);
    slot->state = duplicate ? SLOT_DUPLICATE : SLOT_WRITE;
    return status;
}

static int prepare_slots(struct import *import, struct chunk *chunk) {
    int status = 0;
    for (size_t i = 0; status == 0 && i < chunk->count; i++)
        if (chunk->slots[i].state != SLOT_BAD)
            status = prepare_slot(import, chunk, &chunk->slots[i]);
    return status;
}

/* All records of a chunk that will be looked for are fetched in one request, which is worth it to
 * parse them twice. When it fails each is looked for by itself, and tells of the failure. */
static int prepare_slots_far(struct import *import, struct chunk *chunk) {
    struct record_name names[CHUNK_RECORDS];
    size_t found[CHUNK_RECORDS];
    struct known known = {.names = names, .found = found};
    for (size_t i = 0; i < chunk->count; i++)
        if (chunk->slots[i].state != SLOT_BAD)
            known.count +=
                record_is_looked_for(chunk->input, &chunk->slots[i], &names[known.count]);
    if (known.count && known_look(import->m, &known, NULL, NULL) == 0)
        chunk->set.known = &known;
    int status = prepare_slots(import, chunk);
    chunk->set.known = NULL;
    record_set_fini(&known.set);
    return status;
}

/* Make the records of a chunk mutations. Called with the lock, which is released meanwhile. */
static void prepare_chunk(struct import *import, struct chunk *chunk) {
    lock_release(&import->lock);
    int status = import->m->far ? prepare_slots_far(import, chunk) : prepare_slots(import, chunk);
    if (status == MNEME_NO_MEMORY)
        error_set(&chunk->error, status, "no memory for an import");
    lock_acquire(&import->lock);
    chunk->status = status;
    chunk->done = true;
    signal_all(&import->moved);
}

/* What the threads beside the caller's do. */
static void *help(void *argument) {
    struct import *import = argument;
    lock_acquire(&import->lock);
    while (!import->ended) {
        struct chunk *chunk = has_room(import) ? take_chunk(import) : NULL;
        if (chunk)
            prepare_chunk(import, chunk);
        else if (!import->ended)
            (void)signal_wait(&import->moved, &import->lock, -1);
    }
    lock_release(&import->lock);
    return NULL;
}

/* ---- Transactions -------------------------------------------------------------------------- */

/* Cut the chunks of the next transaction off the queue, if there are enough, or no more will
 * come. Called with the lock. */
static struct chunk *cut_transaction(struct import *import) {
    struct chunk *end = NULL, *chunk = import->first;
    size_t records = 0, bytes = 0, most = import->m->far ? FAR_BATCH_BYTES : BATCH_BYTES;
    bool full = false;
    while (chunk && chunk->done && !full) {
        records += weight_of(chunk);
        bytes += chunk->bytes;
        end = chunk;
        chunk = chunk->next;
        full = bytes >= most || end->status ||
               records + import->source.chunk_records > import->options.batch;
    }
    if (!full && (chunk || !import->ended))
        return NULL;
    struct chunk *cut = end ? import->first : NULL;
    if (end) {
        end->next = NULL;
        import->first = chunk;
        import->last = chunk ? import->last : NULL;
    }
    return cut;
}

/* Called with the lock, for chunks that are no longer in the queue. */
static void free_chunks(struct import *import, struct chunk *chunks) {
    while (chunks) {
        struct chunk *next = chunks->next;
        import->flying -= weight_of(chunks);
        import->flying_bytes -= chunks->bytes;
        chunk_free(chunks);
        chunks = next;
    }
    signal_all(&import->moved);
}

/* ---- The run ------------------------------------------------------------------------------ */

static int tell_progress(struct import *import, mneme_error *error) {
    int64_t now_us = clock_monotonic_us();
    if (!import->options.progress || now_us - import->told_us < PROGRESS_US)
        return 0;
    import->told_us = now_us;
    if (import->options.progress(import->options.context, &import->progress) == 0)
        return 0;
    return error_set(error, MNEME_CANCELLED, "the import was stopped; what went in stays");
}

/* One move of the caller's thread: commit, prepare or wait. *going: there is more to do. Called
 * with the lock. */
static int move(struct import *import, bool *going, mneme_error *error) {
    struct chunk *chunks = cut_transaction(import);
    int status = 0;
    *going = true;
    if (chunks) {
        lock_release(&import->lock);
        status = import_commit(import, chunks, error);
        lock_acquire(&import->lock);
        free_chunks(import, chunks);
    } else if (!import->ended && has_room(import)) {
        struct chunk *chunk = take_chunk(import);
        if (chunk)
            prepare_chunk(import, chunk);
    } else if (import->first) {
        (void)signal_wait(&import->moved, &import->lock, clock_monotonic_us() + PROGRESS_US);
    } else {
        *going = false;
    }
    return status;
}

static int lead(struct import *import, mneme_error *error) {
    int status = 0;
    bool going = true;
    lock_acquire(&import->lock);
    while (status == 0 && going) {
        status = move(import, &going, error);
        lock_release(&import->lock);
        if (status == 0)
            status = tell_progress(import, error);
        lock_acquire(&import->lock);
    }
    if (status == 0 && import->status) {
        status = import->status;
        if (error)
            *error = import->error;
    }
    import->ended = true;
    signal_all(&import->moved);
    lock_release(&import->lock);
    return status;
}

/* A thread that cannot be had is no reason to fail: there are fewer then. */
static int run(struct import *import, mneme_error *error) {
    pthread_t threads[THREADS_MAX];
    size_t started = 0;
    size_t wanted =
        size_min(import->options.threads - 1, (size_t)(import->progress.bytes_total / CHUNK_BYTES));
    /* What must not leave the machine must not stand in a dictionary either: see samples.c. */
    if (import->progress.bytes_total >= TRAIN_LEAST && !import->options.local_only)
        TRY(import_train(import->m, &import->source, import->now_us, error));
    while (started < wanted && thread_start(&threads[started], help, import, NULL) == 0)
        started++;
    int status = lead(import, error);
    while (started > 0)
        pthread_join(threads[--started], NULL);
    free_chunks(import, import->first);
    import->first = import->last = NULL;
    return status;
}

/* ---- The call ----------------------------------------------------------------------------- */

static int take_options(const mneme *m, const mneme_import_options *given,
                        mneme_import_options *out, mneme_error *error) {
    *out = (mneme_import_options){.size = sizeof *out};
    if (given && (given->size == 0 || given->size > sizeof *out))
        return error_set(error, MNEME_INVALID,
                         "mneme_import_options.size is %zu; set it to "
                         "sizeof(mneme_import_options), and use the header of this library",
                         given->size);
    if (given)
        memcpy(out, given, given->size);
    if (out->batch > API_BATCH_MAX)
        return error_set(error, MNEME_INVALID, "mneme_import_options.batch is %zu; at most %d",
                         out->batch, API_BATCH_MAX);
    size_t standard = m->far ? FAR_BATCH_DEFAULT : BATCH_DEFAULT;
    out->batch = out->batch ? out->batch : standard;
    out->threads = (unsigned)size_min(size_max(out->threads, 1), THREADS_MAX);
    return 0;
}

static int make_room(struct import *import, mneme_error *error) {
    size_t batch = import->options.batch;
    import->source.chunk_records = size_min(batch, CHUNK_RECORDS);
    import->batches = mem_zalloc(batch, sizeof *import->batches);
    import->batch_list = mem_zalloc(batch, sizeof(struct batch *));
    return import->batches && import->batch_list
               ? 0
               : error_set(error, MNEME_NO_MEMORY, "no memory for an import");
}

static void import_fini(struct import *import) {
    source_close(&import->source);
    mem_free(import->batches);
    mem_free(import->batch_list);
    signal_fini(&import->moved);
    lock_fini(&import->lock);
}

static int import_run(struct import *import, mneme_error *error) {
    TRY(make_room(import, error));
    TRY(tell_progress(import, error));
    TRY(run(import, error));
    if (import->options.progress) /* everything is in: there is nothing left to stop */
        (void)import->options.progress(import->options.context, &import->progress);
    if (import->progress.rejected)
        return error_set(error, MNEME_PARTIAL, "%llu of %llu records were bad; the rest went in",
                         (unsigned long long)import->progress.rejected,
                         (unsigned long long)import->progress.records);
    return 0;
}

static void log_import(const struct import *import, int status) {
    const mneme_progress *p = &import->progress;
    LOG(INFO, API, "import ended", LOG_WHOLE("bytes", p->bytes_done),
        LOG_WHOLE("records", p->records), LOG_WHOLE("rejected", p->rejected),
        LOG_ERROR_TYPE(status));
}

int call_import(mneme *m, const char *const *files, size_t count,
                const mneme_import_options *options, mneme_progress *total, mneme_error *error) {
    TRY(handle_check(m, error));
    if (!files && count)
        return error_set(error, MNEME_INVALID, "mneme_import: files is NULL");
    struct import import = {.m = m, .now_us = clock_wall_us()};
    TRY(take_options(m, options, &import.options, error));
    TRY(source_open(&import.source, files, count, import.options.format,
                    &import.progress.bytes_total, error));
    import.progress.file = count ? files[0] : "";
    lock_init(&import.lock, RANK_API);
    signal_init(&import.moved);
    int status = import_run(&import, error);
    log_import(&import, status);
    import_fini(&import);
    if (total)
        *total = import.progress;
    return status;
}
