/*
 * pin_test.c - what is in a slot is not freed, and everything else is.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <semaphore.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "cache_fixture.h"
#include "support/api_fixture.h"

/* ---- Fixture -------------------------------------------------------------------------------- */

/* A thread that takes a slot on record 1, says so, and keeps it until it is told to end. */
struct guest {
    struct scene *scene;
    pthread_t thread;
    sem_t inside, end;
    struct pin_thread *self;
    struct pin_slot *slot;
    bool keeps; /* at its end too */
};

static void wait_for(sem_t *semaphore) {
    while (sem_wait(semaphore) != 0)
        CHILD_CHECK(errno == EINTR, "sem_wait: %d", errno);
}

static struct pin_slot *take_slot(struct scene *s, uint64_t number) {
    struct cache_key key = key_of(number);
    return cache_acquire_slot(s->cache, &key);
}

static void *guest_run(void *context) {
    struct guest *guest = context;
    guest->self = pin_self();
    guest->slot = take_slot(guest->scene, 1);
    sem_post(&guest->inside);
    wait_for(&guest->end);
    if (guest->slot && !guest->keeps)
        pin_clear(guest->slot);
    return NULL;
}

/* `guest` outlives the case: where that fails, the thread still waits for its end. */
static void guest_start(struct guest *guest, struct scene *scene) {
    *guest = (struct guest){.scene = scene};
    sem_init(&guest->inside, 0, 0);
    sem_init(&guest->end, 0, 0);
    assert_int_equal(thread_start(&guest->thread, guest_run, guest, NULL), 0);
    wait_for(&guest->inside);
    assert_non_null(guest->slot);
}

static void guest_end(struct guest *guest) {
    sem_post(&guest->end);
    pthread_join(guest->thread, NULL);
}

/* Take record 1 out of the cache, and let go of all that can be. */
static void drop_one(struct scene *s) {
    struct cache_key key = key_of(1);
    cache_note(s->cache, &key, NULL, CACHE_CHANGED);
    for (uint64_t i = 0; i < 2 * RETIRE_COUNT; i++) /* enough that are unlinked */
        scene_keep(s, 1000, i + 1);
    key = key_of(1000);
    cache_note(s->cache, &key, NULL, CACHE_CHANGED);
}

/* ---- Slots ---------------------------------------------------------------------------------- */

static void *join_without_memory(void *context) {
    struct scene *s = context;
    mem_fail_after(1);
    CHILD_CHECK(pin_self() == NULL, "slots without memory");
    struct cache_key key = key_of(1);
    mem_fail_after(1);
    CHILD_CHECK(cache_acquire(s->cache, &key) == NULL, "a hit without slots");
    mem_fail_after(0);
    CHILD_CHECK(pin_self() != NULL, "the first failure was not forgotten");
    return NULL;
}

/* Runs first, while no ended thread has left its slots. */
static void pin_self__without_memory_is_null_and_comes_later(void **state) {
    (void)state;
    SCENE(s);
    scene_init_roomy(&s);
    scene_keep(&s, 1, 1);
    pthread_t thread;
    assert_int_equal(thread_start(&thread, join_without_memory, &s, NULL), 0);
    pthread_join(thread, NULL);
}

static void pin_slot__is_a_hit_that_no_count_tells_of(void **state) {
    (void)state;
    SCENE(s);
    scene_init_roomy(&s);
    scene_keep(&s, 1, 7);
    assert_null(take_slot(&s, 2));
    struct pin_slot *slot = take_slot(&s, 1);
    assert_non_null(slot);
    assert_int_equal(slot->mark, PIN_SLOT_MARK);
    assert_int_equal(value_version(pin_item(slot), 1), 7);
    assert_int_equal(atomic_load(&pin_item(slot)->pins), 1);
    assert_int_equal(scene_stats(&s).hits, 1);
    pin_clear(slot);
    assert_ptr_equal(take_slot(&s, 1), slot);
    pin_clear(slot);
}

static void pin_slots__are_few_and_come_back(void **state) {
    (void)state;
    SCENE(s);
    scene_init_roomy(&s);
    struct pin_slot *slots[PIN_SLOTS];
    for (uint64_t i = 0; i < PIN_SLOTS; i++) {
        scene_keep(&s, i, i + 1);
        slots[i] = take_slot(&s, i);
        assert_non_null(slots[i]);
    }
    assert_null(take_slot(&s, 1));
    assert_int_equal(scene_version(&s, 1), 2); /* a counted one can be had */
    pin_clear(slots[3]);
    assert_ptr_equal(take_slot(&s, 1), slots[3]);
    for (unsigned i = 0; i < PIN_SLOTS; i++)
        pin_clear(slots[i]);
}

static void pin_slot__keeps_its_item_until_it_is_cleared(void **state) {
    (void)state;
    SCENE(s);
    scene_init_roomy(&s);
    scene_keep(&s, 1, 1);
    struct pin_slot *slot = take_slot(&s, 1);
    drop_one(&s);
    assert_null(scene_peek(&s, 1));
    assert_int_equal(value_version(pin_item(slot), 1), 1);
    size_t waiting = pin_waiting();
    assert_true(waiting > 0);
    pin_clear(slot);
    pin_retire(NULL);
    assert_int_equal(pin_waiting(), 0);
}

static void cache_tick__lets_go_of_what_was_left_over(void **state) {
    (void)state;
    SCENE(s);
    scene_init_roomy(&s);
    scene_keep(&s, 1, 1);
    struct pin_slot *slot = take_slot(&s, 1);
    drop_one(&s);
    pin_clear(slot);
    assert_true(pin_waiting() > 0);
    cache_tick(s.cache, cache_now(s.cache) + 1); /* without an eviction */
    assert_int_equal(pin_waiting(), 0);
}

static void pin_slot__outlives_the_cache(void **state) {
    (void)state;
    struct ledger *ledger;
    {
        SCENE(s);
        scene_init_roomy(&s);
        ledger = &s.ledger;
        scene_keep(&s, 1, 1);
        struct pin_slot *slot = take_slot(&s, 1);
        cache_destroy(TAKE(s.cache));
        assert_int_equal(ledger_live(ledger), 1);
        assert_int_equal(value_version(pin_item(slot), 1), 1);
        pin_clear(slot);
        pin_retire(NULL);
        assert_int_equal(ledger_live(ledger), 0);
    }
}

/* ---- Threads -------------------------------------------------------------------------------- */

static void pin_slot__is_given_back_by_any_thread(void **state) {
    (void)state;
    SCENE(s);
    scene_init_roomy(&s);
    scene_keep(&s, 1, 1);
    static struct guest guest;
    guest_start(&guest, &s);
    drop_one(&s);
    assert_true(pin_waiting() > 0);
    pin_clear(guest.slot);
    pin_retire(NULL);
    assert_int_equal(pin_waiting(), 0);
    guest.slot = NULL;
    guest_end(&guest);
}

static void pin_slot__holds_behind_the_end_of_its_thread(void **state) {
    (void)state;
    SCENE(s);
    scene_init_roomy(&s);
    scene_keep(&s, 1, 1);
    static struct guest first, second;
    guest_start(&first, &s);
    first.keeps = true;
    guest_end(&first);
    guest_start(&second, &s); /* with what the first has left */
    assert_ptr_equal(second.self, first.self);
    assert_ptr_not_equal(second.slot, first.slot);
    guest_end(&second);
    drop_one(&s);
    assert_int_equal(value_version(pin_item(first.slot), 1), 1);
    assert_true(pin_waiting() > 0);
    pin_clear(first.slot);
    pin_retire(NULL);
    assert_int_equal(pin_waiting(), 0);
}

static void pin_threads__are_no_more_than_there_are_at_once(void **state) {
    (void)state;
    SCENE(s);
    scene_init_roomy(&s);
    scene_keep(&s, 1, 1);
    unsigned greatest = 0;
    for (int round = 0; round < 200; round++) {
        static struct guest guest;
        guest_start(&guest, &s);
        if (guest.self->number > greatest)
            greatest = guest.self->number;
        guest_end(&guest);
    }
    assert_in_range(greatest, 1, 9);
}

/* ---- Children ------------------------------------------------------------------------------- */

static int retire_in_child(void *context) {
    struct scene *s = context;
    drop_one(s);
    CHILD_CHECK(pin_waiting() == 0, "a thread that is not here keeps an item");
    return 0;
}

static void pin_child__is_not_held_by_threads_of_its_parent(void **state) {
    (void)state;
    SCENE(s);
    scene_init_roomy(&s);
    scene_keep(&s, 1, 1);
    static struct guest guest;
    guest_start(&guest, &s);
    assert_int_equal(child_run(retire_in_child, &s), 0);
    drop_one(&s);
    assert_true(pin_waiting() > 0); /* in the parent nothing has changed */
    guest_end(&guest);
    pin_retire(NULL);
    assert_int_equal(pin_waiting(), 0);
}

/* Let membarrier(2) fail from now on, as a sandbox may that is put up after the start. */
static bool forbid_membarrier(void) {
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {COUNT_OF(rules), rules};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static int retire_without_barrier(void *context) {
    struct scene *s = context;
    pin_retire(NULL);
    if (pin_needs_fence || !forbid_membarrier())
        return 0; /* a kernel without the one or the other */
    size_t live = ledger_live(&s->ledger);
    drop_one(s);
    CHILD_CHECK(ledger_live(&s->ledger) > live, "something was freed without a barrier");
    return 0;
}

static void pin_retire__whose_barrier_fails_frees_nothing(void **state) {
    (void)state;
    SCENE(s);
    scene_init_roomy(&s);
    scene_keep(&s, 1, 1);
    assert_int_equal(child_run(retire_without_barrier, &s), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pin_self__without_memory_is_null_and_comes_later),
        cmocka_unit_test(pin_slot__is_a_hit_that_no_count_tells_of),
        cmocka_unit_test(pin_slots__are_few_and_come_back),
        cmocka_unit_test(pin_slot__keeps_its_item_until_it_is_cleared),
        cmocka_unit_test(cache_tick__lets_go_of_what_was_left_over),
        cmocka_unit_test(pin_slot__outlives_the_cache),
        cmocka_unit_test(pin_slot__is_given_back_by_any_thread),
        cmocka_unit_test(pin_slot__holds_behind_the_end_of_its_thread),
        cmocka_unit_test(pin_threads__are_no_more_than_there_are_at_once),
        cmocka_unit_test(pin_child__is_not_held_by_threads_of_its_parent),
        cmocka_unit_test(pin_retire__whose_barrier_fails_frees_nothing),
    };
    return cmocka_run_group_tests_name("cache/pin", tests, NULL, NULL);
}
