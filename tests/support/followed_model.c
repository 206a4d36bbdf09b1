/*
 * followed_model.c - the states of records, for followed_model.h.
 */
#include "support/followed_model.h"

int model_add(struct model_record *record, uint64_t change, mneme_version version) {
    if (record->count == MODEL_STATES)
        return 0;
    record->states[record->count++] = (struct model_state){change, version};
    return 1;
}

uint64_t model_find(const struct model_record *record, uint64_t least, mneme_version version) {
    bool found = least == 0 && version_is_zero(version); /* before its first state */
    uint64_t change = found ? UINT64_MAX : 0;
    for (size_t i = 0; i < record->count && change == 0; i++)
        if (record->states[i].change >= least &&
            version_compare(record->states[i].version, version) == 0)
            change = record->states[i].change;
    return change;
}

uint64_t model_last(const struct model_record *record) {
    return record->count ? record->states[record->count - 1].change : 0;
}
