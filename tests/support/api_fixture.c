/*
 * api_fixture.c - the helpers behind api_fixture.h.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "os/os.h"
#include "support/api_fixture.h"
#include "support/server_database.h"

/* ---- Which store ----------------------------------------------------------------------------- */

enum test_store test_store(void) {
    const char *wanted = getenv("MNEME_TEST_STORE");
    if (wanted && strcmp(wanted, "sqlite") == 0)
        return TEST_STORE_SQLITE;
    return wanted && strcmp(wanted, "sqld") == 0 ? TEST_STORE_SQLD : TEST_STORE_KV;
}

/* ---- A home for a store ------------------------------------------------------------------ */

static void database_make(struct home *home) {
    struct server_database database;
    mneme_error error;
    OK(server_database_make(&database, &error), &error);
    snprintf(home->path, sizeof home->path, "%s", database.url);
}

void home_renew(struct home *home) {
    static unsigned count;
    switch (test_store()) {
    case TEST_STORE_KV:
        snprintf(home->path, sizeof home->path, "%s/memory.mdb", home->directory);
        unlink(home->path);
        break;
    case TEST_STORE_SQLITE:
        snprintf(home->path, sizeof home->path, "file:%s/memory%u.db", home->directory, ++count);
        break;
    case TEST_STORE_SQLD:
        database_make(home);
        break;
    }
}

void home_make(struct home *home) {
    const char *base = getenv("TMPDIR");
    snprintf(home->directory, sizeof home->directory, "%s/mneme-test-XXXXXX",
             base && *base ? base : "/tmp");
    if (!mkdtemp(home->directory))
        fail_msg("cannot make %s: %s", home->directory, strerror(errno));
    home_renew(home);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where) {
    (void)st, (void)type, (void)where;
    return remove(path);
}

void home_remove(struct home *home) {
    nftw(home->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

int home_setup(void **state) {
    struct home *home = calloc(1, sizeof *home);
    if (!home)
        return -1;
    home_make(home);
    *state = home;
    return 0;
}

int home_teardown(void **state) {
    home_remove(*state);
    free(*state);
    return 0;
}

const char *home_file(const struct home *home, const char *name) {
    static char paths[8][400];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", home->directory, name);
    return path;
}

const char *home_url(const char *file) {
    static char urls[8][420];
    static unsigned next;
    if (test_store() != TEST_STORE_SQLITE)
        return file;
    char *url = urls[next++ % 8];
    snprintf(url, sizeof urls[0], "file:%s", file);
    return url;
}

/* ---- Files -------------------------------------------------------------------------------- */

struct file_bytes file_read(const char *path) {
    struct file_bytes bytes = {0};
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        fail_msg("cannot read %s: %s", path, strerror(errno));
    bytes.size = (size_t)st.st_size;
    bytes.data = malloc(bytes.size + 1);
    assert_non_null(bytes.data);
    assert_int_equal(pread(fd, bytes.data, bytes.size, 0), bytes.size);
    bytes.data[bytes.size] = 0;
    close(fd);
    return bytes;
}

void file_bytes_free(struct file_bytes *bytes) {
    free(bytes->data);
    *bytes = (struct file_bytes){0};
}

void file_write(const char *path, const void *data, size_t size) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

void file_copy(const char *from, const char *to) {
    struct file_bytes bytes = file_read(from);
    file_write(to, bytes.data, bytes.size);
    file_bytes_free(&bytes);
}

bool file_exists(const char *path) {
    struct stat st;
    return lstat(path, &st) == 0;
}

unsigned open_descriptors(void) {
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

/* ---- Calls that must succeed, or fail so --------------------------------------------------- */

void assert_ok_(int status, const mneme_error *error, const char *call, const char *file,
                int line) {
    if (status == 0)
        return;
    print_error("%s: %s: %s\n", call, mneme_status_name(status), error ? error->message : "");
    _fail(file, line);
}

void assert_refused_(int status, int code, const mneme_error *error, const char *call,
                     const char *file, int line) {
    if (status == code && error->code == code && error->message[0])
        return;
    print_error("%s: %s, and not %s: %s\n", call, mneme_status_name(status),
                mneme_status_name(code), error->message);
    _fail(file, line);
}

void assert_says(const mneme_error *error, const char *part) {
    if (!strstr(error->message, part))
        fail_msg("\"%s\" does not say \"%s\"", error->message, part);
}

/* TSan cannot start a thread behind a fork from several, and caches have one. */
static bool no_threads;

pid_t child_start(int (*run)(void *context), void *context) {
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
#ifdef __SANITIZE_THREAD__
        no_threads = true;
#endif
        process_expect_fault(); /* cmocka's handlers would go on with the next test */
        _exit(run(context));
    }
    if (child < 0)
        fail_msg("fork: %s", strerror(errno));
    return child;
}

int child_wait(pid_t child) {
    int state = 0;
    while (waitpid(child, &state, 0) < 0 && errno == EINTR)
        ;
    return WIFSIGNALED(state) ? 1000 + WTERMSIG(state) : WEXITSTATUS(state);
}

int child_run(int (*run)(void *context), void *context) {
    return child_wait(child_start(run, context));
}

/* ---- Stores and records -------------------------------------------------------------------- */

mneme_text text(const char *s) { return mneme_text_of(s); }

/* MNEME_TEST_CACHE runs a test again without caches ("off"), or with next to no room ("tiny"). */
static mneme_cache_options cache_from_environment(void) {
    const char *wanted = getenv("MNEME_TEST_CACHE");
    mneme_cache_options cache = {.off = no_threads || (wanted && strcmp(wanted, "off") == 0)};
    if (wanted && strcmp(wanted, "tiny") == 0)
        for (size_t i = 0; i < MNEME_CACHE_COUNT; i++)
            cache.limits[i] = (mneme_cache_limits){.bytes = 6000, .entries = 3};
    return cache;
}

mneme_options quiet_options(void) {
    return (mneme_options){
        .size = sizeof(mneme_options), .no_training = true, .cache = cache_from_environment()};
}

/* A server that is slow, on a busy machine and with sanitizers, is no failure. */
mneme *store_open_quiet(const char *path) {
    mneme_options options = quiet_options();
    options.remote.timeout_ms = 120 * 1000;
    options.remote.stall_ms = 60 * 1000;
    mneme *m = NULL;
    mneme_error error;
    OK(mneme_open(path, &options, &m, &error), &error);
    return m;
}

void store_close_ok(mneme *m) {
    mneme_error error;
    OK(mneme_close(m, &error), &error);
}

mneme_pattern pattern_of(const char *name, const char *description) {
    return (mneme_pattern){.type = text("tool_sequence"),
                           .name = text(name),
                           .description = text(description),
                           .success_rate = 0.5,
                           .occurrences = 1};
}

mneme_id put_pattern(mneme *m, const char *name, const char *description) {
    mneme_pattern pattern = pattern_of(name, description);
    mneme_record record = {.kind = MNEME_PATTERN, .as.pattern = &pattern};
    mneme_error error;
    mneme_id id;
    OK(mneme_put(m, &record, 1, NULL, &id, &error), &error);
    return id;
}

mneme_id start_episode(mneme *m, const char *task) {
    mneme_episode episode = {.task = text(task)};
    mneme_error error;
    mneme_id id;
    OK(mneme_episode_start(m, &episode, NULL, &id, &error), &error);
    return id;
}

mneme_step step_of(const char *tool, const char *output) {
    return (mneme_step){.tool = text(tool), .result = MNEME_RESULT_SUCCESS, .output = text(output)};
}

uint64_t append_step(mneme *m, const mneme_id *episode, const char *output) {
    mneme_step step = step_of("search", output);
    mneme_error error;
    uint64_t number = 0;
    OK(mneme_step_append(m, episode, &step, NULL, NULL, &number, &error), &error);
    return number;
}

int complete(mneme *m, const mneme_id *episode, mneme_error *error) {
    mneme_completion completion = {.outcome = {.kind = MNEME_SUCCESS, .verdict = text("done")}};
    return mneme_episode_complete(m, episode, &completion, NULL, error);
}

size_t count_records(mneme *m, mneme_kind kind) {
    mneme_query query = {.kind = kind, .limit = 1000};
    char cursor[256];
    size_t count = 0;
    do {
        const mneme_page *page;
        mneme_error error;
        OK(mneme_list(m, &query, &page, &error), &error);
        count += page->count;
        assert_true(page->next.size <= sizeof cursor);
        if (page->next.size)
            memcpy(cursor, page->next.data, page->next.size);
        query.after = (mneme_text){cursor, page->next.size};
        mneme_page_release(m, page);
    } while (query.after.size);
    return count;
}

static int kind_text(mneme *m, mneme_kind kind, mneme_bytes *out, mneme_error *error) {
    mneme_query query = {.kind = kind, .order = MNEME_OLDEST_FIRST, .limit = 500};
    char cursor[256];
    do {
        const mneme_page *page;
        int status = mneme_list(m, &query, &page, error);
        if (status)
            return status;
        for (size_t i = 0; i < page->count && status == 0; i++)
            status = mneme_record_to_json(page->records[i], out, error);
        query.after = (mneme_text){cursor, page->next.size};
        if (page->next.size)
            memcpy(cursor, page->next.data, page->next.size);
        mneme_page_release(m, page);
        if (status)
            return status;
    } while (query.after.size);
    return 0;
}

int store_text(mneme *m, mneme_bytes *out, mneme_error *error) {
    *out = (mneme_bytes){0};
    for (int kind = 1; kind < MNEME_DICTIONARY; kind++) {
        int status = kind_text(m, (mneme_kind)kind, out, error);
        if (status) {
            mneme_bytes_free(out);
            return status;
        }
    }
    return 0;
}

mneme_bytes store_text_ok(mneme *m) {
    mneme_bytes out;
    mneme_error error;
    OK(store_text(m, &out, &error), &error);
    return out;
}

void assert_same_text(const mneme_bytes *a, const mneme_bytes *b) {
    assert_int_equal(a->size, b->size);
    assert_memory_equal(a->size ? a->data : "", b->size ? b->data : "", a->size);
}

int cli_run(const char *store, char said[1024], const char *arguments, ...) {
    const char *words[16] = {"mneme", "--store", store};
    int ends[2];
    va_list list;
    va_start(list, arguments);
    size_t count = 3;
    for (const char *word = arguments; word && count < 15; word = va_arg(list, const char *))
        words[count++] = word;
    va_end(list);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        char *mutable[16];
        memcpy(mutable, words, sizeof mutable);
        execv(MNEME_BINARY, mutable);
        _exit(127);
    }
    close(ends[1]);
    size_t used = 0;
    char rest[4096];
    for (ssize_t n = 1; n > 0;) { /* the rest is read too, so that the program can end */
        n = used < 1023 ? read(ends[0], said + used, 1023 - used)
                        : read(ends[0], rest, sizeof rest);
        used += used < 1023 && n > 0 ? (size_t)n : 0;
    }
    said[used] = 0;
    close(ends[0]);
    return child_wait(child);
}

static void print_finding(void *context, const char *finding) {
    (void)context;
    print_error("verify: %s\n", finding);
}

void assert_verified(const char *path) {
    mneme_error error;
    if (strncmp(path, "http:", 5) != 0) {
        OK(mneme_verify(path, print_finding, NULL, NULL, &error), &error);
        return;
    }
    mneme *m = store_open_quiet(path);
    OK(mneme_verify_records(m, print_finding, NULL, NULL, &error), &error);
    store_close_ok(m);
}
