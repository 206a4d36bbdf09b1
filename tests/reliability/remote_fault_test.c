/*
 * remote_fault_test.c - writes to a remote store over a wire that fails: nothing acknowledged is
 * lost, nothing is doubled, and the code of every failure is true.
 *
 * Every operation is run with every fault at its first request, then its second, and so on until
 * the operation no longer makes so many; once with the fault at that request alone, which a retry
 * makes good, and once with the fault from there on, until it heals.
 */
#include "support/api_fixture.h"
#include "support/remote_scene.h"

/* ---- Faults ------------------------------------------------------------------------------------
 */

struct fault {
    const char *name;
    struct proxy_action action;
    const char *text; /* of ANSWER and REPLACE: the bytes */
    bool quick;       /* cheap: the others cost a second an attempt */
};

#define OK_JSON(body) "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " body

static const struct fault faults[] = {
    {"reset", {.fault = PROXY_RESET}, NULL, true},
    {"lost answer", {.fault = PROXY_LOSE}, NULL, true},
    {"answer cut at once", {.fault = PROXY_TRUNCATE, .bytes = 0}, NULL, true},
    {"answer cut in its head", {.fault = PROXY_TRUNCATE, .bytes = 30}, NULL, true},
    {"answer cut in its body", {.fault = PROXY_TRUNCATE, .bytes = 400}, NULL, true},
    {"answer of garbage", {.fault = PROXY_REPLACE, .close = true}, "\x16\x03\x01garbage", true},
    {"garbage instead", {.fault = PROXY_ANSWER, .close = true}, "\x16\x03\x01garbage", true},
    {"body of garbage", {.fault = PROXY_REPLACE}, OK_JSON("6\r\n\r\n{\"bat~"), true},
    {"empty object", {.fault = PROXY_REPLACE}, OK_JSON("2\r\n\r\n{}"), true},
    {"no results", {.fault = PROXY_REPLACE}, OK_JSON("14\r\n\r\n{\"results\":[]}"), true},
    {"endless answer",
     {.fault = PROXY_REPLACE, .close = true},
     OK_JSON("99999999999\r\n\r\n{\"results\":["),
     true},
    {"late answer", {.fault = PROXY_DELAY, .ms = 10}, NULL, true},
    {"slow answer", {.fault = PROXY_SLOW, .bytes = 100, .ms = 1}, NULL, true},
    {"closed behind the answer", {.fault = PROXY_CLOSE}, NULL, true},
    {"stall", {.fault = PROXY_STALL}, NULL, false},
    {"answer kept back", {.fault = PROXY_MUTE}, NULL, false},
    {"answer that stops", {.fault = PROXY_SLOW, .bytes = 200, .ms = 60000}, NULL, false},
};

static struct proxy_action action_of(const struct fault *fault) {
    struct proxy_action action = fault->action;
    if (fault->text)
        action.answer = slice_of_string(fault->text);
    return action;
}

/* ---- One schedule ------------------------------------------------------------------------------
 */

/* Which codes a failure of the wire may have: the server did nothing, or nobody knows. */
static void check_code(const struct remote_scene *scene, const struct fault *fault, bool once,
                       int status) {
    bool passes = fault->action.fault == PROXY_DELAY || fault->action.fault == PROXY_CLOSE ||
                  (fault->action.fault == PROXY_SLOW && fault->action.ms < 100);
    bool too_large = strcmp(fault->name, "endless answer") == 0;
    if (status == 0 || (status == MNEME_UNCERTAIN && too_large))
        return;
    if (once || passes)
        fail_msg("%s: failed, though a retry would do: %s", scene->what, scene->said.message);
    if (status != MNEME_UNCERTAIN && status != MNEME_UNAVAILABLE)
        fail_msg("%s: no failure of the wire: %s", scene->what, scene->said.message);
}

/* Run an operation with the fault at requests k to `last`. Returns whether there was such a one. */
static bool run_schedule(struct remote_scene *scene, enum remote_op op, const struct fault *fault,
                         uint64_t k, uint64_t last) {
    bool struck;
    remote_doing(scene, "%s, %s at request %llu%s", remote_op_names[op], fault->name,
                 (unsigned long long)k, last > k ? " and on" : "");
    check_code(scene, fault, last == k,
               remote_strike(scene, op, action_of(fault), k, last, &struck));
    return struck;
}

/* What a case runs. */
struct plan {
    struct remote_options options;
    unsigned ops; /* bits of enum remote_op */
    bool waits;   /* the faults that are waited for, too */
};

#define BIT(op) (1U << (op))

static bool is_wanted(const struct plan *plan, enum remote_op op, size_t f) {
    if (!(plan->ops & BIT(op)))
        return false;
    if (!faults[f].quick)
        return plan->waits && op == REMOTE_PUT;
    return op != REMOTE_LARGE || f < 5; /* megabytes take their time */
}

/* The fault at each of the operation's requests; how many there were. */
static unsigned run_requests(struct remote_scene *scene, enum remote_op op,
                             const struct fault *fault) {
    for (uint64_t k = 1;; k++) {
        if (!run_schedule(scene, op, fault, k, k))
            return (unsigned)k - 1;
        if (fault->quick)
            run_schedule(scene, op, fault, k, UINT64_MAX);
    }
}

struct run {
    const struct plan *plan;
    struct remote_scene scene;
};

static void run_all(void **state) {
    struct run *run = *state;
    unsigned struck = 0;
    for (size_t f = 0; f < COUNT_OF(faults); f++) {
        for (enum remote_op op = 0; op < REMOTE_OPS; op++)
            if (is_wanted(run->plan, op, f))
                struck += run_requests(&run->scene, op, &faults[f]);
        remote_compare(&run->scene);
    }
    assert_true(struck > COUNT_OF(faults));
}

static int setup(void **state) {
    static struct run run;
    run.plan = *state;
    remote_scene_make(&run.scene, &run.plan->options);
    *state = &run;
    return 0;
}

static int teardown(void **state) {
    struct run *run = *state;
    remote_scene_remove(&run->scene);
    return 0;
}

#define CASE(name, plan)                                                                           \
    { name, run_all, setup, teardown, &(plan) }

int main(void) {
    static struct plan json = {
        .options = {.encoding = HRANA_JSON}, .ops = BIT(REMOTE_OPS) - 1, .waits = true};
    static struct plan protobuf = {.options = {.encoding = HRANA_PROTOBUF},
                                   .ops = BIT(REMOTE_PUT) | BIT(REMOTE_EPISODE) |
                                          BIT(REMOTE_BATCHES) | BIT(REMOTE_LARGE)};
    static struct plan batched = {.options = {.encoding = HRANA_JSON, .batched = true},
                                  .ops = BIT(REMOTE_APPEND) | BIT(REMOTE_MISSING) |
                                         BIT(REMOTE_BATCHES) | BIT(REMOTE_MANY)};
    const struct CMUnitTest tests[] = {
        CASE("remote_writes__survive_the_wire_in_json", json),
        CASE("remote_writes__survive_the_wire_in_protobuf", protobuf),
        CASE("remote_writes__survive_the_wire_with_group_commit", batched),
    };
    return cmocka_run_group_tests_name("reliability/remote_fault", tests, NULL, NULL);
}
