/*
 * store.h - the one interface that every store and decorator implements, for its callers.
 *
 * What it is. A store holds records {kind, id, version, flags, time, parent, attributes, body}
 * and neither knows nor cares what is in a body. Stores: `mem` (reference model), `kv` (LMDB).
 * Decorators: `batched` (group commit). store_impl.h is the header for those who write one.
 *
 * Model.
 *  1. A record is named by (kind, id). At most one is stored for a name.
 *  2. A batch is all or nothing. Batches of one apply call are independent of each other, and
 *     take effect in their order.
 *  3. Every change of a record gets the next change number (1, 2, …; no number is used twice);
 *     a record remembers its last one. `changes` lists records in the order of these numbers.
 *  4. A deleted record leaves a tombstone: flag MNEME_FLAG_DELETED and no other, version, time,
 *     parent and place, no attributes, no body. Tombstones are found by get and changes, never by
 *     query. A later put makes the record live again.
 *  5. A record with a parent has a place (1, 2, …) among that parent's records of its kind. The
 *     store gives it, also when a record is replaced: one more than the greatest there is, unless
 *     the caller sets one (two records may have the same). Tombstones count, so a number is not
 *     given twice: a listing that was read can then be told from one that changed since.
 *
 * Ownership. Slices given to a store are borrowed for the call. A `record_set` owns what it holds.
 * Threads. Every operation but close may be called by any thread at any time.
 * Errors. Each operation lists its own; all may return MNEME_NO_MEMORY, MNEME_IO, MNEME_CORRUPT,
 * and MNEME_INVALID for what breaks a rule of this header that is not a limit. After a failure
 * outputs are as they were, but for store_get's `found`, which is then undefined.
 * Limits. STORE_… below; a store refuses more with MNEME_TOO_LARGE and changes nothing.
 */
#ifndef MNEME_STORE_H
#define MNEME_STORE_H

#include <stdatomic.h>

#include "base/base.h"
#include "store/mark.h"

enum {
    STORE_BODY_MAX = 64 << 20,       /* bytes of one body */
    STORE_ATTRIBUTES_MAX = 4096,     /* attributes of one record */
    STORE_ATTRIBUTE_NAME_MAX = 1029, /* bytes: "meta." and a metadata name */
    STORE_ATTRIBUTE_VALUE_MAX = 64,  /* bytes; the model layer shortens longer values to a digest */
    STORE_FILTERS_MAX = 16,
    STORE_PAGE_MAX = 10000 /* records a query or changes call may ask for */
};

/* Greatest place and greatest clock of a version that a caller may set: far from the end of
 * their types, so that a store can always count on. */
#define STORE_PLACE_MAX (INT64_MAX / 2)
#define STORE_CLOCK_MAX ((uint64_t)INT64_MAX)

/* Attributes are a set of (name, value), in the order of slice_compare on name, then value. A
 * name is never empty; a value may be, and may hold any bytes. */
struct attribute {
    struct slice name;
    struct slice value;
};

struct stored_record {
    mneme_kind kind;
    uint32_t flags;  /* MNEME_FLAG_…; a put may not set MNEME_FLAG_DELETED */
    mneme_id id;     /* never all zero */
    mneme_id parent; /* all zero: none */
    uint64_t place;  /* among the parent's records; 0 without a parent */
    mneme_version version;
    int64_t time_us;
    uint64_t change; /* its last change number; given by the store */
    const struct attribute *attributes;
    size_t attribute_count;
    struct slice body;
    uint32_t plain_size; /* bytes of the body before compression, for the statistics */
};

enum mutation_op {
    MUTATION_PUT,    /* store `record` */
    MUTATION_DELETE, /* replace it by a tombstone; a name that is not live: condition fails */
    MUTATION_PURGE,  /* remove record or tombstone without a trace: no change number, and its
                        place may be given again. Right only for a record whose content the same
                        batch puts elsewhere; absent ones are passed over */
    MUTATION_CHECK,  /* write nothing, only test the condition (not CONDITION_NONE) */
    MUTATION_MARK,   /* see shared.h */
    MUTATION_STATE   /* see shared.h */
};

/* What must be true of the store, as left by everything before it (the mutations before it in
 * the same batch too), for a batch to go in. */
enum condition {
    CONDITION_NONE,
    CONDITION_ABSENT,       /* no live record of this name (a tombstone may be there) */
    CONDITION_LIVE,         /* there is one, not deleted */
    CONDITION_OPEN,         /* there is one, not deleted and not sealed */
    CONDITION_VERSION,      /* there is one, live, with exactly expect_version */
    CONDITION_CHILDREN,     /* there are expect_count live expect_kind records of parent record.id,
                               and their greatest place is expect_place (0: it has none) */
    CONDITION_NO_ATTRIBUTE, /* no live record of this kind has the attribute expect_attribute */
    CONDITION_PARENT,       /* what is stored of this name, if a tombstone too, has record.parent or
                               no parent */
    CONDITION_CHANGE,       /* what is stored of this name, if a tombstone too, has the change
                               number expect_change; 0: there is nothing */
    CONDITION_FENCE         /* see shared.h */
};

/*
 * One change. For DELETE, PURGE and CHECK only kind and id of `record` are read (DELETE also
 * reads version). A PUT or DELETE whose version is zero gets the store's next one: greater
 * than all before, replicas' too, and not behind the wall clock. One with a version is a replica's:
 * its condition met, it goes in only when that is greater than what is stored (a tombstone counts),
 * else the store passes over it. A replica's DELETE needs no live record: it raises a tombstone's
 * version, or leaves a tombstone (time 0, no parent) where nothing was.
 * With `exact` only its condition decides: it goes in with the version it brings, an older one too.
 * An exact DELETE leaves a tombstone with the parent, place and time of `record` when that has a
 * parent; else with what is stored, as any DELETE.
 * MNEME_FLAG_LOCAL sticks: a PUT over a live record that has it gets it.
 */
struct mutation {
    enum mutation_op op;
    enum condition condition;
    struct stored_record record;
    mneme_version expect_version;
    mneme_kind expect_kind;
    uint64_t expect_place, expect_count;
    uint64_t expect_change;
    bool exact;
    struct shared_change shared; /* of stores that share, see shared.h; else zero */
    struct attribute expect_attribute;
    /* Result, set when the batch went in: false for what was passed over, else true. Of a PUT or
     * DELETE that was applied record.version, .place and .change are filled too, and of a PUT
     * record.flags. When the batch did not go in, nothing of its mutations is touched. */
    bool applied;
};

/* `status`, `failed` and `error` report on this batch alone; what they held before is no matter.
 * A failed condition is MNEME_NOT_FOUND (LIVE, OPEN and VERSION on a missing record, DELETE) or
 * MNEME_CONFLICT (the others); a record is missing when there is none or only a tombstone. */
struct batch {
    struct mutation *mutations;
    size_t count;
    size_t failed; /* index of the mutation whose condition failed or that broke a rule, else
                      `count` */
    int status;
    mneme_error error;
};

struct record_name {
    mneme_kind kind;
    mneme_id id;
};

/* Records copied out of a store, in one arena. Start from {0}; record_set_fini frees. Every call
 * that fills one appends to it. */
struct record_set {
    struct arena arena;
    struct stored_record *records;
    size_t count;
    size_t capacity;
};
void record_set_fini(struct record_set *set);
#define AUTO_RECORDS CLEANUP(record_set_fini)

enum query_order { ORDER_NEWEST_FIRST, ORDER_OLDEST_FIRST };

/* Where a listing goes on: the sort key of the last record seen. */
struct position {
    bool set;
    int64_t sort; /* time_us, or the place with a parent, or 0 with an id prefix */
    mneme_id id;
};

/* Which records, live ones but for `dead`, in which order. What is set must all hold. By parent the
 * order is (place, id), by id prefix it is id, else (time_us, id). Not both parent and id prefix.
 */
struct store_query {
    mneme_kind kind;
    bool has_since, has_until, has_parent;
    int64_t since_us; /* time_us >= since_us */
    int64_t until_us; /* time_us < until_us */
    mneme_id parent;
    struct slice id_prefix;          /* at most 16 bytes; empty: any */
    const struct attribute *filters; /* in any order; one may repeat */
    size_t filter_count;
    enum query_order order;
    size_t limit; /* 1 to STORE_PAGE_MAX */
    struct position after;
    bool without_bodies; /* leave the bodies empty */
    bool dead;           /* tombstones instead of live records; with a parent only */
};

struct store_stats {
    uint64_t file_bytes, used_bytes, commits, readers, changes, device;
    uint64_t map_bytes, readers_lag;  /* of kv; lag: the oldest read began so many commits ago */
    uint64_t groups, grouped_batches; /* of the group commit; 0 in a store without it */
    struct kind_stats {
        uint64_t records, tombstones;       /* live ones; dead ones */
        uint64_t stored_bytes, plain_bytes; /* of the live ones: sums of body.size, plain_size */
    } kinds[MNEME_KIND_COUNT];
};

struct store;

/*
 * Apply batches, each all or nothing; batch.status tells how each went. The call itself fails
 * only when nothing could be tried, and every batch.status is then that failure. After MNEME_IO
 * or MNEME_NO_SPACE nothing of the batch is there, and the store has reopened itself where it must.
 * Errors of a batch: MNEME_CONFLICT, MNEME_NOT_FOUND (conditions), MNEME_TOO_LARGE,
 * MNEME_NO_SPACE, MNEME_LOCKED (a stopped reader pins too much), MNEME_PERMISSION (read-only).
 */
int store_apply(struct store *store, struct batch *const *batches, size_t count);

/* Read records by name, tombstones too. found[i] is the index in *out, or SIZE_MAX when there is
 * none. A name may stand twice; both may then be found at one index. */
int store_get(struct store *store, const struct record_name *names, size_t count,
              struct record_set *out, size_t *found, mneme_error *error);

/* One record: MNEME_NOT_FOUND when there is none, or only a tombstone. */
int store_get_one(struct store *store, mneme_kind kind, const mneme_id *id, struct record_set *out,
                  mneme_error *error);

/* One page of records; *more tells whether there are others after it. Order is applied first. */
int store_query(struct store *store, const struct store_query *query, struct record_set *out,
                bool *more, mneme_error *error);

/* Records (tombstones too) whose last change number is greater than `since`, in that order, at
 * most `limit` (1 to STORE_PAGE_MAX). `without_bodies` leaves bodies empty; and the time of a
 * tombstone may then be 0. */
int store_changes(struct store *store, uint64_t since, size_t limit, bool without_bodies,
                  struct record_set *out, mneme_error *error);

int store_stats(struct store *store, struct store_stats *out, mneme_error *error);

/*
 * A number that changes with every commit to what the store holds, of whatever process: at the
 * moment from which reads see it, and before it is acknowledged. To look at it costs a load. So who
 * finds it unchanged knows that all he has read is still true. When its upper 16 bits change, the
 * change log is another one (a database was replaced): all that was read is void, and the log
 * begins anew behind what store_stats tells. NULL: the store cannot tell.
 */
const atomic_uint_fast64_t *store_moment(const struct store *store);

/* Copy to a new file while others write. MNEME_CONFLICT: it exists. MNEME_UNSUPPORTED. */
int store_backup(struct store *store, const char *path, mneme_error *error);

/* Finish what is queued and free the store; NULL is allowed. */
void store_close(struct store *store);

/* The place where a listing that ended with this record goes on. */
struct position position_after(const struct store_query *query, const struct stored_record *last);

/* "episode", "step", …; "record" for what is no kind. For messages. */
const char *store_kind_name(mneme_kind kind);

#endif
