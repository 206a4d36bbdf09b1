/*
 * scope.c - which records are shared, and which stay here.
 */
#include "sync/sync_impl.h"

const char held_refused[] = "refused: ";
static const char held_local[] = "local: it was marked to stay on this machine";
static const char held_family[] = "local: what it belongs to is not shared";
static const char held_filter[] = "excluded: the filter of sync does not have it";
static const char held_unshared[] = "deleted before it was shared";

/* ---- The filter ------------------------------------------------------------------------------ */

static bool has_attribute(const struct stored_record *r, const struct attribute *wanted) {
    for (size_t i = 0; i < r->attribute_count; i++)
        if (slice_equal(r->attributes[i].name, wanted->name) &&
            slice_equal(r->attributes[i].value, wanted->value))
            return true;
    return false;
}

static bool row_matches(const mneme_pair *row, const struct stored_record *r) {
    AUTO_ARENA struct arena arena = {0};
    struct attribute wanted;
    if (text_is(row->name, "kind"))
        return text_is(row->value, kind_name(r->kind));
    return model_attribute(r->kind, row, &arena, &wanted, NULL) == 0 && has_attribute(r, &wanted);
}

/* One row of each name that stands in the filter. */
static bool filter_matches(const struct sync_filter *filter, const struct stored_record *r) {
    for (size_t i = 0; i < filter->count; i++) {
        bool met = false;
        for (size_t j = 0; j < filter->count && !met; j++)
            met = text_equal(filter->rows[i].name, filter->rows[j].name) &&
                  row_matches(&filter->rows[j], r);
        if (!met)
            return false;
    }
    return true;
}

static uint64_t filter_hash(const struct sync_filter *filter) {
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a, of names and values with a byte behind each */
    for (size_t i = 0; i < filter->count; i++) {
        mneme_text texts[] = {filter->rows[i].name, filter->rows[i].value};
        for (size_t t = 0; t < COUNT_OF(texts); t++)
            for (size_t k = 0; k <= texts[t].size; k++)
                hash = (hash ^ (k < texts[t].size ? (uint8_t)texts[t].data[k] : 0xff)) *
                       0x100000001b3u;
    }
    return filter->count ? hash | 1 : 0;
}

/* ---- Families -------------------------------------------------------------------------------- */

/* The record that another one goes with: the episode of a step or checkpoint, the subject of an
 * embedding. False: it goes by itself. */
static bool family_of(const struct stored_record *r, struct record_name *out) {
    if (!id_is_zero(&r->parent)) {
        *out = (struct record_name){MNEME_EPISODE, r->parent};
        return true;
    }
    if (r->kind != MNEME_EMBEDDING)
        return false;
    for (size_t i = 0; i < r->attribute_count; i++) {
        const struct attribute *a = &r->attributes[i];
        if (slice_equal(a->name, slice_of_string("subject")) && a->value.size == sizeof out->id) {
            *out = (struct record_name){MNEME_KIND_NONE, {{0}}};
            memcpy(out->id.bytes, a->value.data, sizeof out->id.bytes);
            return true;
        }
    }
    return false;
}

/* The head of a family here, whatever its kind when that is not known; *there: it is. */
static int family_look(struct sync *s, struct record_name name, struct record_set *set,
                       struct shared_mark *mark, bool *there, mneme_error *error) {
    static const mneme_kind kinds[] = {MNEME_EPISODE,   MNEME_STEP,     MNEME_PATTERN,
                                       MNEME_HEURISTIC, MNEME_RELATION, MNEME_CHECKPOINT};
    AUTO_RECORDS struct record_set bases = {0};
    *there = false;
    for (size_t i = 0; i < COUNT_OF(kinds) && !*there; i++) {
        struct record_name wanted = {name.kind ? name.kind : kinds[i], name.id};
        size_t found;
        TRY(store_get(s->options.local, &wanted, 1, set, &found, error));
        *there = found != SIZE_MAX;
        if (*there)
            TRY(shared_marks(s->options.local, &wanted, 1, mark, &bases, error));
        if (name.kind)
            break;
    }
    return 0;
}

/* ---- Out ------------------------------------------------------------------------------------- */

static int family_stays(struct sync *s, const struct stored_record *r, bool *stays,
                        mneme_error *error) {
    AUTO_RECORDS struct record_set set = {0};
    struct record_name head;
    struct shared_mark mark;
    bool there;
    *stays = false;
    if (!family_of(r, &head))
        return 0;
    TRY(family_look(s, head, &set, &mark, &there, error));
    if (!there)
        return 0;
    const struct stored_record *found = &set.records[set.count - 1];
    *stays = found->flags & MNEME_FLAG_LOCAL || (mark.held && mark.mark == MARK_NONE) ||
             (mark.mark == MARK_NONE && s->options.filter.count &&
              !filter_matches(&s->options.filter, found));
    return 0;
}

int scope_of_outgoing(struct sync *s, const struct stored_record *r, const struct shared_mark *mark,
                      const char **reason, mneme_error *error) {
    struct record_name head;
    bool stays = false;
    *reason = NULL;
    if (r->flags & MNEME_FLAG_LOCAL)
        *reason = held_local;
    else if (mark->mark == MARK_NONE && !record_is_live(r))
        *reason = held_unshared;
    if (*reason || mark->mark != MARK_NONE || r->kind == MNEME_DICTIONARY)
        return 0;
    TRY(family_stays(s, r, &stays, error));
    if (stays)
        *reason = held_family;
    else if (!family_of(r, &head) && r->kind != MNEME_SUPERSEDED &&
             !filter_matches(&s->options.filter, r))
        *reason = held_filter;
    return 0;
}

int scope_free_family(struct sync *s, const struct stored_record *head, struct writes *w,
                      mneme_error *error) {
    const struct attribute subject = {slice_of_string("subject"),
                                      slice_of(head->id.bytes, sizeof head->id.bytes)};
    const struct store_query queries[] = {
        {.kind = MNEME_STEP, .has_parent = true, .parent = head->id},
        {.kind = MNEME_CHECKPOINT, .has_parent = true, .parent = head->id},
        {.kind = MNEME_EMBEDDING, .filters = &subject, .filter_count = 1}};
    for (size_t i = 0; i < COUNT_OF(queries); i++) {
        struct store_query query = queries[i];
        bool more = true;
        query.without_bodies = true;
        query.limit = STORE_PAGE_MAX;
        while (more) {
            AUTO_RECORDS struct record_set page = {0};
            TRY(store_query(s->options.local, &query, &page, &more, error));
            for (size_t k = 0; k < page.count; k++)
                writes_expect(
                    writes_mark(w, MARK_FREE, page.records[k].kind, &page.records[k].id, 0, NULL),
                    page.records[k].change);
            if (page.count)
                query.after = position_after(&query, &page.records[page.count - 1]);
        }
    }
    s->rescan = true;
    return 0;
}

/* ---- In -------------------------------------------------------------------------------------- */

int scope_takes(struct sync *s, const struct stored_record *r, const struct record_set *page,
                bool *takes, mneme_error *error) {
    AUTO_RECORDS struct record_set set = {0};
    struct record_name head;
    struct shared_mark mark;
    *takes =
        s->options.filter.count == 0 || r->kind == MNEME_DICTIONARY || r->kind == MNEME_SUPERSEDED;
    if (*takes)
        return 0;
    if (!family_of(r, &head)) {
        *takes = filter_matches(&s->options.filter, r);
        return 0;
    }
    TRY(family_look(s, head, &set, &mark, takes, error));
    for (size_t i = 0; i < page->count && !*takes; i++)
        *takes = id_equal(&page->records[i].id, &head.id) &&
                 filter_matches(&s->options.filter, &page->records[i]);
    return 0;
}

/* ---- Another filter -------------------------------------------------------------------------- */

/* Free everything whose reason begins with `which` (NULL: all). */
static int free_held(struct sync *s, const char *which, size_t *freed, mneme_error *error) {
    enum { PAGE = 500 };
    AUTO_FREE struct record_name *names = mem_zalloc(PAGE, sizeof *names);
    AUTO_FREE struct slice *reasons = mem_zalloc(PAGE, sizeof *reasons);
    AUTO_FREE uint64_t *at = mem_zalloc(PAGE, sizeof *at);
    struct record_name after;
    bool begun = false;
    if (!names || !reasons || !at)
        return error_set(error, MNEME_NO_MEMORY, "no memory to sync");
    for (size_t count = PAGE; count == PAGE; begun = true) {
        AUTO_SYNC_WRITES struct writes w = {0};
        bool raced;
        TRY(shared_names(s->options.local, MARK_HELD, begun ? &after : NULL, PAGE, names, at,
                         reasons, &w.arena, &count, error));
        for (size_t i = 0; i < count; i++) {
            size_t size = which ? strlen(which) : 0;
            if (reasons[i].size < size || (size && memcmp(reasons[i].data, which, size) != 0))
                continue;
            (void)writes_mark(&w, MARK_FREE, names[i].kind, &names[i].id, 0, NULL);
            ++*freed;
        }
        TRY(writes_apply(s, &w, NULL, &raced, error));
        if (count)
            after = names[count - 1];
    }
    s->rescan = true;
    return 0;
}

int scope_check(struct sync *s, mneme_error *error) {
    uint64_t hash = filter_hash(&s->options.filter);
    AUTO_SYNC_WRITES struct writes w = {0};
    size_t freed = 0;
    bool raced;
    if (s->state.filter == hash)
        return 0;
    TRY(free_held(s, "excluded: ", &freed, error));
    TRY(free_held(s, held_family, &freed, error));
    struct sync_state next = s->state;
    next.filter = hash;
    next.cursor = 0; /* what was passed over is looked at again */
    return writes_apply(s, &w, &next, &raced, error);
}

int sync_retry_held(struct sync *s, size_t *freed, mneme_error *error) {
    *freed = 0;
    TRY(lease_hold(s, error));
    return free_held(s, held_refused, freed, error);
}
