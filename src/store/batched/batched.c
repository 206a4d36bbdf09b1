/*
 * batched.c - the group commit: a queue, and one committer at a time.
 *
 * Who commits. There is no thread that must be woken for a write that somebody waits for: the
 * first who waits becomes the leader, takes what has gathered, commits it, and passes the lead on.
 * Only queued batches that nobody waits for need the flusher thread, which leads when enough have
 * gathered or the oldest is interval_ms old.
 *
 * How much gathers. Writers that wait come back as soon as they are released. Were the next leader
 * to commit at once, they would miss its group, and two halves would take turns. So while there is
 * more than one, a leader waits until as many wait as did lately, but no longer than half a
 * commit, or GATHER_MAX_US. A single writer never waits.
 *
 * Order. Entries get numbers as they join the queue, groups are taken from its front, and groups
 * are committed one after the other. So `finished` says it all: entries up to that number have
 * ended. A ticket is its entry's number.
 */
#include "store/batched.h"
#include "os/log.h"
#include "os/os.h"
#include "store/store_impl.h"

enum { GATHER_MAX_US = 500 };

struct entry {
    struct entry *next;
    struct batch *const *batches;
    size_t count;
    size_t operations;
    uint64_t number;
    int64_t arrived_us;
    bool waited_for; /* its caller waits on `turn`, and owns the entry */
    bool ticketed;
    bool ended;
    int status;         /* of the apply call itself */
    struct signal turn; /* with waited_for */
    /* Of an entry that nobody waits for: it lies in its own arena, with its batch. */
    struct arena arena;
    struct batch batch;
    struct batch *only;
};

/* Queued writes that failed one after the other with the same error. Kept for their tickets. */
struct failure {
    struct failure *next;
    uint64_t first, last;
    mneme_error error;
};

struct batched {
    struct store base;
    struct store *below;
    struct batched_options options;
    struct lock lock;       /* guards all that follows */
    struct signal work;     /* for the flusher: there is something in the queue */
    struct signal progress; /* for everybody else: a group has ended */
    struct signal arrival;  /* for a leader that gathers: one more waits */
    struct entry *front, *back;
    size_t queued; /* operations in the queue */
    uint64_t joined, finished;
    uint64_t last_unwaited; /* number of the last entry that nobody waits for */
    size_t waiting;         /* entries in the queue that somebody waits for */
    size_t expected;        /* how many waited lately, in the last group and behind it */
    int64_t commit_us;      /* how long the last commit took */
    bool committing, closing, flusher_runs;
    pthread_t flusher;
    struct failure *failures; /* newest first */
    mneme_error unreported;   /* of a write without ticket; code 0: none */
    uint64_t groups, grouped_batches;
};

static struct batched *batched_of(struct store *store) { return (struct batched *)(void *)store; }

/* ---- The queue ---------------------------------------------------------------------------- */

static void queue_push(struct batched *b, struct entry *entry) {
    entry->number = ++b->joined;
    entry->arrived_us = clock_monotonic_us();
    entry->next = NULL;
    if (b->back)
        b->back->next = entry;
    else
        b->front = entry;
    b->back = entry;
    b->queued += entry->operations;
    if (!entry->waited_for) {
        b->last_unwaited = entry->number;
    } else if (++b->waiting >= b->expected) {
        signal_one(&b->arrival);
    }
}

/* Cut a group off the front: one entry at least, and no more operations than allowed. */
static struct entry *queue_take(struct batched *b, size_t *batches) {
    struct entry *first = b->front, *last = first;
    size_t operations = first->operations;
    *batches = first->count;
    while (last->next && operations + last->next->operations <= b->options.operations) {
        last = last->next;
        operations += last->operations;
        *batches += last->count;
    }
    b->front = last->next;
    if (!b->front)
        b->back = NULL;
    last->next = NULL;
    b->queued -= operations;
    for (struct entry *e = first; e; e = e->next)
        b->waiting -= e->waited_for;
    return first;
}

static void remember_failure(struct batched *b, const struct entry *entry,
                             const mneme_error *error) {
    if (!entry->ticketed) {
        if (b->unreported.code == 0)
            b->unreported = *error;
        return;
    }
    struct failure *newest = b->failures;
    if (newest && newest->last + 1 == entry->number && newest->error.code == error->code &&
        strcmp(newest->error.message, error->message) == 0) {
        newest->last = entry->number;
        return;
    }
    struct failure *failure = mem_alloc(sizeof *failure);
    if (!failure) { /* no memory to name the ticket: the next flush tells */
        b->unreported = *error;
        return;
    }
    *failure = (struct failure){newest, entry->number, entry->number, *error};
    b->failures = failure;
}

/* Tell the end of an entry: to its waiting caller, or to the tables of failures. */
static void entry_end(struct batched *b, struct entry *entry, int status) {
    entry->status = status;
    entry->ended = true;
    b->finished = entry->number;
    if (entry->waited_for) {
        signal_one(&entry->turn);
        return;
    }
    if (entry->batch.status) {
        LOG(ERROR, STORE, "a queued write failed", LOG_BOOL("ticketed", entry->ticketed),
            LOG_WHOLE("ticket", entry->number), LOG_ERROR_TYPE(entry->batch.status));
        remember_failure(b, entry, &entry->batch.error);
    }
    struct arena arena = entry->arena; /* the entry lies in it */
    arena_fini(&arena);
}

/* ---- Committing --------------------------------------------------------------------------- */

static int commit_entries(struct batched *b, struct entry *first, size_t count) {
    AUTO_FREE struct batch **batches = mem_alloc(count * sizeof *batches);
    if (batches) {
        size_t at = 0;
        for (struct entry *e = first; e; e = e->next)
            for (size_t i = 0; i < e->count; i++)
                batches[at++] = e->batches[i];
        return store_apply(b->below, batches, count);
    }
    for (struct entry *e = first; e; e = e->next)
        for (size_t i = 0; i < e->count; i++)
            e->batches[i]->status =
                error_set(&e->batches[i]->error, MNEME_NO_MEMORY, "no memory to commit a group");
    return MNEME_NO_MEMORY;
}

/* Wake who leads next: the first that waits, else the flusher. */
static void pass_the_lead(struct batched *b) {
    for (struct entry *e = b->front; e; e = e->next) {
        if (e->waited_for) {
            signal_one(&e->turn);
            return;
        }
    }
    if (b->front)
        signal_one(&b->work);
}

/* Wait for the writers of the last group to come back; see the top of this file. */
static void gather(struct batched *b) {
    int64_t patience = b->commit_us / 2 < GATHER_MAX_US ? b->commit_us / 2 : GATHER_MAX_US;
    int64_t deadline = clock_monotonic_us() + patience;
    while (b->waiting && b->waiting < b->expected && b->queued < b->options.operations)
        if (!signal_wait(&b->arrival, &b->lock, deadline))
            break;
}

/* How many of a group's entries have a caller that waits. */
static size_t count_waited(const struct entry *first) {
    size_t count = 0;
    for (const struct entry *e = first; e; e = e->next)
        count += e->waited_for;
    return count;
}

/* Commit one group. Called with the lock, with nobody committing and the queue not empty. */
static void lead(struct batched *b) {
    ASSERT(!b->committing && b->front);
    b->committing = true;
    gather(b);
    size_t count;
    struct entry *first = queue_take(b, &count);
    size_t waited = count_waited(first);
    lock_release(&b->lock);
    int64_t started = clock_monotonic_us();
    uint64_t begun = meter_begin(b->options.meter);
    int status = commit_entries(b, first, count);
    int64_t took = clock_monotonic_us() - started;
    LOG(DEBUG, STORE, "group committed", LOG_WHOLE("batches", count),
        LOG_WHOLE("waited_for", waited), LOG_MS("duration_ms", took), LOG_ERROR_TYPE(status));
    (void)meter_end(b->options.meter, METER_QUEUE_COMMIT, begun, status);
    lock_acquire(&b->lock);
    b->committing = false;
    b->commit_us = took;
    b->expected = waited + b->waiting;
    b->groups++;
    b->grouped_batches += count;
    for (struct entry *e = first, *next; e; e = next) {
        next = e->next;
        entry_end(b, e, status);
    }
    signal_all(&b->progress);
    pass_the_lead(b);
}

/* Get a group committed, by this thread or by the one that is at it. False: the time is up. */
static bool advance(struct batched *b, int64_t deadline_us) {
    if (!b->committing) {
        lead(b);
        return true;
    }
    return signal_wait(&b->progress, &b->lock, deadline_us);
}

/* A full queue pushes back: who comes has to wait, and helps. */
static void wait_for_room(struct batched *b, size_t operations) {
    while (b->front && b->queued + operations > b->options.queue_operations)
        (void)advance(b, -1);
}

static int batched_apply(struct store *store, struct batch *const *batches, size_t count) {
    struct batched *b = batched_of(store);
    struct entry entry = {.batches = batches, .count = count, .waited_for = true};
    uint64_t begun = meter_begin(b->options.meter);
    for (size_t i = 0; i < count; i++)
        entry.operations += batches[i]->count;
    signal_init(&entry.turn);
    lock_acquire(&b->lock);
    wait_for_room(b, entry.operations);
    queue_push(b, &entry);
    while (!entry.ended) {
        if (b->committing)
            (void)signal_wait(&entry.turn, &b->lock, -1);
        else
            lead(b);
    }
    lock_release(&b->lock);
    signal_fini(&entry.turn);
    (void)meter_end(b->options.meter, METER_QUEUE_WAIT, begun, entry.status);
    return entry.status;
}

/* ---- Batches that nobody waits for --------------------------------------------------------- */

static void lead_as_work(struct batched *b) {
    uint64_t before = log_op_begin();
    lead(b);
    log_op_end(before);
}

static void *flusher_run(void *argument) {
    struct batched *b = argument;
    lock_acquire(&b->lock);
    while (!b->closing) {
        if (!b->front || b->committing) {
            (void)signal_wait(&b->work, &b->lock, -1);
            continue;
        }
        int64_t due = b->front->arrived_us + (int64_t)b->options.interval_ms * 1000;
        if (b->queued >= b->options.operations || clock_monotonic_us() >= due)
            lead_as_work(b);
        else
            (void)signal_wait(&b->work, &b->lock, due);
    }
    lock_release(&b->lock);
    return NULL;
}

static int copy_mutations(struct entry *entry, const struct batch *batch) {
    struct mutation *copies = arena_zalloc(&entry->arena, batch->count, sizeof *copies);
    if (!copies)
        return MNEME_NO_MEMORY;
    for (size_t i = 0; i < batch->count; i++) {
        const struct mutation *from = &batch->mutations[i];
        copies[i] = *from;
        TRY(record_copy(&entry->arena, &from->record, false, &copies[i].record));
        TRY(arena_copy(&entry->arena, from->shared.reason, &copies[i].shared.reason));
        TRY(arena_copy(&entry->arena, from->expect_attribute.name,
                       &copies[i].expect_attribute.name));
        TRY(arena_copy(&entry->arena, from->expect_attribute.value,
                       &copies[i].expect_attribute.value));
    }
    entry->batch = (struct batch){.mutations = copies, .count = batch->count};
    return 0;
}

static int entry_create(const struct batch *batch, bool ticketed, struct entry **out) {
    AUTO_ARENA struct arena arena = {.first_size = 4096};
    struct entry *entry = arena_zalloc(&arena, 1, sizeof *entry);
    if (!entry)
        return MNEME_NO_MEMORY;
    entry->arena = arena; /* from here on the entry owns it */
    arena = (struct arena){0};
    if (copy_mutations(entry, batch)) {
        struct arena mine = entry->arena;
        arena_fini(&mine);
        return MNEME_NO_MEMORY;
    }
    entry->only = &entry->batch;
    entry->batches = &entry->only;
    entry->count = 1;
    entry->operations = batch->count;
    entry->ticketed = ticketed;
    *out = entry;
    return 0;
}

int batched_enqueue(struct store *store, const struct batch *batch, bool ticketed, uint64_t *ticket,
                    mneme_error *error) {
    struct batched *b = batched_of(store);
    for (size_t i = 0; i < batch->count; i++)
        TRY(mutation_validate(&batch->mutations[i], error));
    struct entry *entry;
    if (entry_create(batch, ticketed, &entry))
        return error_set(error, MNEME_NO_MEMORY, "no memory to queue a write");
    AUTO_LOCK(held, &b->lock);
    if (!b->flusher_runs) {
        int status = thread_start(&b->flusher, flusher_run, b, error);
        if (status) {
            struct arena mine = entry->arena;
            arena_fini(&mine);
            return status;
        }
        b->flusher_runs = true;
    }
    wait_for_room(b, entry->operations);
    bool first = !b->front;
    queue_push(b, entry);
    if (ticketed)
        *ticket = entry->number;
    if (first || b->queued >= b->options.operations)
        signal_one(&b->work);
    return 0;
}

int batched_wait(struct store *store, uint64_t ticket, int64_t timeout_ms, mneme_error *error) {
    struct batched *b = batched_of(store);
    bool bounded = timeout_ms >= 0 && timeout_ms < INT64_MAX / 2000;
    int64_t deadline = bounded ? clock_monotonic_us() + timeout_ms * 1000 : -1;
    AUTO_LOCK(held, &b->lock);
    if (ticket == 0 || ticket > b->joined)
        return error_set(error, MNEME_NOT_FOUND, "ticket %llu was never given by this handle",
                         (unsigned long long)ticket);
    while (b->finished < ticket)
        if (!advance(b, deadline) && b->finished < ticket)
            return error_set(error, MNEME_LOCKED,
                             "the write of ticket %llu is not on disk after %lld ms; wait again",
                             (unsigned long long)ticket, (long long)timeout_ms);
    for (struct failure *f = b->failures; f; f = f->next) {
        if (f->first <= ticket && ticket <= f->last) {
            if (error)
                *error = f->error;
            return f->error.code;
        }
    }
    return 0;
}

/* Wait for everything queued so far that nobody waits for; what somebody waits for has not been
 * acknowledged yet, and is no concern of ours. */
static void drain(struct batched *b) {
    uint64_t target = b->last_unwaited;
    while (b->finished < target)
        (void)advance(b, -1);
}

void batched_drain(struct store *store) {
    struct batched *b = batched_of(store);
    AUTO_LOCK(held, &b->lock);
    drain(b);
}

int batched_flush(struct store *store, mneme_error *error) {
    struct batched *b = batched_of(store);
    AUTO_LOCK(held, &b->lock);
    drain(b);
    int code = b->unreported.code;
    if (code && error)
        *error = b->unreported;
    b->unreported.code = 0;
    return code;
}

void batched_counters(struct store *store, struct batched_counters *out) {
    struct batched *b = batched_of(store);
    AUTO_LOCK(held, &b->lock);
    *out = (struct batched_counters){b->groups, b->grouped_batches, b->queued};
}

/* ---- The rest is the store below ----------------------------------------------------------- */

static int batched_get(struct store *store, const struct record_name *names, size_t count,
                       struct record_set *out, size_t *found, mneme_error *error) {
    return store_get(batched_of(store)->below, names, count, out, found, error);
}

static int batched_query(struct store *store, const struct store_query *query,
                         struct record_set *out, bool *more, mneme_error *error) {
    return store_query(batched_of(store)->below, query, out, more, error);
}

static int batched_changes(struct store *store, uint64_t since, size_t limit, bool without_bodies,
                           struct record_set *out, mneme_error *error) {
    return store_changes(batched_of(store)->below, since, limit, without_bodies, out, error);
}

static int batched_stats(struct store *store, struct store_stats *out, mneme_error *error) {
    struct batched *b = batched_of(store);
    TRY(store_stats(b->below, out, error));
    AUTO_LOCK(held, &b->lock);
    out->groups += b->groups;
    out->grouped_batches += b->grouped_batches;
    return 0;
}

static int batched_backup(struct store *store, const char *path, mneme_error *error) {
    TRY(batched_flush(store, error));
    return store_backup(batched_of(store)->below, path, error);
}

static void batched_destroy(struct batched *b) {
    while (b->failures) {
        struct failure *next = b->failures->next;
        mem_free(b->failures);
        b->failures = next;
    }
    signal_fini(&b->work);
    signal_fini(&b->progress);
    signal_fini(&b->arrival);
    lock_fini(&b->lock);
    mem_free(b);
}

static void batched_close(struct store *store) {
    struct batched *b = batched_of(store);
    lock_acquire(&b->lock);
    b->closing = true;
    signal_all(&b->work);
    bool join = b->flusher_runs;
    lock_release(&b->lock);
    if (join)
        pthread_join(b->flusher, NULL);
    (void)batched_flush(store, NULL); /* who cares for the outcome has flushed before */
    store_close(b->below);
    batched_destroy(b);
}

static struct store *batched_below(struct store *store) { return batched_of(store)->below; }

static const struct store_operations batched_operations = {
    .name = "batched",
    .apply = batched_apply,
    .get = batched_get,
    .query = batched_query,
    .changes = batched_changes,
    .stats = batched_stats,
    .backup = batched_backup,
    .close = batched_close,
    .below = batched_below,
};

int batched_open(struct store *below, const struct batched_options *options, struct store **out,
                 mneme_error *error) {
    struct batched *b = mem_zalloc(1, sizeof *b);
    if (!b)
        return error_set(error, MNEME_NO_MEMORY, "no memory for the group commit");
    b->base.operations = &batched_operations;
    b->base.moment = store_moment(below);
    b->below = below;
    if (options)
        b->options = *options;
    b->options.operations = b->options.operations ? b->options.operations : 100;
    b->options.interval_ms = b->options.interval_ms ? b->options.interval_ms : 100;
    b->options.queue_operations = b->options.queue_operations ? b->options.queue_operations : 4096;
    lock_init(&b->lock, RANK_BATCHED);
    signal_init(&b->work);
    signal_init(&b->progress);
    signal_init(&b->arrival);
    *out = &b->base;
    return 0;
}
