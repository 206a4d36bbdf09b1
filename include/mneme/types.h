/*
 * types.h - the domain model: episodes, steps, patterns and the other records.
 *
 * Model. Everything stored is a record of one kind. A `mneme_record` carries what all kinds
 * share (id, version, time, flags) and a pointer to the body of its kind.
 *
 * Ownership. Structures given to the library are borrowed for the call. Structures handed out
 * by the library are immutable, live in one block, and are given back with one release call;
 * all texts and arrays they point to live exactly as long.
 *
 * Text. A `mneme_text` is a pointer and a size in bytes, not NUL-terminated, valid UTF-8 (a NUL
 * character inside is legal). {NULL, 0} is the empty text. Print with
 * printf("%.*s", (int)t.size, t.data).
 *
 * Time. Microseconds since 1970-01-01T00:00:00Z, in an int64_t; 0 means "not given".
 */
#ifndef MNEME_TYPES_H
#define MNEME_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mneme_text {
    const char *data;
    size_t size; /* bytes */
} mneme_text;

typedef struct mneme_text_list {
    const mneme_text *items;
    size_t count;
} mneme_text_list;

typedef struct mneme_pair {
    mneme_text name;
    mneme_text value;
} mneme_pair;

/* Name-value pairs. A name stands at most once; order is kept. */
typedef struct mneme_pair_list {
    const mneme_pair *items;
    size_t count;
} mneme_pair_list;

/* 16 bytes, a UUID (version 7 when mneme makes it: RFC 9562, section 5.7). All zero: none. */
typedef struct mneme_id {
    uint8_t bytes[16];
} mneme_id;

/*
 * When and where a record was last written: a hybrid logical clock (Kulkarni et al. 2014; upper
 * 48 bits milliseconds since 1970, lower 16 bits a counter) and the device. Versions are totally
 * ordered, clock first, then device; the greater one wins. All zero: not assigned yet.
 */
typedef struct mneme_version {
    uint64_t clock;
    uint64_t device;
} mneme_version;

typedef enum mneme_kind {
    MNEME_KIND_NONE = 0,
    MNEME_EPISODE = 1,
    MNEME_STEP = 2,
    MNEME_PATTERN = 3,
    MNEME_HEURISTIC = 4,
    MNEME_EMBEDDING = 5,
    MNEME_RELATION = 6,
    MNEME_CHECKPOINT = 7,
    MNEME_DICTIONARY = 8, /* compression dictionaries; kept by the library itself */
    MNEME_SUPERSEDED = 9  /* an edit that lost against another machine's; written by sync */
} mneme_kind;
#define MNEME_KIND_COUNT 10

/* Flags of a record. */
enum {
    MNEME_FLAG_DELETED = 1, /* a tombstone: only its id and version are left */
    MNEME_FLAG_SEALED = 2,  /* a completed episode: it takes no more steps */
    MNEME_FLAG_LOCAL = 8    /* never leaves this machine; stays when the record is replaced */
};

/* ---- Steps ---------------------------------------------------------------------------- */

typedef enum mneme_result_kind {
    MNEME_RESULT_NONE = 0, /* no result recorded (yet) */
    MNEME_RESULT_SUCCESS = 1,
    MNEME_RESULT_ERROR = 2,
    MNEME_RESULT_TIMEOUT = 3
} mneme_result_kind;

/* One thing an agent did: a tool call and what came of it. */
typedef struct mneme_step {
    mneme_id id;     /* all zero on input: the library makes one */
    uint64_t number; /* 1, 2, … in its episode; 0 on input: the next one */
    int64_t time_us; /* 0 on input: now */
    mneme_text tool; /* "book_reservation" */
    mneme_text action;
    mneme_text parameters; /* JSON as the agent wrote it, kept byte for byte */
    mneme_result_kind result;
    mneme_text output; /* the output of a success, the message of an error */
    bool has_latency;
    bool has_tokens;
    int64_t latency_ms; /* with has_latency */
    int64_t tokens;     /* with has_tokens */
    mneme_pair_list metadata;
} mneme_step;

typedef struct mneme_step_list {
    const mneme_step *items;
    size_t count;
} mneme_step_list;

/* ---- Episodes ------------------------------------------------------------------------- */

typedef enum mneme_outcome_kind {
    MNEME_OUTCOME_NONE = 0, /* still open */
    MNEME_SUCCESS = 1,
    MNEME_PARTIAL_SUCCESS = 2,
    MNEME_FAILED = 3,
    MNEME_ABSTAINED = 4
} mneme_outcome_kind;

typedef struct mneme_outcome {
    mneme_outcome_kind kind;
    mneme_text verdict;
    mneme_text reason;
    mneme_text_list completed;
    mneme_text_list failed;
    mneme_text_list artifacts;
} mneme_outcome;

typedef struct mneme_reward_part {
    mneme_text name;
    double value;
} mneme_reward_part;

typedef struct mneme_reward {
    bool present;
    double total; /* finite */
    const mneme_reward_part *parts;
    size_t part_count;
} mneme_reward;

typedef struct mneme_reflection {
    mneme_text_list successes;
    mneme_text_list improvements;
    mneme_text_list insights;
} mneme_reflection;

typedef enum mneme_effect {
    MNEME_EFFECT_PENDING = 0,
    MNEME_EFFECT_HELPED = 1,
    MNEME_EFFECT_NONE = 2,
    MNEME_EFFECT_HINDERED = 3
} mneme_effect;

typedef struct mneme_applied_pattern {
    mneme_id pattern;
    uint64_t step; /* the step it was applied at; 0: the episode as a whole */
    mneme_effect effect;
} mneme_applied_pattern;

/* What was said around the steps, for agents that talk: the dialogue of an episode. */
typedef struct mneme_message {
    mneme_text role; /* "system", "user", "assistant", … */
    mneme_text text;
    uint64_t after_step; /* how many steps came before it */
    mneme_text extra;    /* a JSON object with what else the source knew, or empty */
} mneme_message;

typedef struct mneme_context {
    mneme_text language;
    mneme_text framework;
    mneme_text domain;
    mneme_text complexity; /* "simple", "moderate", "complex" or the user's own word */
} mneme_context;

/* One piece of work of an agent, from task to outcome. */
typedef struct mneme_episode {
    mneme_id id;          /* all zero on input: the library makes one */
    mneme_text task;      /* what was asked; never empty */
    mneme_text task_type; /* "code_generation", "debugging", "refactoring", "testing",
                             "analysis", "documentation", "other"; empty on input: "other" */
    mneme_context context;
    int64_t start_us; /* 0 on input: now */
    int64_t end_us;   /* 0: still open */
    mneme_outcome outcome;
    mneme_reward reward;
    mneme_reflection reflection;
    const mneme_applied_pattern *applied;
    size_t applied_count;
    mneme_step_list steps;
    const mneme_message *messages;
    size_t message_count;
    mneme_pair_list metadata;
    mneme_text_list tags;
    mneme_text origin; /* where an imported episode came from: "FORMAT:HASH"; else empty */
    mneme_text extra;  /* a JSON object with what the source had and this model has no field for */
} mneme_episode;

/* ---- What was learned ----------------------------------------------------------------- */

typedef struct mneme_effectiveness {
    uint64_t retrieved;
    uint64_t applied;
    uint64_t success;
    uint64_t failure;
    double reward_delta; /* finite; mean change of reward where it was applied */
} mneme_effectiveness;

typedef struct mneme_pattern {
    mneme_id id;
    mneme_text type; /* "tool_sequence", "decision_point", "error_recovery", "context" */
    mneme_text name;
    mneme_text description;
    mneme_text content;  /* JSON: the sequence, the decision, …; kept byte for byte */
    int64_t created_us;  /* 0 on input: now */
    double success_rate; /* 0 to 1 */
    uint64_t occurrences;
    mneme_effectiveness effectiveness;
    mneme_context context;
    mneme_text_list tags;
    mneme_pair_list metadata;
} mneme_pattern;

typedef struct mneme_heuristic {
    mneme_id id;
    mneme_text condition;
    mneme_text action;
    double confidence; /* 0 to 1 */
    int64_t created_us;
    const mneme_id *evidence; /* ids of episodes */
    size_t evidence_count;
    mneme_text_list tags;
    mneme_pair_list metadata;
} mneme_heuristic;

typedef struct mneme_relation {
    mneme_id id;
    mneme_text type; /* "caused_by", "similar_to", … */
    mneme_id from;
    mneme_id to;
    mneme_kind from_kind;
    mneme_kind to_kind;
    double weight; /* finite */
    int64_t created_us;
    mneme_pair_list metadata;
} mneme_relation;

typedef enum mneme_embedding_format {
    MNEME_F32 = 0, /* 4 bytes a value, exact */
    MNEME_F16 = 1, /* 2 bytes a value, IEEE 754 half, round to nearest even */
    MNEME_I8 = 2   /* 1 byte a value: round(127 x / max|x|), and one f32 scale */
} mneme_embedding_format;

typedef struct mneme_embedding {
    mneme_id id;
    mneme_id subject; /* the record it stands for */
    mneme_kind subject_kind;
    mneme_text model;
    mneme_embedding_format stored_as;
    const float *values; /* after a read: what the stored form gives back */
    size_t count;        /* dimensions, 1 to 65,536 */
    int64_t created_us;
} mneme_embedding;

/* A snapshot in the middle of an episode, or a hand-off to another agent. */
typedef struct mneme_checkpoint {
    mneme_id id;
    mneme_id episode;
    uint64_t step; /* taken after this step */
    mneme_text note;
    mneme_text state; /* opaque to mneme; JSON as a rule, kept byte for byte */
    int64_t created_us;
    mneme_pair_list metadata;
} mneme_checkpoint;

/*
 * An edit that was overruled when the memories of two machines met: what the record was on the
 * losing side. Sync writes it, on whichever machine notices, with the same id and content on each.
 * Deleting it settles the matter; mneme_conflict_resolve can bring the lost edit back.
 */
typedef struct mneme_superseded {
    mneme_id id;
    mneme_id subject; /* the record that was edited */
    mneme_kind subject_kind;
    mneme_text reason;      /* "edited elsewhere", "deleted elsewhere" */
    mneme_text_list fields; /* names of the members that lost; none for a delete */
    mneme_text lost;        /* the losing record as one line of JSON (docs/jsonl.md) */
    uint64_t lost_clock, lost_device; /* its version */
    uint64_t kept_clock, kept_device; /* the version that won */
    int64_t time_us;                  /* when the lost edit was made */
} mneme_superseded;

/* ---- Records -------------------------------------------------------------------------- */

/* One record of any kind. `as` holds the member of its kind; none for a tombstone. */
typedef struct mneme_record {
    mneme_kind kind;
    uint32_t flags; /* MNEME_FLAG_… */
    mneme_id id;
    mneme_id parent; /* a step's or checkpoint's episode; else all zero */
    mneme_version version;
    int64_t time_us; /* start of an episode, time of a step, creation of the others */
    union {
        const mneme_episode *episode;
        const mneme_step *step;
        const mneme_pattern *pattern;
        const mneme_heuristic *heuristic;
        const mneme_relation *relation;
        const mneme_embedding *embedding;
        const mneme_checkpoint *checkpoint;
        const mneme_superseded *superseded;
    } as;
} mneme_record;

#ifdef __cplusplus
}
#endif
#endif
