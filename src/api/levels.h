/*
 * levels.h - inside the façade: how the parts of a handle stand, told to its meter.
 */
#ifndef MNEME_API_LEVELS_H
#define MNEME_API_LEVELS_H

#include "api/handle.h"

/*
 * Tell all levels. Some take a look into the store, which may take milliseconds where it is large:
 * only with `all`, which is for those who ask for a picture, not for a caller in passing. Nothing
 * is reported when one cannot be had; it stays as it was.
 */
void levels_tell(mneme *m, bool all);

/* Those of the store, which somebody has just asked for. */
void levels_tell_store(mneme *m, const struct store_stats *stats);

#endif
