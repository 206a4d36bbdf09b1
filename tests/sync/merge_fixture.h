/*
 * merge_fixture.h - what the tests of merging share.
 */
#ifndef TESTS_SYNC_MERGE_FIXTURE_H
#define TESTS_SYNC_MERGE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/merge_maker.h"

static const struct merge_side NO_SIDE = {NULL, {NULL, 0}};
static const uint32_t FLAG_OF_API = 4; /* one that says nothing to the layers below the api */

static inline struct merge_result must_merge(const struct merge_side *base,
                                             const struct merge_side *mine,
                                             const struct merge_side *theirs, struct arena *arena) {
    struct merge_result result;
    mneme_error error = {0};
    if (merge(base, mine, theirs, 0, arena, &result, &error) != 0)
        fail_msg("%s", error.message);
    return result;
}

static inline struct merge_side must_stamp(const struct merge_side *base,
                                           const struct merge_side *mine, struct arena *arena) {
    struct merge_side out;
    mneme_error error = {0};
    if (merge_stamp(base, mine, arena, &out, &error) != 0)
        fail_msg("%s", error.message);
    return out;
}

/* Of one record: the same bytes, and the same header but for what a store gives. */
static inline bool sides_equal(const struct merge_side *a, const struct merge_side *b) {
    const struct stored_record *x = a->record, *y = b->record;
    bool header = x->kind == y->kind && x->flags == y->flags && id_equal(&x->id, &y->id) &&
                  id_equal(&x->parent, &y->parent) && x->place == y->place &&
                  version_compare(x->version, y->version) == 0 && x->time_us == y->time_us &&
                  x->attribute_count == y->attribute_count && x->plain_size == y->plain_size;
    for (size_t i = 0; header && i < x->attribute_count; i++)
        header = slice_equal(x->attributes[i].name, y->attributes[i].name) &&
                 slice_equal(x->attributes[i].value, y->attributes[i].value);
    return header && slice_equal(a->plain, b->plain);
}

static inline void assert_same_side(const struct merge_side *a, const struct merge_side *b) {
    assert_true(sides_equal(a, b));
}

/* A heuristic, for which tests say condition, action, tags and metadata. */
struct draft {
    const char *condition, *action;
    const char *tags[5];        /* up to the first NULL */
    const char *metadata[5][2]; /* name, value */
};
#define DRAFT(condition_, action_, ...)                                                            \
    &(struct draft) {                                                                              \
        .condition = (condition_), .action = (action_), .tags = { __VA_ARGS__ }                    \
    }

static inline struct merge_side side_of(const struct draft *d, uint64_t tick, struct arena *arena) {
    mneme_text tags[5];
    mneme_pair pairs[5];
    mneme_heuristic h = {.condition = maker_text(d->condition),
                         .action = maker_text(d->action),
                         .created_us = 1000,
                         .tags = {tags, 0},
                         .metadata = {pairs, 0}};
    for (size_t i = 0; i < 5 && d->tags[i]; i++)
        tags[h.tags.count++] = maker_text(d->tags[i]);
    for (size_t i = 0; i < 5 && d->metadata[i][0]; i++)
        pairs[h.metadata.count++] =
            (mneme_pair){maker_text(d->metadata[i][0]), maker_text(d->metadata[i][1])};
    mneme_record record = {.kind = MNEME_HEURISTIC, .id = {{1}}, .as.heuristic = &h};
    return maker_side(&record, maker_version(tick, tick), arena);
}

static inline const mneme_heuristic *heuristic_in(const struct merge_side *side,
                                                  struct arena *arena) {
    mneme_record record;
    maker_read(side, arena, &record);
    return record.as.heuristic;
}

static inline void assert_text_is(mneme_text text, const char *expected) {
    if (!text_is(text, expected))
        fail_msg("\"%.*s\" is not \"%s\"", (int)text.size, text.data, expected);
}

/* The tags, each with a blank behind it. */
static inline void assert_tags(const struct merge_side *side, const char *expected,
                               struct arena *arena) {
    AUTO_BUF struct buf all = BUF_INIT(1000);
    const mneme_heuristic *h = heuristic_in(side, arena);
    for (size_t i = 0; i < h->tags.count; i++)
        buf_printf(&all, "%.*s ", (int)h->tags.items[i].size, h->tags.items[i].data);
    assert_text_is(text_of_slice(buf_slice(&all)), expected);
}

static inline void assert_metadata(const struct merge_side *side, const char *expected,
                                   struct arena *arena) {
    AUTO_BUF struct buf all = BUF_INIT(1000);
    const mneme_heuristic *h = heuristic_in(side, arena);
    for (size_t i = 0; i < h->metadata.count; i++) {
        const mneme_pair *p = &h->metadata.items[i];
        buf_printf(&all, "%.*s=%.*s ", (int)p->name.size, p->name.data, (int)p->value.size,
                   p->value.data);
    }
    assert_text_is(text_of_slice(buf_slice(&all)), expected);
}

static inline struct merge_side edited(const struct merge_side *base, const struct draft *d,
                                       uint64_t tick, struct arena *arena) {
    struct merge_side mine = side_of(d, tick, arena);
    return must_stamp(base, &mine, arena);
}

#endif
