/*
 * exchange.h - the formats of import: where a file's records begin and end, and what each says.
 *
 * Model. A format is a row of a table. Its splitter cuts a mapped file into the texts of its
 * records, cheap and one after the other; its parser makes one text a record, and touches nothing
 * but its arguments, so that many threads may parse at once. docs/formats.md describes the
 * formats; the jsonl of export is model_to_json.
 * Ownership. Everything points into the mapped file and the arena given.
 * Errors. MNEME_INVALID and MNEME_TOO_LARGE: what is wrong with the record, without its place.
 */
#ifndef MNEME_EXCHANGE_H
#define MNEME_EXCHANGE_H

#include "base/base.h"

/* ---- Splitting --------------------------------------------------------------------------- */

enum layout {
    LAYOUT_UNKNOWN,  /* nothing was read yet */
    LAYOUT_LINES,    /* a record a line; a bad one does not harm the next */
    LAYOUT_ARRAY,    /* one JSON array of records */
    LAYOUT_VALUES,   /* records one after the other, of any number of lines */
    LAYOUT_MEMBERS,  /* one JSON object, whose members that are arrays hold the records … */
    LAYOUT_ELEMENTS, /* … within such an array */
    LAYOUT_END       /* nothing more can be read */
};

/* Where the reading of a file is. Start with splitter_of. */
struct splitter {
    struct slice text;
    size_t at;
    uint64_t number; /* of the line or record read last */
    enum layout layout;
    bool begun; /* of LAYOUT_MEMBERS and _ELEMENTS: a comma is due, or the end */
};
struct splitter splitter_of(struct slice file);

/* The text of one record, and which it is: a line or a record of the file, from 1. */
struct piece {
    struct slice text;
    uint64_t number;
    bool is_line;
};

/* SPLIT_BAD: the file is damaged here; the error says how, and nothing more follows. */
enum split_result { SPLIT_RECORD, SPLIT_BAD, SPLIT_END };

/* ---- Parsing ----------------------------------------------------------------------------- */

/* How a record that is in the store already is known again. */
enum identity {
    IDENTITY_VERSION, /* by id and version */
    IDENTITY_CONTENT, /* by id; what is stored differs, then it is replaced */
    IDENTITY_ORIGIN,  /* by the origin of an episode, whose id is blank */
    IDENTITY_DIGEST   /* by an id that was made from the text */
};

struct exchange_record {
    mneme_record record; /* not filled in and not validated */
    enum identity identity;
    /* Records of the same text that go in with it, behind it; ids and times filled in. */
    const mneme_record *parts;
    size_t part_count;
};

/* ---- Formats ----------------------------------------------------------------------------- */

enum { OUTLINE_KEYS_MAX = 32 };

/* What a format is guessed by: the path, and the first member names of the first record. */
struct outline {
    const char *path;
    struct slice head; /* of the file, some first bytes */
    struct slice keys[OUTLINE_KEYS_MAX];
    size_t count;
};

/* How sure a guess is. */
enum guess { GUESS_NO, GUESS_BY_NAME, GUESS_BY_CONTENT };

struct format_operations {
    const char *name;
    enum guess (*guess)(const struct outline *outline);
    /* Make the text to split of the file at `path`, a mapping; NULL: the file is the text. */
    int (*load)(const char *path, struct slice *out, mneme_error *error);
    enum split_result (*split)(struct splitter *splitter, struct piece *out, mneme_error *error);
    int (*parse)(const struct piece *piece, const char *path, struct arena *arena,
                 struct exchange_record *out, mneme_error *error);
};

/* The format of that name. MNEME_INVALID names those that there are. */
int format_find(const char *name, const struct format_operations **out, mneme_error *error);

/* The format of a file by its content, else by its name. An empty file is jsonl without a record.
 * MNEME_INVALID: it looks like none. */
int format_guess(struct slice file, const char *path, const struct format_operations **out,
                 mneme_error *error);

#endif
