/*
 * barrier.c - a barrier on every thread, so that readers need none of their own.
 */
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/log.h"
#include "os/os.h"

bool barrier_register(void) {
    bool good = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
    if (!good)
        LOG(INFO, OS, "no barriers for all threads: hits take longer",
            LOG_BOOL("membarrier", false));
    return good;
}

bool barrier_everywhere(void) {
    return syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
}
