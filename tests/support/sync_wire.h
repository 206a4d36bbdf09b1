/*
 * sync_wire.h - a wire with faults between the devices of a test and its server (bench/proxy.h), in
 * a process of its own: a child that were forked beside the proxy's sockets would hold them, and a
 * connection that is reset is only gone when its last holder closes it.
 *
 * Ownership. sync_wire_stop ends the process, and so does the end of the one that started it.
 * Threads. One at a time. Errors end the test.
 */
#ifndef MNEME_TESTS_SYNC_WIRE_H
#define MNEME_TESTS_SYNC_WIRE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct sync_wire_told;

struct sync_wire {
    pid_t pid;
    uint16_t port;
    struct sync_wire_told *told; /* in shared memory */
};

void sync_wire_start(struct sync_wire *wire, uint16_t server_port);
void sync_wire_stop(struct sync_wire *wire);

/* From now on so many of a hundred requests have a fault: most are lost answers and resets. */
void sync_wire_set(struct sync_wire *wire, unsigned percent);

/* Requests of all time, and those that had a fault. */
uint64_t sync_wire_requests(const struct sync_wire *wire);
uint64_t sync_wire_faults(const struct sync_wire *wire);

#endif
