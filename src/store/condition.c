/*
 * condition.c - the conditions of a batch: what each demands, and what is said when it fails.
 */
#include <stdio.h>

#include "os/os.h"
#include "store/store_impl.h"

/* What a message calls a record: "episode 01890a5d-…". */
struct record_text {
    char text[ID_TEXT_SIZE + 16];
};

static struct record_text record_text_of(mneme_kind kind, const mneme_id *id) {
    struct record_text out;
    char id_text[ID_TEXT_SIZE];
    id_format(id, id_text);
    snprintf(out.text, sizeof out.text, "%s %s", store_kind_name(kind), id_text);
    return out;
}

static int missing(const struct mutation *mutation, const struct stored_record *present,
                   mneme_error *error) {
    const struct stored_record *record = &mutation->record;
    struct record_text name = record_text_of(record->kind, &record->id);
    if (present)
        return error_set(error, MNEME_NOT_FOUND, "%s was deleted; put it again, or check the id",
                         name.text);
    return error_set(error, MNEME_NOT_FOUND, "there is no %s; check the id", name.text);
}

int condition_missing(const struct mutation *mutation, mneme_error *error) {
    return missing(mutation, NULL, error);
}

/* Whether bytes can be shown on a terminal as they are. */
static bool is_plain_text(struct slice s) {
    bool plain = utf8_valid(s);
    for (size_t i = 0; plain && i < s.size; i++)
        plain = s.data[i] >= ' ' && s.data[i] != 0x7f;
    return plain;
}

static int attribute_taken(mneme_kind kind, const struct attribute *attribute, mneme_error *error) {
    struct slice name = attribute->name, value = attribute->value;
    if (!is_plain_text(name) || !is_plain_text(value))
        return error_set(error, MNEME_CONFLICT,
                         "there is already a record of kind %s with this attribute (%zu bytes of "
                         "value); look it up instead of putting another",
                         store_kind_name(kind), value.size);
    return error_set(error, MNEME_CONFLICT,
                     "there is already a record of kind %s with %.*s = %.*s; look it up instead "
                     "of putting another",
                     store_kind_name(kind), (int)size_min(name.size, 128), (const char *)name.data,
                     (int)value.size, (const char *)value.data);
}

int condition_failed(const struct mutation *mutation, mneme_error *error) {
    const struct stored_record *record = &mutation->record;
    struct record_text name = record_text_of(record->kind, &record->id);
    switch (mutation->condition) {
    case CONDITION_ABSENT:
        return error_set(error, MNEME_CONFLICT,
                         "%s is there already; choose another id, or replace it", name.text);
    case CONDITION_OPEN:
        return error_set(error, MNEME_CONFLICT,
                         "%s is completed and takes no more changes; start a new one", name.text);
    case CONDITION_VERSION:
        return error_set(error, MNEME_CONFLICT,
                         "%s was changed by another writer meanwhile; read it again and retry",
                         name.text);
    case CONDITION_CHILDREN:
        return error_set(error, MNEME_CONFLICT,
                         "the %s records of %s changed meanwhile; read them again and retry",
                         store_kind_name(mutation->expect_kind), name.text);
    case CONDITION_NO_ATTRIBUTE:
        return attribute_taken(record->kind, &mutation->expect_attribute, error);
    case CONDITION_PARENT:
        return error_set(error, MNEME_CONFLICT,
                         "%s belongs, or belonged, to another episode; choose another id",
                         name.text);
    case CONDITION_CHANGE:
        return error_set(error, MNEME_CONFLICT, "%s was written meanwhile; read it again and retry",
                         name.text);
    case CONDITION_FENCE:
        return error_set(error, MNEME_LOCKED,
                         "another worker has taken over the syncing of this store; leave it to "
                         "that one");
    case CONDITION_NONE:
    case CONDITION_LIVE:
        break;
    }
    return missing(mutation, NULL, error);
}

int condition_test(const struct mutation *mutation, const struct stored_record *present,
                   mneme_error *error) {
    bool live = present && !(present->flags & MNEME_FLAG_DELETED);
    bool replica = !version_is_zero(mutation->record.version);
    if (mutation->op == MUTATION_DELETE && !live && !replica)
        return missing(mutation, present, error);
    switch (mutation->condition) {
    case CONDITION_NONE:
    case CONDITION_CHILDREN:
    case CONDITION_NO_ATTRIBUTE:
    case CONDITION_FENCE:
        return 0;
    case CONDITION_CHANGE:
        return (present ? present->change : 0) == mutation->expect_change
                   ? 0
                   : condition_failed(mutation, error);
    case CONDITION_ABSENT:
        return live ? condition_failed(mutation, error) : 0;
    case CONDITION_LIVE:
        return live ? 0 : missing(mutation, present, error);
    case CONDITION_PARENT:
        return present && !id_is_zero(&present->parent) &&
                       !id_equal(&present->parent, &mutation->record.parent)
                   ? condition_failed(mutation, error)
                   : 0;
    case CONDITION_OPEN:
        if (!live)
            return missing(mutation, present, error);
        return present->flags & MNEME_FLAG_SEALED ? condition_failed(mutation, error) : 0;
    case CONDITION_VERSION:
        if (!live)
            return missing(mutation, present, error);
        return version_compare(present->version, mutation->expect_version)
                   ? condition_failed(mutation, error)
                   : 0;
    }
    return error_set(error, MNEME_INVALID, "there is no condition %d", (int)mutation->condition);
}
