/*
 * api_fixture.h - what tests of the public interface share: a home for a store, short ways to
 * make records, files as bytes, children, and all that can be seen of a store as one text.
 *
 * Failures end the test (cmocka) but in a child process, where they end that process: a child
 * says what is wrong on stderr and exits with 1 (CHILD_CHECK).
 */
#ifndef TESTS_SUPPORT_API_FIXTURE_H
#define TESTS_SUPPORT_API_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

#include <cmocka.h>

#include "mneme/mneme.h"

/* ---- Which store ----------------------------------------------------------------------------- */

/*
 * MNEME_TEST_STORE runs a test again on another kind of store: "sqlite", a "file:" URL, or "sqld",
 * a database of a server that the program starts. tests/CMakeLists.txt says which tests.
 */
enum test_store { TEST_STORE_KV, TEST_STORE_SQLITE, TEST_STORE_SQLD };
enum test_store test_store(void);

/* ---- A home for a store ------------------------------------------------------------------ */

struct home {
    char directory[256];
    char path[320]; /* of a store that is not made yet: "memory.mdb" in it, or a URL */
};
void home_make(struct home *home);
void home_renew(struct home *home);  /* drop the store: `path` is one that is not made yet */
void home_remove(struct home *home); /* with all in it */
/* The same as fixtures of a test: *state is a struct home. */
int home_setup(void **state);
int home_teardown(void **state);
/* directory/name, valid until the eighth call from now. */
const char *home_file(const struct home *home, const char *name);

/* The URL of a store that is that file: with MNEME_TEST_STORE=sqlite a "file:" URL, else the path.
 * The same holds for how long. */
const char *home_url(const char *file);

/* ---- Files -------------------------------------------------------------------------------- */

struct file_bytes {
    uint8_t *data;
    size_t size;
};
struct file_bytes file_read(const char *path);
void file_bytes_free(struct file_bytes *bytes);
void file_write(const char *path, const void *data, size_t size);
void file_copy(const char *from, const char *to);
bool file_exists(const char *path);
/* How many descriptors this process has open. */
unsigned open_descriptors(void);

/* ---- Calls that must succeed, or fail so --------------------------------------------------- */

/* `call` must return 0; `error` is what it was given. */
#define OK(call, error) assert_ok_((call), (error), #call, __FILE__, __LINE__)
void assert_ok_(int status, const mneme_error *error, const char *call, const char *file, int line);
/* `call` must return `code`, with a message. */
#define REFUSED(call, code, error)                                                                 \
    do {                                                                                           \
        (error)->message[0] = 0;                                                                   \
        assert_refused_((call), (code), (error), #call, __FILE__, __LINE__);                       \
    } while (0)
void assert_refused_(int status, int code, const mneme_error *error, const char *call,
                     const char *file, int line);
/* The message must contain this. */
void assert_says(const mneme_error *error, const char *part);

#define CHILD_CHECK(condition, ...)                                                                \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: child: %s: ", __FILE__, __LINE__, #condition);                 \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fputc('\n', stderr);                                                                   \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)
/* Fork; in the child run `run` and exit with what it returns. */
pid_t child_start(int (*run)(void *context), void *context);
/* Wait for a child's end: its exit code, or 1000 + the signal that ended it. */
int child_wait(pid_t child);
/* Both. */
int child_run(int (*run)(void *context), void *context);

/* ---- Stores and records -------------------------------------------------------------------- */

mneme_text text(const char *s);
/* Options with their size set, without training, so that nothing happens by itself; the caches are
 * as MNEME_TEST_CACHE says ("off" or "tiny"), else as they come. */
mneme_options quiet_options(void);
mneme *store_open_quiet(const char *path);
void store_close_ok(mneme *m);

/* A pattern with these texts; further members may be set. */
mneme_pattern pattern_of(const char *name, const char *description);
mneme_id put_pattern(mneme *m, const char *name, const char *description);
mneme_id start_episode(mneme *m, const char *task);
mneme_step step_of(const char *tool, const char *output);
uint64_t append_step(mneme *m, const mneme_id *episode, const char *output);
int complete(mneme *m, const mneme_id *episode, mneme_error *error);

/* How many records of a kind a listing gives, page by page. */
size_t count_records(mneme *m, mneme_kind kind);

/* All records of all kinds as lines of JSON, oldest first: equal texts, equal stores. Returns
 * the status of the call that failed. Freed with mneme_bytes_free. */
int store_text(mneme *m, mneme_bytes *out, mneme_error *error);
/* The same, and it must succeed. */
mneme_bytes store_text_ok(mneme *m);
void assert_same_text(const mneme_bytes *a, const mneme_bytes *b);

/* Run `mneme --store STORE ARGUMENTS… NULL`: its exit code (see child_wait). Standard output is
 * dropped; the first bytes of standard error go to `said`. */
int cli_run(const char *store, char said[1024], const char *arguments, ...);

/* mneme_verify must find nothing. */
void assert_verified(const char *path);

#endif
