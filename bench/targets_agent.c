/*
 * targets_agent.c - the memory of agents, and their tasks.
 */
#include "bench/targets_agent.h"

#include "bench/cache_store.h"
#include "bench/generate.h"
#include "bench/targets_cases.h"

enum { A_CALL = 100, HOT_PART = 10 };
enum { PAST_EPISODES = 5, PATTERNS_FIRST = 10, STEPS = 10, PATTERNS_A_STEP = 3 };

/* ---- The memory ----------------------------------------------------------------------------- */

static int fill_some(struct agents *a, mneme *m, struct popular *of, size_t from, uint64_t *number,
                     mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    size_t count = size_min(A_CALL, of->count - from);
    mneme_record *records;
    TRY(targets_records(a->kit, of->kind, count, number, &arena, &records, error));
    TRY(mneme_put(m, records, count, NULL, of->ids + from, error));
    return interrupt_check(error);
}

/* Who is popular has nothing to do with who is new. */
static void shuffle(struct popular *of) {
    for (size_t i = of->count; i > 1; i--) {
        size_t other = (size_t)(mix(of->kind, i) % i);
        mneme_id id = of->ids[i - 1];
        of->ids[i - 1] = of->ids[other];
        of->ids[other] = id;
    }
}

static int popular_init(struct agents *a, mneme *m, struct popular *of, mneme_kind kind,
                        size_t count, mneme_error *error) {
    uint64_t number = 0;
    *of = (struct popular){.kind = kind, .count = count};
    of->ids = arena_zalloc(&a->arena, count, sizeof *of->ids);
    if (!of->ids)
        return error_set(error, MNEME_NO_MEMORY, "no memory for ids");
    for (size_t from = 0; from < count; from += A_CALL)
        TRY(fill_some(a, m, of, from, &number, error));
    shuffle(of);
    return zipf_init(&of->draws, 0.99, count, kind, error);
}

int agents_init(struct agents *a, struct kit *kit, mneme *m, size_t episodes, size_t patterns,
                mneme_error *error) {
    a->kit = kit;
    TRY(live_steps_make(kit, &a->arena, &a->steps, error));
    TRY(popular_init(a, m, &a->episodes, MNEME_EPISODE, episodes, error));
    return popular_init(a, m, &a->patterns, MNEME_PATTERN, patterns, error);
}

void agents_fini(struct agents *a) {
    zipf_fini(&a->episodes.draws);
    zipf_fini(&a->patterns.draws);
    arena_fini(&a->arena);
}

void agents_again(struct agents *a) {
    a->episodes.draws.drawn = a->patterns.draws.drawn = 0;
    a->task = 0;
}

/* ---- Reads ---------------------------------------------------------------------------------- */

static void note_time(struct agents *a, double start) {
    if (a->times && a->timed < a->times_max)
        a->times[a->timed++] = seconds_now() - start;
}

static uint64_t hits_of(mneme *m) {
    struct cache_stats parts[CACHED_PARTS];
    uint64_t hits = 0;
    cached_stats(m->cached, parts);
    for (size_t i = 0; i < CACHED_PARTS; i++)
        hits += parts[i].hits;
    return hits;
}

static int read_one(struct agents *a, mneme *m, mneme_kind kind, const mneme_id *id,
                    mneme_error *error) {
    const mneme_record *record;
    double start = seconds_now();
    TRY(mneme_acquire(m, kind, id, &record, error));
    note_time(a, start);
    mneme_release(m, record);
    return 0;
}

int agents_read(struct agents *a, mneme *m, struct popular *of, mneme_id *id, mneme_error *error) {
    size_t rank = zipf_draw(&of->draws);
    bool counted = m->cached && rank < of->count / HOT_PART;
    uint64_t before = counted ? hits_of(m) : 0;
    *id = of->ids[rank];
    TRY(read_one(a, m, of->kind, id, error));
    if (counted) {
        a->hot_reads++;
        a->hot_hits += hits_of(m) > before;
    }
    return 0;
}

static int read_some(struct agents *a, mneme *m, struct popular *of, size_t count, mneme_id *last,
                     mneme_error *error) {
    for (size_t i = 0; i < count; i++)
        TRY(agents_read(a, m, of, last, error));
    return 0;
}

static int list_one(struct agents *a, mneme *m, const mneme_query *query, mneme_error *error) {
    const mneme_page *page;
    double start = seconds_now();
    TRY(mneme_list(m, query, &page, error));
    note_time(a, start);
    mneme_page_release(m, page);
    return 0;
}

int agents_list(struct agents *a, mneme *m, mneme_error *error) {
    const mneme_pair failed = {mneme_text_of("outcome"), mneme_text_of("failure")};
    const mneme_query newest = {.kind = MNEME_EPISODE, .limit = 20};
    const mneme_query failures = {
        .kind = MNEME_EPISODE, .where = &failed, .where_count = 1, .limit = 10};
    const mneme_query patterns = {.kind = MNEME_PATTERN, .limit = 20};
    TRY(list_one(a, m, &newest, error));
    TRY(list_one(a, m, &failures, error));
    return list_one(a, m, &patterns, error);
}

/* ---- A task --------------------------------------------------------------------------------- */

static int work_steps(struct agents *a, mneme *m, const mneme_id *episode, mneme_id *pattern,
                      mneme_error *error) {
    const mneme_write how = {.durability = a->of_steps};
    for (size_t i = 0; i < STEPS; i++) {
        const mneme_step *step = &a->steps.items[(a->task * STEPS + i) % a->steps.count];
        TRY(read_some(a, m, &a->patterns, PATTERNS_A_STEP, pattern, error));
        TRY(mneme_step_append(m, episode, step, &how, NULL, NULL, error));
    }
    return 0;
}

/* The pattern helped once more. */
static int count_use(mneme *m, const mneme_id *id, mneme_error *error) {
    const mneme_record *record;
    TRY(mneme_acquire(m, MNEME_PATTERN, id, &record, error));
    mneme_pattern used = *record->as.pattern;
    used.occurrences++;
    const mneme_record put = {.kind = MNEME_PATTERN, .id = *id, .as.pattern = &used};
    int status = mneme_put(m, &put, 1, NULL, NULL, error);
    mneme_release(m, record);
    return status;
}

static int end_task(struct agents *a, mneme *m, const mneme_id *episode, const mneme_id *pattern,
                    mneme_error *error) {
    const mneme_completion end = {
        .outcome = {.kind = a->task % 4 == 3 ? MNEME_FAILED : MNEME_SUCCESS}};
    TRY(mneme_episode_complete(m, episode, &end, NULL, error));
    TRY(mneme_tag_add(m, MNEME_EPISODE, episode, mneme_text_of("reviewed"), NULL, error));
    TRY(count_use(m, pattern, error));
    return read_one(a, m, MNEME_EPISODE, episode, error);
}

int agents_work(struct agents *a, mneme *m, mneme_error *error) {
    mneme_id episode, past, pattern;
    TRY(interrupt_check(error));
    TRY(agents_list(a, m, error));
    TRY(read_some(a, m, &a->episodes, PAST_EPISODES, &past, error));
    TRY(read_some(a, m, &a->patterns, PATTERNS_FIRST, &pattern, error));
    TRY(live_episode_start(m, &episode, error));
    TRY(work_steps(a, m, &episode, &pattern, error));
    TRY(end_task(a, m, &episode, &pattern, error));
    a->task++;
    return 0;
}
