/*
 * model.h - the domain types: validation, the compact body of each kind, and its JSON form.
 *
 * Model. A public struct (include/mneme/types.h) is validated, then encoded to a plain body (the
 * whole of it, self-contained) and the few attributes that are indexed; decoding the body gives
 * the same struct. Compression is not done here.
 * Ownership. Decoded structs live in the arena given, and point into the body given.
 * Threads. No shared state.
 * Errors. MNEME_INVALID and MNEME_TOO_LARGE name kind and field ("episode: tags[2]: not valid
 * UTF-8"); MNEME_CORRUPT: a body that does not decode.
 */
#ifndef MNEME_MODEL_H
#define MNEME_MODEL_H

#include "base/base.h"
#include "store/store.h"

enum {
    MODEL_TEXT_MAX = 16 << 20, /* bytes of one text */
    MODEL_NAME_MAX = 1024      /* bytes of a tag, a metadata name, the name of a reward's part */
};

/* Flag of a stored episode: it is completed, and its steps are still records of their own (see
 * complete_loosely in api/write.c). Records handed out do not have it. */
enum { FLAG_LOOSE = 4 };

/* Whether an episode with these flags has its steps in its body. */
static inline bool flags_hold_steps(uint32_t flags) {
    return flags & MNEME_FLAG_SEALED && !(flags & FLAG_LOOSE);
}

/* "episode" and back; NULL, and MNEME_KIND_NONE, for none. */
const char *kind_name(mneme_kind kind);
mneme_kind kind_of_name(mneme_text name);
const char *outcome_name(mneme_outcome_kind kind); /* "success", …, "open" for NONE */

/* Whether a user may put, list and delete this kind (all but dictionaries). */
bool kind_is_public(mneme_kind kind);

/*
 * Everything that types.h and the limits in mneme.h demand of a record, and: a step and a
 * checkpoint belong to an episode; steps have rising numbers and ids of their own; a relation has
 * type and ends; an embedding has a subject and, as f16, no value over 65,504. Blank ids, times
 * and numbers are no fault. model_to_json validates; model_encode relies on it.
 */
int model_validate(const mneme_record *record, mneme_error *error);

/*
 * Encode a valid record: its body is appended to `body`, and *out gets kind, flags (SEALED for a
 * finished episode), id, parent, time_us, attributes (in `arena`), plain_size and, of a step,
 * place (its number; 0: the store gives the next); out->body and out->version are left empty. An
 * open episode is encoded without its steps, a sealed one with them. Ids and times that are 0
 * must have been filled in before (see model_fill). MNEME_TOO_LARGE, MNEME_NO_MEMORY.
 */
int model_encode(const mneme_record *record, struct arena *arena, struct buf *body,
                 struct stored_record *out, mneme_error *error);

/*
 * A deep enough copy of `record` in `arena` with the blanks filled: a zero id becomes a new one
 * (made after the record's own time if that is given), zero times become now_us, an empty
 * task_type "other". An episode with an outcome but no end ends now_us. In an episode a step
 * without a number gets the next, one without a time that of the step before it (the first: the
 * start). A step of its own keeps the number 0, which the store replaces. *out is what validate
 * and encode take.
 */
int model_fill(const mneme_record *record, int64_t now_us, struct arena *arena, mneme_record *out,
               mneme_error *error);

/* Decode: header fields from `stored`, the rest from `plain` (its uncompressed body). A
 * tombstone decodes to a record without a body. Of the steps in an episode that two machines gave
 * one number (see sync/merge.h), the later one gets the next number. */
int model_decode(const struct stored_record *stored, struct slice plain, struct arena *arena,
                 mneme_record *out, mneme_error *error);

/* A copy of the episode (in `arena`) with these steps, which are in the order of their numbers,
 * beside those that it has already; of one id the given one stands. Numbers that two machines gave
 * at once are made to rise. MNEME_NO_MEMORY. */
int model_attach_steps(mneme_record *episode, const mneme_step *steps, size_t count,
                       struct arena *arena);

/* The attribute that a query names, checked and with its value in stored form (a value longer
 * than STORE_ATTRIBUTE_VALUE_MAX becomes a digest). MNEME_INVALID: no attribute of that kind. */
int model_attribute(mneme_kind kind, const mneme_pair *pair, struct arena *arena,
                    struct attribute *out, mneme_error *error);

/* ---- JSON (docs/jsonl.md) ---------------------------------------------------------------- */

/* Append a valid record as one line without its newline. A tombstone is MNEME_INVALID. */
int model_to_json(const mneme_record *record, struct buf *out, mneme_error *error);
/* Checks the form and the members, not the values: model_validate does that. The record points
 * into `json` and the arena; its flags have SEALED for a finished episode. */
int model_from_json(struct slice json, mneme_kind kind, struct arena *arena, mneme_record *out,
                    mneme_error *error);

#endif
