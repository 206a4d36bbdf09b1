/*
 * import.h - inside mneme_import: a source of chunks, and what becomes of one record.
 *
 * An import is a pipeline. The source cuts files into chunks of some records, one chunk after the
 * other (import_source.c). Threads make the records of a chunk mutations: parse, encode, compress
 * (import_record.c). The caller's thread commits finished chunks in the order of the files, and
 * works like the others in between (import.c).
 */
#ifndef MNEME_API_IMPORT_H
#define MNEME_API_IMPORT_H

#include "api/handle.h"
#include "exchange/exchange.h"

/* ---- Files and chunks (import_source.c) --------------------------------------------------- */

/* A chunk is closed when it holds this much: enough to make the lock rare, and small enough that
 * many threads have something to do. */
enum { CHUNK_RECORDS = 32, CHUNK_BYTES = 256 << 10 };

/* A mapped file, held by the source while it reads it and by each chunk of it. */
struct input {
    const char *path;
    const struct format_operations *format;
    struct slice bytes;
    bool loaded; /* made by its format: the bytes are the source's */
    size_t holders;
};

enum slot_state { SLOT_WRITE, SLOT_DUPLICATE, SLOT_BAD };

/* One record of a chunk. */
struct slot {
    struct piece piece;
    mneme_id id; /* for a record without one: ids follow the order of the files */
    enum slot_state state;
    size_t first, count; /* its mutations in the chunk's set */
    char *problem;       /* of a bad one: the sentence, in the chunk's arena */
};

struct chunk {
    struct chunk *next;
    struct input *input;
    struct slot slots[CHUNK_RECORDS];
    size_t count;
    size_t bytes; /* of the file */
    struct arena arena;
    struct write_set set;
    bool done;         /* guarded by the import's lock */
    int status;        /* what ends the import; else 0 */
    mneme_error error; /* with `status` */
};

struct source {
    const char *const *files;
    const struct format_operations **formats; /* of each file */
    struct slice *loaded; /* … what its format made of it, if it makes something */
    size_t count;
    size_t next;         /* file to open next */
    struct input *input; /* the open one; NULL: none */
    struct splitter splitter;
    size_t chunk_records;
};

/* Look at every file and guess its format unless `format` is given; *bytes is the size of all.
 * MNEME_NOT_FOUND, MNEME_INVALID. */
int source_open(struct source *source, const char *const *files, size_t count, const char *format,
                uint64_t *bytes, mneme_error *error);
void source_close(struct source *source);
/* From the first file again. */
void source_rewind(struct source *source);
/* The next chunk; NULL at the end. */
int source_next(struct source *source, struct chunk **out, mneme_error *error);
/* NULL is allowed. Not by two threads at once for chunks of one source. */
void chunk_free(struct chunk *chunk);

/* Make a slot bad: "FILE:LINE: " or "FILE: record N: " and the text of `why`. MNEME_NO_MEMORY. */
int slot_reject(struct chunk *chunk, struct slot *slot, const mneme_error *why);

/* ---- Records (import_record.c) ------------------------------------------------------------ */

/*
 * Append the mutations of a record to `set`, in which all that they need is kept. *duplicate: it
 * is known to be there already, and nothing was appended. After a failure the set is as before.
 */
int record_prepare(mneme *m, const struct input *input, const struct slot *slot, int64_t now_us,
                   struct write_set *set, bool *duplicate, mneme_error *error);

/* Whether the preparation will look for a stored record, and for which. */
bool record_is_looked_for(const struct input *input, const struct slot *slot,
                          struct record_name *name);

/* Whether a status speaks of the record and not of the store or the machine. */
bool record_is_bad(int status);

/* Whether a failed batch of a record failed because the record is there already. */
bool record_was_there(const struct batch *batch);

/* Train dictionaries for kinds that have none, from the first records of the source. */
int import_train(mneme *m, struct source *source, int64_t now_us, mneme_error *error);

/* ---- The run (import.c, import_commit.c) -------------------------------------------------- */

struct import {
    mneme *m;
    mneme_import_options options;
    int64_t now_us;      /* one time for all, so that the order of ids is the order of records */
    struct lock lock;    /* guards all up to `error` */
    struct signal moved; /* a chunk was taken, done or committed, or the end has come */
    struct source source;
    struct chunk *first, *last;
    size_t flying, flying_bytes; /* records and bytes in the queue */
    bool ended;                  /* the source has no more, or nobody wants it */
    int status;                  /* of the source */
    mneme_error error;
    /* Of the caller's thread: */
    mneme_progress progress;
    int64_t told_us;
    struct batch *batches; /* room for a transaction */
    struct batch **batch_list;
};

/*
 * Commit chunks in one transaction, in which every record is a batch of its own: a bad one or a
 * duplicate does not touch the others. Counts and reports what became of each.
 */
int import_commit(struct import *import, struct chunk *chunks, mneme_error *error);

#endif
