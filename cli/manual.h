/*
 * manual.h - text as the macros of man(7) want it.
 */
#ifndef MNEME_CLI_MANUAL_H
#define MNEME_CLI_MANUAL_H

#include <stdio.h>

#include "mneme/mneme.h"

/* Print the text so that man shows it as it stands; words in `backticks` come out bold. */
void manual_put_text(FILE *out, const char *text);
/* The same for paragraphs: an empty line begins a new one, indented lines stay as they are. */
void manual_put_paragraphs(FILE *out, const char *text);
/* Lines that stay as they are. */
void manual_put_literal(FILE *out, const char *text);
/* ".TH": the name in capitals, the section, today or $SOURCE_DATE_EPOCH, the version. */
void manual_put_title(FILE *out, const char *name, const char *section);

#endif
