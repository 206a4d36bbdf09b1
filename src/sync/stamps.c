/*
 * stamps.c - stamps to bytes and back; the format stands in stamps.h.
 */
#include "sync/stamps.h"

#include <stdlib.h>

#include "codec/codec.h"

/* ---- The table of versions --------------------------------------------------------------- */

struct table {
    struct arena arena;
    mneme_version *versions;
    uint64_t *devices;
    size_t version_count, device_count;
};

static void table_fini(struct table *table) { arena_fini(&table->arena); }

static int compare_versions(const void *a, const void *b) {
    const mneme_version *x = a, *y = b;
    return version_compare(*x, *y);
}

static int compare_devices(const void *a, const void *b) {
    const uint64_t *x = a, *y = b;
    return *x == *y ? 0 : *x < *y ? -1 : 1;
}

/* How many versions there are at most, each counted as often as it stands. */
static size_t versions_max(const struct stamps *s) {
    size_t count = 2 + s->member_count;
    for (size_t i = 0; i < s->list_count; i++)
        count += s->lists[i].value_count + s->lists[i].place_count + 2 * s->lists[i].gone_count;
    return count;
}

static void gather(const struct stamps *s, struct table *table) {
    mneme_version *at = table->versions;
    if (!version_is_zero(s->birth))
        *at++ = s->birth;
    *at++ = s->fallback;
    for (size_t i = 0; i < s->member_count; i++)
        *at++ = s->members[i].stamp;
    for (const struct stamps_list *l = s->lists; l < s->lists + s->list_count; l++) {
        for (size_t i = 0; i < l->value_count; i++)
            *at++ = l->values[i].stamp;
        for (size_t i = 0; i < l->place_count; i++)
            *at++ = l->places[i].stamp;
        for (size_t i = 0; i < l->gone_count; i++) {
            *at++ = l->gone[i].stamp;
            *at++ = l->gone[i].place;
        }
    }
    table->version_count = (size_t)(at - table->versions);
}

/* Sorts, and leaves one of each; returns how many that are. */
static size_t sort_unique(void *items, size_t count, size_t size,
                          int (*compare)(const void *, const void *)) {
    uint8_t *bytes = items;
    size_t kept = 0;
    qsort(items, count, size, compare);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || compare(bytes + (kept - 1) * size, bytes + i * size) != 0)
            memmove(bytes + kept++ * size, bytes + i * size, size);
    return kept;
}

static int table_make(const struct stamps *s, struct table *table) {
    size_t max = versions_max(s);
    table->versions = arena_zalloc(&table->arena, max, sizeof *table->versions);
    table->devices = arena_zalloc(&table->arena, max, sizeof *table->devices);
    if (!table->versions || !table->devices)
        return MNEME_NO_MEMORY;
    gather(s, table);
    table->version_count = sort_unique(table->versions, table->version_count,
                                       sizeof *table->versions, compare_versions);
    for (size_t i = 0; i < table->version_count; i++)
        table->devices[i] = table->versions[i].device;
    table->device_count =
        sort_unique(table->devices, table->version_count, sizeof *table->devices, compare_devices);
    return 0;
}

static void put_version(struct buf *b, const struct table *table, mneme_version version) {
    const mneme_version *at = bsearch(&version, table->versions, table->version_count,
                                      sizeof *table->versions, compare_versions);
    wire_put_varint(b, (uint64_t)(at - table->versions));
}

static void put_table(struct buf *b, const struct table *table) {
    wire_put_varint(b, table->device_count);
    for (size_t i = 0; i < table->device_count; i++) {
        uint8_t bytes[8];
        put_be64(bytes, table->devices[i]);
        buf_append(b, bytes, sizeof bytes);
    }
    wire_put_varint(b, table->version_count);
    uint64_t clock = 0;
    for (const mneme_version *v = table->versions; v < table->versions + table->version_count;
         v++) {
        const uint64_t *device = bsearch(&v->device, table->devices, table->device_count,
                                         sizeof *table->devices, compare_devices);
        wire_put_varint(b, (uint64_t)(device - table->devices));
        wire_put_varint(b, v->clock - clock);
        clock = v->clock;
    }
}

/* ---- Writing ----------------------------------------------------------------------------- */

static void put_runs(struct buf *b, const struct table *table, const struct stamps_run *runs,
                     size_t count, bool places) {
    uint64_t end = 0;
    wire_put_varint(b, count);
    for (size_t i = 0; i < count; i++) {
        wire_put_varint(b, runs[i].start - end);
        wire_put_varint(b, runs[i].count);
        put_version(b, table, runs[i].stamp);
        if (places)
            wire_put_varint(b, runs[i].first);
        end = runs[i].start + runs[i].count;
    }
}

static void put_list(struct buf *b, const struct table *table, const struct stamps_list *list) {
    put_runs(b, table, list->values, list->value_count, false);
    put_runs(b, table, list->places, list->place_count, true);
    wire_put_varint(b, list->gone_count);
    for (const struct stamps_gone *g = list->gone; g < list->gone + list->gone_count; g++) {
        wire_put_varint(b, g->key.size);
        buf_append_slice(b, g->key);
        put_version(b, table, g->stamp);
        put_version(b, table, g->place);
        wire_put_varint(b, g->index);
    }
}

int stamps_encode(const struct stamps *s, struct buf *b) {
    CLEANUP(table_fini) struct table table = {0};
    TRY(table_make(s, &table));
    buf_append_byte(b, STAMPS_FORMAT);
    put_table(b, &table);
    if (version_is_zero(s->birth)) {
        wire_put_varint(b, 0);
    } else {
        const mneme_version *birth = bsearch(&s->birth, table.versions, table.version_count,
                                             sizeof *table.versions, compare_versions);
        wire_put_varint(b, (uint64_t)(birth - table.versions) + 1);
    }
    put_version(b, &table, s->fallback);
    uint64_t number = 0;
    wire_put_varint(b, s->member_count);
    for (size_t i = 0; i < s->member_count; i++) {
        wire_put_varint(b, s->members[i].number - number);
        put_version(b, &table, s->members[i].stamp);
        number = s->members[i].number;
    }
    number = 0;
    wire_put_varint(b, s->list_count);
    for (size_t i = 0; i < s->list_count; i++) {
        wire_put_varint(b, s->lists[i].number - number);
        put_list(b, &table, &s->lists[i]);
        number = s->lists[i].number;
    }
    return b->status;
}

/* ---- Reading ----------------------------------------------------------------------------- */

struct stamps_reader {
    struct wire_reader r;
    struct arena *arena;
    const mneme_version *versions;
    uint64_t version_count;
};

/* How many items of at least `least` bytes follow, and room for them in the arena: no more than
 * what is left could hold, whatever the number says. */
static int get_items(struct stamps_reader *in, size_t least, size_t size, void *items,
                     size_t *count) {
    uint64_t said = wire_get_varint(&in->r);
    if (said > wire_left(&in->r) / least)
        in->r.bad = true;
    *count = in->r.bad ? 0 : (size_t)said;
    if (*count == 0)
        return 0;
    void *room = arena_zalloc(in->arena, *count, size);
    memcpy(items, &room, sizeof room);
    return room ? 0 : MNEME_NO_MEMORY;
}

/* A number greater than `last`. */
static uint64_t get_rising(struct stamps_reader *in, uint64_t last) {
    uint64_t more = wire_get_varint(&in->r);
    if (more == 0 || more > UINT64_MAX - last)
        in->r.bad = true;
    return in->r.bad ? 0 : last + more;
}

static mneme_version get_version(struct stamps_reader *in) {
    uint64_t index = wire_get_varint(&in->r);
    if (index >= in->version_count)
        in->r.bad = true;
    return in->r.bad ? (mneme_version){0} : in->versions[index];
}

static int get_table(struct stamps_reader *in) {
    uint64_t *devices = NULL;
    mneme_version *versions = NULL;
    size_t device_count, version_count;
    TRY(get_items(in, 8, sizeof *devices, &devices, &device_count));
    for (size_t i = 0; i < device_count && !in->r.bad; i++) {
        devices[i] = get_be64(wire_get_bytes(&in->r, 8).data);
        in->r.bad |= i > 0 && devices[i] <= devices[i - 1];
    }
    TRY(get_items(in, 2, sizeof *versions, &versions, &version_count));
    uint64_t clock = 0;
    for (size_t i = 0; i < version_count && !in->r.bad; i++) {
        uint64_t device = wire_get_varint(&in->r);
        uint64_t more = wire_get_varint(&in->r);
        in->r.bad |= device >= device_count || more > UINT64_MAX - clock;
        if (in->r.bad)
            break;
        clock += more;
        versions[i] = (mneme_version){clock, devices[device]};
        in->r.bad |= i > 0 && version_compare(versions[i - 1], versions[i]) >= 0;
    }
    in->versions = versions;
    in->version_count = in->r.bad ? 0 : version_count;
    return 0;
}

static int get_runs(struct stamps_reader *in, bool places, struct stamps_run **runs,
                    size_t *count) {
    uint64_t end = 0;
    TRY(get_items(in, places ? 4 : 3, sizeof **runs, runs, count));
    for (size_t i = 0; i < *count && !in->r.bad; i++) {
        struct stamps_run *run = &(*runs)[i];
        uint64_t skipped = wire_get_varint(&in->r);
        run->count = wire_get_varint(&in->r);
        run->stamp = get_version(in);
        run->first = places ? wire_get_varint(&in->r) : 0;
        in->r.bad |= skipped > UINT64_MAX - end || run->count == 0;
        if (in->r.bad)
            break;
        run->start = end + skipped;
        in->r.bad |= run->count > UINT64_MAX - run->start || run->count > UINT64_MAX - run->first;
        end = in->r.bad ? 0 : run->start + run->count;
    }
    return 0;
}

static int get_gone(struct stamps_reader *in, struct stamps_list *list) {
    TRY(get_items(in, 4, sizeof *list->gone, &list->gone, &list->gone_count));
    for (size_t i = 0; i < list->gone_count && !in->r.bad; i++) {
        struct stamps_gone *gone = &list->gone[i];
        gone->key = wire_get_bytes(&in->r, wire_get_varint(&in->r));
        gone->stamp = get_version(in);
        gone->place = get_version(in);
        gone->index = wire_get_varint(&in->r);
        in->r.bad |= i > 0 && slice_compare(list->gone[i - 1].key, gone->key) >= 0;
    }
    return 0;
}

static int get_members(struct stamps_reader *in, struct stamps *out) {
    uint64_t number = 0;
    TRY(get_items(in, 2, sizeof *out->members, &out->members, &out->member_count));
    for (size_t i = 0; i < out->member_count && !in->r.bad; i++) {
        number = get_rising(in, number);
        out->members[i] = (struct stamps_member){number, get_version(in)};
    }
    return 0;
}

static int get_lists(struct stamps_reader *in, struct stamps *out) {
    uint64_t number = 0;
    TRY(get_items(in, 4, sizeof *out->lists, &out->lists, &out->list_count));
    for (size_t i = 0; i < out->list_count && !in->r.bad; i++) {
        struct stamps_list *list = &out->lists[i];
        list->number = number = get_rising(in, number);
        TRY(get_runs(in, false, &list->values, &list->value_count));
        TRY(get_runs(in, true, &list->places, &list->place_count));
        TRY(get_gone(in, list));
        in->r.bad |= list->value_count + list->place_count + list->gone_count == 0;
    }
    return 0;
}

static mneme_version get_birth(struct stamps_reader *in) {
    uint64_t index = wire_get_varint(&in->r);
    in->r.bad |= index > in->version_count;
    return in->r.bad || index == 0 ? (mneme_version){0} : in->versions[index - 1];
}

static int get_stamps(struct stamps_reader *in, struct stamps *out) {
    TRY(get_table(in));
    out->birth = get_birth(in);
    out->fallback = get_version(in);
    TRY(get_members(in, out));
    TRY(get_lists(in, out));
    return in->r.bad || wire_left(&in->r) ? MNEME_CORRUPT : 0;
}

int stamps_decode(struct slice bytes, struct arena *arena, struct stamps *out, mneme_error *error) {
    struct stamps_reader in = {.r = wire_reader_of(bytes), .arena = arena};
    struct stamps made = {0};
    struct slice format = wire_get_bytes(&in.r, 1);
    if (!in.r.bad && format.data[0] != STAMPS_FORMAT)
        return error_set(error, MNEME_CORRUPT,
                         "stamps of format %d, which this mneme does not know; update it",
                         format.data[0]);
    int status = get_stamps(&in, &made);
    if (status)
        return error_set(error, status,
                         status == MNEME_CORRUPT ? "its stamps do not decode; run mneme verify"
                                                 : "out of memory");
    *out = made;
    return 0;
}
