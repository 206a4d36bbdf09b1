/*
 * generate.c - made-up episodes: what an agent that works on programs might have done.
 *
 * Texts repeat words and shapes as real ones do, and differ in names, numbers and length; so they
 * compress about as well as real tool output. They are made from templates, in which $ and a
 * letter stand for a word by chance; see append_word.
 */
#include "bench/generate.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "bench/benches.h"
#include "mneme/mneme.h"

/* 2025-01-01T00:00:00Z, and an episode every 20 seconds from then on. */
static const int64_t first_start_us = INT64_C(1735689600) * 1000000;
enum { START_EVERY_US = 20 * 1000 * 1000, TEXT_MAX = 1 << 16 };

/* ---- Chance ------------------------------------------------------------------------------ */

static const uint64_t golden = UINT64_C(0x9e3779b97f4a7c15);

static uint64_t scramble(uint64_t z) {
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t mix(uint64_t a, uint64_t b) { return scramble(scramble(a + golden) + b * golden); }

struct maker {
    uint64_t chance; /* state of splitmix64 */
    struct arena *arena;
    struct buf text; /* scratch */
    bool failed;     /* no memory; sticky */
    uint64_t seed, index;
    const char *module;
    const struct language *language;
    int64_t now_us;
};

static unsigned below(struct maker *m, unsigned limit) {
    return (unsigned)(scramble(m->chance += golden) % limit);
}

static unsigned between(struct maker *m, unsigned low, unsigned high) {
    return low + below(m, high - low + 1);
}

#define PICK(maker, list) ((list)[below((maker), COUNT_OF(list))])

/* ---- Words ------------------------------------------------------------------------------- */

static const char *const modules[] = {
    "session", "cache",   "parser",  "router",  "invoice",  "search",   "upload", "scheduler",
    "login",   "report",  "storage", "export",  "billing",  "index",    "cart",   "settings",
    "webhook", "metrics", "locale",  "archive", "password", "notifier", "backup", "queue"};
static const char *const subjects[] = {
    "timeout",           "memory leak",   "race condition", "rounding error",  "wrong status code",
    "slow query",        "missing index", "encoding error", "duplicate entry", "off-by-one error",
    "broken pagination", "stale cache",   "retry loop",     "null value",      "time zone shift"};
static const char *const places[] = {
    "when the list is empty", "after a restart",         "under load",
    "for names with accents", "on the first of a month", "with two workers",
    "behind a proxy",         "for files over 2 GB",     "in the nightly run",
    "when the network fails", "with an expired token",   "after the last migration"};
static const char *const identifiers[] = {"timeout_ms", "retry_count", "page_size",  "user_id",
                                          "last_seen",  "row_limit",   "next_token", "is_valid",
                                          "batch_size", "created_at",  "file_name",  "total_cents"};
static const char *const code[] = {
    "$i = settings.get('$i', $n)", "if $i > limit_of($i, $n):", "return $i if $i else $n",
    "$i.append(row[$n].$i)",       "log.debug('$m', $i, $n)",   "raise $mError('$i', $n)"};
static const char *const insights[] = {
    "The unit of $i was seconds, not milliseconds.",
    "Two modules, $m and $o, compute the same value; only one was tested.",
    "A failing test written first made the cause of the $s plain.",
    "The log of the request before held the answer.",
    "Searching for $i was quicker than reading the module.",
    "The fix belongs where $i is made, not where it is used."};
static const char *const requests[] = {
    "$w we see a $s in $m. Please find the cause and fix it, with a test.",
    "Could you look at src/$m? There is a $s $w, since about $n builds ago.",
    "The check of $i in $m fails $w. I expected $n, and it says $n."};
static const char *const answers[] = {
    "I will search $m for $i first, then read where it is set.",
    "The $s comes from $p: $i is compared before it is set. I will change that and run the tests.",
    "Done. $i is now checked in one place, and a test covers the case $w."};
static const char *const domains[] = {"web", "data", "payments", "devops", "mobile", "embedded"};
static const char *const complexities[] = {"simple", "moderate", "moderate", "complex"};
static const char *const tag_words[] = {"urgent", "regression", "customer", "nightly"};

struct language {
    const char *name, *framework, *ending, *test_command;
};
static const struct language languages[] = {
    {"python", "django", "py", "pytest -q"}, {"typescript", "react", "ts", "npm test --"},
    {"go", "gin", "go", "go test"},          {"rust", "axum", "rs", "cargo test"},
    {"java", "spring", "java", "mvn test"},  {"c", "cmocka", "c", "ctest -R"}};

struct task_shape {
    const char *type, *text;
};
static const struct task_shape task_shapes[] = {
    {"debugging", "Fix the $s in the $m module $w"},
    {"debugging", "Find out why there is a $s in $m $w"},
    {"testing", "Write a regression test for the $s that $m shows $w"},
    {"refactoring", "Restructure $m so that a $s like the one $w cannot come back"},
    {"code_generation", "Guard $m against a $s $w"},
    {"analysis", "Explain the $s in $m that is reported $w"},
    {"documentation", "Document how $m behaves $w, and the known $s"}};

/* A tool, what it is called with, and its output: a row of lines. */
struct step_shape {
    const char *tool, *action, *parameters, *line;
    unsigned least_lines, most_lines;
};
static const struct step_shape step_shapes[] = {
    {"grep", "search", "{\"pattern\":\"$i\",\"path\":\"src/$m/\"}", "$p:$n:    $c\n", 1, 8},
    {"read_file", "read", "{\"path\":\"$p\",\"from\":$n,\"lines\":40}", "    $c\n", 5, 30},
    {"edit_file", "replace", "{\"path\":\"$p\",\"line\":$n,\"text\":\"$i = $n\"}",
     "$p: 1 line replaced\n", 1, 1},
    {"run_tests", "run", "{\"command\":\"$t tests/$m\"}", "tests/$m/$o: passed in $n ms\n", 1, 12},
    {"shell", "run", "{\"command\":\"git diff --stat\"}", " $p | $n ++--\n", 1, 4},
    {"list_files", "list", "{\"path\":\"src/$m\"}", "$p\n", 2, 10}};

/* ---- Texts ------------------------------------------------------------------------------- */

static void append_template(struct maker *m, const char *template);

static void append_word(struct maker *m, char letter) {
    struct buf *b = &m->text;
    switch (letter) {
    case 'c': /* a line of program text; these have no $c themselves */
        append_template(m, PICK(m, code));
        break;
    case 'i':
        buf_append_string(b, PICK(m, identifiers));
        break;
    case 'm': /* what the episode is about */
        buf_append_string(b, m->module);
        break;
    case 'n':
        buf_printf(b, "%u", below(m, 3000));
        break;
    case 'o':
        buf_append_string(b, PICK(m, modules));
        break;
    case 'p':
        buf_printf(b, "src/%s/%s.%s", m->module, PICK(m, modules), m->language->ending);
        break;
    case 's':
        buf_append_string(b, PICK(m, subjects));
        break;
    case 't':
        buf_append_string(b, m->language->test_command);
        break;
    default: /* w */
        buf_append_string(b, PICK(m, places));
        break;
    }
}

static void append_template(struct maker *m, const char *template) {
    for (; *template; template ++) {
        if (*template == '$')
            append_word(m, *++template);
        else
            buf_append_byte(&m->text, (uint8_t) * template);
    }
}

/* The scratch text, moved to the arena. */
static mneme_text take_text(struct maker *m) {
    struct slice copy = {0};
    if (m->text.status || m->failed || arena_copy(m->arena, buf_slice(&m->text), &copy))
        m->failed = true;
    buf_reset(&m->text);
    return text_of_slice(copy);
}

static mneme_text make_text(struct maker *m, const char *template) {
    append_template(m, template);
    return take_text(m);
}

static void *make_array(struct maker *m, size_t count, size_t size) {
    void *items = m->failed ? NULL : arena_zalloc(m->arena, count, size);
    m->failed = m->failed || !items;
    return items;
}

static mneme_text_list make_list(struct maker *m, const char *template) {
    mneme_text *item = make_array(m, 1, sizeof *item);
    if (!item)
        return (mneme_text_list){0};
    *item = make_text(m, template);
    return (mneme_text_list){item, 1};
}

/* ---- Ids and times ----------------------------------------------------------------------- */

/* A UUIDv7 of this time; `number` is 0 for the episode itself, else that of its step. */
static mneme_id make_id(uint64_t seed, uint64_t index, uint64_t number, int64_t time_us) {
    mneme_id id;
    uint64_t bits = mix(mix(seed, index), number);
    put_be64(id.bytes, (uint64_t)time_us / 1000 << 16 | 0x7000 | (number & 0xfff));
    put_be64(id.bytes + 8, UINT64_C(1) << 63 | bits >> 2);
    return id;
}

static int64_t start_of(uint64_t seed, uint64_t index) {
    return first_start_us + (int64_t)index * START_EVERY_US +
           (int64_t)(mix(seed, index) % (START_EVERY_US / 2));
}

mneme_id generated_id(uint64_t seed, uint64_t index) {
    return make_id(seed, index, 0, start_of(seed, index));
}

/* ---- Parts of an episode ------------------------------------------------------------------ */

static void make_step(struct maker *m, uint64_t number, enum generated_size size,
                      mneme_step *step) {
    const struct step_shape *shape = &PICK(m, step_shapes);
    unsigned most = size == GENERATED_SMALL ? 1 : shape->most_lines;
    unsigned least = shape->least_lines < most ? shape->least_lines : most;
    m->now_us += (int64_t)between(m, 200, 40000) * 1000;
    *step = (mneme_step){.id = make_id(m->seed, m->index, number, m->now_us),
                         .number = number,
                         .time_us = m->now_us,
                         .tool = mneme_text_of(shape->tool),
                         .action = mneme_text_of(shape->action),
                         .result = MNEME_RESULT_SUCCESS,
                         .has_latency = true,
                         .latency_ms = between(m, 3, 9000)};
    step->parameters = make_text(m, shape->parameters);
    if (below(m, 12) == 0) {
        step->result = MNEME_RESULT_ERROR;
        step->output = make_text(m, "error: $p:$n: $i is not defined\n");
        return;
    }
    for (unsigned i = between(m, least, most); i > 0; i--)
        append_template(m, shape->line);
    step->output = take_text(m);
}

static void make_steps(struct maker *m, enum generated_size size, mneme_episode *e) {
    size_t count = size == GENERATED_SMALL ? between(m, 1, 2) : between(m, 4, 15);
    mneme_step *steps = make_array(m, count, sizeof *steps);
    for (size_t i = 0; steps && i < count; i++)
        make_step(m, i + 1, size, &steps[i]);
    e->steps = (mneme_step_list){steps, steps ? count : 0};
}

static void make_messages(struct maker *m, mneme_episode *e) {
    mneme_message *messages = make_array(m, 3, sizeof *messages);
    if (!messages)
        return;
    messages[0] =
        (mneme_message){.role = mneme_text_of("user"), .text = make_text(m, PICK(m, requests))};
    messages[1] =
        (mneme_message){.role = mneme_text_of("assistant"), .text = make_text(m, PICK(m, answers))};
    messages[2] = (mneme_message){.role = mneme_text_of("assistant"),
                                  .text = make_text(m, PICK(m, answers)),
                                  .after_step = e->steps.count};
    e->messages = messages;
    e->message_count = 3;
}

static void make_metadata(struct maker *m, mneme_episode *e) {
    mneme_pair *pairs = make_array(m, 2, sizeof *pairs);
    if (!pairs)
        return;
    buf_printf(&m->text, "project-%u", below(m, 40));
    pairs[0] = (mneme_pair){mneme_text_of("project"), take_text(m)};
    buf_printf(&m->text, "%llu", (unsigned long long)(m->index / 8));
    pairs[1] = (mneme_pair){mneme_text_of("session"), take_text(m)};
    e->metadata = (mneme_pair_list){pairs, 2};
    mneme_text *tag = make_array(m, 1, sizeof *tag);
    if (!tag || below(m, 3) == 0)
        return;
    *tag = mneme_text_of(PICK(m, tag_words));
    e->tags = (mneme_text_list){tag, 1};
}

static void make_end(struct maker *m, mneme_episode *e) {
    unsigned luck = below(m, 10);
    e->end_us = m->now_us + between(m, 1, 60) * 1000000;
    e->outcome.kind = luck < 7 ? MNEME_SUCCESS : luck < 9 ? MNEME_FAILED : MNEME_PARTIAL_SUCCESS;
    e->reward = (mneme_reward){.present = true,
                               .total = luck < 7   ? 1
                                        : luck < 9 ? 0
                                                   : (double)below(m, 100) / 100};
    if (luck >= 7)
        e->outcome.reason = make_text(m, "the $s still shows $w");
    if (below(m, 2))
        e->reflection.insights = make_list(m, PICK(m, insights));
}

static void make_episode(struct maker *m, enum generated_size size, mneme_episode *e) {
    const struct task_shape *shape = &PICK(m, task_shapes);
    e->id = generated_id(m->seed, m->index);
    e->start_us = m->now_us;
    e->task = make_text(m, shape->text);
    e->task_type = mneme_text_of(shape->type);
    e->context = (mneme_context){.language = mneme_text_of(m->language->name),
                                 .framework = mneme_text_of(m->language->framework),
                                 .domain = mneme_text_of(PICK(m, domains)),
                                 .complexity = mneme_text_of(PICK(m, complexities))};
    make_steps(m, size, e);
    if (size == GENERATED_USUAL)
        make_messages(m, e);
    make_metadata(m, e);
    make_end(m, e);
}

int generate_episode(uint64_t seed, uint64_t index, enum generated_size size, struct arena *arena,
                     mneme_record *out, mneme_error *error) {
    struct maker m = {.chance = mix(seed, index),
                      .arena = arena,
                      .text = BUF_INIT(TEXT_MAX),
                      .seed = seed,
                      .index = index,
                      .now_us = start_of(seed, index)};
    m.module = PICK(&m, modules);
    m.language = &PICK(&m, languages);
    mneme_episode *episode = make_array(&m, 1, sizeof *episode);
    if (episode)
        make_episode(&m, size, episode);
    buf_fini(&m.text);
    if (m.failed)
        return error_set(error, MNEME_NO_MEMORY, "no memory to generate an episode");
    *out = (mneme_record){.kind = MNEME_EPISODE,
                          .flags = MNEME_FLAG_SEALED,
                          .id = episode->id,
                          .time_us = episode->start_us,
                          .as.episode = episode};
    return 0;
}

/* ---- The command -------------------------------------------------------------------------- */

int generate_bench(const struct bench_options *options, mneme_error *error) {
    mneme_bytes line = {0};
    int status = 0;
    signal(SIGPIPE, SIG_DFL); /* `… | head` ends it, as it ends any filter */
    for (uint64_t i = 0; i < options->count && status == 0; i++) {
        AUTO_ARENA struct arena arena = {.first_size = 1 << 15};
        mneme_record record;
        line.size = 0;
        status = generate_episode(options->seed, i, GENERATED_USUAL, &arena, &record, error);
        if (status == 0)
            status = mneme_record_to_json(&record, &line, error);
        if (status == 0 &&
            (fwrite(line.data, 1, line.size, stdout) != line.size || putchar('\n') == EOF))
            status = error_set_errno(error, errno, "cannot write the episodes");
    }
    mneme_bytes_free(&line);
    if (status == 0 && fflush(stdout) != 0)
        status = error_set_errno(error, errno, "cannot write the episodes");
    return status;
}
