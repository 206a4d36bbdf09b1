/*
 * settings_doc.c - see settings_doc.h.
 */
#include "settings_doc.h"

#include <string.h>

#include "display.h"
#include "manual.h"

/* ---- The facts of one setting ------------------------------------------------------------ */

static bool ends_with(const char *text, const char *end) {
    size_t size = strlen(text), end_size = strlen(end);
    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

const char *setting_unit(const struct setting_spec *spec) {
    static const struct {
        const char *end, *unit;
    } units[] = {{"_ms", "milliseconds"},
                 {"_us", "microseconds"},
                 {"_s", "seconds"},
                 {"_days", "days"},
                 {"_bytes", "bytes"}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (ends_with(spec->key, units[i].end))
            return units[i].unit;
    return spec->rule.type == VALUE_BYTES ? "bytes" : "";
}

/* "a, b or c". */
static const char *list_choices(struct pool *pool, const char *choices) {
    const char *list = "";
    mneme_text choice;
    while (value_next_choice(&choices, &choice)) {
        const char *comma = list[0] == '\0' ? "" : choices[0] == '\0' ? " or " : ", ";
        list = pool_format(pool, "%s%s%.*s", list, comma, (int)choice.size, choice.data);
    }
    return list;
}

const char *setting_takes(struct pool *pool, const struct setting_spec *spec) {
    const struct value_rule *rule = &spec->rule;
    char least[VALUE_SIZE_TEXT], most[VALUE_SIZE_TEXT];
    switch (rule->type) {
    case VALUE_WHOLE:
    case VALUE_REAL:
        return pool_format(pool, "%lld to %lld", (long long)rule->min, (long long)rule->max);
    case VALUE_BYTES:
        value_put_size(rule->min, least);
        value_put_size(rule->max, most);
        return pool_format(pool, "%s to %s", least, most);
    case VALUE_CHOICE:
        return list_choices(pool, rule->choices);
    case VALUE_FILE:
        return "a path";
    case VALUE_TEXT:
    case VALUE_NONE:
    case VALUE_ID:
    case VALUE_TIME:
    case VALUE_PAIR:
    default:
        return "text";
    }
}

const char *setting_default(const struct setting_spec *spec) {
    if (spec == &setting_specs[SETTING_STORE])
        return "~/.local/share/mneme/memory.mdb";
    return spec->fallback != NULL ? spec->fallback : "";
}

const char *setting_variables(struct pool *pool, const struct setting_spec *spec) {
    if (spec->other_environment == NULL)
        return spec->environment;
    return pool_format(pool, "%s or %s", spec->environment, spec->other_environment);
}

const char *setting_facts(struct pool *pool, const struct setting_spec *spec) {
    const char *fallback = setting_default(spec), *unit = setting_unit(spec);
    return pool_format(pool, "%s%s%s; %s%s", setting_takes(pool, spec), unit[0] != '\0' ? " " : "",
                       spec->rule.type == VALUE_BYTES ? "" : unit,
                       fallback[0] != '\0' ? "default " : "no default", fallback);
}

/* The section of row i, if that row is the first of it. */
static const struct section_spec *section_begun(int i) {
    const char *name = setting_specs[i].section;
    if (i > 0 && strcmp(setting_specs[i - 1].section, name) == 0)
        return NULL;
    const struct section_spec *section = section_specs;
    while (section->name != NULL && strcmp(section->name, name) != 0)
        section++;
    return section;
}

/* ---- Help -------------------------------------------------------------------------------- */

enum { WIDTH = 80, TEXT_COLUMN = 6 };

void settings_put_help(FILE *out, struct pool *pool) {
    for (int i = 0; i < SETTING_COUNT; i++) {
        const struct setting_spec *spec = &setting_specs[i];
        if (section_begun(i) != NULL)
            fprintf(out, "%s[%s]\n", i > 0 ? "\n" : "", spec->section);
        fprintf(out, "  %s   %s%s%s\n%*s", spec->key, setting_variables(pool, spec),
                spec->option != NULL ? ", " : "", spec->option != NULL ? spec->option : "",
                TEXT_COLUMN, "");
        const char *text = pool_format(pool, "%s (%s)", spec->says, setting_facts(pool, spec));
        display_put_lines(out, mneme_text_of(text), TEXT_COLUMN, WIDTH, 0);
    }
}

/* ---- CONFIGURATION.md -------------------------------------------------------------------- */

static const char markdown_begin[] =
    "# Configuration\n"
    "\n"
    "<!-- Made from cli/settings_table.c. Change that, then run\n"
    "     build/release/mneme config doc > CONFIGURATION.md -->\n"
    "\n"
    "Every setting of the program `mneme`. All have a default. A value comes from the first of\n"
    "these that has one:\n"
    "\n"
    "1. the option of the command line\n"
    "2. the environment variable; an empty one counts as not set\n"
    "3. your file, `$XDG_CONFIG_HOME/mneme/config.ini`, as a rule `~/.config/mneme/config.ini`\n"
    "4. the machine's file, `mneme/config.ini` in `$XDG_CONFIG_DIRS`, as a rule\n"
    "   `/etc/xdg/mneme/config.ini`\n"
    "5. the default\n"
    "\n"
    "`mneme config show --origin` prints the value of each, and where it comes from. A wrong "
    "value\n"
    "is an error that names the file and line, or the variable. A file has sections, keys, and\n"
    "comments that begin with `#`:\n"
    "\n"
    "    [store]\n"
    "    durability = batch\n"
    "\n"
    "    [cache]\n"
    "    episodes_bytes = 256 MiB\n"
    "\n"
    "Sizes take `K`, `M`, `G` and `T`, powers of 1024, with or without `iB`. Secrets (`token`,\n"
    "`basic`) come from the environment only, never from such a file or an option.\n"
    "\n"
    "The library reads no file, and no variable but `MNEME_STORE`, for `mneme_default_store`, and\n"
    "`MNEME_LOG` and `MNEME_LOG_FORMAT`. A program sets the same in `mneme_options`\n"
    "(`include/mneme/mneme.h`).\n";

/* A bar would end the cell of a table. */
static void put_cell(FILE *out, const char *text, bool code) {
    const char *mark = code && text[0] != '\0' ? "`" : "";
    fprintf(out, " %s", mark);
    for (; *text != '\0'; text++)
        fprintf(out, *text == '|' ? "\\%c" : "%c", *text);
    fprintf(out, "%s |", mark);
}

static void put_markdown_row(FILE *out, struct pool *pool, const struct setting_spec *spec) {
    bool choice = spec->rule.type == VALUE_CHOICE;
    const char *option = spec->option != NULL ? spec->option : "";
    fputc('|', out);
    put_cell(out, spec->key, true);
    put_cell(out, setting_default(spec), true);
    put_cell(out, choice ? "" : setting_unit(spec), false);
    put_cell(out, setting_takes(pool, spec), false);
    fprintf(out, " `%s`", spec->environment);
    if (spec->other_environment != NULL)
        fprintf(out, ", `%s`", spec->other_environment);
    fprintf(out, "%s%s%s |", option[0] != '\0' ? ", `" : "", option, option[0] != '\0' ? "`" : "");
    put_cell(out, spec->says, false);
    fputc('\n', out);
}

void settings_put_markdown(FILE *out, struct pool *pool) {
    fputs(markdown_begin, out);
    for (int i = 0; i < SETTING_COUNT; i++) {
        const struct section_spec *section = section_begun(i);
        if (section != NULL)
            fprintf(out,
                    "\n## [%s]\n\n%s\n\n"
                    "| key | default | unit | takes | variable, option | meaning |\n"
                    "|---|---|---|---|---|---|\n",
                    setting_specs[i].section, section->says != NULL ? section->says : "");
        put_markdown_row(out, pool, &setting_specs[i]);
    }
}

/* ---- The page for man -------------------------------------------------------------------- */

void settings_put_manual(FILE *out, struct pool *pool) {
    for (int i = 0; i < SETTING_COUNT; i++) {
        const struct setting_spec *spec = &setting_specs[i];
        const struct section_spec *section = section_begun(i);
        if (section != NULL) {
            fprintf(out, ".SH [%s]\n", spec->section);
            manual_put_text(out, section->says != NULL ? section->says : "");
            fputc('\n', out);
        }
        fprintf(out, ".TP\n.BR %s \"  (%s%s", spec->key, setting_variables(pool, spec),
                spec->option != NULL ? ", " : "");
        manual_put_text(out, spec->option != NULL ? spec->option : "");
        fputs(")\"\n", out);
        manual_put_text(out, pool_format(pool, "%s\n(%s)", spec->says, setting_facts(pool, spec)));
        fputc('\n', out);
    }
}
