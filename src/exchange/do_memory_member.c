/*
 * do_memory_member.c - members of the JSON of do-memory: what they must be, and what is left.
 */
#include "exchange/do_memory.h"
#include "os/os.h"

const struct json_node *dm_member(const struct json_node *object, const char *key) {
    const struct json_node *member = object ? json_member(object, key) : NULL;
    return member && member->type != JSON_NULL ? member : NULL;
}

static int wrong(struct dm *dm, const char *key, const char *expected) {
    return error_set(dm->error, MNEME_INVALID, "%s: expected %s", key, expected);
}

/* ---- Single values ----------------------------------------------------------------------- */

int dm_text(struct dm *dm, const struct json_node *object, const char *key, mneme_text *out) {
    const struct json_node *member = dm_member(object, key);
    if (member && !is_string(member))
        return wrong(dm, key, "a text");
    if (member)
        *out = text_of_slice(member->text);
    return 0;
}

static int read_id(struct dm *dm, const struct json_node *node, const char *key, mneme_id *out) {
    if (!is_string(node) || id_parse(text_of_slice(node->text), out, NULL) != 0)
        return wrong(dm, key, "a UUID");
    return 0;
}

int dm_id(struct dm *dm, const struct json_node *object, const char *key, mneme_id *out) {
    const struct json_node *member = dm_member(object, key);
    return member ? read_id(dm, member, key, out) : 0;
}

int dm_need_id(struct dm *dm, const struct json_node *object, const char *key, mneme_id *out) {
    TRY(dm_id(dm, object, key, out));
    return id_is_zero(out) ? wrong(dm, key, "a UUID") : 0;
}

int dm_time(struct dm *dm, const struct json_node *object, const char *key, int64_t *out) {
    static const int64_t seconds_max = INT64_C(253402300799); /* the end of the year 9999 */
    const struct json_node *member = dm_member(object, key);
    int64_t seconds;
    if (!member)
        return 0;
    if (is_string(member) && time_parse_rfc3339(text_of_slice(member->text), out, NULL) == 0)
        return 0;
    if (member->type != JSON_NUMBER || !json_int64(member, &seconds) || seconds > seconds_max ||
        seconds < -seconds_max)
        return wrong(dm, key, "a time, or seconds since 1970");
    *out = seconds * 1000000;
    return 0;
}

int dm_count(struct dm *dm, const struct json_node *object, const char *key, uint64_t *out) {
    const struct json_node *member = dm_member(object, key);
    if (member && (member->type != JSON_NUMBER || !json_uint64(member, out)))
        return wrong(dm, key, "a count");
    return 0;
}

int dm_number(struct dm *dm, const struct json_node *object, const char *key, double *out) {
    const struct json_node *member = dm_member(object, key);
    if (member && (member->type != JSON_NUMBER || !json_double(member, out)))
        return wrong(dm, key, "a number");
    return 0;
}

int dm_share(struct dm *dm, const struct json_node *object, const char *key, double *out) {
    static const double slack = 0.001;
    double value = *out;
    TRY(dm_number(dm, object, key, &value));
    if (value < -slack || value > 1 + slack)
        return wrong(dm, key, "a number from 0 to 1");
    *out = value < 0 ? 0 : value > 1 ? 1 : value;
    return 0;
}

/* What a build of do-memory with compression may write instead of JSON. */
static bool is_compressed(struct slice text) {
    static const char mark[] = "__compressed__:";
    return text.size >= sizeof mark - 1 && memcmp(text.data, mark, sizeof mark - 1) == 0;
}

int dm_container(struct dm *dm, const struct json_node *object, const char *key,
                 enum json_type type, const struct json_node **out) {
    *out = dm_member(object, key);
    if (*out && is_string(*out) && is_compressed((*out)->text))
        return error_set(dm->error, MNEME_INVALID,
                         "%s: is compressed by do-memory, and not read here; import what its "
                         "command `backup create` writes",
                         key);
    if (*out && (*out)->type != type)
        return wrong(dm, key, type == JSON_ARRAY ? "a list" : "an object");
    return 0;
}

int dm_variant(struct dm *dm, const struct json_node *node, const char *key, struct slice *name,
               const struct json_node **value) {
    *value = NULL;
    if (is_string(node)) {
        *name = node->text;
        return 0;
    }
    const struct json_node *only =
        node->type == JSON_OBJECT && node->count == 1 ? json_first(node) : NULL;
    if (!only || only->type != JSON_OBJECT)
        return wrong(dm, key, "a text, or an object with one member, an object");
    *name = only->key;
    *value = only;
    return 0;
}

/* ---- Lists ------------------------------------------------------------------------------- */

int dm_texts(struct dm *dm, const struct json_node *object, const char *key, mneme_text_list *out) {
    const struct json_node *list;
    TRY(dm_container(dm, object, key, JSON_ARRAY, &list));
    if (!list)
        return 0;
    mneme_text *texts = arena_zalloc(dm->arena, list->count, sizeof *texts);
    if (!texts)
        return MNEME_NO_MEMORY;
    const struct json_node *item = json_first(list);
    for (size_t i = 0; item; item = json_next(list, item), i++) {
        if (!is_string(item))
            return wrong(dm, key, "a list of texts");
        texts[i] = text_of_slice(item->text);
    }
    *out = (mneme_text_list){texts, list->count};
    return 0;
}

int dm_ids(struct dm *dm, const struct json_node *object, const char *key, const mneme_id **out,
           size_t *count) {
    const struct json_node *list;
    TRY(dm_container(dm, object, key, JSON_ARRAY, &list));
    if (!list)
        return 0;
    mneme_id *ids = arena_zalloc(dm->arena, list->count, sizeof *ids);
    if (!ids)
        return MNEME_NO_MEMORY;
    const struct json_node *item = json_first(list);
    for (size_t i = 0; item; item = json_next(list, item), i++)
        TRY(read_id(dm, item, key, &ids[i]));
    *out = ids;
    *count = list->count;
    return 0;
}

/* ---- Names ------------------------------------------------------------------------------- */

static bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

int dm_snake(struct dm *dm, mneme_text name, mneme_text *out) {
    if (name.size > MODEL_NAME_MAX) {
        *out = name;
        return 0;
    }
    char *text = arena_alloc(dm->arena, 2 * name.size + 1);
    size_t size = 0;
    if (!text)
        return MNEME_NO_MEMORY;
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        if (is_upper(c) && i > 0 && !is_upper(name.data[i - 1]) && name.data[i - 1] != '_')
            text[size++] = '_';
        text[size++] = is_upper(c) ? (char)(c - 'A' + 'a') : c;
    }
    *out = (mneme_text){text, size};
    return 0;
}

int dm_context(struct dm *dm, const struct json_node *object, mneme_context *out) {
    mneme_text complexity = {NULL, 0};
    const struct json_node *context;
    TRY(dm_container(dm, object, "context", JSON_OBJECT, &context));
    TRY(dm_text(dm, context, "language", &out->language));
    TRY(dm_text(dm, context, "framework", &out->framework));
    TRY(dm_text(dm, context, "domain", &out->domain));
    TRY(dm_text(dm, context, "complexity", &complexity));
    return complexity.size ? dm_snake(dm, complexity, &out->complexity) : 0;
}

/* ---- What is left ------------------------------------------------------------------------ */

static bool is_blank(const struct json_node *node) {
    bool container = node->type == JSON_ARRAY || node->type == JSON_OBJECT;
    return node->type == JSON_NULL || (container && node->count == 0);
}

static bool is_told(const struct json_node *member, struct dm_told told) {
    for (size_t i = 0; i < told.count; i++)
        if (key_is(member, told.keys[i]))
            return true;
    return false;
}

void dm_put_rest(struct buf *b, const char *key, const struct json_node *object,
                 struct dm_told told) {
    bool open = key == NULL;
    const struct json_node *member = object ? json_first(object) : NULL;
    for (; member; member = json_next(object, member)) {
        if (is_blank(member) || is_told(member, told))
            continue;
        if (!open) {
            object_key(b, slice_of_string(key));
            buf_append_byte(b, '{');
            open = true;
        }
        object_member(b, member->key, member->raw);
    }
    if (key && open)
        buf_append_byte(b, '}');
}

int dm_rest(struct dm *dm, const struct json_node *object, struct dm_told told, mneme_text *out) {
    AUTO_BUF struct buf b = BUF_INIT(JSON_SIZE_MAX);
    object_begin(&b);
    dm_put_rest(&b, NULL, object, told);
    return object_end(&b, dm->arena, out);
}

int dm_metadata(struct dm *dm, const struct json_node *object, const mneme_pair *more,
                size_t more_count, mneme_pair_list *out) {
    size_t count = 0, most = 1 + more_count + (object ? object->count : 0);
    mneme_pair *pairs = arena_zalloc(dm->arena, most, sizeof *pairs);
    if (!pairs)
        return MNEME_NO_MEMORY;
    if (!dm_member(object, IMPORTED_FROM))
        pairs[count++] = imported_from(&do_memory_format);
    const struct json_node *member = object ? json_first(object) : NULL;
    for (; member; member = json_next(object, member))
        if (member->type != JSON_NULL)
            pairs[count++] =
                (mneme_pair){text_of_slice(member->key),
                             text_of_slice(is_string(member) ? member->text : member->raw)};
    for (size_t i = 0; i < more_count; i++)
        if (more[i].value.size)
            pairs[count++] = more[i];
    *out = (mneme_pair_list){pairs, count};
    return 0;
}
