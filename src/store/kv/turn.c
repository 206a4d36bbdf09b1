/*
 * turn.c - whose turn it is to write, so that nobody ever waits for LMDB's own lock.
 *
 * LMDB's writers wait for a robust mutex in the lock file. That mutex can lose a wake-up when
 * processes are killed:
 *   1. A gives it back, and wakes V of those who wait. The mutex is free, and says nothing of W,
 * who waits too: V would note that again as it takes it.
 *   2. V is killed before it does. B takes the mutex, which is free, and finds nobody noted.
 *   3. The kernel, cleaning up after V, sees B as the owner, and wakes nobody.
 *   4. B gives the mutex back without a word. W sleeps, and so does whoever comes later and waits.
 * So writers queue elsewhere: the threads of a process at a mutex of its own, and processes at a
 * POSIX lock on a byte of the lock file far from those that LMDB uses. The kernel keeps that one,
 * and gives it up for a process that ends. Who has the turn finds LMDB's mutex free.
 */
#include <errno.h>
#include <fcntl.h>

#include "store/kv/kv_impl.h"

static const off_t TURN_AT = (off_t)1 << 40;

/* The lock is a help: where it cannot be had, LMDB's own still keeps writers apart. */
static void set_byte(const struct kv_env *env, short type) {
    struct flock turn = {.l_type = type, .l_whence = SEEK_SET, .l_start = TURN_AT, .l_len = 1};
    if (env->lock_fd < 0 || env->no_write)
        return;
    while (fcntl(env->lock_fd, F_SETLKW, &turn) != 0 && errno == EINTR)
        ;
}

void kv_turn_take(struct kv_env *env) {
    lock_acquire(&env->turn);
    set_byte(env, F_WRLCK);
}

void kv_turn_give(struct kv_env *env) {
    set_byte(env, F_UNLCK);
    lock_release(&env->turn);
}
