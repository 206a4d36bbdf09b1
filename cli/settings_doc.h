/*
 * settings_doc.h - the table of settings in words: for help, CONFIGURATION.md and the man page.
 */
#ifndef MNEME_CLI_SETTINGS_DOC_H
#define MNEME_CLI_SETTINGS_DOC_H

#include <stdio.h>

#include "settings.h"

/* What a value is measured in, by its type and the end of its name: "milliseconds"; "" for none. */
const char *setting_unit(const struct setting_spec *spec);
/* What it takes: "1 to 65536", "64 KiB to 1 TiB", "sync, batch or relaxed", "a path". */
const char *setting_takes(struct pool *pool, const struct setting_spec *spec);
/* Its default as a user would write it; "" for none. */
const char *setting_default(const struct setting_spec *spec);
/* All of that in a sentence or two, without the sentence of its meaning. */
const char *setting_facts(struct pool *pool, const struct setting_spec *spec);
/* Where else it may be set: "MNEME_TOKEN or TURSO_AUTH_TOKEN". */
const char *setting_variables(struct pool *pool, const struct setting_spec *spec);

/* Every setting on a page of 80 columns, by section. */
void settings_put_help(FILE *out, struct pool *pool);
/* CONFIGURATION.md. */
void settings_put_markdown(FILE *out, struct pool *pool);
/* The settings as sections of a page for man, macros of man(7). */
void settings_put_manual(FILE *out, struct pool *pool);

#endif
