/*
 * facts.c - asking the kernel and every library for what they are.
 */
#include "bench/facts.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <lmdb.h>
#include <lz4.h>
#include <spawn.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "bench/sqld.h"
#include "mneme/mneme.h"

extern char **environ;

/* Which commit this was built from, which the build writes down; "" without git. */
extern const char mneme_commit[];

static void PRINTF_LIKE(3, 4) add(struct facts *facts, const char *name, const char *format, ...) {
    ASSERT(facts->count < FACTS_MAX);
    struct fact *fact = &facts->items[facts->count++];
    va_list args;
    va_start(args, format);
    vsnprintf(fact->text, sizeof fact->text, format, args);
    va_end(args);
    fact->name = name;
}

/* ---- The machine -------------------------------------------------------------------------- */

/* What follows `name` and `divider` in a line of a file; `text` is left as it is without one. */
static bool read_line_of(const char *path, const char *name, char divider, char *text,
                         size_t size) {
    char line[4096];
    bool found = false;
    FILE *file = fopen(path, "re");
    while (file && !found && fgets(line, sizeof line, file)) {
        char *value = strncmp(line, name, strlen(name)) == 0 ? strchr(line, divider) : NULL;
        if (value) {
            value += 1 + strspn(value + 1, " \t\"");
            snprintf(text, size, "%.*s", (int)strcspn(value, "\"\n"), value);
            found = true;
        }
    }
    if (file)
        fclose(file);
    return found;
}

void facts_processor(char text[PROCESSOR_SIZE]) {
    text[0] = 0;
    read_line_of("/proc/cpuinfo", "model name", ':', text, PROCESSOR_SIZE);
}

static bool is_virtual(void) {
    char flags[4096] = "";
    return read_line_of("/proc/cpuinfo", "flags", ':', flags, sizeof flags) &&
           strstr(flags, "hypervisor");
}

static void add_machine(struct facts *facts) {
    struct utsname system;
    char processor[PROCESSOR_SIZE], distribution[FACT_SIZE] = "unknown";
    double bytes = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    facts_processor(processor);
    read_line_of("/etc/os-release", "PRETTY_NAME", '=', distribution, sizeof distribution);
    add(facts, "processor", "%s, %ld CPUs%s", *processor ? processor : "unknown",
        sysconf(_SC_NPROCESSORS_ONLN), is_virtual() ? ", of a virtual machine" : "");
    add(facts, "memory", "%.1f GiB", bytes / 0x1p30);
    if (uname(&system) == 0)
        add(facts, "kernel", "%s %s %s", system.sysname, system.release, system.machine);
    add(facts, "system", "%s, glibc %s", distribution, gnu_get_libc_version());
}

/* ---- Versions ----------------------------------------------------------------------------- */

bool facts_built_for_speed(void) {
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) &&    \
    !defined(MNEME_ASSERTS)
    return true;
#else
    return false;
#endif
}

static void add_compiler(struct facts *facts) {
    const char *how = facts_built_for_speed() ? "optimised" : "NOT optimised, or with checks";
#ifdef __clang__
    add(facts, "compiler", "clang %s, %s", __clang_version__, how);
#else
    add(facts, "compiler", "gcc %s, %s", __VERSION__, how);
#endif
}

/* The first line that `path --version` prints. False: it prints none. */
static bool ask_version(const char *path, char *text, size_t size) {
    char word[] = "--version", *arguments[] = {(char[]){"sqld"}, word, NULL};
    posix_spawn_file_actions_t actions;
    int ends[2];
    pid_t child;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    int failed = posix_spawn(&child, path, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    ssize_t got = failed ? 0 : read(ends[0], text, size - 1);
    close(ends[0]);
    if (!failed)
        waitpid(child, NULL, 0);
    text[got > 0 ? got : 0] = 0;
    text[strcspn(text, "\r\n")] = 0;
    return *text != 0;
}

/* "0.24.32" of "sqld sqld 0.24.32", as it is printed. */
static const char *without_name(const char *text) {
    while (strncmp(text, "sqld ", 5) == 0)
        text += 5;
    return text;
}

static void add_sqld(struct facts *facts) {
    char path[SQLD_PATH_MAX], text[FACT_SIZE];
    if (sqld_find(path, NULL) != 0)
        add(facts, "sqld", "none found");
    else if (ask_version(path, text, sizeof text))
        add(facts, "sqld", "%s", without_name(text));
    else
        add(facts, "sqld", "does not tell its version");
}

static void add_libraries(struct facts *facts) {
    const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
    int major, minor, patch;
    mdb_version(&major, &minor, &patch);
    add(facts, "LMDB", "%d.%d.%d", major, minor, patch);
    add(facts, "zstd", "%s", ZSTD_versionString());
    add(facts, "lz4, zlib", "%s, %s", LZ4_versionString(), zlibVersion());
    add(facts, "SQLite", "%s", sqlite3_libversion());
    add(facts, "libcurl", "%s, %s", curl->version,
        curl->ssl_version ? curl->ssl_version : "no TLS");
}

void facts_read(struct facts *facts) {
    *facts = (struct facts){0};
    add(facts, "mneme", "%s%s%s", mneme_version_text(), *mneme_commit ? ", commit " : "",
        mneme_commit);
    add_machine(facts);
    add_compiler(facts);
    add_libraries(facts);
    add_sqld(facts);
}
