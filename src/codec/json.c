/*
 * json.c - JSON text to a tree of nodes.
 *
 * RapidJSON finds the tokens (json_rapid.h) in a copy of the text. This file bounds size, depth
 * and count, refuses what RapidJSON lets pass (bad UTF-8, a lone low surrogate, some control
 * characters, a few numbers beyond a double, duplicate members), and lays the nodes out in
 * document order.
 */
#include <stdlib.h>
#include <xxhash.h>

#include "codec/json.h"
#include "codec/json_rapid.h"

struct json_builder {
    struct slice source;
    struct arena *arena;
    mneme_error *error;
    int status; /* why a json_on_ call ended the parse */

    struct json_node *nodes; /* `count` of them, with room for `capacity` */
    size_t count;
    size_t capacity;

    size_t open[JSON_DEPTH_MAX]; /* the containers around the next token, as indices of nodes */
    size_t depth;

    struct slice key;          /* of the next value */
    struct json_node *endless; /* a string whose end in the source is not known yet, or NULL */
};

/* ---- Checks before parsing --------------------------------------------------------------- */

/* Whether one of eight bytes is below 0x20 (the borrow reaches bit 7 of such a byte only). */
static bool any_below_space(const uint8_t *p) {
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return ((word - UINT64_C(0x2020202020202020)) & ~word & UINT64_C(0x8080808080808080)) != 0;
}

/*
 * The first byte that no JSON text holds: a control character that is not white space. RapidJSON
 * takes a NUL for the end of the text, and its SSE2 scan of strings lets 0x1A to 0x1F pass.
 */
static size_t find_control(struct slice text) {
    size_t i = 0;
    while (i < text.size) {
        if (text.size - i >= 8 && !any_below_space(text.data + i)) {
            i += 8;
            continue;
        }
        uint8_t c = text.data[i];
        if (c < 0x20 && c != '\t' && c != '\n' && c != '\r')
            return i;
        i++;
    }
    return text.size;
}

/* Where the first ill-formed UTF-8 sequence begins in a text that has one. */
static size_t find_bad_utf8(struct slice text) {
    size_t i = 0, length = 1;
    while (i < text.size && length <= 4 && length <= text.size - i) {
        bool well_formed = utf8_valid(slice_of(text.data + i, length));
        i += well_formed ? length : 0;
        length = well_formed ? 1 : length + 1;
    }
    return i;
}

static int check_bytes(struct slice text, mneme_error *error) {
    if (text.size > JSON_SIZE_MAX)
        return error_set(error, MNEME_TOO_LARGE,
                         "JSON of %zu bytes, %d are the limit; split it into smaller records",
                         text.size, JSON_SIZE_MAX);
    if (text.size >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0)
        return error_set(error, MNEME_INVALID,
                         "JSON at byte 0: a byte order mark; remove these three bytes");
    if (!utf8_valid(text))
        return error_set(error, MNEME_INVALID,
                         "JSON at byte %zu: not UTF-8; convert the text to UTF-8",
                         find_bad_utf8(text));
    size_t control = find_control(text);
    if (control < text.size)
        return error_set(error, MNEME_INVALID,
                         "JSON at byte %zu: a control character; write it as \\u%04x in a string",
                         control, (unsigned)text.data[control]);
    return 0;
}

/* ---- Nodes ------------------------------------------------------------------------------- */

/* Twice the room. Every `after` moves with the nodes; as the room doubles each time, the cost of
 * a document stays linear. */
static int builder_grow(struct json_builder *b) {
    if (b->count == JSON_NODES_MAX)
        return error_set(b->error, MNEME_TOO_LARGE,
                         "JSON of more than %d values; split it into smaller records",
                         JSON_NODES_MAX);
    size_t capacity = size_min(b->capacity * 2, JSON_NODES_MAX);
    struct json_node *nodes = arena_alloc(b->arena, capacity * sizeof *nodes);
    if (!nodes)
        return error_set(b->error, MNEME_NO_MEMORY, "no memory for %zu JSON values", capacity);
    for (size_t i = 0; i < b->count; i++) {
        nodes[i] = b->nodes[i];
        nodes[i].after = nodes + (b->nodes[i].after - b->nodes);
    }
    b->nodes = nodes;
    b->capacity = capacity;
    return 0;
}

/* RapidJSON tells where a string begins, not where it ends in the source. Before the next token
 * (at `at`, or the end of the text) stand only white space, a comma and the string's own quote. */
static void builder_end_string(struct json_builder *b, size_t at) {
    if (!b->endless)
        return;
    while (b->source.data[at - 1] != '"')
        at--;
    b->endless->raw.size = (size_t)(b->source.data + at - b->endless->raw.data);
    b->endless = NULL;
}

static struct json_node *builder_add(struct json_builder *b, enum json_type type, size_t at,
                                     size_t end) {
    builder_end_string(b, at);
    if (b->count == b->capacity && (b->status = builder_grow(b)) != 0)
        return NULL;
    if (b->depth)
        b->nodes[b->open[b->depth - 1]].count++;
    struct json_node *node = &b->nodes[b->count++];
    *node = (struct json_node){.type = type,
                               .key = b->key,
                               .raw = slice_of(b->source.data + at, end - at),
                               .after = node + 1};
    return node;
}

/* Ends the parse with a complaint about what stands at `at`. */
static bool builder_refuse(struct json_builder *b, size_t at, const char *what) {
    b->status = error_set(b->error, MNEME_INVALID, "JSON at byte %zu: %s", at, what);
    return false;
}

/* Escapes are the only way to text that is not UTF-8: \udc00 alone becomes a sequence that
 * begins with 0xED, which few other texts hold. */
static bool builder_check_text(struct json_builder *b, struct slice text, size_t at) {
    if (text.size == 0 || !memchr(text.data, 0xed, text.size) || utf8_valid(text))
        return true;
    return builder_refuse(b, at, "half of a surrogate pair stands alone in this string");
}

/* ---- Duplicate members ------------------------------------------------------------------- */

struct member {
    uint64_t hash;
    const struct json_node *node;
};

static int member_compare(const void *a, const void *b) {
    const struct member *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return slice_compare(x->node->key, y->node->key);
}

/* The second of two members with one name among a few members, by looking at each pair. */
static const struct json_node *duplicate_of_few(const struct json_node *object) {
    for (const struct json_node *m = json_first(object); m; m = json_next(object, m))
        for (const struct json_node *before = object + 1; before != m; before = before->after)
            if (slice_equal(before->key, m->key))
                return m;
    return NULL;
}

/* The same among many: sorted by hash, then by name, so that no choice of names is quadratic. */
static int duplicate_of_many(const struct json_node *object, const struct json_node **duplicate,
                             mneme_error *error) {
    AUTO_FREE struct member *members = mem_zalloc(object->count, sizeof *members);
    if (!members)
        return error_set(error, MNEME_NO_MEMORY, "no memory to compare the names of %u members",
                         object->count);
    size_t n = 0;
    for (const struct json_node *m = json_first(object); m; m = json_next(object, m))
        members[n++] = (struct member){XXH3_64bits(m->key.data, m->key.size), m};
    qsort(members, n, sizeof *members, member_compare);
    *duplicate = NULL;
    for (size_t i = 1; i < n; i++)
        if (member_compare(&members[i - 1], &members[i]) == 0)
            *duplicate = members[i].node;
    return 0;
}

static bool builder_check_members(struct json_builder *b, const struct json_node *object) {
    enum { FEW = 16 };
    const struct json_node *duplicate = NULL;
    if (object->count <= FEW)
        duplicate = duplicate_of_few(object);
    else
        b->status = duplicate_of_many(object, &duplicate, b->error);
    if (b->status)
        return false;
    if (duplicate)
        return builder_refuse(b, (size_t)(duplicate->raw.data - b->source.data),
                              "the value of a member whose name stands twice in its object");
    return true;
}

/* ---- Events of the parser ---------------------------------------------------------------- */

static enum json_type type_of(uint8_t first_byte) {
    switch (first_byte) {
    case 'n':
        return JSON_NULL;
    case 'f':
        return JSON_FALSE;
    case 't':
        return JSON_TRUE;
    case '[':
        return JSON_ARRAY;
    case '{':
        return JSON_OBJECT;
    default:
        return JSON_NUMBER;
    }
}

/* Only a long number or one with an exponent can be too large for a double. */
static bool number_may_overflow(struct slice text) {
    return text.size > 300 || memchr(text.data, 'e', text.size) ||
           memchr(text.data, 'E', text.size);
}

bool json_on_scalar(struct json_builder *b, size_t at, size_t end) {
    struct json_node *node = builder_add(b, type_of(b->source.data[at]), at, end);
    if (!node)
        return false;
    if (node->type != JSON_NUMBER)
        return true;
    double value;
    node->text = node->raw;
    if (number_may_overflow(node->text) && !json_double(node, &value))
        return builder_refuse(b, at, "a number too large for a double");
    return true;
}

bool json_on_string(struct json_builder *b, const char *text, size_t size, size_t at) {
    struct json_node *node = builder_add(b, JSON_STRING, at, at);
    if (!node)
        return false;
    node->text = slice_of(text, size);
    b->endless = node;
    return builder_check_text(b, node->text, at);
}

bool json_on_key(struct json_builder *b, const char *text, size_t size, size_t at) {
    builder_end_string(b, at);
    b->key = slice_of(text, size);
    return builder_check_text(b, b->key, at);
}

bool json_on_open(struct json_builder *b, size_t at) {
    if (b->depth == JSON_DEPTH_MAX) {
        b->status =
            error_set(b->error, MNEME_TOO_LARGE,
                      "JSON at byte %zu: deeper than %d levels; flatten it", at, JSON_DEPTH_MAX);
        return false;
    }
    if (!builder_add(b, type_of(b->source.data[at]), at, at))
        return false;
    b->open[b->depth++] = b->count - 1;
    b->key = (struct slice){0};
    return true;
}

bool json_on_close(struct json_builder *b, size_t at) {
    builder_end_string(b, at);
    struct json_node *node = &b->nodes[b->open[--b->depth]];
    node->after = b->nodes + b->count;
    node->raw.size = (size_t)(b->source.data + at + 1 - node->raw.data);
    b->key = (struct slice){0};
    return node->type == JSON_ARRAY || builder_check_members(b, node);
}

/* ---- Parsing ----------------------------------------------------------------------------- */

/* What the copy of a text takes: a NUL behind it, up to a multiple of 16 (json_rapid.h). */
static size_t copy_size(struct slice text) { return (text.size + 16) & ~(size_t)15; }

/* Room for one value in 64 bytes, which real records do not reach, and a few more. */
static size_t first_capacity(struct slice text) {
    return size_min(text.size / 64 + 8, JSON_NODES_MAX);
}

static int builder_init(struct json_builder *b, char **copy) {
    size_t size = copy_size(b->source);
    b->capacity = first_capacity(b->source);
    b->nodes = arena_alloc(b->arena, b->capacity * sizeof *b->nodes);
    *copy = arena_alloc(b->arena, size);
    if (!b->nodes || !*copy)
        return error_set(b->error, MNEME_NO_MEMORY, "no memory to parse %zu bytes of JSON",
                         b->source.size);
    if (b->source.size)
        memcpy(*copy, b->source.data, b->source.size);
    memset(*copy + b->source.size, 0, size - b->source.size);
    return 0;
}

int json_parse(struct slice text, struct arena *arena, const struct json_node **root,
               mneme_error *error) {
    TRY(check_bytes(text, error));
    struct json_builder builder = {.source = text, .arena = arena, .error = error};
    char *copy;
    TRY(builder_init(&builder, &copy));
    size_t offset;
    const char *wrong = json_rapid_parse(copy, &builder, &offset);
    TRY(builder.status);
    if (wrong)
        return error_set(error, MNEME_INVALID, "JSON at byte %zu: %s", offset, wrong);
    builder_end_string(&builder, text.size);
    *root = builder.nodes;
    return 0;
}

int json_check(struct slice text, mneme_error *error) {
    AUTO_ARENA struct arena arena = {.first_size = copy_size(text) +
                                                   first_capacity(text) * sizeof(struct json_node)};
    const struct json_node *root;
    return json_parse(text, &arena, &root, error);
}

const struct json_node *json_member(const struct json_node *object, const char *key) {
    if (object->type != JSON_OBJECT)
        return NULL;
    struct slice name = slice_of_string(key);
    for (const struct json_node *m = json_first(object); m; m = json_next(object, m))
        if (slice_equal(m->key, name))
            return m;
    return NULL;
}
