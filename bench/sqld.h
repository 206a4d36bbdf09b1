/*
 * sqld.h - a real libSQL server, started and ended by who tests or measures against it.
 *
 * Model. One child process on free loopback ports, with a directory that holds its data and its
 * log. The ports stay ours until sqld_stop: nobody else can take them while the server is down, and
 * the kernel hands none of them to a connection that goes out.
 * Ownership. Start from {0}. Who started it stops it; AUTO_SQLD does.
 * Threads. One at a time. The kernel ends the server with the thread that started it, so that a
 * test that dies leaves nothing behind; start it on a thread that lives as long.
 * Errors. MNEME_NOT_FOUND: no binary. MNEME_UNAVAILABLE: it did not start; what it logged stands on
 * standard error. Else as the system says.
 */
#ifndef MNEME_BENCH_SQLD_H
#define MNEME_BENCH_SQLD_H

#include <sys/types.h>

#include "base/base.h"
#include "bench/port.h"

enum { SQLD_ARGUMENTS_MAX = 16, SQLD_PATH_MAX = 512 };

/* Which ports it listens on. */
enum sqld_port { SQLD_HTTP, SQLD_GRPC, SQLD_ADMIN, SQLD_PORTS };

struct sqld;

struct sqld_options {
    const char *directory;           /* NULL: one of its own, removed by sqld_stop */
    const char *const *arguments;    /* more arguments, NULL at the end; NULL: none. At most
                                        SQLD_ARGUMENTS_MAX, borrowed until sqld_stop */
    const struct sqld *primary;      /* be a replica of this one, which serves replicas */
    bool serves_replicas, has_admin; /* listen for them */
    uint64_t file_size_max;          /* bytes that one file may have (RLIMIT_FSIZE); 0: no limit */
    uint32_t start_ms;               /* how long a start may take; 0: 30,000 */
};

struct sqld {
    struct sqld_options options;
    pid_t pid; /* 0: it does not run */
    struct port ports[SQLD_PORTS];
    char url[64]; /* "http://127.0.0.1:PORT" */
    char directory[SQLD_PATH_MAX];
    char primary_url[64];
    bool owns_directory;
};

/* Start it and wait until it is healthy. On failure nothing is left. */
int sqld_start(const struct sqld_options *options, struct sqld *server, mneme_error *error);

/* SIGTERM, after five seconds SIGKILL; then free the ports and remove its own directory. Tolerant
 * of {0} and of a second call. */
void sqld_stop(struct sqld *server);
#define AUTO_SQLD CLEANUP(sqld_stop)

/* End it at once, as a crash of the process does. Ports and data stay. */
void sqld_kill(struct sqld *server);

/* Start it again on the same ports and data, with what its options say now; ends it first if it
 * runs. On failure it is down. */
int sqld_restart(struct sqld *server, mneme_error *error);

/* The binary: $MNEME_SQLD, else the one that `make sqld` installs, else the first on PATH. */
int sqld_find(char path[SQLD_PATH_MAX], mneme_error *error);

#endif
