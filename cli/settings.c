/*
 * settings.c - see settings.h.
 */
#include "settings.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longest line of a configuration file that libinih reads whole (its INI_MAX_LINE less the
 * line's end); a longer one would be cut in two there without a word. */
enum { LINE_MAX_BYTES = 196, FILE_MAX_BYTES = 1 << 20 };

int settings_set(struct settings *settings, enum setting setting, const char *value,
                 const char *origin, const char *name, mneme_error *error) {
    int status = value_check(&setting_specs[setting].rule, name, value, error);
    if (status != 0)
        return status;
    settings->values[setting] = pool_copy(settings->pool, value, strlen(value));
    settings->origins[setting] = origin;
    return 0;
}

/* ---- Files ------------------------------------------------------------------------------- */

/* What the callbacks of libinih share while one text is read. */
struct parse {
    struct settings *settings;
    mneme_text rest;
    const char *path;
    int line;                /* the one read last */
    int seen[SETTING_COUNT]; /* line on which each setting stood, 0: not yet */
    int status;              /* the first error, kept in *error */
    mneme_error *error;
};

static int stop_parsing(struct parse *parse, int status) {
    parse->status = status;
    parse->rest.size = 0;
    return 0;
}

/* One line of the text, as fgets would give it. Refuses what libinih would misread silently. */
static char *read_line(char *line, int size, void *context) {
    struct parse *parse = context;
    mneme_text *rest = &parse->rest;
    if (rest->size == 0)
        return NULL;
    parse->line++;
    const char *feed = memchr(rest->data, '\n', rest->size);
    size_t length = feed != NULL ? (size_t)(feed - rest->data) + 1 : rest->size;
    if (length > LINE_MAX_BYTES || length >= (size_t)size) {
        stop_parsing(parse, fail_with(parse->error, MNEME_INVALID,
                                      "%s:%d: this line is longer than %d bytes", parse->path,
                                      parse->line, LINE_MAX_BYTES));
        return NULL;
    }
    if (memchr(rest->data, '\0', length) != NULL) {
        stop_parsing(parse, fail_with(parse->error, MNEME_INVALID,
                                      "%s:%d: this line has a NUL byte; the file must be text",
                                      parse->path, parse->line));
        return NULL;
    }
    memcpy(line, rest->data, length);
    line[length] = '\0';
    rest->data += length, rest->size -= length;
    return line;
}

static int find_setting(const char *section, const char *key) {
    for (int i = 0; i < SETTING_COUNT; i++)
        if (strcmp(setting_specs[i].section, section) == 0 &&
            strcmp(setting_specs[i].key, key) == 0)
            return i;
    return -1;
}

static bool is_section(const char *section) {
    for (int i = 0; i < SETTING_COUNT; i++)
        if (strcmp(setting_specs[i].section, section) == 0)
            return true;
    return false;
}

/* "[store], [cache] and [output]". */
static const char *list_sections(struct pool *pool, const char *last_word) {
    const char *list = "";
    for (const struct section_spec *s = section_specs; s->name != NULL; s++) {
        const char *before = s == section_specs ? "" : s[1].name != NULL ? ", " : last_word;
        list = pool_format(pool, "%s%s[%s]", list, before, s->name);
    }
    return list;
}

static int unknown_setting(struct parse *parse, const char *section, const char *key) {
    const char *path = parse->path;
    struct pool *pool = parse->settings->pool;
    int line = parse->line;
    if (section[0] == '\0')
        return fail_with(parse->error, MNEME_INVALID,
                         "%s:%d: '%.60s' stands before any section; put it below %s", path, line,
                         key, list_sections(pool, " or "));
    if (!is_section(section))
        return fail_with(parse->error, MNEME_INVALID, "%s:%d: no section [%.60s]; there are %s",
                         path, line, section, list_sections(pool, " and "));
    return fail_with(parse->error, MNEME_INVALID,
                     "%s:%d: [%s] has no setting '%.60s'; `mneme config show` lists all settings",
                     path, line, section, key);
}

static int secret_in_file(struct parse *parse, const char *key) {
    return fail_with(
        parse->error, MNEME_INVALID,
        "%s:%d: '%s' is a secret, and settings are read by many eyes; put a token into "
        "a file of mode 0600 and name that here: token_file = PATH",
        parse->path, parse->line, key);
}

/* libinih calls this for each "key = value"; 0 tells it that the line is bad. */
static int take_setting(void *context, const char *section, const char *key, const char *value) {
    struct parse *parse = context;
    int setting = find_setting(section, key);
    if (setting < 0)
        return stop_parsing(parse, unknown_setting(parse, section, key));
    if (parse->seen[setting] != 0)
        return stop_parsing(parse, fail_with(parse->error, MNEME_INVALID,
                                             "%s:%d: '%s' stands on line %d already", parse->path,
                                             parse->line, key, parse->seen[setting]));
    if (setting_specs[setting].secret)
        return stop_parsing(parse, secret_in_file(parse, key));
    parse->seen[setting] = parse->line;
    struct pool *pool = parse->settings->pool;
    const char *where = pool_format(pool, "%s:%d", parse->path, parse->line);
    int status = settings_set(parse->settings, (enum setting)setting, value,
                              pool_format(pool, "file %s", where),
                              pool_format(pool, "%s: %s", where, key), parse->error);
    return status == 0 ? 1 : stop_parsing(parse, status);
}

int settings_parse(struct settings *settings, mneme_text text, const char *path,
                   mneme_error *error) {
    struct parse parse = {.settings = settings, .rest = text, .path = path, .error = error};
    int line = ini_parse_stream(read_line, &parse, take_setting, &parse);
    if (parse.status != 0)
        return parse.status;
    if (line > 0)
        return fail_with(error, MNEME_INVALID,
                         "%s:%d: expected [section], 'key = value' or a comment that begins with #",
                         path, line);
    return line == 0 ? 0 : fail_with(error, MNEME_FAILURE, "%s: cannot be parsed", path);
}

/* Reads the file if there is one. */
static int load_file(struct settings *settings, const char *path, mneme_error *error) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        if (errno == ENOENT || errno == ENOTDIR)
            return 0;
        return fail_with(error, MNEME_PERMISSION, "cannot read the settings in %s: %s", path,
                         strerror(errno));
    }
    char *text = pool_alloc(settings->pool, FILE_MAX_BYTES + 1, 1);
    size_t size = fread(text, 1, FILE_MAX_BYTES + 1, file);
    bool failed = ferror(file) != 0;
    int read_error = errno;
    fclose(file);
    if (failed)
        return fail_with(error, MNEME_IO, "cannot read the settings in %s: %s", path,
                         strerror(read_error));
    if (size > FILE_MAX_BYTES)
        return fail_with(error, MNEME_INVALID, "%s: larger than 1 MiB; is it the right file?",
                         path);
    return settings_parse(settings, (mneme_text){text, size}, path, error);
}

/* The directories are listed with the most important first, so they are read from the end. A
 * relative one is ignored, as the XDG base directory specification says. */
static int load_machine_files(struct settings *settings, mneme_error *error) {
    const char *list = getenv("XDG_CONFIG_DIRS");
    if (list == NULL || list[0] == '\0')
        list = "/etc/xdg";
    char *copy = pool_copy(settings->pool, list, strlen(list));
    for (char *last = copy; last != NULL;) {
        char *colon = strrchr(copy, ':');
        last = colon;
        const char *directory = colon != NULL ? colon + 1 : copy;
        if (directory[0] == '/') {
            const char *path = pool_format(settings->pool, "%s/mneme/config.ini", directory);
            int status = load_file(settings, path, error);
            if (status != 0)
                return status;
        }
        if (colon != NULL)
            *colon = '\0';
    }
    return 0;
}

static int load_user_file(struct settings *settings, mneme_error *error) {
    const char *directory = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    if (directory != NULL && directory[0] == '/')
        return load_file(settings, pool_format(settings->pool, "%s/mneme/config.ini", directory),
                         error);
    if (home != NULL && home[0] == '/')
        return load_file(settings, pool_format(settings->pool, "%s/.config/mneme/config.ini", home),
                         error);
    return 0;
}

/* ---- Defaults and environment ------------------------------------------------------------ */

static void load_defaults(struct settings *settings) {
    char *path = pool_alloc(settings->pool, 4096, 1);
    for (int i = 0; i < SETTING_COUNT; i++) {
        settings->values[i] = setting_specs[i].fallback;
        settings->origins[i] = "default";
    }
    /* Without HOME and XDG_DATA_HOME there is no default; only who needs a store minds. */
    if (mneme_default_store(path, 4096, NULL) == 0)
        settings->values[SETTING_STORE] = path;
}

/* An empty variable counts as not set. */
static const char *variable(const char *name) {
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* NO_COLOR means "never" whatever it holds
 * (no-color.org). */
static int load_environment(struct settings *settings, mneme_error *error) {
    for (int i = 0; i < SETTING_COUNT; i++) {
        const char *name = setting_specs[i].environment;
        const char *value = variable(name);
        if (value == NULL && setting_specs[i].other_environment != NULL) {
            name = setting_specs[i].other_environment;
            value = variable(name);
        }
        if (value == NULL)
            continue;
        const char *origin = pool_format(settings->pool, "environment %s", name);
        int status = settings_set(settings, (enum setting)i, i == SETTING_COLOR ? "never" : value,
                                  origin, name, error);
        if (status != 0)
            return status;
    }
    return 0;
}

/* ---- What must go together ---------------------------------------------------------------- */

static const char *name_of(const struct settings *settings, enum setting setting) {
    const struct setting_spec *spec = &setting_specs[setting];
    return pool_format(settings->pool, "%s.%s", spec->section, spec->key);
}

static int check_order(const struct settings *settings, enum setting low, enum setting high,
                       mneme_error *error) {
    const char *const *values = settings->values, *const *origins = settings->origins;
    if (value_whole(values[low]) <= value_whole(values[high]))
        return 0;
    return fail_with(error, MNEME_INVALID, "%s, %s (%s), must not be more than %s, %s (%s)",
                     name_of(settings, low), values[low], origins[low], name_of(settings, high),
                     values[high], origins[high]);
}

/* Each value has been checked by itself. The library would take two zero weights for the default,
 * and refuse the times without knowing which settings they are. */
static int check_together(const struct settings *settings, mneme_error *error) {
    if (value_real(settings->values[SETTING_CACHE_ACCESS_WEIGHT]) == 0 &&
        value_real(settings->values[SETTING_CACHE_RECENCY_WEIGHT]) == 0)
        return fail_with(error, MNEME_INVALID, "%s and %s are both 0; one of them must be more",
                         name_of(settings, SETTING_CACHE_ACCESS_WEIGHT),
                         name_of(settings, SETTING_CACHE_RECENCY_WEIGHT));
    int status = check_order(settings, SETTING_POOL_MIN, SETTING_POOL_MAX, error);
    if (status == 0)
        status = check_order(settings, SETTING_SYNC_POLL_MS, SETTING_SYNC_POLL_MAX_MS, error);
    if (status != 0)
        return status;
    for (int id = 0; id < MNEME_CACHE_COUNT; id++) {
        enum setting ttl = SETTING_OF_CACHE(id, CACHE_TTL_S);
        status = check_order(settings, SETTING_OF_CACHE(id, CACHE_TTL_MIN_S), ttl, error);
        if (status == 0)
            status = check_order(settings, ttl, SETTING_OF_CACHE(id, CACHE_TTL_MAX_S), error);
        if (status != 0)
            return status;
    }
    return 0;
}

/* A user name, password or query in a URL is refused when it is opened; until then it is not shown.
 */
const char *settings_shown(const struct settings *settings, enum setting setting) {
    const char *value = settings->values[setting];
    if (value == NULL || value[0] == '\0')
        return "";
    if (setting_specs[setting].secret)
        return "***";
    const char *rest = strstr(value, "://");
    if (rest == NULL || strpbrk(rest, "@?") == NULL)
        return value;
    return pool_format(settings->pool, "%.*s://***", (int)(rest - value), value);
}

int settings_load(struct settings *settings, struct pool *pool, mneme_error *error) {
    *settings = (struct settings){.pool = pool};
    load_defaults(settings);
    int status = load_machine_files(settings, error);
    if (status == 0)
        status = load_user_file(settings, error);
    if (status == 0)
        status = load_environment(settings, error);
    if (status == 0)
        status = check_together(settings, error);
    return status;
}
