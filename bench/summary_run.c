/*
 * summary_run.c - `mneme bench report`: every bench in a process of its own, as its user runs it,
 * and the two files that are written of what they reported.
 *
 * A bench that ran before it would have left holes in the heap, warm caches and threads behind,
 * and a bench that crashes must not take the others' figures with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/benches.h"
#include "bench/summary.h"

/* ---- Which ones --------------------------------------------------------------------------- */

static bool is_chosen(const struct bench_options *options, const char *name) {
    const char *at = options->only;
    bool found = !at;
    while (at && !found) {
        size_t size = strcspn(at, ",");
        found = slice_equal(slice_of(at, size), slice_of_string(name));
        at = at[size] ? at + size + 1 : NULL;
    }
    return found;
}

static int check_only(const struct bench_options *options, mneme_error *error) {
    for (const char *at = options->only; at;) {
        size_t size = strcspn(at, ",");
        const struct bench *bench = bench_find(slice_of(at, size));
        if (!bench || !bench->about)
            return error_set(error, MNEME_INVALID, "--only: no bench '%.*s'; there are %s",
                             (int)size_min(size, 60), at, bench_names(true).text);
        at = at[size] ? at + size + 1 : NULL;
    }
    return 0;
}

/* ---- One bench in its process -------------------------------------------------------------- */

/* The signals that the report waits for; they stay blocked while it runs. */
static sigset_t awaited_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

/* In the new process; does not return. */
static void be_bench(const struct bench *bench, const struct bench_options *given, int file,
                     const sigset_t *mask) {
    struct bench_options options = *given;
    mneme_error error = {0};
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    sigprocmask(SIG_SETMASK, mask, NULL);
    options.name = bench->name;
    options.notes = fdopen(file, "w");
    int status = options.notes ? bench->run(&options, &error)
                               : error_set_errno(&error, errno, "cannot keep what it reports");
    note_end(options.notes, status, error.message);
    fflush(options.notes);
    exit(status ? 1 : 0);
}

/* Until the child ends. An interrupt is handed on, so that it puts its stores away. */
static int wait_for(pid_t child, int *code, mneme_error *error) {
    const sigset_t signals = awaited_signals();
    bool cancelled = false;
    while (waitpid(child, code, WNOHANG) == 0) {
        int number = sigwaitinfo(&signals, NULL);
        if (number == SIGINT || number == SIGTERM) {
            cancelled = true;
            kill(child, SIGTERM);
        }
    }
    return cancelled ? error_set(error, MNEME_CANCELLED, "interrupted; nothing was written") : 0;
}

static int read_notes(int file, struct arena *arena, struct noted_bench *out, mneme_error *error) {
    struct stat info;
    if (fstat(file, &info) != 0)
        return error_set_errno(error, errno, "what a bench reported");
    size_t size = (size_t)info.st_size;
    void *bytes = size ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0) : NULL;
    if (bytes == MAP_FAILED)
        return error_set_errno(error, errno, "what a bench reported");
    int status = notes_read(slice_of(bytes, size), arena, out, error);
    if (bytes)
        munmap(bytes, size);
    return status;
}

/* What is known of a process that never said how it ended. */
static int explain_end(struct noted_bench *noted, int code, struct arena *arena,
                       mneme_error *error) {
    enum { SIZE = 120 };
    char *text = arena_alloc(arena, SIZE);
    if (!text)
        return error_set(error, MNEME_NO_MEMORY, "no memory for what a bench reported");
    if (WIFSIGNALED(code))
        snprintf(text, SIZE, "its process was ended by signal %d (%s)", WTERMSIG(code),
                 strsignal(WTERMSIG(code)));
    else
        snprintf(text, SIZE, "its process ended with exit code %d and gave no reason",
                 WEXITSTATUS(code));
    noted->status = MNEME_FAILURE;
    noted->message = text;
    return 0;
}

static int run_with_notes(const struct bench *bench, const struct bench_options *options, int file,
                          struct arena *arena, struct bench_result *out, mneme_error *error) {
    const sigset_t signals = awaited_signals();
    sigset_t before;
    double start = seconds_now();
    int code = 0;
    fflush(stdout);
    sigprocmask(SIG_BLOCK, &signals, &before);
    pid_t child = fork();
    if (child == 0)
        be_bench(bench, options, file, &before);
    int status = child < 0
                     ? error_set_errno(error, errno, "no process for the bench %s", bench->name)
                     : wait_for(child, &code, error);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (status)
        return status;
    out->seconds = seconds_now() - start;
    TRY(read_notes(file, arena, &out->noted, error));
    return out->noted.ended ? 0 : explain_end(&out->noted, code, arena, error);
}

static int run_bench(const struct bench *bench, const struct bench_options *options,
                     struct arena *arena, struct bench_result *out, mneme_error *error) {
    int file = memfd_create("notes", MFD_CLOEXEC);
    if (file < 0)
        return error_set_errno(error, errno, "no file for what a bench reports");
    *out = (struct bench_result){.name = bench->name, .about = bench->about};
    int status = run_with_notes(bench, options, file, arena, out, error);
    close(file);
    return status;
}

static int run_all(struct summary *summary, struct arena *arena, mneme_error *error) {
    const struct bench_options *options = summary->options;
    summary->benches = arena_zalloc(arena, bench_count, sizeof *summary->benches);
    if (!summary->benches)
        return error_set(error, MNEME_NO_MEMORY, "no memory for the report");
    for (size_t i = 0; i < bench_count; i++) {
        if (!benches[i].about || !is_chosen(options, benches[i].name))
            continue;
        struct bench_result *result = &summary->benches[summary->count];
        if (!options->json)
            printf("%s== %s: %s\n", summary->count ? "\n" : "", benches[i].name, benches[i].about);
        TRY(run_bench(&benches[i], options, arena, result, error));
        summary->count++;
        if (result->noted.status)
            fprintf(stderr, "mneme bench: %s: %s\n", result->name, result->noted.message);
    }
    return 0;
}

/* ---- The files ---------------------------------------------------------------------------- */

static void put_shell_character(struct buf *out, const char *character, size_t size) {
    buf_append_string(out, size == 1 && *character == '\'' ? "'\\''" : "");
    if (size != 1 || *character != '\'')
        buf_append(out, character, size);
}

/* A word as a shell takes it. */
static void put_word(struct buf *out, const char *word) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-_=+,./:@%";
    bool quoted = !*word || word[strspn(word, plain)];
    buf_append_string(out, quoted ? " '" : " ");
    text_put(out, word, put_shell_character);
    buf_append_string(out, quoted ? "'" : "");
}

static int describe(struct summary *summary, struct buf *command, mneme_error *error) {
    time_t now = time(NULL);
    struct tm utc;
    strftime(summary->date, sizeof summary->date, "%Y-%m-%d %H:%M UTC", gmtime_r(&now, &utc));
    buf_append_string(command, "mneme bench");
    for (int i = 1; i < summary->options->word_count; i++)
        put_word(command, summary->options->words[i]);
    buf_append_byte(command, 0);
    summary->command = (const char *)command->data;
    facts_read(&summary->facts);
    return command->status ? error_set(error, command->status, "no memory for the report") : 0;
}

/* Whole or not at all: what was there before stays until all of the new one is written. */
static int write_file(const struct bench_options *options, const char *name, const struct buf *text,
                      mneme_error *error) {
    const char *directory = options->output ? options->output : ".";
    char path[4096], temporary[4096 + 16];
    if (text->status)
        return error_set(error, text->status, "no memory for %s", name);
    snprintf(path, sizeof path, "%s/%s", directory, name);
    snprintf(temporary, sizeof temporary, "%s.%ld.new", path, (long)getpid());
    FILE *file = fopen(temporary, "wxe");
    if (!file)
        return error_set_errno(error, errno, "cannot make %s; name a directory with --output",
                               temporary);
    bool written = fwrite(text->data, 1, text->size, file) == text->size && fflush(file) == 0 &&
                   fsync(fileno(file)) == 0;
    int code = errno;
    if (fclose(file) != 0 && written) {
        written = false;
        code = errno;
    }
    if (written && rename(temporary, path) == 0)
        return 0;
    code = written ? errno : code;
    unlink(temporary);
    return error_set_errno(error, code, "cannot write %s", path);
}

/* Before half an hour is spent on figures that could not be written down. */
static int check_output(const struct bench_options *options, mneme_error *error) {
    const char *directory = options->output ? options->output : ".";
    struct stat info;
    int code = stat(directory, &info) != 0 || access(directory, W_OK | X_OK) != 0 ? errno
               : !S_ISDIR(info.st_mode)                                           ? ENOTDIR
                                                                                  : 0;
    return code
               ? error_set_errno(error, code,
                                 "cannot write to %s; name a directory that is there with --output",
                                 directory)
               : 0;
}

static int write_files(const struct summary *summary, mneme_error *error) {
    AUTO_BUF struct buf markdown = BUF_INIT(64 << 20);
    AUTO_BUF struct buf html = BUF_INIT(64 << 20);
    summary_to_markdown(summary, &markdown);
    summary_to_html(summary, &html);
    TRY(write_file(summary->options, "BENCHMARKS.md", &markdown, error));
    return write_file(summary->options, "BENCHMARKS.html", &html, error);
}

static void print_outcome(const struct summary *summary) {
    struct goal_count goals = summary_goals(summary);
    const char *directory = summary->options->output ? summary->options->output : ".";
    fprintf(summary->options->json ? stderr : stdout,
            "%swrote BENCHMARKS.md and BENCHMARKS.html in %s: %zu rows, %zu of %zu goals hold\n",
            summary->options->json ? "" : "\n", directory, summary_rows(summary),
            goals.goals - goals.missed, goals.goals);
}

int report_bench(const struct bench_options *options, mneme_error *error) {
    struct summary summary = {.options = options};
    AUTO_ARENA struct arena arena = {0};
    AUTO_BUF struct buf command = BUF_INIT(1 << 16);
    TRY(check_only(options, error));
    TRY(check_output(options, error));
    TRY(run_all(&summary, &arena, error));
    TRY(describe(&summary, &command, error));
    TRY(write_files(&summary, error));
    print_outcome(&summary);
    size_t failures = summary_failures(&summary);
    if (failures)
        return error_set(error, MNEME_PARTIAL, "%zu of %zu benches failed", failures,
                         summary.count);
    return 0;
}
