/*
 * session.c - the store that a command works on: opening it, writing as configured, finding ids.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli.h"

/* ---- Opening ----------------------------------------------------------------------------- */

int cli_store_url(struct cli *cli, const char **url) {
    *url = cli->settings.values[SETTING_STORE];
    if (*url != NULL)
        return 0;
    return fail_with(&cli->error, MNEME_NOT_FOUND,
                     "no place for a store: neither HOME nor XDG_DATA_HOME is set; name one with "
                     "--store PATH");
}

uint32_t setting_number(const struct cli *cli, enum setting setting) {
    return (uint32_t)value_whole(cli->settings.values[setting]);
}

static bool setting_is_on(const struct cli *cli, enum setting setting) {
    return strcmp(cli->settings.values[setting], "on") == 0;
}

static mneme_cache_limits cache_limits(const struct cli *cli, int id) {
    const char *bytes = cli->settings.values[SETTING_OF_CACHE(id, CACHE_BYTES)];
    return (mneme_cache_limits){
        .off = !setting_is_on(cli, SETTING_OF_CACHE(id, CACHE_USED)),
        .bytes = (uint64_t)value_bytes(bytes),
        .entries = setting_number(cli, SETTING_OF_CACHE(id, CACHE_ENTRIES)),
        .ttl_s = setting_number(cli, SETTING_OF_CACHE(id, CACHE_TTL_S)),
        .ttl_min_s = setting_number(cli, SETTING_OF_CACHE(id, CACHE_TTL_MIN_S)),
        .ttl_max_s = setting_number(cli, SETTING_OF_CACHE(id, CACHE_TTL_MAX_S)),
    };
}

static mneme_cache_options cache_options(const struct cli *cli) {
    mneme_cache_options options = {
        .off = !setting_is_on(cli, SETTING_CACHE),
        .no_fill_by_writes = !setting_is_on(cli, SETTING_CACHE_FILL_BY_WRITES),
        .access_weight = value_real(cli->settings.values[SETTING_CACHE_ACCESS_WEIGHT]),
        .recency_weight = value_real(cli->settings.values[SETTING_CACHE_RECENCY_WEIGHT]),
    };
    for (int id = 0; id < MNEME_CACHE_COUNT; id++)
        options.limits[id] = cache_limits(cli, id);
    return options;
}

const char *setting_text(const struct cli *cli, enum setting setting) {
    const char *value = cli->settings.values[setting];
    return value[0] != '\0' ? value : NULL;
}

bool url_is_of_a_server(const char *url) {
    return strstr(url, "://") != NULL && strncasecmp(url, "file:", 5) != 0;
}

/* A token, a file of one, or a user and a password: the first of these that there is, but for a
 * file that was named as an option, which comes before all. */
static void set_secret(const struct cli *cli, mneme_remote_options *options) {
    const char *token = setting_text(cli, SETTING_TOKEN);
    const char *file = setting_text(cli, SETTING_TOKEN_FILE);
    if (file != NULL && (token == NULL || option_given(cli, "token-file")))
        options->token_file = file;
    else if (token != NULL)
        options->token = token;
    else
        options->basic = setting_text(cli, SETTING_BASIC);
}

static mneme_remote_options remote_options(const struct cli *cli, const char *url,
                                           const char *sync_url) {
    const char *encoding = cli->settings.values[SETTING_ENCODING];
    mneme_remote_options options = {
        .replica_url = setting_text(cli, SETTING_REPLICA_URL),
        .name_space = setting_text(cli, SETTING_NAMESPACE),
        /* The choices are in the order of the enumeration. */
        .encoding =
            (mneme_encoding)value_choice(setting_specs[SETTING_ENCODING].rule.choices, encoding),
        .no_streams = !setting_is_on(cli, SETTING_STREAMS),
        .allow_plain_http = setting_is_on(cli, SETTING_PLAIN_HTTP),
        .ca_file = setting_text(cli, SETTING_CA_FILE),
        .pool_min = setting_number(cli, SETTING_POOL_MIN),
        .pool_max = setting_number(cli, SETTING_POOL_MAX),
        .pool_idle_ms = setting_number(cli, SETTING_POOL_IDLE_MS),
        .pool_age_ms = setting_number(cli, SETTING_POOL_AGE_MS),
        .acquire_ms = setting_number(cli, SETTING_ACQUIRE_MS),
        .connect_ms = setting_number(cli, SETTING_CONNECT_MS),
        .timeout_ms = setting_number(cli, SETTING_TIMEOUT_MS),
        .stall_ms = setting_number(cli, SETTING_STALL_MS),
        .attempts = setting_number(cli, SETTING_ATTEMPTS),
        .breaker_failures = setting_number(cli, SETTING_BREAKER_FAILURES),
        .breaker_open_ms = setting_number(cli, SETTING_BREAKER_OPEN_MS),
        .refresh_ms = setting_number(cli, SETTING_REFRESH_MS),
        .connections = setting_number(cli, SETTING_SQLITE_CONNECTIONS),
        .statements = setting_number(cli, SETTING_SQLITE_STATEMENTS),
        .busy_ms = setting_number(cli, SETTING_SQLITE_BUSY_MS),
    };
    if (url_is_of_a_server(url) || (sync_url != NULL && url_is_of_a_server(sync_url)))
        set_secret(cli, &options);
    return options;
}

mneme_options cli_options(struct cli *cli, const char *url, enum open_mode mode) {
    mneme_sync_options sync = sync_options(cli, url);
    bool is_short = url_is_of_a_server(url) && !cli->command->is_long;
    static const mneme_compression algorithms[] = {MNEME_COMPRESS_DEFAULT, MNEME_COMPRESS_ZSTD,
                                                   MNEME_COMPRESS_LZ4, MNEME_COMPRESS_GZIP,
                                                   MNEME_COMPRESS_NONE};
    const char *choices = setting_specs[SETTING_COMPRESSION].rule.choices;
    int algorithm = value_choice(choices, cli->settings.values[SETTING_COMPRESSION]);
    mneme_options options = {
        .size = sizeof(mneme_options),
        .must_exist = mode != OPEN_OR_CREATE,
        .read_only = mode == OPEN_TO_READ,
        .compression = algorithms[algorithm],
        .compression_level = (int)setting_number(cli, SETTING_COMPRESSION_LEVEL),
        .batch_operations = setting_number(cli, SETTING_BATCH_OPERATIONS),
        .batch_interval_ms = setting_number(cli, SETTING_BATCH_INTERVAL_MS),
        .cache = cache_options(cli),
        .remote = remote_options(cli, url, sync.url),
        .sync = sync,
        .no_metrics =
            (cli->command->observes && !cli->measured) || !setting_is_on(cli, SETTING_METRICS),
        .slow_us = (uint64_t)setting_number(cli, SETTING_SLOW_MS) * 1000,
    };
    options.cache.off = options.cache.off || is_short;
    if (is_short && options.remote.encoding == MNEME_ENCODING_AUTO)
        options.remote.encoding = MNEME_ENCODING_JSON;
    return options;
}

int missing_store(struct cli *cli, const char *url) {
    return fail_with(&cli->error, MNEME_NOT_FOUND,
                     "no store at %s; make one with `mneme init`, or point --store at it", url);
}

/* Of a server the library says what is missing: the database, or the tables. */
int cli_open_url(struct cli *cli, const char *url, enum open_mode mode) {
    mneme_options options = cli_options(cli, url, mode);
    int status = mneme_open(url, &options, &cli->store, &cli->error);
    bool missing = status == MNEME_NOT_FOUND && options.must_exist;
    return missing && !url_is_of_a_server(url) ? missing_store(cli, url) : status;
}

int cli_open(struct cli *cli, enum open_mode mode) {
    const char *url;
    int status = cli_store_url(cli, &url);
    return status == 0 ? cli_open_url(cli, url, mode) : status;
}

/* ---- Writing ----------------------------------------------------------------------------- */

struct mneme_write cli_write(const struct cli *cli, mneme_ticket *ticket) {
    static const mneme_durability modes[] = {MNEME_SYNC, MNEME_BATCH, MNEME_RELAXED};
    const char *choices = setting_specs[SETTING_DURABILITY].rule.choices;
    int mode = value_choice(choices, cli->settings.values[SETTING_DURABILITY]);
    return (struct mneme_write){
        .durability = modes[mode],
        .ticket = modes[mode] == MNEME_BATCH ? ticket : NULL,
        .local_only = option_given(cli, "local-only"),
    };
}

int cli_settle(struct cli *cli, const struct mneme_write *write) {
    if (write->durability != MNEME_BATCH)
        return 0;
    return mneme_ticket_wait(cli->store, *write->ticket, -1, &cli->error);
}

/* ---- Ids --------------------------------------------------------------------------------- */

enum { PREFIX_MIN_DIGITS = 8, CANDIDATES_MAX = 6, ID_DIGITS = 32 };

const char *id_text(struct cli *cli, const mneme_id *id) {
    char text[MNEME_ID_TEXT_SIZE];
    mneme_id_format(id, text);
    return pool_copy(&cli->pool, text, sizeof text - 1);
}

void print_id(struct cli *cli, const mneme_id *id) {
    if (!cli->json) {
        fprintf(cli->out.stream, "%s\n", id_text(cli, id));
        return;
    }
    struct json_line line = line_begin(cli->out.stream);
    line_add_id(&line, "id", id);
    line_end(&line);
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The hex digits of `text`, two a byte, into `bytes`; an odd last one is the upper half of its
 * byte. False: something else than up to 32 digits and dashes. */
static bool parse_digits(const char *text, uint8_t bytes[16], size_t *digits) {
    *digits = 0;
    memset(bytes, 0, 16);
    for (; *text != '\0'; text++) {
        int digit = hex_digit(*text);
        if (*text == '-')
            continue;
        if (digit < 0 || *digits == ID_DIGITS)
            return false;
        bytes[*digits / 2] |= (uint8_t)(*digits % 2 == 0 ? digit << 4 : digit);
        ++*digits;
    }
    return true;
}

/* The ids that were found to begin with a prefix: enough to tell that it is ambiguous. */
struct candidates {
    mneme_id ids[CANDIDATES_MAX];
    size_t count;
};

static int collect(struct cli *cli, mneme_kind kind, const uint8_t *prefix, size_t size,
                   struct candidates *found) {
    const mneme_page *page;
    mneme_query query = {.kind = kind,
                         .id_prefix = prefix,
                         .id_prefix_size = size,
                         .limit = CANDIDATES_MAX - found->count};
    int status = mneme_list(cli->store, &query, &page, &cli->error);
    if (status != 0)
        return status;
    for (size_t i = 0; i < page->count && found->count < CANDIDATES_MAX; i++)
        found->ids[found->count++] = page->records[i]->id;
    mneme_page_release(cli->store, page);
    return 0;
}

/* The store looks up whole bytes, so half a byte is looked up as the sixteen it may become. */
static int collect_digits(struct cli *cli, mneme_kind kind, const uint8_t bytes[16], size_t digits,
                          struct candidates *found) {
    uint8_t prefix[16];
    int status = 0;
    if (digits % 2 == 0)
        return collect(cli, kind, bytes, digits / 2, found);
    memcpy(prefix, bytes, sizeof prefix);
    for (unsigned low = 0; low < 16 && status == 0 && found->count < CANDIDATES_MAX; low++) {
        prefix[digits / 2] = (uint8_t)(bytes[digits / 2] | low);
        status = collect(cli, kind, prefix, digits / 2 + 1, found);
    }
    return status;
}

static int ambiguous_id(struct cli *cli, mneme_kind kind, const char *text,
                        const struct candidates *found) {
    const char *list = "";
    size_t named = found->count < CANDIDATES_MAX ? found->count : CANDIDATES_MAX - 1;
    for (size_t i = 0; i < named; i++)
        list = pool_format(&cli->pool, "%s%s%s", list, i > 0 ? ", " : "",
                           id_text(cli, &found->ids[i]));
    return fail_with(&cli->error, MNEME_CONFLICT,
                     "several %ss begin with '%s'; give more digits: %s%s", mneme_kind_name(kind),
                     text, list, named < found->count ? ", …" : "");
}

int cli_resolve_id(struct cli *cli, mneme_kind kind, const char *text, mneme_id *id) {
    uint8_t bytes[16];
    size_t digits;
    struct candidates found = {.count = 0};
    if (mneme_id_parse(mneme_text_of(text), id, NULL) == 0)
        return 0;
    if (!parse_digits(text, bytes, &digits) || digits < PREFIX_MIN_DIGITS)
        return fail_with(&cli->error, MNEME_INVALID,
                         "'%.60s' is not an id; expected one like "
                         "01890a5d-ac96-774b-bcce-b302099a8057, or at least its first %d digits",
                         text, PREFIX_MIN_DIGITS);
    int status = collect_digits(cli, kind, bytes, digits, &found);
    if (status != 0)
        return status;
    if (found.count == 0)
        return fail_with(&cli->error, MNEME_NOT_FOUND, "no %s has an id that begins with '%s'",
                         mneme_kind_name(kind), text);
    if (found.count > 1)
        return ambiguous_id(cli, kind, text, &found);
    *id = found.ids[0];
    return 0;
}

int cli_acquire(struct cli *cli, mneme_kind kind, const char *text, const mneme_record **record) {
    mneme_id id;
    int status = cli_resolve_id(cli, kind, text, &id);
    if (status != 0)
        return status;
    return mneme_acquire(cli->store, kind, &id, record, &cli->error);
}

/* ---- Files and messages ------------------------------------------------------------------ */

static FILE *open_input(const char *path) {
    return strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
}

/* Reads to the end or to max_bytes + 1, whichever is first; the block is the caller's. */
static char *read_stream(FILE *file, size_t max_bytes, size_t *size) {
    size_t capacity = 1 << 16;
    char *text = malloc(capacity);
    *size = 0;
    while (text != NULL) {
        *size += fread(text + *size, 1, capacity - *size, file);
        if (*size < capacity || *size > max_bytes)
            break;
        capacity *= 2;
        char *grown = realloc(text, capacity);
        if (grown == NULL)
            free(text);
        text = grown;
    }
    return text;
}

int cli_read_file(struct cli *cli, const char *path, size_t max_bytes, mneme_text *text) {
    const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
    FILE *file = open_input(path);
    if (file == NULL)
        return fail_with(&cli->error, errno == ENOENT ? MNEME_NOT_FOUND : MNEME_PERMISSION,
                         "cannot read %s: %s", name, strerror(errno));
    size_t size;
    char *bytes = read_stream(file, max_bytes, &size);
    bool failed = ferror(file) != 0;
    int read_error = errno;
    if (file != stdin)
        fclose(file);
    int status = 0;
    if (bytes == NULL)
        status = fail_with(&cli->error, MNEME_NO_MEMORY, "%s does not fit in memory", name);
    else if (failed)
        status = fail_with(&cli->error, MNEME_IO, "cannot read %s: %s", name, strerror(read_error));
    else if (size > max_bytes)
        status = fail_with(&cli->error, MNEME_TOO_LARGE, "%s is larger than %zu MiB", name,
                           max_bytes >> 20);
    else
        *text = (mneme_text){pool_copy(&cli->pool, bytes, size), size};
    free(bytes);
    return status;
}

void cli_say(const struct cli *cli, const char *format, ...) {
    va_list arguments;
    if (cli->quiet)
        return;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}
