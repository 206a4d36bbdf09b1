/*
 * manual_text.c - see manual.h.
 */
#include "manual.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A minus sign, not a hyphen, so that what is copied from the page can be pasted into a shell. */
static const char *escape_of(char c) {
    switch (c) {
    case '\\':
        return "\\e";
    case '-':
        return "\\-";
    case '\'':
        return "\\(aq";
    case '^':
        return "\\(ha";
    case '~':
        return "\\(ti";
    default:
        return NULL;
    }
}

/* Returns whether the text ended in bold. At the start of a line, '.' would be a macro. */
static bool put_bytes(FILE *out, mneme_text text, bool marks, bool bold) {
    for (size_t i = 0; i < text.size; i++) {
        const char *escape = escape_of(text.data[i]);
        if (i == 0 && text.data[i] == '.')
            fputs("\\&", out);
        if (escape != NULL) {
            fputs(escape, out);
        } else if (marks && text.data[i] == '`') {
            bold = !bold;
            fputs(bold ? "\\fB" : "\\fR", out);
        } else {
            fputc(text.data[i], out);
        }
    }
    return bold;
}

void manual_put_text(FILE *out, const char *text) {
    if (put_bytes(out, mneme_text_of(text), true, false))
        fputs("\\fR", out);
}

/* What surrounds the next line: nothing yet, a paragraph, or lines that are kept as they are. */
enum block { BLOCK_NONE, BLOCK_TEXT, BLOCK_LITERAL };

static void change_block(FILE *out, enum block from, enum block to, bool apart) {
    if (from == BLOCK_LITERAL && to != BLOCK_LITERAL)
        fputs(".EE\n.RE\n", out);
    if (from != BLOCK_NONE && to == BLOCK_TEXT && (apart || from == BLOCK_LITERAL))
        fputs(".PP\n", out);
    if (from != BLOCK_LITERAL && to == BLOCK_LITERAL)
        fputs(from == BLOCK_NONE ? ".RS 4\n.EX\n" : ".PP\n.RS 4\n.EX\n", out);
}

void manual_put_paragraphs(FILE *out, const char *text) {
    enum block block = BLOCK_NONE;
    bool apart = false, bold = false;
    while (*text != '\0') {
        size_t size = strcspn(text, "\n");
        const char *next = text + size + (text[size] == '\n');
        enum block to = text[0] == ' ' ? BLOCK_LITERAL : BLOCK_TEXT;
        if (size == 0) {
            apart = true;
            text = next;
            continue;
        }
        change_block(out, block, to, apart);
        if (block == BLOCK_LITERAL && to == BLOCK_LITERAL && apart)
            fputc('\n', out);
        size_t margin = to == BLOCK_LITERAL && size > 2 && text[1] == ' ' ? 2 : 0;
        bold = put_bytes(out, (mneme_text){text + margin, size - margin}, to == BLOCK_TEXT, bold);
        fputc('\n', out);
        block = to;
        apart = false;
        text = next;
    }
    change_block(out, block, BLOCK_NONE, false);
}

void manual_put_literal(FILE *out, const char *text) {
    fputs(".RS 4\n.EX\n", out);
    while (*text != '\0') {
        size_t size = strcspn(text, "\n");
        put_bytes(out, (mneme_text){text, size}, false, false);
        fputc('\n', out);
        text += size + (text[size] == '\n');
    }
    fputs(".EE\n.RE\n", out);
}

/* $SOURCE_DATE_EPOCH, so that who builds packages gets the same bytes tomorrow. */
static time_t date_of_page(void) {
    const char *text = getenv("SOURCE_DATE_EPOCH");
    return text != NULL && isdigit((unsigned char)text[0]) ? (time_t)strtoll(text, NULL, 10)
                                                           : time(NULL);
}

void manual_put_title(FILE *out, const char *name, const char *section) {
    char date[16] = "1970-01-01";
    time_t now = date_of_page();
    struct tm parts;
    if (gmtime_r(&now, &parts) != NULL)
        strftime(date, sizeof date, "%Y-%m-%d", &parts);
    fputs(".\\\" Made by `mneme manual` from the tables of the program.\n.TH ", out);
    for (const char *c = name; *c != '\0'; c++)
        fputc(toupper((unsigned char)*c), out);
    fprintf(out, " %s %s \"mneme %s\" \"mneme manual\"\n", section, date, mneme_version_text());
    fputs(".nh\n.ad l\n", out); /* words such as partial_success neither break nor stretch */
}
