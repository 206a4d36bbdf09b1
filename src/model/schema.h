/*
 * schema.h - how the model layer describes its structs to itself: one table of fields a struct.
 *
 * Model. A schema lists the members of one public struct: number in the body, name in JSON, type,
 * place in memory, and the attribute that indexes it. Encoding, decoding, validation, attributes
 * and JSON are each one walk over these rows, so no field can be forgotten in one of them, and a
 * new kind is one file with a table and one row in kinds.c.
 *
 * Rules, held by tests/model/schema_test.c: row i has number i + 1; a number is never reused, a
 * new field goes to the end of its table. Rows marked IN_HEADER keep their number but are not in
 * the body: the store's own header carries them.
 */
#ifndef MNEME_MODEL_SCHEMA_H
#define MNEME_MODEL_SCHEMA_H

#include <stddef.h>

#include "model/model.h"

enum field_type {
    FIELD_TEXT,    /* mneme_text */
    FIELD_JSON,    /* mneme_text that holds JSON as a rule; any text is kept byte for byte */
    FIELD_OBJECT,  /* mneme_text that holds a JSON object, or is empty */
    FIELD_TEXTS,   /* list of mneme_text */
    FIELD_ID,      /* mneme_id: 16 raw bytes */
    FIELD_IDS,     /* list of mneme_id: all in one bytes field */
    FIELD_TIME,    /* int64_t; microseconds after the record's own time, 0 stays absent */
    FIELD_UINT,    /* uint64_t */
    FIELD_INT,     /* int64_t: zigzag */
    FIELD_DOUBLE,  /* 8 bytes */
    FIELD_ENUM,    /* an enumeration; in JSON the name from `names` */
    FIELD_MESSAGE, /* a struct inside the struct */
    FIELD_LIST,    /* list of structs, each a message */
    FIELD_KEYED,   /* the same of structs {name, value}; in JSON one object */
    FIELD_VECTOR,  /* the values of an embedding, see vector.c */
    /* The head of a step, stored as its difference from what `struct chain` foretells. */
    FIELD_STEP_ID,
    FIELD_STEP_NUMBER,
    FIELD_STEP_TIME
};

enum field_flag {
    IN_HEADER = 1, /* not in the body */
    NEEDED = 2,    /* not empty, an id not zero */
    FRACTION = 4,  /* 0 to 1 */
    ALWAYS = 8,    /* in JSON also when zero, and demanded there */
    TAGS = 16      /* texts of 1 to MODEL_NAME_MAX bytes, none twice */
};

struct names {
    const char *const *names; /* by value; a NULL has no name */
    size_t count;
};

struct schema;

struct field {
    uint32_t number;
    uint32_t name_size;
    const char *name;
    enum field_type type;
    unsigned flags;
    uint32_t at;         /* offset of the value; of a list: of the pointer to its items */
    uint32_t count_at;   /* of a list: offset of its size_t count */
    uint32_t present_at; /* offset of the bool that says whether it is there; 0: always there */
    const struct schema *schema; /* of a message and of the items of a list */
    const struct names *names;   /* of an enumeration */
    const char *attribute;       /* indexed under this name; NULL: not indexed */
};

struct schema {
    const struct field *fields;
    uint32_t count;
    uint32_t size; /* of the struct */
};

enum { SCHEMA_FIELDS_MAX = 24 };

/* One row: number, JSON name, type without its prefix, struct, member; and what else is not 0. */
#define ROW(number_, name_, type_, struct_, member_)                                               \
    {                                                                                              \
        .number = (number_), .name = (name_), .name_size = sizeof(name_) - 1,                      \
        .type = FIELD_##type_, .at = offsetof(struct_, member_)                                    \
    }
#define ROW_WITH(number_, name_, type_, struct_, member_, ...)                                     \
    {                                                                                              \
        .number = (number_), .name = (name_), .name_size = sizeof(name_) - 1,                      \
        .type = FIELD_##type_, .at = offsetof(struct_, member_), __VA_ARGS__                       \
    }
/* Where a list keeps its count. */
#define COUNT_AT(struct_, member_) .count_at = offsetof(struct_, member_)
#define SCHEMA_OF(fields_, struct_)                                                                \
    { .fields = (fields_), .count = COUNT_OF(fields_), .size = sizeof(struct_) }

/* ---- Kinds ------------------------------------------------------------------------------- */

/* What the header of a record takes from the struct of its kind; its id is always "id". */
struct kind {
    const struct schema *schema;
    uint32_t id_at;
    uint32_t time_at;
    bool has_parent;         /* belongs to an episode */
    uint32_t parent_at;      /* offset of the episode's id; 0: the header alone has it … */
    const char *parent_name; /* … and this is its JSON member */
};

extern const struct schema context_schema, pair_schema, step_schema; /* shared by kinds */
extern const struct schema episode_schema, pattern_schema, heuristic_schema, relation_schema,
    embedding_schema, checkpoint_schema, superseded_schema;
extern const struct names kind_names, outcome_names;

/* NULL for a number that is no kind of the model layer (a dictionary is none). */
const struct kind *kind_find(mneme_kind kind);

/* ---- Records ----------------------------------------------------------------------------- */

union body {
    mneme_episode episode;
    mneme_step step;
    mneme_pattern pattern;
    mneme_heuristic heuristic;
    mneme_relation relation;
    mneme_embedding embedding;
    mneme_checkpoint checkpoint;
    mneme_superseded superseded;
};

/* The struct of a record, whatever its kind: all members of the union are pointers to structs,
 * which have one representation. */
static inline const void *record_body(const mneme_record *record) {
    const void *body;
    memcpy(&body, &record->as, sizeof body);
    return body;
}
static inline void record_set_body(mneme_record *record, const void *body) {
    memcpy(&record->as, &body, sizeof body);
}

/* A record whose header and body agree: each gives id, time and parent to the other. */
struct view {
    const struct kind *kind;
    mneme_id id;
    mneme_id parent;
    int64_t time_us;
    union body body; /* a shallow copy */
};

/* MNEME_INVALID: no such kind, no body, a tombstone, or header and body contradict each other. */
int view_of(const mneme_record *record, struct view *view, mneme_error *error);

/* Whether an episode is completed, and so sealed. */
static inline bool episode_is_finished(const mneme_episode *e) {
    return e->end_us != 0 || e->outcome.kind != MNEME_OUTCOME_NONE;
}

/*
 * What sync needs to take records apart and put them together. record_body_of decodes the struct of
 * a record as it is stored: the steps of an episode keep their numbers, equal ones too, which
 * model_decode makes rise (steps_rise). record_encode is model_encode, but with `all_steps` an open
 * episode keeps what steps it has. MNEME_CORRUPT, MNEME_NO_MEMORY; as model_encode.
 */
int record_body_of(const struct stored_record *stored, struct slice plain, struct arena *arena,
                   void **out);
void steps_rise(mneme_step *steps, size_t count);
int record_encode(const mneme_record *record, bool all_steps, struct arena *arena, struct buf *body,
                  struct stored_record *out, mneme_error *error);

/* ---- Bodies ------------------------------------------------------------------------------ */

/*
 * What the head of the next step will be if nothing is said: of a step that is a record of its
 * own, the header; inside an episode the number after the step before, and its time. What a step
 * says differently is stored, so the head of most steps is their id and one time difference.
 */
struct chain {
    mneme_id id;
    uint64_t number;
    int64_t time_us;
};

/* The chain for the step after this one. */
static inline void chain_step(struct chain *chain, const void *step) {
    const mneme_step *s = step;
    chain->number = s->number + 1;
    chain->time_us = s->time_us;
}

/* One member; nothing when it is absent, zero or empty. */
void field_encode(const struct field *f, const void *from, const struct chain *chain,
                  struct buf *b);
void body_encode(const struct schema *schema, const void *from, const struct chain *chain,
                 struct buf *b);
/* Into *out, zeroed before. MNEME_CORRUPT or MNEME_NO_MEMORY. */
int body_decode(const struct schema *schema, struct slice bytes, const struct chain *chain,
                struct arena *arena, void *out);

/* The values of an embedding: format byte, for i8 a scale, then the values. */
void vector_encode(const mneme_embedding *e, uint32_t number, struct buf *b);
int vector_decode(struct slice bytes, struct arena *arena, mneme_embedding *e);

uint16_t half_of_float(float value); /* round to nearest even; too large becomes infinite */
float float_of_half(uint16_t half);

/* ---- Attributes -------------------------------------------------------------------------- */

size_t attributes_count(const struct schema *schema, const void *from);
/* All of them, sorted, in the arena. MNEME_NO_MEMORY. */
int attributes_make(const struct schema *schema, const void *from, struct arena *arena,
                    struct stored_record *out);

/* ---- Error places ------------------------------------------------------------------------ */

/* Where in a record we are, as a chain on the C stack that is put into words on failure only. */
struct path {
    const struct path *above;
    struct slice name; /* empty: an element of a list */
    size_t index;
};

static inline struct path path_name(const struct path *above, const char *name) {
    return (struct path){above, slice_of_string(name), 0};
}
static inline struct path path_field(const struct path *above, const struct field *f) {
    return (struct path){above, slice_of(f->name, f->name_size), 0};
}
static inline struct path path_index(const struct path *above, size_t index) {
    return (struct path){above, {NULL, 0}, index};
}
/* "episode: steps[3].latency_ms: " and the text; returns `code`. */
int path_error(const struct path *path, int code, mneme_error *error, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* How many bytes of a text from outside an error message shows: at most 64, whole characters. */
int shown_size(struct slice text);

#endif
