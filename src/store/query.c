/*
 * query.c - what a query means: which records match, in which order, and where a page goes on.
 */
#include "store/store_impl.h"

static bool has_attribute(const struct stored_record *record, const struct attribute *wanted) {
    size_t low = 0, high = record->attribute_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = attribute_compare(&record->attributes[middle], wanted);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

bool query_matches(const struct store_query *query, const struct stored_record *record) {
    bool dead = record->flags & MNEME_FLAG_DELETED;
    if (record->kind != query->kind || dead != query->dead)
        return false;
    if (query->has_since && record->time_us < query->since_us)
        return false;
    if (query->has_until && record->time_us >= query->until_us)
        return false;
    if (query->has_parent && !id_equal(&record->parent, &query->parent))
        return false;
    if (!slice_equal(query->id_prefix, slice_of(record->id.bytes, query->id_prefix.size)))
        return false;
    for (size_t i = 0; i < query->filter_count; i++)
        if (!has_attribute(record, &query->filters[i]))
            return false;
    return true;
}

int64_t query_sort_key(const struct store_query *query, const struct stored_record *record) {
    if (query->has_parent)
        return (int64_t)record->place;
    return query->id_prefix.size ? 0 : record->time_us;
}

bool query_goes_on_with(const struct store_query *query, const struct stored_record *record) {
    if (!query->after.set)
        return true;
    int order = position_compare(position_after(query, record), query->after);
    return query->order == ORDER_NEWEST_FIRST ? order < 0 : order > 0;
}

struct position position_after(const struct store_query *query, const struct stored_record *last) {
    return (struct position){.set = true, .sort = query_sort_key(query, last), .id = last->id};
}

int position_compare(struct position a, struct position b) {
    if (a.sort != b.sort)
        return a.sort < b.sort ? -1 : 1;
    return memcmp(a.id.bytes, b.id.bytes, sizeof a.id.bytes);
}

int limit_validate(size_t limit, mneme_error *error) {
    if (limit == 0)
        return error_set(error, MNEME_INVALID, "a page of 0 records was asked for; ask for 1 to %d",
                         STORE_PAGE_MAX);
    if (limit > STORE_PAGE_MAX)
        return error_set(error, MNEME_TOO_LARGE,
                         "a page of %zu records was asked for; ask for at most %d and go on after "
                         "the last",
                         limit, STORE_PAGE_MAX);
    return 0;
}

int query_validate(const struct store_query *query, mneme_error *error) {
    if (!kind_is_valid(query->kind))
        return error_set(error, MNEME_INVALID, "a query names kind %d; kinds are 1 to %d",
                         (int)query->kind, MNEME_KIND_COUNT - 1);
    TRY(limit_validate(query->limit, error));
    if (query->id_prefix.size > sizeof(mneme_id))
        return error_set(error, MNEME_INVALID, "an id prefix has %zu bytes; an id has %zu",
                         query->id_prefix.size, sizeof(mneme_id));
    if (query->has_parent && query->id_prefix.size)
        return error_set(error, MNEME_INVALID,
                         "a query has both a parent and an id prefix; leave one out");
    if (query->dead && !query->has_parent)
        return error_set(error, MNEME_INVALID, "tombstones are listed under a parent only");
    if (query->has_parent && id_is_zero(&query->parent))
        return error_set(error, MNEME_INVALID,
                         "a query asks for the records of an empty parent id");
    if (query->filter_count > STORE_FILTERS_MAX)
        return error_set(error, MNEME_TOO_LARGE, "a query has %zu filters; at most %d are allowed",
                         query->filter_count, STORE_FILTERS_MAX);
    for (size_t i = 0; i < query->filter_count; i++) {
        int status = attribute_validate(&query->filters[i], error);
        if (status)
            return error_prefix(error, status, "filter %zu of a query", i + 1);
    }
    return 0;
}
