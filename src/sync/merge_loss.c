/*
 * merge_loss.c - which edits were lost when two states were joined, and the record that tells so.
 */
#include <stdlib.h>

#include "codec/codec.h"
#include "sync/merge_impl.h"

/* ---- What was lost ----------------------------------------------------------------------- */

static bool same_items(const struct merge_row *a, const struct merge_row *b) {
    static const struct merge_item nothing;
    for (size_t i = 0; i < a->count; i++) {
        const struct merge_item *other = merge_find_item(b, a->items[i].key);
        if (!merge_same_value(&a->items[i], other ? other : &nothing))
            return false;
    }
    return true;
}

bool merge_same_content(const struct merge_state *a, const struct merge_state *b) {
    for (uint32_t i = 0; i < a->kind->schema->count; i++) {
        const struct merge_row *x = &a->rows[i], *y = &b->rows[i];
        if (!slice_equal(x->value, y->value) || !same_items(x, y) || !same_items(y, x))
            return false;
    }
    return true;
}

/* Who has lost a register: nobody, mine or theirs. A member that is whole is put as an item. */
enum loser { NOBODY, MINE, THEIRS };

/* What is known of theirs as a whole. */
struct knowledge {
    uint64_t self;      /* what this device wrote … */
    mneme_version mine; /* … before this version is no news */
    /* What mine wrote at that version, no later write need have known; nor did it know what its
     * device wrote behind that of the base. */
    bool unaware;
    mneme_version base;
};

/* The writes of one device follow each other: the later one was made knowing the other. But a
 * memory that was set back knows of none since, and may give an older stamp than it had given, or
 * the same again. */
static bool is_followed(const struct merge_item *mine, const struct merge_item *theirs,
                        enum loser loser, const struct knowledge *k) {
    int order = version_compare(mine->stamp, theirs->stamp);
    if (mine->stamp.device != theirs->stamp.device || order == 0)
        return false;
    bool written = k->unaware && version_compare(mine->stamp, k->mine) == 0;
    return !written || (loser == THEIRS && version_compare(theirs->stamp, k->base) <= 0);
}

/* A member that nobody ever wrote; see merge_unsaid_stamp. */
static bool never_written(const struct merge_item *item) {
    return item->value.size == 0 && version_is_zero(item->stamp);
}

static enum loser find_loser(const struct merge_item *base, const struct merge_item *mine,
                             const struct merge_item *theirs, const struct knowledge *k) {
    enum loser loser = merge_compare_items(mine, theirs) < 0 ? MINE : THEIRS;
    const struct merge_item *lost = loser == MINE ? mine : theirs;
    if (merge_same_value(mine, theirs) || never_written(lost) ||
        is_followed(mine, theirs, loser, k) || (base && merge_same_value(base, lost)))
        return NOBODY;
    bool own =
        k->self && theirs->stamp.device == k->self && version_compare(theirs->stamp, k->mine) < 0;
    return loser == THEIRS && own ? NOBODY : loser;
}

static void note(const struct field *f, struct merge_loss *loss) {
    if (loss->field_count && loss->fields[loss->field_count - 1] == f->name)
        return;
    const char **fields;
    memcpy(&fields, &loss->fields, sizeof fields);
    fields[loss->field_count++] = f->name;
    loss->any = true;
}

static struct merge_item whole(const struct merge_row *row) {
    return (struct merge_item){.at = row, .value = row->value, .stamp = row->stamp};
}

/* `losses`: by loser. */
static void note_row(const struct field *f, const struct merge_row *base,
                     const struct merge_row *mine, const struct merge_row *theirs,
                     const struct knowledge *knowledge, struct merge_loss *losses) {
    static const struct merge_item nothing;
    struct merge_item b = base ? whole(base) : nothing, m = whole(mine), t = whole(theirs);
    enum loser loser = find_loser(base ? &b : NULL, &m, &t, knowledge);
    if (loser)
        note(f, &losses[loser]);
    for (size_t i = 0; i < mine->count; i++) {
        const struct slice key = mine->items[i].key;
        const struct merge_item *other = merge_find_item(theirs, key);
        const struct merge_item *old = base ? merge_find_item(base, key) : NULL;
        if (!other)
            continue; /* theirs had nothing to say, and takes what mine says */
        loser = find_loser(base ? (old ? old : &nothing) : NULL, &mine->items[i], other, knowledge);
        if (loser)
            note(f, &losses[loser]);
    }
}

int merge_find_losses(const struct merge_state *base, const struct merge_state *mine,
                      const struct merge_state *theirs, uint64_t self, const mneme_version *unaware,
                      struct arena *arena, struct merge_result *out) {
    const struct schema *schema = mine->kind->schema;
    struct knowledge knowledge = {self, mine->header.version, unaware, {0}};
    if (unaware)
        knowledge.base = *unaware;
    struct merge_loss losses[3] = {[MINE] = {.mine = true}};
    for (int i = MINE; i <= THEIRS; i++) {
        losses[i].fields = arena_zalloc(arena, schema->count, sizeof *losses[i].fields);
        if (!losses[i].fields)
            return MNEME_NO_MEMORY;
    }
    for (uint32_t i = 0; i < schema->count; i++)
        note_row(&schema->fields[i], base ? &base->rows[i] : NULL, &mine->rows[i], &theirs->rows[i],
                 &knowledge, losses);
    out->loss = losses[MINE].any ? losses[MINE] : losses[THEIRS];
    if (losses[MINE].any)
        out->also = losses[THEIRS];
    return 0;
}

/* ---- The record that tells of it ---------------------------------------------------------- */

/* A UUID of version 7 (RFC 9562, section 5.7) with the time of the lost version, whose other bits
 * are of a digest of what it stands for. */
static mneme_id superseded_id(const struct stored_record *lost, mneme_text line) {
    uint8_t name[40 + PACK_SHA256_SIZE], digest[PACK_SHA256_SIZE];
    mneme_id id;
    put_be64(name, (uint64_t)lost->kind);
    memcpy(name + 8, lost->id.bytes, sizeof lost->id.bytes);
    put_be64(name + 24, lost->version.clock);
    put_be64(name + 32, lost->version.device);
    sha256(slice_of_text(line), name + 40); /* merged states may have one version */
    sha256(slice_of(name, sizeof name), digest);
    memcpy(id.bytes, digest, sizeof id.bytes);
    uint8_t millis[8];
    put_be64(millis, lost->version.clock); /* its upper 48 bits are milliseconds */
    memcpy(id.bytes, millis, 6);
    id.bytes[6] = (uint8_t)(0x70 | (id.bytes[6] & 0x0f));
    id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3f));
    return id;
}

/* The losing record as a line of JSON; empty when it cannot be one that fits a text. */
static int lost_line(const struct merge_side *lost, struct arena *arena, mneme_text *out,
                     mneme_error *error) {
    AUTO_BUF struct buf line = BUF_INIT(MODEL_TEXT_MAX);
    mneme_record record;
    struct slice kept = {0};
    TRY(model_decode(lost->record, lost->plain, arena, &record, error));
    int status = model_to_json(&record, &line, error);
    if (status == 0 && arena_copy(arena, buf_slice(&line), &kept))
        status = error_set(error, MNEME_NO_MEMORY, "no memory for a lost edit");
    if (status == MNEME_NO_MEMORY)
        return status;
    *out = text_of_slice(kept);
    return 0;
}

static int lost_fields(const struct merge_loss *loss, struct arena *arena, mneme_text_list *out) {
    mneme_text *items = arena_zalloc(arena, loss->field_count, sizeof *items);
    if (!items)
        return MNEME_NO_MEMORY;
    for (size_t i = 0; i < loss->field_count; i++)
        items[i] = text_of_slice(slice_of_string(loss->fields[i]));
    *out = (mneme_text_list){loss->field_count ? items : NULL, loss->field_count};
    return 0;
}

int merge_superseded(const struct merge_side *lost, mneme_version kept,
                     const struct merge_loss *loss, struct arena *arena, struct stored_record *out,
                     struct slice *plain, mneme_error *error) {
    static const char deleted[] = "deleted elsewhere", edited[] = "edited elsewhere";
    AUTO_BUF struct buf body = BUF_INIT(2 * (size_t)STORE_BODY_MAX);
    mneme_version version = lost->record->version;
    mneme_superseded told = {.subject = lost->record->id,
                             .subject_kind = lost->record->kind,
                             .lost_clock = version.clock,
                             .lost_device = version.device,
                             .kept_clock = kept.clock,
                             .kept_device = kept.device,
                             .time_us = (int64_t)(version.clock >> 16) * 1000};
    const mneme_record record = {.kind = MNEME_SUPERSEDED, .as.superseded = &told};
    struct stored_record made;
    told.reason = text_of_slice(slice_of_string(loss->by_delete ? deleted : edited));
    TRY(lost_line(lost, arena, &told.lost, error));
    told.id = superseded_id(lost->record, told.lost);
    if (lost_fields(loss, arena, &told.fields))
        return error_set(error, MNEME_NO_MEMORY, "no memory for a lost edit");
    TRY(model_encode(&record, arena, &body, &made, error));
    struct slice bytes;
    if (arena_copy(arena, buf_slice(&body), &bytes))
        return error_set(error, MNEME_NO_MEMORY, "no memory for a lost edit");
    made.version = version;
    *out = made;
    *plain = bytes;
    return 0;
}
