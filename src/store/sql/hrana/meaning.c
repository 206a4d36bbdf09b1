/*
 * meaning.c - the table behind meaning.h.
 *
 * The codes are those of libsql-server (src/hrana/stmt.rs, src/hrana/batch.rs, src/error.rs) and
 * the primary codes of SQLite. A replica of sqld wraps what the primary said of a write in
 * PROXY_ERROR, which leaves the text alone to tell by.
 */
#include "store/sql/hrana/meaning.h"

static const char BUSY[] = "other writers held the database";
static const char FULL[] = "the database is full, or writes to it are blocked by a quota";
static const char READ_ONLY[] = "the token or the database is read-only";
static const char TIMEOUT[] = "the transaction took longer than the server allows";
static const char DAMAGED[] = "the server's database is damaged";
/* With a full disk sqld fails in its own log, and says SQLITE_IOERR. */
static const char DISK[] = "the server's disk is full or failed";
static const char REFUSED[] = "the server refuses a statement";

/* The first row that fits counts. */
static const struct hrana_meaning meanings[] = {
    {"SQLITE_CONSTRAINT", NULL, HRANA_STEP, MNEME_CONFLICT, "a constraint was violated"},
    {"SQLITE_BUSY", NULL, HRANA_REPEAT, MNEME_LOCKED, BUSY},
    {"SQLITE_LOCKED", NULL, HRANA_REPEAT, MNEME_LOCKED, BUSY},
    {"TRANSACTION_BUSY", NULL, HRANA_REPEAT, MNEME_LOCKED, BUSY},
    {"TRANSACTION_TIMEOUT", NULL, HRANA_REPEAT, MNEME_LOCKED, TIMEOUT},
    {"STREAM_EXPIRED", NULL, HRANA_REPEAT, MNEME_UNAVAILABLE, "the stream expired"},
    {"RESPONSE_TOO_LARGE", NULL, HRANA_END, MNEME_TOO_LARGE,
     "the answer is over the server's limit; ask for less at once"},
    {"BLOCKED", NULL, HRANA_END, MNEME_NO_SPACE, FULL},
    {"SQLITE_FULL", NULL, HRANA_END, MNEME_NO_SPACE, FULL},
    {"SQLITE_READONLY", NULL, HRANA_END, MNEME_PERMISSION, READ_ONLY},
    {"SQLITE_PERM", NULL, HRANA_END, MNEME_PERMISSION, "the server may not open its database"},
    {"SQLITE_AUTH", NULL, HRANA_END, MNEME_PERMISSION, "the token does not allow this"},
    {"SQLITE_CORRUPT", NULL, HRANA_END, MNEME_CORRUPT, DAMAGED},
    {"SQLITE_NOTADB", NULL, HRANA_END, MNEME_CORRUPT, DAMAGED},
    {"SQLITE_IOERR", NULL, HRANA_UNKNOWN, MNEME_IO, DISK},
    {"SQLITE_CANTOPEN", NULL, HRANA_UNKNOWN, MNEME_IO, DISK},
    {"SQLITE_NOMEM", NULL, HRANA_UNKNOWN, MNEME_UNAVAILABLE, "the server is out of memory"},
    {"SQLITE_INTERRUPT", NULL, HRANA_UNKNOWN, MNEME_UNAVAILABLE, "the server was interrupted"},
    {"SQLITE_TOOBIG", NULL, HRANA_STEP, MNEME_TOO_LARGE, "a value is over the server's limit"},
    {"ARGS_INVALID", "too big", HRANA_STEP, MNEME_TOO_LARGE, "a value is over the server's limit"},
    {"PROXY_ERROR", "onstraint", HRANA_STEP, MNEME_CONFLICT, "a constraint was violated"},
    {"PROXY_ERROR", "is locked", HRANA_REPEAT, MNEME_LOCKED, BUSY},
    {"PROXY_ERROR", "is full", HRANA_END, MNEME_NO_SPACE, FULL},
    {"PROXY_ERROR", "blocked", HRANA_END, MNEME_NO_SPACE, FULL},
    {"PROXY_ERROR", "readonly", HRANA_END, MNEME_PERMISSION, READ_ONLY},
    {"PROXY_ERROR", NULL, HRANA_UNKNOWN, MNEME_UNAVAILABLE, "the replica lost its primary"},
};

static const struct hrana_meaning refused = {NULL, NULL, HRANA_STEP, MNEME_FAILURE, REFUSED};

/* Whether `code` is `name`, or a finer code of it. */
static bool code_is(struct slice code, const char *name) {
    size_t size = strlen(name);
    return code.size >= size && memcmp(code.data, name, size) == 0 &&
           (code.size == size || code.data[size] == '_');
}

static bool text_has(struct slice text, const char *part) {
    return text.size && memmem(text.data, text.size, part, strlen(part)) != NULL;
}

const struct hrana_meaning *hrana_meaning_of(struct slice code, struct slice message) {
    for (size_t i = 0; i < COUNT_OF(meanings); i++)
        if (code.size && code_is(code, meanings[i].code) &&
            (!meanings[i].message || text_has(message, meanings[i].message)))
            return &meanings[i];
    return &refused;
}
