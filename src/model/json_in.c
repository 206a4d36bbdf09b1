/*
 * json_in.c - a JSON object becomes a record: one walk over its members (docs/jsonl.md).
 *
 * Texts point into the parsed document. A member that is null counts as not given; one that the
 * kind does not have is refused by name, so that nothing is dropped without a word.
 */
#include <math.h>

#include "codec/codec.h"
#include "model/member.h"
#include "os/os.h"

struct reader {
    struct arena *arena;
    mneme_error *error;
};

#define REFUSE(in, path, ...) path_error(path, MNEME_INVALID, (in)->error, __VA_ARGS__)

static int read_struct(const struct reader *in, const struct path *path,
                       const struct schema *schema, const struct json_node *node, void *to);

/* ---- Values ------------------------------------------------------------------------------ */

static int read_text(const struct reader *in, const struct path *path, const struct json_node *node,
                     void *at) {
    if (node->type != JSON_STRING)
        return REFUSE(in, path, "expected a string");
    store_text(at, text_of_slice(node->text));
    return 0;
}

/* An object or array is taken as its exact bytes, a string as its content. */
static int read_json(const struct reader *in, const struct path *path, const struct json_node *node,
                     void *at) {
    if (node->type == JSON_OBJECT || node->type == JSON_ARRAY) {
        store_text(at, text_of_slice(node->raw));
        return 0;
    }
    if (node->type != JSON_STRING)
        return REFUSE(in, path, "expected an object, an array or a string");
    return read_text(in, path, node, at);
}

static int read_id(const struct reader *in, const struct path *path, const struct json_node *node,
                   void *at) {
    mneme_id id;
    if (node->type != JSON_STRING || id_parse(text_of_slice(node->text), &id, NULL) != 0)
        return REFUSE(in, path, "expected an id such as 01890a5d-ac96-774b-bcce-b302099a8057");
    store_id(at, id);
    return 0;
}

static int read_time(const struct reader *in, const struct path *path, const struct json_node *node,
                     void *at) {
    int64_t time_us;
    if (node->type != JSON_STRING ||
        time_parse_rfc3339(text_of_slice(node->text), &time_us, NULL) != 0)
        return REFUSE(in, path, "expected a time such as \"2026-11-21T08:02:00.000001Z\"");
    store_int(at, time_us);
    return 0;
}

static int read_uint(const struct reader *in, const struct path *path, const struct json_node *node,
                     void *at) {
    uint64_t value;
    if (node->type != JSON_NUMBER || !json_uint64(node, &value))
        return REFUSE(in, path, "expected an integer that is not negative");
    store_uint(at, value);
    return 0;
}

static int read_int(const struct reader *in, const struct path *path, const struct json_node *node,
                    void *at) {
    int64_t value;
    if (node->type != JSON_NUMBER || !json_int64(node, &value))
        return REFUSE(in, path, "expected an integer");
    store_int(at, value);
    return 0;
}

static int read_double(const struct reader *in, const struct path *path,
                       const struct json_node *node, void *at) {
    double value;
    if (node->type != JSON_NUMBER || !json_double(node, &value))
        return REFUSE(in, path, "expected a number");
    store_double(at, value);
    return 0;
}

static int read_enum(const struct reader *in, const struct path *path, const struct field *f,
                     const struct json_node *node, void *at) {
    AUTO_BUF struct buf known = BUF_INIT(MNEME_ERROR_TEXT_MAX);
    if (node->type != JSON_STRING)
        return REFUSE(in, path, "expected a string");
    for (uint32_t i = 0; i < f->names->count; i++) {
        const char *name = f->names->names[i];
        if (name && slice_equal(node->text, slice_of_string(name))) {
            store_enum(at, i);
            return 0;
        }
        if (name)
            buf_printf(&known, "%s%s", known.size ? ", " : "", name);
    }
    return REFUSE(in, path, "\"%.*s\" is none of %.*s", shown_size(node->text),
                  (const char *)node->text.data, (int)known.size,
                  known.data ? (const char *)known.data : "");
}

/* ---- Lists ------------------------------------------------------------------------------- */

/* The array for the elements of a list or the members of a keyed one. */
static int make_items(const struct reader *in, const struct field *f, size_t count, size_t size,
                      void *to, uint8_t **items) {
    *items = NULL;
    if (count == 0)
        return 0;
    *items = arena_zalloc(in->arena, count, size);
    if (!*items)
        return MNEME_NO_MEMORY;
    store_list(f, to, *items, count);
    return 0;
}

static int read_item(const struct reader *in, const struct path *path, const struct field *f,
                     const struct json_node *node, void *item) {
    if (f->type == FIELD_TEXTS)
        return read_text(in, path, node, item);
    if (f->type == FIELD_IDS)
        return read_id(in, path, node, item);
    return read_struct(in, path, f->schema, node, item);
}

static int read_list(const struct reader *in, const struct path *path, const struct field *f,
                     const struct json_node *node, void *to) {
    size_t size = f->type == FIELD_IDS ? sizeof(mneme_id) : field_item_size(f);
    uint8_t *item;
    if (node->type != JSON_ARRAY)
        return REFUSE(in, path, "expected an array");
    TRY(make_items(in, f, node->count, size, to, &item));
    const struct json_node *element = json_first(node);
    for (size_t i = 0; element; element = json_next(node, element), item += size) {
        struct path below = path_index(path, i++);
        TRY(read_item(in, &below, f, element, item));
    }
    return 0;
}

static int read_value(const struct reader *in, const struct path *path, const struct field *f,
                      const struct json_node *node, void *to);

static int read_keyed(const struct reader *in, const struct path *path, const struct field *f,
                      const struct json_node *node, void *to) {
    uint8_t *item;
    if (node->type != JSON_OBJECT)
        return REFUSE(in, path, "expected an object");
    TRY(make_items(in, f, node->count, f->schema->size, to, &item));
    const struct json_node *member = json_first(node);
    for (; member; member = json_next(node, member), item += f->schema->size) {
        struct path below = {path, member->key, 0};
        store_text(item, text_of_slice(member->key));
        TRY(read_value(in, &below, &f->schema->fields[1], member, item));
    }
    return 0;
}

static int read_vector(const struct reader *in, const struct path *path,
                       const struct json_node *node, mneme_embedding *e) {
    if (node->type != JSON_ARRAY)
        return REFUSE(in, path, "expected an array of numbers");
    float *values = arena_zalloc(in->arena, node->count, sizeof *values);
    if (!values)
        return MNEME_NO_MEMORY;
    const struct json_node *element = json_first(node);
    for (size_t i = 0; element; element = json_next(node, element), i++) {
        struct path below = path_index(path, i);
        double value;
        TRY(read_double(in, &below, element, &value));
        values[i] = (float)value;
        if (!isfinite(values[i]))
            return REFUSE(in, &below, "does not fit a 32-bit float");
    }
    e->values = values;
    e->count = node->count;
    return 0;
}

/* ---- Structs ----------------------------------------------------------------------------- */

static int read_value(const struct reader *in, const struct path *path, const struct field *f,
                      const struct json_node *node, void *to) {
    void *at = member_of(to, f->at);
    switch (f->type) {
    case FIELD_TEXT:
        return read_text(in, path, node, at);
    case FIELD_JSON:
    case FIELD_OBJECT:
        return read_json(in, path, node, at);
    case FIELD_ID:
    case FIELD_STEP_ID:
        return read_id(in, path, node, at);
    case FIELD_TIME:
    case FIELD_STEP_TIME:
        return read_time(in, path, node, at);
    case FIELD_UINT:
    case FIELD_STEP_NUMBER:
        return read_uint(in, path, node, at);
    case FIELD_INT:
        return read_int(in, path, node, at);
    case FIELD_DOUBLE:
        return read_double(in, path, node, at);
    case FIELD_ENUM:
        return read_enum(in, path, f, node, at);
    case FIELD_MESSAGE:
        return read_struct(in, path, f->schema, node, at);
    case FIELD_TEXTS:
    case FIELD_IDS:
    case FIELD_LIST:
        return read_list(in, path, f, node, to);
    case FIELD_KEYED:
        return read_keyed(in, path, f, node, to);
    case FIELD_VECTOR:
        return read_vector(in, path, node, to);
    }
    return 0;
}

static int refuse_member(const struct reader *in, const struct path *path,
                         const struct schema *schema, struct slice key) {
    AUTO_BUF struct buf known = BUF_INIT(MNEME_ERROR_TEXT_MAX);
    for (uint32_t i = 0; i < schema->count; i++)
        buf_printf(&known, "%s%s", i ? ", " : "", schema->fields[i].name);
    struct path member = {path, key, 0};
    return REFUSE(in, &member, "unknown member; known are %.*s", (int)known.size,
                  known.data ? (const char *)known.data : "");
}

/* Members mostly stand in the order of the schema, so the search goes on from the last hit. */
static const struct field *find_member(const struct schema *schema, struct slice key,
                                       uint32_t *hint) {
    for (uint32_t i = 0; i < schema->count; i++) {
        uint32_t at = (*hint + i) % schema->count;
        if (slice_equal(key, slice_of(schema->fields[at].name, schema->fields[at].name_size))) {
            *hint = at + 1;
            return &schema->fields[at];
        }
    }
    return NULL;
}

static int read_member(const struct reader *in, const struct path *path,
                       const struct schema *schema, const struct json_node *node, uint32_t *hint,
                       void *to) {
    const struct field *f = find_member(schema, node->key, hint);
    if (!f)
        return refuse_member(in, path, schema, node->key);
    if (node->type == JSON_NULL)
        return 0;
    struct path member = path_field(path, f);
    TRY(read_value(in, &member, f, node, to));
    if (f->present_at)
        store_bool(member_of(to, f->present_at), true);
    return 0;
}

static int demand_members(const struct reader *in, const struct path *path,
                          const struct schema *schema, const struct json_node *node) {
    for (uint32_t i = 0; i < schema->count; i++) {
        const struct field *f = &schema->fields[i];
        const struct json_node *member = f->flags & ALWAYS ? json_member(node, f->name) : NULL;
        if (f->flags & ALWAYS && (!member || member->type == JSON_NULL))
            return REFUSE(in, path, "needs the member \"%s\"", f->name);
    }
    return 0;
}

static int read_struct(const struct reader *in, const struct path *path,
                       const struct schema *schema, const struct json_node *node, void *to) {
    uint32_t hint = 0;
    if (node->type != JSON_OBJECT)
        return REFUSE(in, path, "expected an object");
    const struct json_node *member = json_first(node);
    for (; member; member = json_next(node, member))
        TRY(read_member(in, path, schema, member, &hint, to));
    return demand_members(in, path, schema, node);
}

/* ---- Records ----------------------------------------------------------------------------- */

static bool read_hex(const uint8_t digits[16], uint64_t *out) {
    uint64_t value = 0;
    for (size_t i = 0; i < 16; i++) {
        uint8_t c = digits[i];
        bool decimal = c >= '0' && c <= '9';
        if (!decimal && (c < 'a' || c > 'f'))
            return false;
        value = value << 4 | (uint64_t)(decimal ? c - '0' : c - 'a' + 10);
    }
    *out = value;
    return true;
}

static int read_version(const struct reader *in, const struct path *path,
                        const struct json_node *node, mneme_version *out) {
    const uint8_t *text = node->text.data;
    bool good = node->type == JSON_STRING && node->text.size == 33 && text[16] == '-' &&
                read_hex(text, &out->clock) && read_hex(text + 17, &out->device);
    return good ? 0
                : REFUSE(in, path, "expected 16 digits of 0-9 and a-f, a '-' and 16 more digits");
}

/* The members that are not of the struct; *mine tells whether this was one of them. */
static int read_header_member(const struct reader *in, const struct path *path,
                              const struct kind *kind, const struct json_node *node,
                              mneme_record *out, bool *mine) {
    struct path member = {path, node->key, 0};
    bool given = node->type != JSON_NULL;
    mneme_text key = text_of_slice(node->key);
    *mine = true;
    if (text_is(key, "kind"))
        return 0; /* read_kind */
    if (text_is(key, "version"))
        return given ? read_version(in, &member, node, &out->version) : 0;
    if (kind->parent_name && text_is(key, kind->parent_name))
        return given ? read_id(in, &member, node, &out->parent) : 0;
    *mine = false;
    return 0;
}

static int read_kind(const struct reader *in, const struct json_node *root, mneme_kind *kind) {
    const struct path path = path_name(NULL, "record");
    if (root->type != JSON_OBJECT)
        return REFUSE(in, &path, "expected a JSON object");
    const struct json_node *member = json_member(root, "kind");
    if (member && member->type == JSON_STRING)
        *kind = kind_of_name(text_of_slice(member->text));
    else if (member)
        return REFUSE(in, &path, "\"kind\" is not a string");
    else if (*kind == MNEME_KIND_NONE)
        return REFUSE(in, &path, "needs the member \"kind\", such as \"episode\"");
    if (!kind_find(*kind) && member)
        return REFUSE(in, &path,
                      "kind \"%.*s\" is none of episode, step, pattern, heuristic, "
                      "embedding, relation, checkpoint, superseded",
                      shown_size(member->text), (const char *)member->text.data);
    return kind_find(*kind) ? 0 : REFUSE(in, &path, "kind %d cannot be read", (int)*kind);
}

static int read_record(const struct reader *in, const struct json_node *root, mneme_record *out) {
    const struct kind *kind = kind_find(out->kind);
    const struct path path = path_name(NULL, kind_name(out->kind));
    void *body = arena_zalloc(in->arena, 1, kind->schema->size);
    if (!body)
        return MNEME_NO_MEMORY;
    uint32_t hint = 0;
    const struct json_node *member = json_first(root);
    for (; member; member = json_next(root, member)) {
        bool mine;
        TRY(read_header_member(in, &path, kind, member, out, &mine));
        if (!mine)
            TRY(read_member(in, &path, kind->schema, member, &hint, body));
    }
    out->id = load_id(member_at(body, kind->id_at));
    out->time_us = load_int(member_at(body, kind->time_at));
    if (kind->parent_at)
        out->parent = load_id(member_at(body, kind->parent_at));
    record_set_body(out, body);
    if (out->kind == MNEME_EPISODE && episode_is_finished(out->as.episode))
        out->flags = MNEME_FLAG_SEALED;
    return 0;
}

int model_from_json(struct slice json, mneme_kind kind, struct arena *arena, mneme_record *out,
                    mneme_error *error) {
    const struct reader in = {arena, error};
    const struct json_node *root;
    TRY(json_parse(json, arena, &root, error));
    TRY(read_kind(&in, root, &kind));
    mneme_record made = {.kind = kind};
    int status = read_record(&in, root, &made);
    if (status == MNEME_NO_MEMORY)
        return error_set(error, status, "out of memory");
    TRY(status);
    *out = made;
    return 0;
}
