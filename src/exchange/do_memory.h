/*
 * do_memory.h - inside the format do-memory: members of its JSON, checked, and what makes records
 * of them.
 *
 * What is read was written by serde from Rust structs, which know for each member what it is; so a
 * member of another type is an error that names it, while null counts as not given. Members that
 * no function asks for go to `extra`, or where a kind has none, to the metadata "extra".
 */
#ifndef MNEME_EXCHANGE_DO_MEMORY_H
#define MNEME_EXCHANGE_DO_MEMORY_H

#include "exchange/exchange_impl.h"

/* ---- Members (do_memory_member.c) --------------------------------------------------------- */

/* What is read, and where its records and texts go. */
struct dm {
    struct arena *arena;
    mneme_error *error;
};

/* The member, or NULL when it is missing or null. */
const struct json_node *dm_member(const struct json_node *object, const char *key);
/* Each leaves *out alone when the member is not given. MNEME_INVALID: it is something else. */
int dm_text(struct dm *dm, const struct json_node *object, const char *key, mneme_text *out);
int dm_texts(struct dm *dm, const struct json_node *object, const char *key, mneme_text_list *out);
int dm_id(struct dm *dm, const struct json_node *object, const char *key, mneme_id *out);
int dm_ids(struct dm *dm, const struct json_node *object, const char *key, const mneme_id **out,
           size_t *count);
/* RFC 3339, or seconds since 1970, as the tables have it. */
int dm_time(struct dm *dm, const struct json_node *object, const char *key, int64_t *out);
int dm_count(struct dm *dm, const struct json_node *object, const char *key, uint64_t *out);
int dm_number(struct dm *dm, const struct json_node *object, const char *key, double *out);
/* A share from 0 to 1; what arithmetic with floats left just outside is moved to its end. */
int dm_share(struct dm *dm, const struct json_node *object, const char *key, double *out);
int dm_container(struct dm *dm, const struct json_node *object, const char *key,
                 enum json_type type, const struct json_node **out);
/* An id that is needed. */
int dm_need_id(struct dm *dm, const struct json_node *object, const char *key, mneme_id *out);
/* The one member of {"Success": {…}}, or a text such as "Timeout" as a key without a value. */
int dm_variant(struct dm *dm, const struct json_node *node, const char *key, struct slice *name,
               const struct json_node **value);

/* "CodeGeneration" as "code_generation"; what is in that form already stays. */
int dm_snake(struct dm *dm, mneme_text name, mneme_text *out);

/* language, framework, complexity and domain. */
int dm_context(struct dm *dm, const struct json_node *object, mneme_context *out);

/* The pairs of an object, texts as they are and other values as JSON, behind `imported_from` and
 * before the `more` pairs; empty values of those do not go in. `object` may be NULL. */
int dm_metadata(struct dm *dm, const struct json_node *object, const mneme_pair *more,
                size_t more_count, mneme_pair_list *out);

/* Append to the object that is written the members of `object` that are not told, nor null or
 * empty: under `key`, if there are any, or without one (NULL) each by itself. */
struct dm_told {
    const char *const *keys;
    size_t count;
};
#define DM_TOLD(...)                                                                               \
    ((struct dm_told){(const char *const[]){__VA_ARGS__},                                          \
                      sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)})
void dm_put_rest(struct buf *b, const char *key, const struct json_node *object,
                 struct dm_told told);
/* The same as an object of its own, in the arena; empty when nothing is left. */
int dm_rest(struct dm *dm, const struct json_node *object, struct dm_told told, mneme_text *out);

/* ---- Records ------------------------------------------------------------------------------ */

/* An episode and its checkpoints (do_memory_episode.c). */
int dm_episode(struct dm *dm, const struct json_node *object, struct exchange_record *out);

/* What was learned (do_memory_learned.c). */
int dm_pattern(struct dm *dm, const struct json_node *object, mneme_record *out);
int dm_pattern_row(struct dm *dm, const struct json_node *object, mneme_record *out);
int dm_heuristic(struct dm *dm, const struct json_node *object, mneme_record *out);
int dm_relation(struct dm *dm, const struct json_node *object, mneme_record *out);
int dm_embedding(struct dm *dm, const struct json_node *object, mneme_record *out);
/* Whether the object's one member is a pattern: {"tool_sequence": {…}}. */
bool dm_is_pattern(const struct json_node *object);

#endif
