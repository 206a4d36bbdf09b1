/*
 * handle.h - inside the façade: the handle, and the steps that its calls share.
 *
 * A write goes: public struct -> write_set_put (fill, validate, encode, compress: all outside of
 * any lock) -> write_set_commit (one batch to the store). A read goes: store -> record_open
 * (decompress, decode) into one block of memory that the caller releases.
 */
#ifndef MNEME_API_HANDLE_H
#define MNEME_API_HANDLE_H

#include "codec/codec.h"
#include "mneme/mneme.h"
#include "model/model.h"
#include "os/os.h"
#include "store/batched.h"
#include "store/cached.h"

enum { API_BATCH_MAX = 65536, API_RETRIES = 64 };

struct dictionaries;
struct meter;
struct sql_driver;
struct syncer;

struct mneme {
    struct store *store;  /* all of it: cached over batched over kv, mem, sql or followed */
    struct store *queue;  /* the part that is the group commit */
    struct store *cached; /* the part that is the caches; NULL: they are off */
    struct store *bottom; /* the part that keeps the records: kv, mem or sql */
    struct store *sql;    /* the part that is the sql store, with its driver; NULL: none */
    struct sql_driver *driver;
    struct meter *meter;    /* NULL: nothing is measured, and there is an … */
    struct meter *observer; /* … else NULL */
    bool far; /* each call of the store is a request to a server: few and large ones, then */
    struct packer *packer;
    struct dictionaries *dictionaries;
    struct syncer *syncer; /* of a handle with a remote to sync with; else NULL */
    mneme_options options;
    unsigned generation; /* process_generation() of the opener */
    char *path;          /* as it was opened: a path or a URL */
};

/* Every public call begins with this: MNEME_INVALID for NULL, MNEME_FORKED after a fork. */
int handle_check(const mneme *m, mneme_error *error);

/* Free a handle, half built too, that nobody uses. NULL is allowed. */
void handle_destroy(mneme *m);

/* A copy of the options that a call was given, or of none, checked. MNEME_INVALID. */
int options_take(const mneme_options *given, mneme_options *out, mneme_error *error);

/* ---- Dictionaries (dictionaries.c, training.c) ------------------------------------------ */

int dictionaries_create(mneme *m, struct dictionaries **out, mneme_error *error);
/* Before a handle closes: wait for a training that runs, and do what is due. */
void dictionaries_finish(mneme *m);
/* NULL is allowed. */
void dictionaries_destroy(struct dictionaries *d);

/* The dictionary to compress a kind with, held for the caller; NULL: none. */
struct dictionary *dictionaries_current(mneme *m, mneme_kind kind);
/* A dictionary_finder; `context` is the mneme. */
int dictionaries_find(void *context, const uint8_t ref[PACK_REF_SIZE], struct dictionary **out,
                      mneme_error *error);
/* A dictionary record's body back to a dictionary, checked against its id. */
int dictionary_open(struct packer *packer, int level, const struct stored_record *record,
                    struct dictionary **out, mneme_error *error);
/* Note that bodies of `kind` were written; trains in the background when it is due. */
void dictionaries_wrote(mneme *m, mneme_kind kind, size_t plain_bytes);
/* Train a kind from samples of plain bodies, and store what pays. *trained: whether one did. */
int dictionaries_train_from(mneme *m, mneme_kind kind, const struct slice *samples, size_t count,
                            bool *trained, mneme_error *error);

/* ---- Writing (write_set.c) ---------------------------------------------------------------- */

/* Records that were looked for together, ahead of the writes that go by them: names[i] is at
 * set.records[found[i]], or found[i] is SIZE_MAX. Start from {0} with names and count. */
struct known {
    struct record_name *names; /* sorted by known_look */
    size_t *found;             /* room for count of them */
    size_t count;
    struct record_set set;
};
/* Look for them all, in one call of the store. *twice, if not NULL: a name stands more than once.
 */
int known_look(mneme *m, struct known *known, bool *twice, mneme_error *error);

/* The mutations of one batch, and the memory that they point to. Start from {0}. One thread at
 * a time; different sets may be filled by different threads at once. */
struct write_set {
    struct arena arena;
    struct mutation *mutations;
    size_t count;
    size_t capacity;
    size_t plain_bytes[MNEME_KIND_COUNT];
    const struct known *known; /* NULL: each is looked for by itself */
    bool local_only;           /* of all that is put with write_set_put_whole */
    bool raced; /* the last commit failed because what had been read was changed meanwhile */
};
void write_set_fini(struct write_set *set);
#define AUTO_WRITES CLEANUP(write_set_fini)

/* What is stored of a name, if a tombstone too: what is known of it, else read into `own`. NULL:
 * nothing. *was_known tells which. */
int write_set_look(mneme *m, const struct write_set *set, const struct record_name *name,
                   struct record_set *own, const struct stored_record **out, bool *was_known,
                   mneme_error *error);

/* Append a mutation (zeroed but for op, condition, kind and id); NULL: no memory. */
struct mutation *write_set_add(struct write_set *set, enum mutation_op op, enum condition condition,
                               mneme_kind kind, const mneme_id *id);

/* Validate, encode and compress one record that has been filled (model_fill), or was read from a
 * store, and append its PUT; of an open episode without the steps. *put is that mutation until
 * the next append. */
int write_set_put(mneme *m, struct write_set *set, const mneme_record *filled,
                  struct mutation **put, mneme_error *error);

/* Fill a record and put it with all that belongs to it: the steps of an open episode, the
 * checks of its parent, the steps that a replaced episode loses. */
int write_set_put_whole(mneme *m, struct write_set *set, const mneme_record *record,
                        const mneme_write *how, int64_t now_us, mneme_id *id, mneme_error *error);

/* Drop (DELETE or PURGE) the records of `kind` under a parent, with the guards that keep others
 * from joining or changing meanwhile. */
int write_set_drop_children(mneme *m, struct write_set *set, const mneme_id *parent,
                            mneme_kind kind, enum mutation_op op, mneme_error *error);

/* The same for children that were read already, what was queued before being among them. */
int write_set_drop(struct write_set *set, const mneme_id *parent, mneme_kind kind,
                   enum mutation_op op, const struct record_set *children, mneme_error *error);

/* Send the set as one batch, as `how` says (NULL: SYNC). */
int write_set_commit(mneme *m, struct write_set *set, const mneme_write *how, mneme_error *error);

/* Whether a failed commit is worth another try with fresh reads; at most API_RETRIES times. */
bool write_set_again(const struct write_set *set, unsigned attempt);

/* What every call that writes checks first: the handle, and that `how` makes sense. MNEME_INVALID,
 * MNEME_PERMISSION. */
int write_check(const mneme *m, const mneme_write *how, mneme_error *error);

/* ---- Reading (read.c) --------------------------------------------------------------------- */

/* Decompress and decode a stored record into `arena`, an open episode with its steps. */
int record_open(mneme *m, const struct stored_record *stored, struct arena *arena,
                mneme_record *out, mneme_error *error);

/* The same without a look at the store: the steps are those that the caller has read, with their
 * bodies; NULL: leave them out. Right only for what is written under the version that was read. */
int record_open_with(mneme *m, const struct stored_record *stored, const struct record_set *steps,
                     struct arena *arena, mneme_record *out, mneme_error *error);

/* Append all records of `kind` under a parent, in their order. */
int children_get(mneme *m, mneme_kind kind, const mneme_id *parent, bool without_bodies,
                 struct record_set *out, mneme_error *error);

/* The text of a position, in `arena`. MNEME_NO_MEMORY. */
int cursor_write(const struct store_query *query, const struct position *at, struct arena *arena,
                 mneme_text *out);
/* The position in a cursor's text, for this very query. MNEME_INVALID. */
int cursor_read(mneme_text text, const struct store_query *query, struct position *out,
                mneme_error *error);

/* ---- Checks (verify_records.c) --------------------------------------------------------------- */

/* mneme_verify of a "file:" URL. */
int verify_file(const char *url, mneme_finding *finding, void *context, mneme_verify_report *report,
                mneme_error *error);

/* ---- Caches and what is handed out (caches.c, held.c) --------------------------------------- */

/* Put the caches in front of m->store, unless they are off. */
int caches_open(mneme *m, mneme_error *error);
/* Adds to `out`, which is zeroed. */
void caches_stats(mneme *m, mneme_cache_stats out[MNEME_CACHE_COUNT]);

/* Builds what the caches keep (cached_options.build); `context` is the mneme. */
int held_build(void *context, const struct cache_key *key, const struct stored_record *stored,
               struct cache_item **out, mneme_error *error);
/* mneme_list, of a query that is translated. */
int held_list(mneme *m, const struct store_query *query, const mneme_page **out,
              mneme_error *error);

#endif
