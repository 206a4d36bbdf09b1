/*
 * fault_test.c - every public call that writes, with its k-th allocation, write or sync failing,
 * for k = 1, 2, … until nothing is left to fail: an error comes back, the store is as it was or as
 * the call should leave it, nothing leaks, and the next call works.
 */
#include <string.h>

#include "reliability/io_faults.h"
#include "support/fault_scene.h"

enum { K_MAX = 20000 };

/* ---- What must hold after a call ------------------------------------------------------------- */

struct trial {
    struct scene *scene;
    const struct fault_case *fault_case;
    mneme_bytes before, after; /* of a call that succeeds */
    unsigned descriptors;
    const char *fault; /* for messages */
    uint64_t k;
};

static bool same_text(const mneme_bytes *a, const mneme_bytes *b) {
    return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

#define TRIAL_CHECK(t, condition, ...)                                                             \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_error("%s, %s number %llu: ", (t)->fault_case->name, (t)->fault,                 \
                        (unsigned long long)(t)->k);                                               \
            print_error(__VA_ARGS__);                                                              \
            fail_msg("%s", #condition);                                                            \
        }                                                                                          \
    } while (0)

static void trial_begin(struct trial *t, struct scene *scene, const struct fault_case *c) {
    mneme_error error;
    *t = (struct trial){.scene = scene, .fault_case = c};
    scene_reset(scene);
    scene_probe(scene);
    t->before = scene_text(scene);
    OK(c->act(scene, &error), &error);
    t->after = scene_text(scene);
    assert_false(same_text(&t->before, &t->after) && strncmp(c->name, "replace_s", 9) != 0);
    scene_reset(scene);
    scene_probe(scene);
    t->descriptors = open_descriptors();
}

static void trial_end(struct trial *t) {
    mneme_bytes_free(&t->before);
    mneme_bytes_free(&t->after);
}

/* The call said `status`: then the store must look as it says, now and after it is opened again. */
static void trial_look(struct trial *t, int status, const mneme_error *error) {
    mneme_error ignored;
    if (status && t->fault_case->in_parts)
        status = t->fault_case->act(t->scene, &ignored);
    mneme_bytes now = scene_text(t->scene);
    const mneme_bytes *expected = status ? &t->before : &t->after;
    TRIAL_CHECK(t, same_text(&now, expected),
                "the call returned %s (%s); before\n%.*s\nnow\n%.*s\n", mneme_status_name(status),
                status ? error->message : "", (int)expected->size, expected->data, (int)now.size,
                now.data);
    mneme_bytes_free(&now);
}

/* ---- Allocations ---------------------------------------------------------------------------- */

static void fail_allocations(struct scene *scene, const struct fault_case *c) {
    struct trial t;
    trial_begin(&t, scene, c);
    t.fault = "allocation";
    for (t.k = 1; t.k < K_MAX; t.k++) {
        mneme_error error = {0};
        mem_fail_after(t.k);
        int status = c->act(scene, &error);
        bool over = mem_fail_after(0) < t.k;
        TRIAL_CHECK(&t, status == 0 || (status == MNEME_NO_MEMORY && error.code == status),
                    "%s: %s\n", mneme_status_name(status), error.message);
        trial_look(&t, status, &error);
        if (over)
            break;
        if (status == 0 || c->in_parts)
            scene_reset(scene);
        scene_probe(scene);
        TRIAL_CHECK(&t, open_descriptors() == t.descriptors, "descriptors were left open\n");
    }
    assert_true(t.k > 1 && t.k < K_MAX);
    trial_end(&t);
    assert_verified(scene->home.path);
}

static void allocation_fails__nothing_is_written_and_nothing_lost(void **state) {
    struct scene scene;
    (void)state;
    scene_make(&scene);
    for (size_t i = 0; i < fault_case_count; i++)
        fail_allocations(&scene, &fault_cases[i]);
    scene_remove(&scene);
}

/* ---- Writes and syncs ------------------------------------------------------------------------ */

static void fail_io(struct scene *scene, const struct fault_case *c, enum io_class class,
                    enum io_mode mode) {
    static const char *const classes[] = {"write", "sync", "mapping", "allocation of LMDB"};
    static const char *const modes[] = {"EIO",    "ENOSPC", "short",
                                        "sticky", "lie",    "lie and fail to take back"};
    char fault[64];
    struct trial t;
    trial_begin(&t, scene, c);
    snprintf(fault, sizeof fault, "%s (%s)", classes[class], modes[mode]);
    t.fault = fault;
    for (t.k = 1; t.k < K_MAX; t.k++) {
        mneme_error error = {0};
        io_faults_arm(class, mode, t.k);
        int status = c->act(scene, &error);
        bool over = io_faults_disarm() == 0;
        TRIAL_CHECK(&t,
                    status == 0 || (class == IO_MEMORY && status == MNEME_NO_MEMORY) ||
                        status == (mode == IO_ENOSPC ? MNEME_NO_SPACE : MNEME_IO) ||
                        (mode == IO_SHORT && status == MNEME_NO_SPACE),
                    "%s: %s\n", mneme_status_name(status), error.message);
        TRIAL_CHECK(&t, status == 0 || error.message[0], "no message\n");
        trial_look(&t, status, &error);
        if (over)
            break;
        scene_probe(scene); /* through the same handle */
        scene_reopen(scene);
        trial_look(&t, status, &error);
        assert_verified(scene->home.path);
        if (status == 0 || c->in_parts)
            scene_reset(scene);
        scene_probe(scene);
        TRIAL_CHECK(&t, open_descriptors() == t.descriptors, "descriptors were left open\n");
    }
    assert_true(t.k > 1 && t.k < K_MAX);
    trial_end(&t);
}

static void fail_io_of_all(enum io_class class, enum io_mode mode) {
    struct scene scene;
    scene_make(&scene);
    for (size_t i = 0; i < fault_case_count; i++)
        fail_io(&scene, &fault_cases[i], class, mode);
    scene_remove(&scene);
}

#define IO_TEST(name, class, mode)                                                                 \
    static void name(void **state) {                                                               \
        (void)state;                                                                               \
        fail_io_of_all(class, mode);                                                               \
    }
IO_TEST(write_fails__nothing_is_written_and_the_store_works_on, IO_WRITES, IO_EIO)
IO_TEST(write_finds_no_space__nothing_is_written_and_the_store_works_on, IO_WRITES, IO_ENOSPC)
IO_TEST(write_is_cut_short__nothing_is_written_and_the_store_works_on, IO_WRITES, IO_SHORT)
IO_TEST(writes_fail_from_then_on__the_store_works_when_they_do_again, IO_WRITES, IO_STICKY)
IO_TEST(write_is_done_but_fails__the_answer_is_the_truth, IO_WRITES, IO_LIE)
IO_TEST(write_is_done_but_fails_for_good__the_answer_is_the_truth, IO_WRITES, IO_LIE_THEN_FAIL)
IO_TEST(sync_fails__nothing_is_written_and_the_store_works_on, IO_SYNCS, IO_EIO)
IO_TEST(syncs_fail_from_then_on__the_store_works_when_they_do_again, IO_SYNCS, IO_STICKY)

#if IO_HAS_MEMORY
IO_TEST(lmdb_gets_no_memory__nothing_is_written_and_the_store_works_on, IO_MEMORY, IO_EIO)
IO_TEST(lmdb_gets_no_more_memory__the_store_works_when_there_is_some, IO_MEMORY, IO_STICKY)
#endif

/* Were LMDB's calls not seen, every test above would pass without a fault. */
static void commit__is_seen_by_the_fault_injector(void **state) {
    struct scene scene;
    (void)state;
    scene_make(&scene);
    io_faults_arm(IO_WRITES, IO_EIO, K_MAX);
    scene_probe(&scene);
    io_faults_disarm();
    assert_true(io_faults.calls[IO_WRITES] >= 2); /* pages, and the meta page */
    assert_true(io_faults.calls[IO_SYNCS] >= 1);
    scene_remove(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commit__is_seen_by_the_fault_injector),
        cmocka_unit_test(allocation_fails__nothing_is_written_and_nothing_lost),
        cmocka_unit_test(write_fails__nothing_is_written_and_the_store_works_on),
        cmocka_unit_test(write_finds_no_space__nothing_is_written_and_the_store_works_on),
        cmocka_unit_test(write_is_cut_short__nothing_is_written_and_the_store_works_on),
        cmocka_unit_test(writes_fail_from_then_on__the_store_works_when_they_do_again),
        cmocka_unit_test(write_is_done_but_fails__the_answer_is_the_truth),
        cmocka_unit_test(write_is_done_but_fails_for_good__the_answer_is_the_truth),
        cmocka_unit_test(sync_fails__nothing_is_written_and_the_store_works_on),
        cmocka_unit_test(syncs_fail_from_then_on__the_store_works_when_they_do_again),
#if IO_HAS_MEMORY
        cmocka_unit_test(lmdb_gets_no_memory__nothing_is_written_and_the_store_works_on),
        cmocka_unit_test(lmdb_gets_no_more_memory__the_store_works_when_there_is_some),
#endif
    };
    return cmocka_run_group_tests_name("reliability/fault", tests, NULL, NULL);
}
