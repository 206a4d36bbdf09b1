/*
 * sync_wire.c - see sync_wire.h.
 */
#include "support/sync_wire.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

#include "bench/proxy.h"
#include "os/os.h"
#include "support/api_fixture.h"
#include "support/random_record.h"

enum { START_US = 30 * 1000 * 1000 };

struct sync_wire_told {
    uint16_t server_port;
    atomic_uint port; /* 0: not there yet */
    atomic_uint percent;
    atomic_ullong requests, faults;
    struct rng rng; /* of the proxy's thread */
};

static struct proxy_action decide(void *context, const struct proxy_request *request) {
    static const enum proxy_fault faults[] = {PROXY_LOSE,     PROXY_LOSE,  PROXY_RESET,
                                              PROXY_TRUNCATE, PROXY_CLOSE, PROXY_DELAY};
    struct sync_wire_told *told = context;
    (void)request;
    told->requests++;
    if (!rng_chance(&told->rng, told->percent))
        return (struct proxy_action){.fault = PROXY_PASS};
    told->faults++;
    return (struct proxy_action){.fault = faults[rng_below(&told->rng, COUNT_OF(faults))],
                                 .bytes = rng_below(&told->rng, 600),
                                 .ms = (uint32_t)rng_below(&told->rng, 8)};
}

static int carry(void *context) {
    struct sync_wire_told *told = context;
    struct proxy *proxy;
    mneme_error error = {0};
    CHILD_CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0, "prctl");
    CHILD_CHECK(proxy_start(told->server_port, 0, &proxy, &error) == 0, "%s", error.message);
    proxy_decide_with(proxy, decide, told);
    told->port = proxy_port(proxy);
    for (;;)
        pause();
}

void sync_wire_start(struct sync_wire *wire, uint16_t server_port) {
    struct sync_wire_told *told =
        mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(told, MAP_FAILED);
    told->server_port = server_port;
    told->rng.state = (uint64_t)clock_wall_us();
    *wire = (struct sync_wire){.told = told, .pid = child_start(carry, told)};
    int64_t give_up_us = clock_monotonic_us() + START_US;
    while (!told->port && clock_monotonic_us() < give_up_us)
        usleep(1000);
    if (!told->port)
        fail_msg("the wire's process did not begin");
    wire->port = (uint16_t)told->port;
}

void sync_wire_stop(struct sync_wire *wire) {
    if (!wire->told)
        return;
    kill(wire->pid, SIGKILL);
    child_wait(wire->pid);
    munmap(wire->told, sizeof *wire->told);
    *wire = (struct sync_wire){0};
}

void sync_wire_set(struct sync_wire *wire, unsigned percent) { wire->told->percent = percent; }
uint64_t sync_wire_requests(const struct sync_wire *wire) { return wire->told->requests; }
uint64_t sync_wire_faults(const struct sync_wire *wire) { return wire->told->faults; }
