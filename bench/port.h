/*
 * port.h - a port of loopback that is ours for as long as we hold it.
 *
 * Model. A socket is bound to the port and never listens. While it is open nobody listens there
 * unless we start somebody: a connection is refused, no other program can take the port, and the
 * kernel gives it to no socket that asks for any port. So it is both the address of a server that
 * is down and the place for a server that comes later. To ask for a free port and let go of it
 * until the server starts would be a race, which tests that run at once lose now and then. A server
 * that sets SO_REUSEADDR before it binds can listen on a held port, end, and come again; sqld does,
 * so do most. Another one is told that the address is in use, each time. tests/support/port.py does
 * the same for tests in Python; each respects what the other holds. Ownership. Start from {0}. Who
 * takes it gives it back; AUTO_PORT does. The kernel does with the process; programs that it starts
 * inherit nothing. Threads. One at a time.
 */
#ifndef MNEME_BENCH_PORT_H
#define MNEME_BENCH_PORT_H

#include <stdint.h>

#include "base/base.h"

struct port {
    uint16_t number; /* 0: none is held */
    int fd;          /* holds it */
};

/* On failure, which has the reason of the system, nothing is held. */
int port_take(struct port *port, mneme_error *error);

/* Tolerant of {0} and of a second call. */
void port_give_back(struct port *port);
#define AUTO_PORT CLEANUP(port_give_back)

#endif
