/*
 * mem_table.h - inside the mem store: its records, sorted by kind and id.
 */
#ifndef MNEME_STORE_MEM_TABLE_H
#define MNEME_STORE_MEM_TABLE_H

#include "store/store.h"

/* Each record lies in a block of its own and never changes once it is in a table. */
struct mem_table {
    struct stored_record **records;
    size_t count, capacity;
};

/* A deep copy in one block; NULL when there is no memory. */
struct stored_record *mem_record_create(const struct stored_record *from);
void mem_record_free(struct stored_record *record); /* NULL is allowed */

/* Free all records and the table. */
void mem_table_fini(struct mem_table *table);

/* The record of this name, or NULL. */
const struct stored_record *mem_table_get(const struct mem_table *table, mneme_kind kind,
                                          const mneme_id *id);

/* Make room for `extra` more records. MNEME_NO_MEMORY. */
int mem_table_reserve(struct mem_table *table, size_t extra);

/*
 * Put `record` (NULL: nothing) in the place of the record of this name, and return that one (NULL:
 * there was none). Cannot fail: room for another record has been reserved.
 */
struct stored_record *mem_table_exchange(struct mem_table *table, mneme_kind kind,
                                         const mneme_id *id, struct stored_record *record);

/* Copy all records to an empty table. MNEME_NO_MEMORY: some may have been copied. */
int mem_table_copy(struct mem_table *to, const struct mem_table *from);

#endif
