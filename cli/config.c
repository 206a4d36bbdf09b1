/*
 * config.c - the command `config show`.
 */
#include "commands.h"

static const char *setting_name(struct cli *cli, int setting) {
    const struct setting_spec *spec = &setting_specs[setting];
    return pool_format(&cli->pool, "%s.%s", spec->section, spec->key);
}

static void print_setting_json(struct cli *cli, int setting) {
    const char *value = cli->settings.values[setting];
    struct json_line line = line_begin(cli->out.stream);
    line_add_text(&line, "name", setting_name(cli, setting));
    line_add_text(&line, "value", value != NULL ? value : "");
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
            mneme_text_of(cli->settings.values[i]),
            mneme_text_of(option_given(cli, "origin") ? cli->settings.origins[i] : ""),
        };
        table_add(&table, cells);
    }
    if (!cli->json)
        table_print(&table, cli->out.stream, SIZE_MAX, cli->color);
    return 0;
}

static const char *const examples[] = {"mneme config show --origin", NULL};
static const struct option options[] = {
    OPTION_SWITCH("origin", "also print where each value comes from"),
    OPTION_END,
};
const struct command config_show_command = {
    .name = "config show",
    .summary = "print every setting",
    .details = "Options of the command line come before environment variables (MNEME_STORE, "
               "MNEME_DURABILITY, MNEME_COMPRESSION, MNEME_COMPRESSION_LEVEL, "
               "MNEME_BATCH_OPERATIONS, MNEME_BATCH_INTERVAL_MS, NO_COLOR), these before the "
               "user's file $XDG_CONFIG_HOME/mneme/config.ini (as a rule "
               "~/.config/mneme/config.ini), then /etc/xdg/mneme/config.ini. A file looks like\n"
               "\n"
               "  [store]\n"
               "  url = /data/memory.mdb\n"
               "  durability = batch\n"
               "\n"
               "  [output]\n"
               "  color = never",
    .examples = examples,
    .options = options,
    .run = run_config_show,
};
