/*
 * import_commit.c - finished chunks go into the store, and what became of each record is told.
 */
#include "api/import.h"
#include "api/sync.h"

/* ---- What became of a record -------------------------------------------------------------- */

static int reject(struct import *import, struct chunk *chunk, struct slot *slot,
                  const mneme_error *why, mneme_error *error) {
    if (why && slot_reject(chunk, slot, why))
        return error_set(error, MNEME_NO_MEMORY, "no memory for an import");
    import->progress.rejected++;
    if (import->options.rejected)
        import->options.rejected(import->options.context, slot->problem);
    return 0;
}

/* Whether any record of the batch went in: one that carries a version may have been passed over. */
static bool is_applied(const struct batch *batch) {
    for (size_t i = 0; i < batch->count; i++)
        if (batch->mutations[i].op == MUTATION_PUT && batch->mutations[i].applied)
            return true;
    return false;
}

/* Whether what a record's mutations were made from has changed since. */
static bool has_raced(const struct batch *batch) {
    if (batch->status == 0 || batch->failed >= batch->count)
        return false;
    const struct mutation *failed = &batch->mutations[batch->failed];
    return failed->condition == CONDITION_CHILDREN || failed->condition == CONDITION_CHANGE ||
           (failed->op == MUTATION_CHECK && failed->condition == CONDITION_ABSENT);
}

static int settle(struct import *import, struct chunk *chunk, struct slot *slot,
                  const struct batch *batch, mneme_error *error) {
    if (batch->status == 0 && is_applied(batch))
        import->progress.imported++;
    else if (batch->status == 0 || record_was_there(batch))
        import->progress.duplicates++;
    else if (record_is_bad(batch->status))
        return reject(import, chunk, slot, &batch->error, error);
    else if (error)
        *error = batch->error;
    return record_is_bad(batch->status) ? 0 : batch->status;
}

/* Prepare a record afresh and commit it alone, until nobody changes what it replaces meanwhile. */
static int commit_again(struct import *import, struct chunk *chunk, struct slot *slot,
                        mneme_error *error) {
    struct batch batch = {.count = 0}, *only = &batch;
    for (unsigned attempt = 0; attempt < API_RETRIES; attempt++) {
        AUTO_WRITES struct write_set set = {.local_only = import->options.local_only};
        bool duplicate = false;
        batch.status = record_prepare(import->m, chunk->input, slot, import->now_us, &set,
                                      &duplicate, &batch.error);
        batch.mutations = set.mutations;
        batch.count = batch.failed = batch.status ? 0 : set.count;
        if (batch.status == 0 && !duplicate)
            (void)store_apply(import->m->store, &only, 1);
        if (!has_raced(&batch))
            return settle(import, chunk, slot, &batch, error);
    }
    return reject(import, chunk, slot, &batch.error, error);
}

static int settle_slot(struct import *import, struct chunk *chunk, struct slot *slot,
                       const struct batch *batch, mneme_error *error) {
    import->progress.records++;
    if (slot->state == SLOT_BAD)
        return reject(import, chunk, slot, NULL, error);
    if (slot->state == SLOT_DUPLICATE) {
        import->progress.duplicates++;
        return 0;
    }
    return has_raced(batch) ? commit_again(import, chunk, slot, error)
                            : settle(import, chunk, slot, batch, error);
}

/* ---- Committing --------------------------------------------------------------------------- */

static void note_written(struct import *import, const struct chunk *chunk) {
    if (import->m->syncer)
        syncer_wrote(import->m->syncer, chunk->count);
    for (size_t kind = 1; kind < MNEME_KIND_COUNT; kind++)
        if (chunk->set.plain_bytes[kind])
            dictionaries_wrote(import->m, (mneme_kind)kind, chunk->set.plain_bytes[kind]);
}

static int settle_chunks(struct import *import, struct chunk *chunks, mneme_error *error) {
    const struct batch *batch = import->batches;
    for (struct chunk *chunk = chunks; chunk; chunk = chunk->next) {
        for (size_t i = 0; i < chunk->count; i++) {
            struct slot *slot = &chunk->slots[i];
            bool written = slot->state == SLOT_WRITE;
            TRY(settle_slot(import, chunk, slot, batch, error));
            batch += written;
        }
        import->progress.file = chunk->input->path;
        import->progress.bytes_done += chunk->bytes;
        note_written(import, chunk);
    }
    return 0;
}

int import_commit(struct import *import, struct chunk *chunks, mneme_error *error) {
    size_t count = 0;
    for (struct chunk *chunk = chunks; chunk; chunk = chunk->next) {
        if (chunk->status) {
            if (error)
                *error = chunk->error;
            return chunk->status;
        }
        for (size_t i = 0; i < chunk->count; i++) {
            const struct slot *slot = &chunk->slots[i];
            if (slot->state != SLOT_WRITE)
                continue;
            struct batch *batch = &import->batches[count];
            batch->mutations = chunk->set.mutations + slot->first;
            batch->count = slot->count;
            import->batch_list[count++] = batch;
        }
    }
    if (count)
        (void)store_apply(import->m->store, import->batch_list, count);
    return settle_chunks(import, chunks, error);
}
