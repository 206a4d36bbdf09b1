/*
 * pool_test.c - the pool of connections over the scripted transport, and the forecast of demand.
 */
#include <math.h>

#include "net_fixture.h"

#include "net/pool.h"

enum { MS = 1000, S = 1000000 };

struct pool_scene {
    struct net_fake *fake;
    struct net_pool pool;
    mneme_error error;
};

static struct pool_scene *scene_make(uint32_t min, uint32_t max) {
    struct pool_scene *s = test_calloc(1, sizeof *s);
    s->fake = net_fake_create();
    const struct net_pool_options options = {.transport = net_fake_transport(s->fake),
                                             .min = min,
                                             .max = max,
                                             .idle_us = 20 * S,
                                             .age_us = 100 * S,
                                             .acquire_us = 3 * S};
    net_pool_init(&s->pool, &options);
    return s;
}

static void scene_end(struct pool_scene *s) {
    net_pool_fini(&s->pool);
    net_fake_destroy(s->fake);
    test_free(s);
}

static struct net_connection *take(struct pool_scene *s) {
    struct net_connection *c = NULL;
    int64_t wait_us;
    OK(net_pool_acquire(&s->pool, INT64_MAX, &c, &wait_us, &s->error), &s->error);
    return c;
}

static void give(struct pool_scene *s, struct net_connection *c) {
    net_pool_release(&s->pool, c, true);
}

static struct net_counters counters_of(struct pool_scene *s) {
    struct net_counters counters = {0};
    net_pool_counters(&s->pool, &counters);
    assert_true(counters.idle <= counters.open && counters.open <= s->pool.options.max);
    return counters;
}

static unsigned connects_of(struct pool_scene *s) {
    struct net_fake_seen seen;
    net_fake_seen(s->fake, &seen);
    assert_int_equal(seen.connects - seen.closes, counters_of(s).open);
    return seen.connects;
}

/* Until so many wait; the queue is looked at, not the clock. */
static void await_waiting(struct pool_scene *s, uint32_t count) {
    for (int i = 0; i < 20000 && counters_of(s).waiting != count; i++)
        usleep(500);
    assert_int_equal(counters_of(s).waiting, count);
}

/* ---- Taking and giving back ------------------------------------------------------------------ */

static void pool__uses_the_newest_idle_one_first(void **state) {
    (void)state;
    struct pool_scene *s = scene_make(0, 4);
    struct net_connection *a = take(s), *b = take(s), *c = take(s);
    give(s, a);
    give(s, c);
    give(s, b);
    assert_ptr_equal(take(s), b);
    assert_ptr_equal(take(s), c);
    assert_ptr_equal(take(s), a);
    assert_int_equal(connects_of(s), 3);
    give(s, a);
    give(s, b);
    give(s, c);
    assert_int_equal(counters_of(s).idle, 3);
    scene_end(s);
}

static void pool__opens_up_to_its_maximum_without_waiting(void **state) {
    (void)state;
    struct pool_scene *s = scene_make(0, 5);
    struct net_connection *taken[5];
    for (int i = 0; i < 5; i++)
        taken[i] = take(s);
    assert_int_equal(counters_of(s).waits, 0);
    assert_int_equal(connects_of(s), 5);
    for (int i = 0; i < 5; i++)
        give(s, taken[i]);
    scene_end(s);
}

static void pool__closes_what_failed(void **state) {
    (void)state;
    struct pool_scene *s = scene_make(2, 4);
    struct net_connection *c = take(s);
    net_pool_release(&s->pool, c, false);
    assert_int_equal(counters_of(s).closed_by_failure, 1);
    assert_int_equal(counters_of(s).open, 0);
    give(s, take(s));
    assert_int_equal(connects_of(s), 2);
    scene_end(s);
}

static void pool__survives_a_connection_that_cannot_be_made(void **state) {
    (void)state;
    struct pool_scene *s = scene_make(0, 1);
    struct net_connection *c = NULL;
    int64_t wait_us;
    net_fake_fail_connect(s->fake, 1);
    REFUSED(net_pool_acquire(&s->pool, INT64_MAX, &c, &wait_us, &s->error), MNEME_NO_MEMORY,
            &s->error);
    assert_null(c);
    assert_int_equal(counters_of(s).open, 0);
    give(s, take(s));
    scene_end(s);
}

/* ---- Age and idleness ------------------------------------------------------------------------ */

static void pool__does_not_use_a_connection_over_its_age(void **state) {
    (void)state;
    struct pool_scene *s = scene_make(2, 2);
    struct net_connection *c = take(s);
    give(s, c);
    for (int i = 0; i < 9; i++) {
        net_fake_advance(s->fake, 11 * S);
        give(s, take(s));
    }
    assert_int_equal(connects_of(s), 1);
    c = take(s);
    net_fake_advance(s->fake, S); /* 100 s while it is used */
    give(s, c);
    assert_int_equal(counters_of(s).closed_by_age, 1);
    give(s, take(s));
    net_fake_advance(s->fake, 100 * S); /* and while it is idle, though two are to be kept */
    give(s, take(s));
    assert_int_equal(counters_of(s).closed_by_age, 2);
    assert_int_equal(connects_of(s), 3);
    scene_end(s);
}

static void pool__closes_idle_ones_down_to_its_minimum(void **state) {
    (void)state;
    struct pool_scene *s = scene_make(2, 6);
    struct net_connection *taken[6];
    for (int i = 0; i < 6; i++)
        taken[i] = take(s);
    for (int i = 0; i < 6; i++) {
        give(s, taken[i]);
        net_fake_advance(s->fake, MS);
    }
    assert_int_equal(counters_of(s).open, 6);
    net_fake_advance(s->fake, 20 * S);
    assert_int_equal(counters_of(s).open, 2);
    assert_int_equal(counters_of(s).closed_by_idle, 4);
    assert_ptr_equal(take(s), taken[5]); /* the youngest stayed */
    assert_ptr_equal(take(s), taken[4]);
    give(s, taken[4]);
    give(s, taken[5]);
    net_fake_advance(s->fake, 60 * S);
    assert_int_equal(counters_of(s).open, 2);
    scene_end(s);
}

/* Those above the target go after a quarter of the time. */
static void pool__closes_those_above_the_target_earlier(void **state) {
    (void)state;
    struct pool_scene *s = scene_make(0, 4);
    struct net_connection *taken[4];
    for (int i = 0; i < 4; i++)
        taken[i] = take(s);
    for (int i = 0; i < 4; i++)
        give(s, taken[i]);
    assert_int_equal(counters_of(s).target, 4); /* nothing is known yet */
    net_fake_advance(s->fake, 2 * S);
    assert_int_equal(counters_of(s).target, 0);
    assert_int_equal(counters_of(s).open, 4);
    net_fake_advance(s->fake, 3 * S - 1);
    assert_int_equal(counters_of(s).open, 4);
    net_fake_advance(s->fake, 1);
    assert_int_equal(counters_of(s).open, 0);
    scene_end(s);
}

/* Eight at once every two seconds, a millisecond each: one would do on the average, but a burst
 * finds its connections. */
static void pool__keeps_its_connections_between_bursts(void **state) {
    (void)state;
    struct pool_scene *s = scene_make(0, 8);
    struct net_connection *taken[8];
    for (int burst = 0; burst < 20; burst++) {
        for (int i = 0; i < 8; i++)
            taken[i] = take(s);
        net_fake_advance(s->fake, MS);
        for (int i = 0; i < 8; i++)
            give(s, taken[i]);
        net_fake_advance(s->fake, 2 * S);
    }
    assert_true(counters_of(s).target <= 1);
    assert_int_equal(connects_of(s), 8);
    scene_end(s);
}

/* ---- The forecast ---------------------------------------------------------------------------- */

/* So many arrivals of this service time in a second. */
static void second_of(struct net_demand *d, int64_t *now_us, unsigned arrivals,
                      int64_t service_us) {
    for (unsigned i = 0; i < arrivals; i++) {
        net_demand_arrive(d);
        net_demand_serve(d, service_us);
    }
    assert_false(net_demand_update(d, *now_us + S - 1));
    *now_us += S;
    assert_true(net_demand_update(d, *now_us));
}

static void demand__is_arrivals_times_service_time(void **state) {
    (void)state;
    struct net_demand d;
    int64_t now_us = 5 * S;
    net_demand_init(&d, now_us);
    assert_int_equal(net_demand_target(&d, 0, 64), 64);
    for (int i = 0; i < 10; i++)
        second_of(&d, &now_us, 400, 10 * MS); /* 4 in use */
    assert_true(fabs(d.level - 4) < 1e-9 && fabs(d.trend) < 1e-9);
    assert_int_equal(net_demand_target(&d, 0, 64), 4 + 2);
    assert_int_equal(net_demand_target(&d, 9, 64), 9);
    assert_int_equal(net_demand_target(&d, 0, 5), 5);
}

/* Holt's equations by hand: demands 0, 4, 8 give (0,0), (2,0.6), (5.3,1.41). */
static void demand__follows_holt(void **state) {
    (void)state;
    struct net_demand d;
    int64_t now_us = 0;
    net_demand_init(&d, now_us);
    second_of(&d, &now_us, 0, 0);
    assert_int_equal(net_demand_target(&d, 0, 64), 0);
    second_of(&d, &now_us, 40, 100 * MS);
    assert_true(fabs(d.level - 2) < 1e-9 && fabs(d.trend - 0.6) < 1e-9);
    second_of(&d, &now_us, 80, 100 * MS);
    assert_true(fabs(d.level - 5.3) < 1e-9 && fabs(d.trend - 1.41) < 1e-9);
    assert_int_equal(net_demand_target(&d, 0, 64), 10); /* 6.71 and its root, 2.59 */
}

/* While the load grows evenly, the forecast is ahead of what is measured now. */
static void demand__is_ahead_of_a_growing_load(void **state) {
    (void)state;
    struct net_demand d;
    int64_t now_us = 0;
    net_demand_init(&d, now_us);
    for (unsigned i = 1; i <= 30; i++)
        second_of(&d, &now_us, 100 * i, 10 * MS); /* i in use */
    assert_true(fabs(d.level + d.trend - 31) < 0.2);
}

static void demand__forgets_a_load_that_ended(void **state) {
    (void)state;
    struct net_demand d, slow;
    int64_t now_us = 0;
    net_demand_init(&d, now_us);
    for (int i = 0; i < 10; i++)
        second_of(&d, &now_us, 1000, 20 * MS);
    slow = d;
    for (int i = 0; i < 12; i++)
        second_of(&slow, &now_us, 0, 0);
    assert_true(net_demand_update(&d, now_us)); /* the same without a look in between */
    assert_true(fabs(d.level - slow.level) < 1e-9 && fabs(d.trend - slow.trend) < 1e-9);
    assert_int_equal(d.end_us, slow.end_us);
    assert_true(d.level < 1 && net_demand_target(&d, 0, 64) <= 1);
    assert_true(net_demand_update(&d, now_us + INT64_C(1000000) * 3600 * 24 * 365));
    assert_int_equal(net_demand_target(&d, 3, 64), 3);
}

/* Arrivals that wait are demand, though none of them was served yet. */
static void demand__counts_those_who_wait(void **state) {
    (void)state;
    struct net_demand d;
    int64_t now_us = 0;
    net_demand_init(&d, now_us);
    second_of(&d, &now_us, 100, 10 * MS);
    for (int i = 0; i < 500; i++)
        net_demand_arrive(&d);
    assert_true(net_demand_update(&d, now_us + S));
    assert_true(fabs(d.level - 3) < 1e-9); /* half of 1 and half of 5 */
}

static void pool__aims_at_the_forecast(void **state) {
    (void)state;
    struct pool_scene *s = scene_make(1, 16);
    struct net_connection *taken[4];
    for (int i = 0; i < 200; i++) { /* 4 in use, all the time */
        for (int k = 0; k < 4; k++)
            taken[k] = take(s);
        net_fake_advance(s->fake, 50 * MS);
        for (int k = 0; k < 4; k++)
            give(s, taken[k]);
    }
    assert_int_equal(counters_of(s).target, 6);
    net_fake_advance(s->fake, 60 * S);
    assert_int_equal(counters_of(s).target, 1);
    scene_end(s);
}

/* ---- The queue ------------------------------------------------------------------------------- */

/* Within the pool's own time, and within the caller's. */
static void pool__gives_up_when_acquisition_time_is_over(void **state) {
    (void)state;
    for (int by_caller = 0; by_caller < 2; by_caller++) {
        struct pool_scene *s = scene_make(0, 1);
        struct net_connection *held = take(s), *c = NULL;
        int64_t wait_us, deadline_us = by_caller ? net_fake_now_us(s->fake) : INT64_MAX;
        s->pool.options.acquire_us = by_caller ? S : 0;
        REFUSED(net_pool_acquire(&s->pool, deadline_us, &c, &wait_us, &s->error), MNEME_UNAVAILABLE,
                &s->error);
        assert_says(&s->error, "none of the 1 connections became free");
        assert_null(c);
        assert_int_equal(counters_of(s).acquire_timeouts, 1);
        assert_int_equal(counters_of(s).waits, 1);
        assert_int_equal(counters_of(s).waiting, 0);
        give(s, held);
        scene_end(s);
    }
}

struct waiter_thread {
    struct pool_scene *scene;
    pthread_t thread;
    int status;
    int64_t wait_us;
    unsigned number; /* of the service, from 1 */
    atomic_uint *served;
    bool fail;           /* give it back as failed */
    int64_t deadline_us; /* 0: none */
    mneme_error error;
};

static void *wait_and_give(void *context) {
    struct waiter_thread *w = context;
    struct net_connection *c = NULL;
    w->status = net_pool_acquire(&w->scene->pool, w->deadline_us ? w->deadline_us : INT64_MAX, &c,
                                 &w->wait_us, &w->error);
    if (w->status == 0) {
        w->number = atomic_fetch_add(w->served, 1) + 1;
        net_pool_release(&w->scene->pool, c, !w->fail);
    }
    return NULL;
}

static void start_waiters(struct pool_scene *s, struct waiter_thread *waiters, uint32_t count,
                          atomic_uint *served) {
    for (uint32_t i = 0; i < count; i++) {
        waiters[i] = (struct waiter_thread){.scene = s, .served = served, .fail = waiters[i].fail};
        assert_int_equal(thread_start(&waiters[i].thread, wait_and_give, &waiters[i], NULL), 0);
        await_waiting(s, i + 1);
    }
}

static void join_waiters(const struct waiter_thread *waiters, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        pthread_join(waiters[i].thread, NULL);
}

/* One connection, and each gives it to the next: they come in the order in which they queued,
 * whether the connection is handed over or must be opened anew. */
static void pool__serves_in_the_order_of_arrival(void **state) {
    (void)state;
    enum { COUNT = 16 };
    struct pool_scene *s = scene_make(0, 1);
    struct net_connection *held = take(s);
    struct waiter_thread waiters[COUNT] = {{.fail = false}};
    atomic_uint served = 0;
    for (int i = 0; i < COUNT; i++)
        waiters[i].fail = i % 3 == 1;
    start_waiters(s, waiters, COUNT, &served);
    net_fake_advance(s->fake, 2 * S);
    give(s, held);
    join_waiters(waiters, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(waiters[i].status, 0);
        assert_int_equal(waiters[i].number, i + 1);
        assert_int_equal(waiters[i].wait_us, 2 * S);
    }
    struct net_counters c = counters_of(s);
    assert_int_equal(c.waits, COUNT);
    assert_int_equal(c.wait_us, COUNT * INT64_C(2000000));
    assert_int_equal(c.closed_by_failure, 5);
    assert_int_equal(connects_of(s), 6);
    scene_end(s);
}

/* The connection is given back and asked for again at once, while another waits: it is his. */
static void pool__lets_no_newcomer_overtake(void **state) {
    (void)state;
    struct pool_scene *s = scene_make(0, 1);
    atomic_uint served = 0;
    for (int i = 0; i < 50; i++) {
        struct waiter_thread waiter[1] = {{.fail = i % 2}};
        struct net_connection *held = take(s);
        atomic_store(&served, 0);
        start_waiters(s, waiter, 1, &served);
        give(s, held);
        held = take(s);
        unsigned before_us = atomic_load(&served);
        give(s, held);
        join_waiters(waiter, 1);
        assert_int_equal(before_us, 1);
    }
    scene_end(s);
}

static void pool__times_out_who_waits_and_serves_the_others(void **state) {
    (void)state;
    struct pool_scene *s = scene_make(0, 1);
    struct net_connection *held = take(s);
    struct waiter_thread waiters[5] = {{.fail = false}};
    atomic_uint served = 0;
    start_waiters(s, waiters, 2, &served);
    net_fake_advance(s->fake, 2 * S);
    for (uint32_t i = 2; i < 5; i++) { /* a second later than the first two are out of time */
        waiters[i] = (struct waiter_thread){.scene = s, .served = &served};
        assert_int_equal(thread_start(&waiters[i].thread, wait_and_give, &waiters[i], NULL), 0);
        await_waiting(s, i + 1);
    }
    net_fake_advance(s->fake, 1 * S);
    await_waiting(s, 3);
    give(s, held);
    join_waiters(waiters, 5);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(waiters[i].status, i < 2 ? MNEME_UNAVAILABLE : 0);
        assert_int_equal(waiters[i].number, i < 2 ? 0 : i - 1);
    }
    assert_int_equal(counters_of(s).acquire_timeouts, 2);
    scene_end(s);
}

/* He who waits in the middle, and he who is last, have less time than the others. */
static void pool__lets_waiters_leave_from_anywhere(void **state) {
    (void)state;
    struct pool_scene *s = scene_make(0, 1);
    struct net_connection *held = take(s);
    struct waiter_thread waiters[6] = {{.fail = false}};
    atomic_uint served = 0;
    for (uint32_t i = 0; i < 6; i++) {
        waiters[i] = (struct waiter_thread){.scene = s, .served = &served};
        if (i == 1 || i == 3)
            waiters[i].deadline_us = net_fake_now_us(s->fake) + S;
        assert_int_equal(thread_start(&waiters[i].thread, wait_and_give, &waiters[i], NULL), 0);
        await_waiting(s, i < 4 ? i + 1 : i - 1);
        if (i == 3) {
            net_fake_advance(s->fake, S);
            await_waiting(s, 2);
        }
    }
    give(s, held);
    static const unsigned numbers[] = {1, 0, 2, 0, 3, 4};
    join_waiters(waiters, 6);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(waiters[i].number, numbers[i]);
    scene_end(s);
}

/* Who was invited to open one and could not passes the invitation on. */
static void pool__passes_a_place_on_that_was_not_used(void **state) {
    (void)state;
    struct pool_scene *s = scene_make(0, 1);
    struct net_connection *held = take(s);
    struct waiter_thread waiters[3] = {{.fail = false}};
    atomic_uint served = 0;
    start_waiters(s, waiters, 3, &served);
    net_fake_fail_connect(s->fake, 1);
    net_pool_release(&s->pool, held, false);
    join_waiters(waiters, 3);
    assert_int_equal(waiters[0].status, MNEME_NO_MEMORY);
    assert_int_equal(waiters[1].number, 1);
    assert_int_equal(waiters[2].number, 2);
    assert_int_equal(counters_of(s).open, 1);
    scene_end(s);
}

/* ---- Many threads -----------------------------------------------------------------------------
 */

struct crowd {
    struct pool_scene *scene;
    atomic_uint inside, most, wrong, done;
    atomic_uint random;
};

static void *use_often(void *context) {
    struct crowd *crowd = context;
    for (int i = 0; i < 300; i++) {
        struct net_connection *c = NULL;
        int64_t wait_us;
        mneme_error error;
        if (net_pool_acquire(&crowd->scene->pool, INT64_MAX, &c, &wait_us, &error) != 0) {
            atomic_fetch_add(&crowd->wrong, 1);
            continue;
        }
        unsigned inside = atomic_fetch_add(&crowd->inside, 1) + 1;
        unsigned most = atomic_load(&crowd->most);
        while (inside > most && !atomic_compare_exchange_weak(&crowd->most, &most, inside))
            ;
        if (i % 8 == 0)
            usleep(50);
        atomic_fetch_sub(&crowd->inside, 1);
        net_pool_release(&crowd->scene->pool, c, atomic_fetch_add(&crowd->random, 7) % 11 != 0);
        atomic_fetch_add(&crowd->done, 1);
    }
    return NULL;
}

static void pool__holds_its_maximum_under_many_threads(void **state) {
    (void)state;
    enum { COUNT = 16 };
    struct crowd crowd = {.scene = scene_make(1, 3)};
    pthread_t threads[COUNT];
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(thread_start(&threads[i], use_often, &crowd, NULL), 0);
    for (int i = 0; i < COUNT; i++)
        pthread_join(threads[i], NULL);
    struct net_counters c = counters_of(crowd.scene);
    assert_int_equal(crowd.wrong, 0);
    assert_int_equal(crowd.done, COUNT * 300);
    assert_true(crowd.most <= 3);
    assert_int_equal(c.waiting, 0);
    assert_int_equal(c.open, c.idle);
    assert_int_equal(connects_of(crowd.scene) - c.closed_by_failure - c.closed_by_idle, c.open);
    scene_end(crowd.scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pool__uses_the_newest_idle_one_first),
        cmocka_unit_test(pool__opens_up_to_its_maximum_without_waiting),
        cmocka_unit_test(pool__closes_what_failed),
        cmocka_unit_test(pool__survives_a_connection_that_cannot_be_made),
        cmocka_unit_test(pool__does_not_use_a_connection_over_its_age),
        cmocka_unit_test(pool__closes_idle_ones_down_to_its_minimum),
        cmocka_unit_test(pool__closes_those_above_the_target_earlier),
        cmocka_unit_test(pool__keeps_its_connections_between_bursts),
        cmocka_unit_test(demand__is_arrivals_times_service_time),
        cmocka_unit_test(demand__follows_holt),
        cmocka_unit_test(demand__is_ahead_of_a_growing_load),
        cmocka_unit_test(demand__forgets_a_load_that_ended),
        cmocka_unit_test(demand__counts_those_who_wait),
        cmocka_unit_test(pool__aims_at_the_forecast),
        cmocka_unit_test(pool__gives_up_when_acquisition_time_is_over),
        cmocka_unit_test(pool__serves_in_the_order_of_arrival),
        cmocka_unit_test(pool__lets_no_newcomer_overtake),
        cmocka_unit_test(pool__times_out_who_waits_and_serves_the_others),
        cmocka_unit_test(pool__lets_waiters_leave_from_anywhere),
        cmocka_unit_test(pool__passes_a_place_on_that_was_not_used),
        cmocka_unit_test(pool__holds_its_maximum_under_many_threads),
    };
    return cmocka_run_group_tests_name("net/pool", tests, NULL, NULL);
}
