/*
 * listen.h - the place where a command waits for connections: an address of this machine, or a
 * socket in the file system.
 */
#ifndef MNEME_CLI_LISTEN_H
#define MNEME_CLI_LISTEN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "mneme/mneme.h"

enum { LISTEN_HOST_SIZE = 64, LISTEN_PATH_SIZE = 108, LISTEN_URL_SIZE = 160 };

struct listener {
    bool is_unix;
    bool is_loopback;            /* only programs of this machine get here */
    char host[LISTEN_HOST_SIZE]; /* "127.0.0.1", "::1"; of a socket in the file system "" */
    char path[LISTEN_PATH_SIZE]; /* of one there */
    struct sockaddr_storage address;
    socklen_t address_size;
    int fd;        /* -1: not open */
    uint16_t port; /* once open, the one that was chosen for 0 */
    dev_t device;  /* of the socket that was made at `path` */
    ino_t inode;
};

/*
 * Read "127.0.0.1:9464", "[::1]:9464", "localhost:9464" or "unix:PATH". Addresses are numbers, so
 * that nobody's name server decides who can connect. MNEME_INVALID.
 */
int listen_parse(const char *text, struct listener *out, mneme_error *error);

/*
 * Begin to listen. A socket in the file system has mode 0600; one that a dead process left behind
 * is replaced. MNEME_LOCKED: the place is taken. MNEME_PERMISSION, MNEME_IO.
 */
int listen_open(struct listener *listener, mneme_error *error);

/* The beginning of a URL of it: "http://[::1]:9464", "unix:/run/mneme.sock". */
void listen_url(const struct listener *listener, char url[LISTEN_URL_SIZE]);

/* Remove what listen_open made in the file system, if it is still there. Leaves `fd` to whoever has
 * taken it over, who sets it to -1. */
void listen_close(struct listener *listener);

#endif
