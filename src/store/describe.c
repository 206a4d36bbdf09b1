/*
 * describe.c - queries and records in words.
 */
#include "store/describe.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "os/os.h"
#include "store/store_impl.h"

static void append(struct description *d, struct slice s) {
    size_t size = size_min(s.size, sizeof d->text - 1 - d->size);
    memcpy(d->text + d->size, s.data ? s.data : (const uint8_t *)"", size);
    d->size += size;
    d->text[d->size] = 0;
}

static void append_text(struct description *d, const char *text) {
    append(d, slice_of_string(text));
}

/* ---- Forms ------------------------------------------------------------------------------------
 */

static const char *form_name(struct slice name) {
    /* Those of the model, of which no record decides. */
    static const char *const known[] = {"type",    "domain", "language", "framework",
                                        "outcome", "tag",    "origin",   "subject",
                                        "kind",    "from",   "to"};
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (slice_equal(name, slice_of_string(known[i])))
            return known[i];
    return name.size > 5 && memcmp(name.data, "meta.", 5) == 0 ? "meta.*" : "other";
}

static int compare_texts(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void append_names(struct description *d, const struct store_query *query) {
    const char *names[STORE_FILTERS_MAX];
    size_t count = size_min(query->filter_count, STORE_FILTERS_MAX);
    for (size_t i = 0; i < count; i++)
        names[i] = form_name(query->filters[i].name);
    if (count > 1)
        qsort(names, count, sizeof *names, compare_texts);
    for (size_t i = 0; i < count; i++) {
        append_text(d, i ? "," : " where ");
        append_text(d, names[i]);
    }
}

static const char *order_text(const struct store_query *query) {
    return query->order == ORDER_OLDEST_FIRST ? " oldest" : " newest";
}

void describe_form(const struct store_query *query, struct description *out) {
    out->size = 0;
    append_text(out, store_kind_name(query->kind));
    append_names(out, query);
    append_text(out, query->has_parent ? " of parent" : "");
    append_text(out, query->id_prefix.size ? " by id" : "");
    append_text(out, query->has_since ? " since" : "");
    append_text(out, query->has_until ? " until" : "");
    append_text(out, order_text(query));
    append_text(out, query->after.set ? " next page" : "");
}

/* ---- With values ------------------------------------------------------------------------------
 */

static void append_value(struct description *d, struct slice value) {
    static const char hex[] = "0123456789abcdef";
    if (utf8_valid(value)) {
        append(d, value);
        return;
    }
    append_text(d, "0x"); /* a digest of what was too long for an attribute */
    for (size_t i = 0; i < size_min(value.size, 8); i++)
        append(d, slice_of((char[]){hex[value.data[i] >> 4], hex[value.data[i] & 15]}, 2));
}

static void append_time(struct description *d, const char *before, int64_t time_us) {
    char text[TIME_TEXT_SIZE];
    time_format(time_us, text);
    append_text(d, before);
    append_text(d, text);
}

static void append_id(struct description *d, const char *before, const mneme_id *id) {
    char text[ID_TEXT_SIZE];
    id_format(id, text);
    append_text(d, before);
    append_text(d, text);
}

void describe_query(const struct store_query *query, struct description *out) {
    char limit[40];
    out->size = 0;
    append_text(out, store_kind_name(query->kind));
    for (size_t i = 0; i < size_min(query->filter_count, STORE_FILTERS_MAX); i++) {
        append_text(out, i ? ", " : " where ");
        append(out, query->filters[i].name);
        append_text(out, " = ");
        append_value(out, query->filters[i].value);
    }
    if (query->has_parent)
        append_id(out, " of ", &query->parent);
    if (query->id_prefix.size) {
        mneme_id from = {0};
        memcpy(from.bytes, query->id_prefix.data, size_min(query->id_prefix.size, 16));
        append_id(out, " by id from ", &from);
    }
    if (query->has_since)
        append_time(out, " since ", query->since_us);
    if (query->has_until)
        append_time(out, " until ", query->until_us);
    append_text(out, order_text(query));
    snprintf(limit, sizeof limit, " limit %zu%s", query->limit,
             query->after.set ? " next page" : "");
    append_text(out, limit);
}

void describe_record(mneme_kind kind, const mneme_id *id, size_t count, struct description *out) {
    char more[40];
    out->size = 0;
    append_text(out, store_kind_name(kind));
    if (id && !id_is_zero(id))
        append_id(out, " ", id);
    if (count > 1) {
        snprintf(more, sizeof more, " and %zu more", count - 1);
        append_text(out, more);
    }
}
