/*
 * config.c - the commands `config show` and `config doc`.
 */
#include "commands.h"
#include "settings_doc.h"

static const char *setting_name(struct cli *cli, int setting) {
    const struct setting_spec *spec = &setting_specs[setting];
    return pool_format(&cli->pool, "%s.%s", spec->section, spec->key);
}

static void print_setting_json(struct cli *cli, int setting) {
    struct json_line line = line_begin(cli->out.stream);
    line_add_text(&line, "name", setting_name(cli, setting));
    line_add_text(&line, "value", settings_shown(&cli->settings, (enum setting)setting));
    line_add_text(&line, "origin", cli->settings.origins[setting]);
    line_add_text(&line, "environment", setting_specs[setting].environment);
    line_end(&line);
}

static int run_config_show(struct cli *cli) {
    static const char *const titles[] = {"SETTING", "VALUE", "ORIGIN", NULL};
    struct table table = table_begin(&cli->pool, titles);
    for (int i = 0; i < SETTING_COUNT; i++) {
        if (cli->json) {
            print_setting_json(cli, i);
            continue;
        }
        const mneme_text cells[] = {
            mneme_text_of(setting_name(cli, i)),
            mneme_text_of(settings_shown(&cli->settings, (enum setting)i)),
            mneme_text_of(option_given(cli, "origin") ? cli->settings.origins[i] : ""),
        };
        table_add(&table, cells);
    }
    if (!cli->json)
        table_print(&table, cli->out.stream, SIZE_MAX, cli->color);
    return 0;
}

static const char show_details[] =
    "A value comes from the first of these that has one: the option of the command line, the "
    "environment variable, the user's file $XDG_CONFIG_HOME/mneme/config.ini (as a rule "
    "~/.config/mneme/config.ini), the machine's /etc/xdg/mneme/config.ini, the default. A file "
    "looks like\n"
    "\n"
    "  [store]\n"
    "  url = /data/memory.mdb\n"
    "  durability = batch\n"
    "\n"
    "  [cache]\n"
    "  episodes_bytes = 256 MiB\n"
    "  queries = off\n"
    "\n"
    "  [remote]\n"
    "  token_file = /home/me/.config/mneme/token\n"
    "  timeout_ms = 10000\n"
    "\n"
    "  [sync]\n"
    "  url = libsql://memory-me.turso.io\n"
    "  only = domain=web, domain=databases\n"
    "\n"
    "Secrets come from the environment only, or from `token_file`, and are never printed.";

static const char *const show_examples[] = {"mneme config show --origin", NULL};
static const struct option show_options[] = {
    OPTION_SWITCH("origin", "also print where each value comes from"),
    OPTION_END,
};
const struct command config_show_command = {
    .name = "config show",
    .summary = "print every setting",
    .details = show_details,
    .examples = show_examples,
    .options = show_options,
    .lists_settings = true,
    .run = run_config_show,
};

/* ---- config doc -------------------------------------------------------------------------- */

static int run_config_doc(struct cli *cli) {
    settings_put_markdown(cli->out.stream, &cli->pool);
    return 0;
}

static const char *const doc_examples[] = {"mneme config doc > CONFIGURATION.md", NULL};
const struct command config_doc_command = {
    .name = "config doc",
    .summary = "print what each setting means, as Markdown",
    .examples = doc_examples,
    .without_settings = true,
    .run = run_config_doc,
};
