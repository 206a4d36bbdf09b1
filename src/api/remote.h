/*
 * remote.h - inside the façade: the sql stores behind a handle, "file:" and servers.
 */
#ifndef MNEME_API_REMOTE_H
#define MNEME_API_REMOTE_H

#include "api/url.h"
#include "metrics/metrics.h"
#include "mneme/mneme.h"
#include "store/drivers.h"
#include "store/sql.h"

/* Whether the options go together, and no text of them would break a request. MNEME_INVALID. */
int remote_check(const mneme_remote_options *options, mneme_error *error);

/* The driver of a FILE or REMOTE URL. Reads the token file: see secret_read for its errors. */
int remote_driver_open(const struct url *url, const mneme_options *options, struct sql_driver **out,
                       mneme_error *error);

/* The same, with its requests counted by a meter, which may be NULL, and is borrowed. */
int remote_driver_open_metered(const struct url *url, const mneme_options *options,
                               struct meter *meter, struct sql_driver **out, mneme_error *error);

/* The sql store of such a URL. The driver belongs to it, and is borrowed. */
int remote_store_open(const struct url *url, const mneme_options *options, struct meter *meter,
                      struct store **sql, struct sql_driver **driver, mneme_error *error);

/* Fill in the statistics; `sql` may be NULL. */
void remote_stats(struct store *sql, const struct sql_driver *driver, mneme_remote_stats *out);

/*
 * The token in a file: one word, white space around it aside, with its NUL in `text`.
 * MNEME_INVALID: no plain file, or what is in it is no token. MNEME_PERMISSION: it is not ours, or
 * others may read or write it. MNEME_NOT_FOUND. No message tells anything of what is in it.
 */
int secret_read(const char *path, char *text, size_t size, mneme_error *error);

#endif
