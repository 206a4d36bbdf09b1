/*
 * merge_impl.h - what the files of merging share beside states.
 */
#ifndef MNEME_SYNC_MERGE_IMPL_H
#define MNEME_SYNC_MERGE_IMPL_H

#include "sync/merge_state.h"

static inline bool merge_is_live(const struct merge_side *side) {
    return side->record && !(side->record->flags & MNEME_FLAG_DELETED);
}

/* merge_stamp, before it is written; mine is live. */
int merge_stamp_state(const struct merge_side *base, const struct merge_side *mine,
                      struct arena *arena, struct merge_state *out, mneme_error *error);

/* Whether the elements have the same values, whatever their stamps; an item that one of them does
 * not know is as one that was removed. */
bool merge_same_content(const struct merge_state *a, const struct merge_state *b);

/* What was shared of a base; the base itself if nothing else is said. */
int merge_shared_of(const struct merge_side *base, struct arena *arena, struct merge_side *out,
                    mneme_error *error);

/* Give what mine (`ours`) has instead of this machine's own earlier writes in theirs its version.
 */
int merge_know_own(struct merge_state *ours, const struct merge_state *other, uint64_t self,
                   struct arena *arena);

/* Whether theirs has an element that is neither as in the base (NULL: none is known) nor of this
 * machine (`self`) and older than mine, which has that version. */
bool merge_has_news(const struct merge_state *base, const struct merge_state *theirs, uint64_t self,
                    mneme_version mine);

/* What was lost when `mine` and `theirs`, of one life, were joined. `base` may be NULL. `unaware`
 * (NULL: not so): mine was written since its base, whose version this is, by a memory that may have
 * been set back: it and other writes of its device since then need not know of each other. */
int merge_find_losses(const struct merge_state *base, const struct merge_state *mine,
                      const struct merge_state *theirs, uint64_t self, const mneme_version *unaware,
                      struct arena *arena, struct merge_result *out);

#endif
