/*
 * config.c - the command `config show`.
 */
#include "commands.h"

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

static const char details[] =
    "Options of the command line (--store, --remote, --token-file, --log, --no-cache, --no-color) "
    "come before environment "
    "variables, these before the user's file $XDG_CONFIG_HOME/mneme/config.ini (as a rule "
    "~/.config/mneme/config.ini), then /etc/xdg/mneme/config.ini. A file looks like\n"
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
    "  [log]\n"
    "  level = warn, sync=debug\n"
    "  format = json\n"
    "\n"
    "  [output]\n"
    "  color = never\n"
    "\n"
    "The variable of a setting of [store] is MNEME_ and its key: MNEME_DURABILITY; of [cache] "
    "MNEME_CACHE_ and its key: MNEME_CACHE_EPISODES_BYTES; of [remote] "
    "MNEME_REMOTE_ and its key, of [sqlite] MNEME_SQLITE_ and its key, of [sync] MNEME_SYNC_ and "
    "its key. Some are shorter: "
    "MNEME_STORE is store.url, MNEME_CACHE is cache.enabled, MNEME_REMOTE is sync.url, "
    "MNEME_TOKEN_FILE is "
    "remote.token_file, MNEME_LOG is log.level, MNEME_LOG_FORMAT is log.format, and NO_COLOR sets "
    "output.color to never. --json prints the variable of "
    "each.\n"
    "\n"
    "Settings of the caches: `enabled` is on, or off for none of them. Each of `episodes` (with "
    "steps and checkpoints), `patterns` (with heuristics, relations and embeddings) and `queries` "
    "(what listings found) is on or off by itself, and has NAME_bytes and NAME_entries, its "
    "limits, and NAME_ttl_s, the seconds that an entry lives at first. That grows with reads and "
    "shrinks without them, between NAME_ttl_min_s and NAME_ttl_max_s; access_weight and "
    "recency_weight, 0 to 1, say how much it counts how often, and how lately, an entry was "
    "read. `fill_by_writes` is on, or off to keep only what was read.\n"
    "\n"
    "Stores behind a server: the token comes from MNEME_TOKEN, else TURSO_AUTH_TOKEN, else the "
    "file "
    "`token_file`, of mode 0600; MNEME_BASIC has \"user:password\" for a server that wants those. "
    "A "
    "secret is never taken from an option or from this file, and never printed. `replica_url`: "
    "reads go there. `namespace`: of a server with several. `encoding`: auto, json, protobuf. "
    "`streams`: off so that the server keeps nothing open between reads. "
    "`allow_plain_http`: on for http:// to other machines. `ca_file`: certificates to trust. "
    "`pool_min`, `pool_max`, `pool_idle_ms`, `pool_age_ms`: connections that are kept. "
    "`acquire_ms`, `connect_ms`, `stall_ms`, `timeout_ms`: how long to wait for a free connection, "
    "a new one, the next byte, and all of it. `attempts`: of a request. `breaker_failures`: after "
    "so many in a row requests fail at once, for `breaker_open_ms` and then longer. `refresh_ms`: "
    "how often the server is asked what others wrote.\n"
    "\n"
    "Stores of file: URLs: `connections` that are kept open, `statements` that each keeps "
    "prepared, "
    "and `busy_ms`, how long to wait for other writers.\n"
    "\n"
    "Sync: `url` is the remote of a store that is a plain path; how it is reached is set in "
    "[remote]. `name`: of this machine, for people. `only`: share records with these attributes, "
    "NAME=VALUE with commas between them; of values of one name one must fit. `poll_ms` to "
    "`poll_max_ms`: pauses between looks at the remote. `push_max`: records a request. "
    "`gather_ms`: how long a write waits for others to go with it. `keep_days`: how long deletes "
    "are remembered. `lease_ms`: after which a process that died is no longer waited for.";

static const char *const examples[] = {"mneme config show --origin", NULL};
static const struct option options[] = {
    OPTION_SWITCH("origin", "also print where each value comes from"),
    OPTION_END,
};
const struct command config_show_command = {
    .name = "config show",
    .summary = "print every setting",
    .details = details,
    .examples = examples,
    .options = options,
    .run = run_config_show,
};
