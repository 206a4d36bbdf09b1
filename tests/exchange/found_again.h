/*
 * found_again.h - whether all that a source says is said again by the records made of it: every
 * text and number of one JSON document is looked for among those of others.
 *
 * A time is found as the same microsecond, a word such as "NoEffect" as "no_effect", and JSON that
 * became a text (parameters, the metadata "extra") is looked into.
 */
#ifndef TESTS_EXCHANGE_FOUND_AGAIN_H
#define TESTS_EXCHANGE_FOUND_AGAIN_H

#include <ctype.h>

#include "exchange_fixture.h"

enum { LEAVES_MAX = 1 << 15 };

struct leaves {
    struct arena arena;
    const struct json_node *items[LEAVES_MAX];
    size_t count;
};

static inline void leaves_of(struct leaves *leaves, const struct json_node *node);

/* JSON that is a text stands for what is in it. */
static inline bool leaves_of_text(struct leaves *leaves, struct slice text) {
    const struct json_node *inner;
    bool looks = text.size > 1 && (text.data[0] == '{' || text.data[0] == '[');
    if (!looks || json_parse(text, &leaves->arena, &inner, NULL) != 0)
        return false;
    leaves_of(leaves, inner);
    return true;
}

/* All nodes without children from `node` on, in the order of the document. */
static inline void leaves_of(struct leaves *leaves, const struct json_node *node) {
    for (const struct json_node *n = node; n < node->after; n++) {
        if (n->type != JSON_STRING && n->type != JSON_NUMBER)
            continue;
        /* An empty text is the same to mneme as none. */
        if (n->type == JSON_STRING && (n->text.size == 0 || leaves_of_text(leaves, n->text)))
            continue;
        assert_true(leaves->count < LEAVES_MAX);
        leaves->items[leaves->count++] = n;
    }
}

/* "NoEffect" and "no_effect" alike. */
static inline bool same_word(struct slice a, struct slice b) {
    size_t i = 0, j = 0;
    while (i < a.size || j < b.size) {
        if (i < a.size && a.data[i] == '_')
            i++;
        else if (j < b.size && b.data[j] == '_')
            j++;
        else if (i == a.size || j == b.size || tolower(a.data[i]) != tolower(b.data[j]))
            return false;
        else
            i++, j++;
    }
    return true;
}

static inline bool same_time(const struct json_node *a, struct slice b) {
    int64_t x, y, seconds;
    if (time_parse_rfc3339(text_of_slice(b), &y, NULL) != 0)
        return false;
    if (a->type == JSON_NUMBER)
        return json_int64(a, &seconds) && seconds > 1000000 && seconds * 1000000 == y;
    return time_parse_rfc3339(text_of_slice(a->text), &x, NULL) == 0 && x == y;
}

static inline bool same_leaf(const struct json_node *a, const struct json_node *b) {
    if (b->type == JSON_STRING && same_time(a, b->text))
        return true;
    return a->type == b->type &&
           (json_same(a, b) || (a->type == JSON_STRING && same_word(a->text, b->text)));
}

static inline bool is_among(const struct json_node *leaf, const struct leaves *leaves) {
    for (size_t i = 0; i < leaves->count; i++)
        if (same_leaf(leaf, leaves->items[i]))
            return true;
    return false;
}

/* `lines` is an export. */
static inline void assert_all_found(const struct json_node *source, struct slice lines) {
    struct leaves *own = calloc(1, sizeof *own), *found = calloc(1, sizeof *found);
    assert_true(own && found);
    leaves_of(own, source);
    while (lines.size) {
        const uint8_t *end = memchr(lines.data, '\n', lines.size);
        size_t size = (size_t)(end - lines.data);
        leaves_of(found, parse_ok(slice_of(lines.data, size), &found->arena));
        lines = slice_of(end + 1, lines.size - size - 1);
    }
    assert_true(own->count > 0);
    for (size_t i = 0; i < own->count; i++)
        if (!is_among(own->items[i], found))
            fail_msg("%.*s: %.*s is lost", (int)own->items[i]->key.size,
                     (const char *)own->items[i]->key.data, (int)own->items[i]->raw.size,
                     (const char *)own->items[i]->raw.data);
    arena_fini(&own->arena);
    arena_fini(&found->arena);
    free(own);
    free(found);
}

#endif
