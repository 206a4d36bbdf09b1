/*
 * store_compare.c - compares what two stores answer.
 */
#include "support/store_compare.h"

#include <stdarg.h>
#include <stdio.h>

enum { NAMES_MAX = 64, PAGES_MAX = 10000 };

bool differs_by(struct comparison *c, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(c->text, sizeof c->text, format, args);
    va_end(args);
    return true;
}

/* Whether two versions may stand for each other: they are in the same order to all seen before. */
static bool versions_agree(struct comparison *c, mneme_version ours, mneme_version models) {
    for (size_t i = 0; i < c->version_count; i++) {
        int order = version_compare(ours, c->versions[i].ours);
        if (order != version_compare(models, c->versions[i].models))
            return false;
        if (order == 0)
            return true;
    }
    if (c->version_count < COUNT_OF(c->versions))
        c->versions[c->version_count++] = (struct version_pair){ours, models};
    return true;
}

bool record_differs(struct comparison *c, const struct stored_record *ours,
                    const struct stored_record *models) {
    struct stored_record expected = *models;
    expected.version = ours->version;
    const char *field = record_difference(ours, &expected);
    if (!field && !versions_agree(c, ours->version, models->version))
        field = "version";
    if (!field)
        return false;
    return differs_by(c, "%s %u differs in %s", store_kind_name(models->kind),
                      get_be32(models->id.bytes + 12), field);
}

bool set_differs(struct comparison *c, const struct record_set *ours,
                 const struct record_set *models) {
    if (ours->count != models->count)
        return differs_by(c, "%zu records instead of %zu", ours->count, models->count);
    for (size_t i = 0; i < ours->count; i++)
        if (record_differs(c, &ours->records[i], &models->records[i]))
            return true;
    return false;
}

static bool result_differs(struct comparison *c, const struct mutation *ours,
                           const struct mutation *before, const struct mutation *models,
                           bool went_in) {
    bool expected_applied = went_in ? models->applied : before->applied;
    if (ours->applied != expected_applied)
        return differs_by(c, "applied is %d instead of %d", ours->applied, expected_applied);
    if (!went_in && record_difference(&ours->record, &before->record))
        return differs_by(c, "a batch that did not go in changed the %s of its mutation",
                          record_difference(&ours->record, &before->record));
    return went_in && record_differs(c, &ours->record, &models->record);
}

bool batch_differs(struct comparison *c, const struct batch *ours, const struct mutation *before,
                   const struct batch *models) {
    if (ours->status != models->status)
        return differs_by(c, "a batch ended with %s (%s) instead of %s (%s)",
                          mneme_status_name(ours->status), ours->error.message,
                          mneme_status_name(models->status), models->error.message);
    if (ours->failed != models->failed)
        return differs_by(c, "mutation %zu failed instead of %zu", ours->failed, models->failed);
    if (ours->status && strcmp(ours->error.message, models->error.message) != 0)
        return differs_by(c, "a batch says \"%s\" instead of \"%s\"", ours->error.message,
                          models->error.message);
    for (size_t i = 0; i < ours->count; i++)
        if (result_differs(c, &ours->mutations[i], &before[i], &models->mutations[i],
                           ours->status == 0))
            return true;
    return false;
}

/* One page from both stores, and where the next begins. */
static bool page_differs(struct comparison *c, struct store_query *query, bool *more) {
    AUTO_RECORDS struct record_set ours = {0}, models = {0};
    bool our_more = false;
    mneme_error error = {0};
    if (store_query(c->store, query, &ours, &our_more, &error) ||
        store_query(c->model, query, &models, more, &error))
        return differs_by(c, "a query failed: %s", error.message);
    if (set_differs(c, &ours, &models))
        return true;
    if (our_more != *more)
        return differs_by(c, "more is %d instead of %d", our_more, *more);
    if (ours.count)
        query->after = position_after(query, &ours.records[ours.count - 1]);
    return false;
}

bool query_differs(struct comparison *c, const struct store_query *query) {
    struct store_query page = *query;
    bool more = true;
    for (unsigned pages = 0; more; pages++)
        if (pages == PAGES_MAX || page_differs(c, &page, &more))
            return pages < PAGES_MAX || differs_by(c, "a listing does not end");
    return false;
}

bool get_differs(struct comparison *c, const struct record_name *names, size_t count) {
    AUTO_RECORDS struct record_set ours = {0}, models = {0};
    size_t our_found[NAMES_MAX], model_found[NAMES_MAX];
    mneme_error error = {0};
    if (store_get(c->store, names, count, &ours, our_found, &error) ||
        store_get(c->model, names, count, &models, model_found, &error))
        return differs_by(c, "a get failed: %s", error.message);
    for (size_t i = 0; i < count; i++) {
        if ((our_found[i] == SIZE_MAX) != (model_found[i] == SIZE_MAX))
            return differs_by(c, "name %zu is %s", i + 1,
                              our_found[i] == SIZE_MAX ? "not found" : "found, and should not be");
        if (our_found[i] != SIZE_MAX &&
            record_differs(c, &ours.records[our_found[i]], &models.records[model_found[i]]))
            return true;
    }
    return false;
}

bool changes_differ(struct comparison *c, uint64_t since, size_t limit) {
    AUTO_RECORDS struct record_set ours = {0}, models = {0};
    mneme_error error = {0};
    if (store_changes(c->store, since, limit, false, &ours, &error) ||
        store_changes(c->model, since, limit, false, &models, &error))
        return differs_by(c, "changes failed: %s", error.message);
    return set_differs(c, &ours, &models);
}

bool stats_differ(struct comparison *c) {
    struct store_stats ours, models;
    mneme_error error = {0};
    if (store_stats(c->store, &ours, &error) || store_stats(c->model, &models, &error))
        return differs_by(c, "statistics failed: %s", error.message);
    if (ours.changes != models.changes)
        return differs_by(c, "the last change is %llu instead of %llu",
                          (unsigned long long)ours.changes, (unsigned long long)models.changes);
    for (int kind = 0; kind < MNEME_KIND_COUNT; kind++)
        if (memcmp(&ours.kinds[kind], &models.kinds[kind], sizeof ours.kinds[kind]) != 0)
            return differs_by(c, "the statistics of kind %s differ",
                              store_kind_name((mneme_kind)kind));
    return false;
}
