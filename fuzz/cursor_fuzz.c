/*
 * cursor_fuzz.c - any text as the cursor of a listing: refused with a message, or taken.
 *
 * The first byte picks the query; the rest is the text.
 */
#include <stdlib.h>

#include "api/handle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition) {
    if (!condition)
        abort();
}

static struct store_query query_of(uint8_t pick, struct attribute filters[2]) {
    struct store_query query = {.kind = MNEME_PATTERN, .limit = 1};
    filters[0] = (struct attribute){slice_of_string("tag"), slice_of_string("a")};
    filters[1] = (struct attribute){slice_of_string("type"), (struct slice){0}};
    if (pick & 1)
        query.order = ORDER_OLDEST_FIRST;
    if (pick & 2) {
        query.filters = filters;
        query.filter_count = 2;
    }
    if (pick & 4)
        query.id_prefix = slice_of_string("0123");
    if (pick & 8) {
        query.has_parent = true;
        query.parent = (mneme_id){{1}};
    }
    return query;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    struct attribute filters[2];
    struct store_query query = query_of(data[0], filters);
    struct position at = {.sort = 77};
    mneme_error error = {0};
    mneme_text text = {(const char *)data + 1, size - 1};
    int status = cursor_read(text, &query, &at, &error);
    demand(status == 0 || (status == MNEME_INVALID && error.code == status && error.message[0]));
    demand(at.set == (status == 0));
    demand(status == 0 || at.sort == 77);
    return 0;
}
