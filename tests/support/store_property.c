/*
 * store_property.c - plays scripts on a store and on mem at once, and shrinks them.
 */
#include "support/store_property.h"

#include <inttypes.h>
#include <stdio.h>

#include "store/mem.h"
#include "support/store_compare.h"

enum { PLAYS_MAX = 2000 }; /* of shrinking one failure */

/* ---- One play ---------------------------------------------------------------------------- */

struct player {
    struct store_home home;
    struct comparison c;
    struct script_mutations filled[2][SCRIPT_BATCHES]; /* for the store, for the model */
};

static bool failed(struct player *p, int status, const char *doing, const mneme_error *error) {
    return status && differs_by(&p->c, "%s failed: %s", doing, error->message);
}

/* Open both stores. The model gives versions in the name of the same device, so that they order
 * in the same way against those of replicas. */
static bool player_begin(struct player *p, const struct store_maker *maker) {
    mneme_error error = {0};
    if (failed(p, store_home_make(&p->home, maker, &error), "open", &error))
        return true;
    struct store_stats stats;
    p->c.store = p->home.store;
    return failed(p, store_stats(p->c.store, &stats, &error), "stats", &error) ||
           failed(p, mem_store_open(stats.device, &p->c.model, &error), "open of mem", &error);
}

static void player_end(struct player *p) {
    store_close(p->c.model);
    store_home_remove(&p->home);
}

static bool play_apply(struct player *p, const struct script_op *op) {
    struct batch batches[2][SCRIPT_BATCHES] = {0};
    struct batch *lists[2][SCRIPT_BATCHES] = {0};
    struct mutation before[SCRIPT_BATCHES][SCRIPT_WRITES];
    struct store *stores[2] = {p->c.store, p->c.model};
    for (int s = 0; s < 2; s++) {
        for (size_t i = 0; i < op->count; i++) {
            struct script_mutations *filled = &p->filled[s][i];
            if (script_batch_fill(&op->as.batches[i], stores[s], filled))
                return differs_by(&p->c, "a read before an apply failed");
            batches[s][i] = (struct batch){.mutations = filled->mutations, .count = filled->count};
            lists[s][i] = &batches[s][i];
            if (s == 0)
                memcpy(before[i], filled->mutations, sizeof before[i]);
        }
    }
    int ours = store_apply(stores[0], lists[0], op->count);
    int models = store_apply(stores[1], lists[1], op->count);
    if (ours != models)
        return differs_by(&p->c, "apply returned %s instead of %s", mneme_status_name(ours),
                          mneme_status_name(models));
    for (size_t i = 0; i < op->count; i++)
        if (batch_differs(&p->c, &batches[0][i], before[i], &batches[1][i]))
            return true;
    return false;
}

static bool play_get(struct player *p, const struct script_op *op) {
    struct record_name names[SCRIPT_NAMES];
    for (size_t i = 0; i < op->count; i++)
        names[i] = (struct record_name){op->as.names[i].kind, script_id(op->as.names[i].record)};
    return get_differs(&p->c, names, op->count);
}

static bool play_query(struct player *p, const struct script_query *query) {
    struct script_filled_query filled;
    script_query_fill(query, &filled);
    return query_differs(&p->c, &filled.query);
}

/* Look at everything through every index: all changes, all kinds by time, parent and attribute. */
static bool look_around(struct player *p) {
    static const mneme_kind kinds[] = {MNEME_EPISODE, MNEME_STEP, MNEME_PATTERN};
    if (changes_differ(&p->c, 0, STORE_PAGE_MAX) || stats_differ(&p->c))
        return true;
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        for (unsigned shape = 0; shape <= SCRIPT_PARENTS + SCRIPT_ATTRIBUTES; shape++) {
            struct script_query query = {.kind = kinds[k], .limit = STORE_PAGE_MAX};
            if (shape <= SCRIPT_PARENTS)
                query.parent = shape;
            else
                query.filters = 1u << (shape - SCRIPT_PARENTS - 1);
            if (play_query(p, &query))
                return true;
        }
    }
    return false;
}

static bool play_again(struct player *p, int (*again)(struct store_home *, mneme_error *)) {
    mneme_error error = {0};
    int status = again(&p->home, &error);
    p->c.store = p->home.store;
    return failed(p, status, "opening again", &error) || look_around(p);
}

static bool play_op(struct player *p, const struct script_op *op) {
    switch (op->action) {
    case SCRIPT_APPLY:
        return play_apply(p, op);
    case SCRIPT_GET:
        return play_get(p, op);
    case SCRIPT_QUERY:
        return play_query(p, &op->as.query);
    case SCRIPT_CHANGES:
        return changes_differ(&p->c, op->as.changes.since, op->as.changes.limit);
    case SCRIPT_STATS:
        return stats_differ(&p->c);
    case SCRIPT_REOPEN:
        return play_again(p, store_home_reopen);
    case SCRIPT_CRASH:
        return play_again(p, store_home_crash);
    }
    return false;
}

static bool play(const struct store_maker *maker, struct property_failure *failure) {
    AUTO_FREE struct player *p = mem_zalloc(1, sizeof *p);
    if (!p)
        return true;
    bool differs = player_begin(p, maker);
    failure->at = 0;
    for (; !differs && failure->at < failure->script.count; failure->at++)
        if ((differs = play_op(p, &failure->script.ops[failure->at])))
            break;
    differs = differs || look_around(p);
    snprintf(failure->text, sizeof failure->text, "%s", p->c.text);
    player_end(p);
    return differs;
}

bool property_differs(const struct store_maker *maker, uint64_t seed,
                      struct property_failure *failure) {
    *failure = (struct property_failure){.seed = seed};
    script_make(&failure->script, seed, maker->persistent);
    return play(maker, failure);
}

/* ---- Shrinking --------------------------------------------------------------------------- */

/* Keep `candidate` instead of the failure if it still shows a difference. */
static bool still_differs(const struct store_maker *maker, struct property_failure *failure,
                          struct property_failure *candidate) {
    if (failure->plays >= PLAYS_MAX)
        return false;
    candidate->plays = ++failure->plays;
    if (!play(maker, candidate))
        return false;
    memcpy(failure, candidate, sizeof *failure);
    return true;
}

/* Leave out every run of `chunk` operations that is not needed; whether there was one. */
static bool leave_out_chunks(const struct store_maker *maker, struct property_failure *failure,
                             struct property_failure *candidate, size_t chunk) {
    struct script *script = &candidate->script;
    bool shrunk = false;
    for (size_t start = 0; start < failure->script.count;) {
        memcpy(candidate, failure, sizeof *candidate);
        size_t end = size_min(start + chunk, script->count);
        memmove(script->ops + start, script->ops + end,
                (script->count - end) * sizeof *script->ops);
        script->count -= end - start;
        if (still_differs(maker, failure, candidate))
            shrunk = true;
        else
            start += chunk;
    }
    return shrunk;
}

/* Leave out halves first, then ever shorter runs, and single operations until none can go (after
 * Zeller and Hildebrandt's ddmin, 2002). */
static void shrink_ops(const struct store_maker *maker, struct property_failure *failure,
                       struct property_failure *candidate) {
    for (size_t chunk = failure->script.count / 2; chunk > 1; chunk /= 2)
        (void)leave_out_chunks(maker, failure, candidate, chunk);
    while (leave_out_chunks(maker, failure, candidate, 1))
        continue;
}

/* The i-th way to make one mutation simpler; false when there is no such way. */
static bool simplify_write(struct script_write *write, unsigned way) {
    struct script_write before = *write;
    switch (way) {
    case 0:
        if (write->op != MUTATION_CHECK)
            write->condition = CONDITION_NONE;
        break;
    case 1:
        write->body_size = 0;
        break;
    case 2:
        write->attributes = 0;
        break;
    case 3:
        write->parent = 0;
        write->place = 0;
        break;
    case 4:
        write->place = 0;
        break;
    case 5:
        write->time_us = 0;
        break;
    case 6:
        write->sealed = false;
        break;
    case 7:
        write->version = (mneme_version){0};
        break;
    default:
        write->attributes &= ~(1u << (way - 8));
        break;
    }
    return memcmp(&before, write, sizeof before) != 0;
}
enum { SIMPLIFY_WAYS = 8 + SCRIPT_ATTRIBUTES };

static void batch_remove(struct script_op *op, size_t b) {
    op->count--;
    memmove(op->as.batches + b, op->as.batches + b + 1, (op->count - b) * sizeof *op->as.batches);
}

static void write_remove(struct script_batch *batch, size_t w) {
    batch->count--;
    memmove(batch->writes + w, batch->writes + w + 1, (batch->count - w) * sizeof *batch->writes);
}

/* Leave out batches and mutations of one apply, and simplify those that stay. */
static void shrink_apply(const struct store_maker *maker, struct property_failure *failure,
                         struct property_failure *candidate, size_t at) {
    const struct script_op *op = &failure->script.ops[at];
    struct script_op *smaller = &candidate->script.ops[at];
    for (size_t b = op->count; op->count > 1 && b-- > 0;) {
        memcpy(candidate, failure, sizeof *candidate);
        batch_remove(smaller, b);
        (void)still_differs(maker, failure, candidate);
    }
    for (size_t b = 0; b < op->count; b++) {
        for (size_t w = op->as.batches[b].count; op->as.batches[b].count > 1 && w-- > 0;) {
            memcpy(candidate, failure, sizeof *candidate);
            write_remove(&smaller->as.batches[b], w);
            (void)still_differs(maker, failure, candidate);
        }
        for (size_t w = 0; w < op->as.batches[b].count; w++) {
            for (unsigned way = 0; way < SIMPLIFY_WAYS; way++) {
                memcpy(candidate, failure, sizeof *candidate);
                if (simplify_write(&smaller->as.batches[b].writes[w], way))
                    (void)still_differs(maker, failure, candidate);
            }
        }
    }
}

void property_shrink(const struct store_maker *maker, struct property_failure *failure) {
    AUTO_FREE struct property_failure *candidate = mem_alloc(sizeof *candidate);
    if (!candidate)
        return;
    if (failure->at < failure->script.count)
        failure->script.count = failure->at + 1; /* what came after is not needed */
    shrink_ops(maker, failure, candidate);
    for (size_t i = 0; i < failure->script.count; i++)
        if (failure->script.ops[i].action == SCRIPT_APPLY)
            shrink_apply(maker, failure, candidate, i);
    shrink_ops(maker, failure, candidate);
}

void property_print(const struct store_maker *maker, const struct property_failure *failure,
                    struct buf *out) {
    buf_printf(out, "%s is not as mem at %s %zu: %s\n", maker->name,
               failure->at < failure->script.count ? "operation" : "the look after operation",
               size_min(failure->at + 1, failure->script.count), failure->text);
    buf_printf(out, "The script, shrunk in %u plays:\n", failure->plays);
    for (size_t i = 0; i < failure->script.count; i++) {
        buf_printf(out, "%3zu. ", i + 1);
        script_print_op(&failure->script.ops[i], out);
    }
    buf_printf(out, "To see it again: MNEME_SEED=%" PRIu64 " MNEME_PROPERTY_RUNS=1 and this test\n",
               failure->seed);
    buf_append_byte(out, 0);
}
