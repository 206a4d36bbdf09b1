/*
 * trajectories.h - trajectories for the tests: the real ones where they lie, else generated ones
 * of the same shape; and odd ones, of every shape that a file could have.
 */
#ifndef TESTS_EXCHANGE_TRAJECTORIES_H
#define TESTS_EXCHANGE_TRAJECTORIES_H

#include "exchange_fixture.h"
#include "support/random_record.h"

enum { TRAJECTORY_COUNT = 200 };

/* ---- Generated ---------------------------------------------------------------------------- */

static inline void put_words(struct rng *rng, struct buf *b, size_t count) {
    static const char *const words[] = {
        "the",     "flight", "is",      "booked", "from",    "Boston",           "to",
        "Seattle", "please", "confirm", "your",   "baggage", "allowance",        "cabin",
        "economy", "refund", "I",       "would",  "like",    "\xC3\xA9t\xC3\xA9"};
    for (size_t i = 0; i < count; i++)
        buf_printf(b, "%s%s", i ? " " : "", words[rng_below(rng, COUNT_OF(words))]);
}

static inline void put_said(struct rng *rng, struct buf *b, const char *role, size_t words) {
    buf_printf(b, ",\n{\"role\": \"%s\", \"content\": \"", role);
    put_words(rng, b, words);
    buf_append_string(b, "\"}");
}

static inline void put_tool_call(struct rng *rng, struct buf *b) {
    static const char *const tools[] = {"get_user_details", "search_direct_flight",
                                        "book_reservation", "cancel_reservation"};
    const char *tool = tools[rng_below(rng, COUNT_OF(tools))];
    unsigned long long id = rng_next(rng);
    buf_printf(b,
               ",\n{\"content\": null, \"role\": \"assistant\", \"tool_calls\": [{\"function\": "
               "{\"arguments\": \"{\\\"id\\\":\\\"%06llu\\\"}\", \"name\": \"%s\"}, \"id\": "
               "\"call_%016llx\", \"type\": \"function\"}]}",
               id % 1000000, tool, id);
    buf_printf(b,
               ",\n{\"role\": \"tool\", \"tool_call_id\": \"call_%016llx\", \"name\": \"%s\", "
               "\"content\": \"%s{\\\"note\\\": \\\"",
               id, tool, rng_chance(rng, 10) ? "Error: " : "");
    put_words(rng, b, 20 + rng_below(rng, 60));
    buf_append_string(b, "\\\"}\"}");
}

static inline void put_trajectory(struct rng *rng, struct buf *b, unsigned task, unsigned trial) {
    buf_printf(b,
               "{\n\"task_id\": %u,\n\"reward\": %s,\n\"info\": {\"task\": {\"user_id\": "
               "\"user_%u\", \"instruction\": \"Task %u: ",
               task, rng_chance(rng, 40) ? "1.0" : "0.0", task, task);
    put_words(rng, b, 30);
    buf_append_string(b, "\"}, \"user_cost\": 0.0035475000000000003},\n\"traj\": [\n"
                         "{\"role\": \"system\", \"content\": \"# Airline Agent Policy\\n");
    put_words(rng, b, 300);
    buf_append_string(b, "\"}");
    for (uint64_t turns = 3 + rng_below(rng, 8); turns > 0; turns--) {
        put_said(rng, b, "user", 10);
        if (rng_chance(rng, 70))
            put_tool_call(rng, b);
        put_said(rng, b, "assistant", 40);
    }
    buf_printf(b, "],\n\"trial\": %u\n}", trial);
}

static inline const char *generate_trajectories(const struct home *home, const char *name) {
    struct rng rng = {.state = 20240515};
    AUTO_BUF struct buf b = BUF_INIT(JSON_MAX);
    const char *path = home_file(home, name);
    buf_append_byte(&b, '[');
    for (unsigned i = 0; i < TRAJECTORY_COUNT; i++) {
        buf_append_string(&b, i ? ",\n" : "\n");
        put_trajectory(&rng, &b, i % 50, i / 50);
    }
    buf_append_string(&b, "\n]\n");
    assert_int_equal(b.status, 0);
    file_write(path, b.data, b.size);
    return path;
}

/* The file with 200 trajectories: the real one, or a generated one, and stdout says so. */
static inline const char *trajectories_file(const struct home *home) {
    static char path[1024];
    const char *directory = getenv("MNEME_DATA_DIR");
    snprintf(path, sizeof path, "%s/tau-bench-airline.json",
             directory && *directory ? directory : MNEME_DEFAULT_DATA_DIR);
    if (file_exists(path))
        return path;
    const char *generated = generate_trajectories(home, "generated-airline.json");
    printf("%s is not there; %d trajectories were generated instead\n", path, TRAJECTORY_COUNT);
    return generated;
}

/* ---- Odd ---------------------------------------------------------------------------------- */

static inline const char *odd_value(struct rng *rng) {
    static const char *const values[] = {"null",
                                         "true",
                                         "-0.0",
                                         "12345678901234567890",
                                         "\"\"",
                                         "\"Error: no\"",
                                         "\"\\u00e9\\n\\\"\"",
                                         "[1, {\"a\": 2}]",
                                         "{\"x\": [ ]}",
                                         "\"plain\""};
    return values[rng_below(rng, COUNT_OF(values))];
}

static inline void odd_id(struct rng *rng, struct buf *b) {
    buf_printf(b, rng_chance(rng, 90) ? "\"call_%u\"" : "%u", (unsigned)rng_below(rng, 4));
}

static inline void odd_call(struct rng *rng, struct buf *b) {
    static const char *const names[] = {"\"f\"", "\"g\"", "7"};
    buf_append_string(b, "{\"function\": {");
    if (rng_chance(rng, 90))
        buf_printf(b, "\"arguments\": %s, ", rng_chance(rng, 80) ? "\"{}\"" : odd_value(rng));
    buf_printf(b, "\"name\": %s}", names[rng_below(rng, rng_chance(rng, 95) ? 2 : 3)]);
    if (rng_chance(rng, 95)) {
        buf_append_string(b, ", \"id\": ");
        odd_id(rng, b);
    }
    if (rng_chance(rng, 95))
        buf_printf(b, ", \"type\": %s", rng_chance(rng, 90) ? "\"function\"" : odd_value(rng));
    if (rng_chance(rng, 5))
        buf_printf(b, ", \"index\": %s", odd_value(rng));
    buf_append_byte(b, '}');
}

static inline void odd_calls(struct rng *rng, struct buf *b) {
    if (rng_chance(rng, 5)) {
        buf_append_string(b, odd_value(rng));
        return;
    }
    buf_append_byte(b, '[');
    uint64_t count = rng_chance(rng, 60) ? 1 : rng_below(rng, 4);
    for (uint64_t i = 0; i < count; i++) {
        buf_append_string(b, i ? ", " : "");
        odd_call(rng, b);
    }
    buf_append_byte(b, ']');
}

/* One message, with every member now and then missing, or strange. */
static inline void odd_message(struct rng *rng, struct buf *b) {
    static const char *const roles[] = {"assistant", "tool", "user"};
    static const char *const extras[] = {"raw", "calls", "answers", "agent", ""};
    const char *role = roles[rng_below(rng, COUNT_OF(roles))];
    buf_append_byte(b, '{');
    const char *comma = "";
    if (rng_chance(rng, 97)) {
        buf_printf(b, "\"role\": \"%s\"", role);
        comma = ", ";
    }
    if (rng_chance(rng, 95)) {
        bool null = role[0] == 'a' && rng_chance(rng, 60);
        buf_printf(b, "%s\"content\": %s", comma, null ? "null" : odd_value(rng));
        comma = ", ";
    }
    if (role[0] == 'a' && rng_chance(rng, 80)) {
        buf_printf(b, "%s\"tool_calls\": ", comma);
        odd_calls(rng, b);
        comma = ", ";
    }
    if (role[0] == 't' && rng_chance(rng, 95)) {
        buf_printf(b, "%s\"tool_call_id\": ", comma);
        odd_id(rng, b);
        comma = ", ";
    }
    if (role[0] == 't' && rng_chance(rng, 90))
        buf_printf(b, "%s\"name\": \"%s\"", comma, rng_chance(rng, 70) ? "f" : "g");
    else if (rng_chance(rng, 5))
        buf_printf(b, "%s\"%s\": %s", comma, extras[rng_below(rng, COUNT_OF(extras))],
                   odd_value(rng));
    buf_append_byte(b, '}');
}

/* One trajectory of such messages. */
static inline void odd_trajectory(struct rng *rng, struct buf *b) {
    buf_append_string(b, "{\"traj\": [");
    uint64_t count = rng_below(rng, 12);
    for (uint64_t i = 0; i < count; i++) {
        buf_append_string(b, i ? ",\n " : "");
        odd_message(rng, b);
    }
    buf_printf(b, "], \"reward\": %s", rng_chance(rng, 50) ? "1" : "-0.25");
    if (rng_chance(rng, 90))
        buf_printf(b, ", \"task_id\": %s", odd_value(rng));
    if (rng_chance(rng, 90))
        buf_printf(b, ", \"trial\": %u", (unsigned)rng_below(rng, 5));
    if (rng_chance(rng, 50))
        buf_printf(b, ", \"info\": %s", odd_value(rng));
    buf_append_byte(b, '}');
}

#endif
