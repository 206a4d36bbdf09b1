/*
 * mutation.c - the rules that a mutation must keep, and what follows from one.
 */
#include "os/os.h"
#include "store/store_impl.h"

const char *store_kind_name(mneme_kind kind) {
    static const char *const names[MNEME_KIND_COUNT] = {[MNEME_KIND_NONE] = "record",
                                                        [MNEME_EPISODE] = "episode",
                                                        [MNEME_STEP] = "step",
                                                        [MNEME_PATTERN] = "pattern",
                                                        [MNEME_HEURISTIC] = "heuristic",
                                                        [MNEME_EMBEDDING] = "embedding",
                                                        [MNEME_RELATION] = "relation",
                                                        [MNEME_CHECKPOINT] = "checkpoint",
                                                        [MNEME_DICTIONARY] = "dictionary",
                                                        [MNEME_SUPERSEDED] = "superseded"};
    return names[kind_is_valid(kind) ? kind : MNEME_KIND_NONE];
}

int attribute_compare(const struct attribute *a, const struct attribute *b) {
    int order = slice_compare(a->name, b->name);
    return order ? order : slice_compare(a->value, b->value);
}

int attribute_validate(const struct attribute *attribute, mneme_error *error) {
    if (attribute->name.size == 0)
        return error_set(error, MNEME_INVALID, "an attribute has no name; give it one");
    if (attribute->name.size > STORE_ATTRIBUTE_NAME_MAX)
        return error_set(error, MNEME_TOO_LARGE,
                         "an attribute's name has %zu bytes; shorten it to %d",
                         attribute->name.size, STORE_ATTRIBUTE_NAME_MAX);
    if (attribute->value.size > STORE_ATTRIBUTE_VALUE_MAX)
        return error_set(error, MNEME_TOO_LARGE,
                         "an attribute's value has %zu bytes; shorten it to %d",
                         attribute->value.size, STORE_ATTRIBUTE_VALUE_MAX);
    return 0;
}

static int attributes_validate(const struct stored_record *record, mneme_error *error) {
    if (record->attribute_count > STORE_ATTRIBUTES_MAX)
        return error_set(error, MNEME_TOO_LARGE, "it has %zu attributes; at most %d are allowed",
                         record->attribute_count, STORE_ATTRIBUTES_MAX);
    for (size_t i = 0; i < record->attribute_count; i++) {
        TRY(attribute_validate(&record->attributes[i], error));
        if (i > 0 && attribute_compare(&record->attributes[i - 1], &record->attributes[i]) >= 0)
            return error_set(error, MNEME_INVALID,
                             "its attributes are not in order, or one stands twice: sort them by "
                             "name, then value");
    }
    return 0;
}

/* Where a put, an exact delete and a base say that the record belongs. */
static int place_validate(const struct stored_record *record, mneme_error *error) {
    if (record->place && id_is_zero(&record->parent))
        return error_set(error, MNEME_INVALID, "it has a place but no parent; give it a parent");
    if (record->place > STORE_PLACE_MAX)
        return error_set(error, MNEME_TOO_LARGE, "its place is over %lld",
                         (long long)STORE_PLACE_MAX);
    return 0;
}

/* What only a put and a base have. */
static int content_validate(const struct stored_record *record, mneme_error *error) {
    TRY(place_validate(record, error));
    if (record->body.size > STORE_BODY_MAX)
        return error_set(error, MNEME_TOO_LARGE,
                         "its body has %zu bytes; at most %d are allowed, so split it",
                         record->body.size, STORE_BODY_MAX);
    return attributes_validate(record, error);
}

static int condition_validate(const struct mutation *mutation, mneme_error *error) {
    switch (mutation->condition) {
    case CONDITION_NONE:
        if (mutation->op == MUTATION_CHECK)
            return error_set(error, MNEME_INVALID, "a check has no condition; give it one");
        return 0;
    case CONDITION_ABSENT:
    case CONDITION_LIVE:
    case CONDITION_OPEN:
    case CONDITION_VERSION:
    case CONDITION_PARENT:
    case CONDITION_CHANGE:
        return 0;
    case CONDITION_FENCE:
        if (mutation->op == MUTATION_PUT || mutation->op == MUTATION_DELETE ||
            mutation->op == MUTATION_PURGE)
            return error_set(error, MNEME_INVALID,
                             "a write cannot ask for a fence itself; put a check before it");
        return 0;
    case CONDITION_CHILDREN:
        if (!kind_is_valid(mutation->expect_kind))
            return error_set(error, MNEME_INVALID, "a condition names kind %d; kinds are 1 to %d",
                             (int)mutation->expect_kind, MNEME_KIND_COUNT - 1);
        return 0;
    case CONDITION_NO_ATTRIBUTE:
        return attribute_validate(&mutation->expect_attribute, error);
    }
    return error_set(error, MNEME_INVALID, "there is no condition %d", (int)mutation->condition);
}

static int version_validate(const struct stored_record *record, mneme_error *error) {
    if (record->version.clock > STORE_CLOCK_MAX)
        return error_set(error, MNEME_INVALID,
                         "the clock of its version is beyond the year 6400; check the clock of the "
                         "machine that wrote it");
    return 0;
}

static int mark_validate(const struct mutation *mutation, mneme_error *error) {
    const struct slice reason = mutation->shared.reason;
    if (mutation->shared.mark == MARK_HELD && reason.size > SHARED_REASON_MAX)
        return error_set(error, MNEME_TOO_LARGE,
                         "the reason to hold it has %zu bytes; shorten it to %d", reason.size,
                         SHARED_REASON_MAX);
    if (mutation->shared.mark != MARK_BASE)
        return 0;
    TRY(version_validate(&mutation->record, error));
    return content_validate(&mutation->record, error);
}

static int state_validate(const struct mutation *mutation, mneme_error *error) {
    if (mutation->condition != CONDITION_NONE && mutation->condition != CONDITION_FENCE)
        return error_set(error, MNEME_INVALID,
                         "a state has no record for its condition to look at; use a fence");
    if (mutation->record.body.size > SHARED_STATE_MAX)
        return error_set(error, MNEME_TOO_LARGE, "a state has %zu bytes; at most %d are allowed",
                         mutation->record.body.size, SHARED_STATE_MAX);
    return 0;
}

static int operation_validate(const struct mutation *mutation, mneme_error *error) {
    const struct stored_record *record = &mutation->record;
    switch (mutation->op) {
    case MUTATION_PUT:
        TRY(version_validate(record, error));
        if (record->flags & MNEME_FLAG_DELETED)
            return error_set(error, MNEME_INVALID, "a tombstone cannot be put; delete the record");
        return content_validate(record, error);
    case MUTATION_DELETE:
        TRY(version_validate(record, error));
        return mutation->exact ? place_validate(record, error) : 0;
    case MUTATION_PURGE:
    case MUTATION_CHECK:
        return 0;
    case MUTATION_MARK:
        return mark_validate(mutation, error);
    case MUTATION_STATE:
        return state_validate(mutation, error);
    }
    return error_set(error, MNEME_INVALID, "there is no operation %d", (int)mutation->op);
}

/* Which marks each operation may bring. */
static int shared_validate(const struct mutation *mutation, mneme_error *error) {
    enum mark mark = mutation->shared.mark;
    bool fits = mark == MARK_NONE || mutation->op == MUTATION_MARK;
    if (mutation->op == MUTATION_PUT || mutation->op == MUTATION_DELETE)
        fits = mark == MARK_NONE || mark == MARK_CLEAN || mark == MARK_BASE;
    else if (mutation->op == MUTATION_PURGE)
        fits = mark == MARK_NONE || mark == MARK_CLEAN;
    if (!fits || (int)mark < MARK_NONE || (int)mark > MARK_FREE)
        return error_set(error, MNEME_INVALID, "mark %d does not go with operation %d", (int)mark,
                         (int)mutation->op);
    return 0;
}

static int name_validate(const struct stored_record *record, mneme_error *error) {
    if (!kind_is_valid(record->kind))
        return error_set(error, MNEME_INVALID, "a record has kind %d; kinds are 1 to %d",
                         (int)record->kind, MNEME_KIND_COUNT - 1);
    if (id_is_zero(&record->id))
        return error_set(error, MNEME_INVALID, "a record of kind %s has no id; give it one",
                         store_kind_name(record->kind));
    return 0;
}

bool mutation_has_name(const struct mutation *mutation) {
    return mutation->op != MUTATION_STATE &&
           !(mutation->op == MUTATION_CHECK && mutation->condition == CONDITION_FENCE);
}

bool mutation_shares(const struct mutation *mutation) {
    return mutation->op == MUTATION_MARK || mutation->op == MUTATION_STATE ||
           mutation->condition == CONDITION_FENCE || mutation->shared.mark != MARK_NONE;
}

int mutation_validate(const struct mutation *mutation, mneme_error *error) {
    const struct stored_record *record = &mutation->record;
    bool named = mutation_has_name(mutation);
    if (named)
        TRY(name_validate(record, error));
    int status = operation_validate(mutation, error);
    if (!status)
        status = shared_validate(mutation, error);
    if (!status)
        status = condition_validate(mutation, error);
    if (status && named) {
        char id[ID_TEXT_SIZE];
        id_format(&record->id, id);
        error_prefix(error, status, "%s %s", store_kind_name(record->kind), id);
    }
    return status;
}

struct stored_record tombstone_of(const struct mutation *mutation,
                                  const struct stored_record *present) {
    struct stored_record tombstone = {.kind = mutation->record.kind,
                                      .flags = MNEME_FLAG_DELETED,
                                      .id = mutation->record.id,
                                      .version = mutation->record.version};
    const struct stored_record *from =
        mutation->exact && !id_is_zero(&mutation->record.parent) ? &mutation->record : present;
    if (from) {
        tombstone.parent = from->parent;
        tombstone.place = from->place;
        tombstone.time_us = from->time_us;
    }
    return tombstone;
}

struct stored_record mutation_leaves(const struct mutation *mutation,
                                     const struct stored_record *present) {
    if (mutation->op != MUTATION_PUT)
        return tombstone_of(mutation, present);
    struct stored_record record = mutation->record;
    if (present && !(present->flags & MNEME_FLAG_DELETED))
        record.flags |= present->flags & MNEME_FLAG_LOCAL;
    return record;
}

bool mutation_is_late(const struct mutation *mutation, const struct stored_record *present) {
    return present && !mutation->exact && !version_is_zero(mutation->record.version) &&
           version_compare(mutation->record.version, present->version) <= 0;
}

mneme_version version_next(mneme_version last, uint64_t device, uint64_t now_ms) {
    uint64_t now = now_ms << 16;
    return (mneme_version){.clock = now > last.clock ? now : last.clock + 1, .device = device};
}
