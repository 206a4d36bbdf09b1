/*
 * mem_table.c - the sorted array of records of the mem store.
 */
#include "store/mem/mem_table.h"

#include "store/store_impl.h"

struct stored_record *mem_record_create(const struct stored_record *from) {
    AUTO_ARENA struct arena arena = {.first_size = sizeof(struct stored_record)};
    struct stored_record *record = arena_zalloc(&arena, 1, sizeof *record);
    if (!record || record_copy(&arena, from, false, record))
        return NULL;
    return arena_take(&arena);
}

void mem_record_free(struct stored_record *record) { arena_free_taken(record); }

void mem_table_fini(struct mem_table *table) {
    for (size_t i = 0; i < table->count; i++)
        mem_record_free(table->records[i]);
    mem_free(table->records);
    *table = (struct mem_table){0};
}

static int name_compare(const struct stored_record *record, mneme_kind kind, const mneme_id *id) {
    if (record->kind != kind)
        return record->kind < kind ? -1 : 1;
    return memcmp(record->id.bytes, id->bytes, sizeof id->bytes);
}

/* Where the record of this name is, or would have to go. */
static bool table_find(const struct mem_table *table, mneme_kind kind, const mneme_id *id,
                       size_t *at) {
    size_t low = 0, high = table->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = name_compare(table->records[middle], kind, id);
        if (order == 0) {
            *at = middle;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *at = low;
    return false;
}

const struct stored_record *mem_table_get(const struct mem_table *table, mneme_kind kind,
                                          const mneme_id *id) {
    size_t at;
    return table_find(table, kind, id, &at) ? table->records[at] : NULL;
}

int mem_table_reserve(struct mem_table *table, size_t extra) {
    size_t need, size;
    if (!checked_add(table->count, extra, &need))
        return MNEME_NO_MEMORY;
    if (need <= table->capacity)
        return 0;
    size_t capacity = size_max(need, table->capacity + table->capacity / 2);
    if (!checked_mul(capacity, sizeof(struct stored_record *), &size))
        return MNEME_NO_MEMORY;
    struct stored_record **records = mem_resize(table->records, size);
    if (!records)
        return MNEME_NO_MEMORY;
    table->records = records;
    table->capacity = capacity;
    return 0;
}

struct stored_record *mem_table_exchange(struct mem_table *table, mneme_kind kind,
                                         const mneme_id *id, struct stored_record *record) {
    size_t at;
    bool there = table_find(table, kind, id, &at);
    struct stored_record *old = there ? table->records[at] : NULL;
    if (!record && !there)
        return NULL;
    struct stored_record **place = table->records + at;
    size_t behind = table->count - at;
    if (!there) {
        ASSERT(table->count < table->capacity);
        memmove(place + 1, place, behind * sizeof *place);
        table->count++;
    } else if (!record) {
        memmove(place, place + 1, (behind - 1) * sizeof *place);
        table->count--;
    }
    if (record)
        *place = record;
    return old;
}

int mem_table_copy(struct mem_table *to, const struct mem_table *from) {
    TRY(mem_table_reserve(to, from->count));
    for (size_t i = 0; i < from->count; i++) {
        struct stored_record *record = mem_record_create(from->records[i]);
        if (!record)
            return MNEME_NO_MEMORY;
        to->records[to->count++] = record;
    }
    return 0;
}
