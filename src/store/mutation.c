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
                                                        [MNEME_DICTIONARY] = "dictionary"};
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

/* What only a put reads. */
static int content_validate(const struct stored_record *record, mneme_error *error) {
    if (record->flags & MNEME_FLAG_DELETED)
        return error_set(error, MNEME_INVALID, "a tombstone cannot be put; delete the record");
    if (record->place && id_is_zero(&record->parent))
        return error_set(error, MNEME_INVALID, "it has a place but no parent; give it a parent");
    if (record->place > STORE_PLACE_MAX)
        return error_set(error, MNEME_TOO_LARGE, "its place is over %lld",
                         (long long)STORE_PLACE_MAX);
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
        return 0;
    case CONDITION_LAST_PLACE:
        if (!kind_is_valid(mutation->expect_kind))
            return error_set(error, MNEME_INVALID, "a condition names kind %d; kinds are 1 to %d",
                             (int)mutation->expect_kind, MNEME_KIND_COUNT - 1);
        return 0;
    case CONDITION_NO_ATTRIBUTE:
        return attribute_validate(&mutation->expect_attribute, error);
    }
    return error_set(error, MNEME_INVALID, "there is no condition %d", (int)mutation->condition);
}

static int operation_validate(const struct mutation *mutation, mneme_error *error) {
    switch (mutation->op) {
    case MUTATION_PUT:
    case MUTATION_DELETE:
        if (mutation->record.version.clock > STORE_CLOCK_MAX)
            return error_set(error, MNEME_INVALID,
                             "the clock of its version is beyond the year 6400; check the clock "
                             "of the machine that wrote it");
        return mutation->op == MUTATION_PUT ? content_validate(&mutation->record, error) : 0;
    case MUTATION_PURGE:
    case MUTATION_CHECK:
        return 0;
    }
    return error_set(error, MNEME_INVALID, "there is no operation %d", (int)mutation->op);
}

int mutation_validate(const struct mutation *mutation, mneme_error *error) {
    const struct stored_record *record = &mutation->record;
    if (!kind_is_valid(record->kind))
        return error_set(error, MNEME_INVALID, "a record has kind %d; kinds are 1 to %d",
                         (int)record->kind, MNEME_KIND_COUNT - 1);
    if (id_is_zero(&record->id))
        return error_set(error, MNEME_INVALID, "a record of kind %s has no id; give it one",
                         store_kind_name(record->kind));
    int status = operation_validate(mutation, error);
    if (!status)
        status = condition_validate(mutation, error);
    if (status) {
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
    if (present) {
        tombstone.parent = present->parent;
        tombstone.place = present->place;
        tombstone.time_us = present->time_us;
    }
    return tombstone;
}

bool mutation_is_late(const struct mutation *mutation, const struct stored_record *present) {
    return present && !version_is_zero(mutation->record.version) &&
           version_compare(mutation->record.version, present->version) <= 0;
}

mneme_version version_next(mneme_version last, uint64_t device, uint64_t now_ms) {
    uint64_t now = now_ms << 16;
    return (mneme_version){.clock = now > last.clock ? now : last.clock + 1, .device = device};
}
