/*
 * store_file.h - the bytes of a closed store file, seen through LMDB itself: where the values of
 * its tables lie, and changing one behind the library's back.
 */
#ifndef TESTS_SUPPORT_STORE_FILE_H
#define TESTS_SUPPORT_STORE_FILE_H

#include "base/base.h"

/* Where a value lies in the file. */
struct file_value {
    size_t offset, size;
    mneme_id id; /* of a value of the table "records" */
    mneme_kind kind;
};

/* All values of a table (NULL: the main one), at most `max`; how many. */
size_t file_values(const char *path, const char *table, struct file_value *out, size_t max);
/* The value of a key of the main table; the test fails when there is none. */
struct file_value file_main_value(const char *path, const char *key);
/* Store a value under a key of the main table. */
void file_main_put(const char *path, const char *key, const void *value, size_t size);
/* Make an LMDB file of another program, with these tables (NULL ends; or none) and one key. */
void file_foreign_lmdb(const char *path, const char *const *tables, bool with_key);

#endif
