/*
 * sync_edit.c - what travels when one step was appended: bytes up and down, headers and all
 * exchanges that follow included, against what the episode is once it is completed.
 *
 * The proxy counts. They are counted once: they hardly differ from run to run.
 */
#include "bench/sync_cases.h"

struct edit {
    struct kit *kit;
    struct site site;
    mneme *m;
    uint64_t carried;       /* bytes, both ways */
    uint64_t plain, packed; /* of the episodes, as they are stored when they are completed */
};

static uint64_t bytes_carried(const struct edit *e) {
    struct proxy_counters counters = proxy_counters(e->site.proxy);
    return counters.bytes_up + counters.bytes_down;
}

/* An episode that still runs, with all its steps but the last. */
static int put_open(struct edit *e, const mneme_episode *whole, mneme_id *id, mneme_error *error) {
    mneme_episode open = *whole;
    open.id = (mneme_id){{0}};
    open.end_us = 0;
    open.outcome = (mneme_outcome){0};
    open.steps.count--;
    const mneme_record record = {
        .kind = MNEME_EPISODE, .time_us = open.start_us, .as.episode = &open};
    return mneme_put(e->m, &record, 1, NULL, id, error);
}

/* Complete it, and see what is stored. */
static int add_sizes(struct edit *e, const mneme_episode *whole, const mneme_id *id,
                     mneme_error *error) {
    const mneme_completion completion = {
        .outcome = whole->outcome, .reward = whole->reward, .end_us = whole->end_us};
    AUTO_RECORDS struct record_set set = {0};
    TRY(mneme_episode_complete(e->m, id, &completion, NULL, error));
    TRY(store_get_one(e->m->store, MNEME_EPISODE, id, &set, error));
    e->plain += set.records[0].plain_size;
    e->packed += set.records[0].body.size;
    return 0;
}

static int edit_once(struct edit *e, const mneme_episode *whole, mneme_error *error) {
    mneme_step last = whole->steps.items[whole->steps.count - 1];
    mneme_id id;
    last.id = (mneme_id){{0}};
    TRY(put_open(e, whole, &id, error));
    TRY(mneme_sync(e->m, NULL, NULL, error));
    uint64_t before = bytes_carried(e);
    TRY(mneme_step_append(e->m, &id, &last, NULL, NULL, NULL, error));
    TRY(mneme_sync(e->m, NULL, NULL, error));
    e->carried += bytes_carried(e) - before;
    return add_sizes(e, whole, &id, error);
}

static struct measured kilobytes(uint64_t bytes, size_t count) {
    return (struct measured){.median = (double)bytes / 1e3 / (double)count};
}

static int edit_all(struct edit *e, size_t *edits, mneme_error *error) {
    const struct record_list *fresh = &e->kit->corpus.fresh;
    size_t wanted = e->kit->options->quick ? 3 : fresh->count;
    for (size_t i = 0; i < fresh->count && *edits < wanted; i++) {
        const mneme_episode *whole = fresh->items[i]->as.episode;
        TRY(interrupt_check(error));
        if (whole->steps.count < 2)
            continue;
        TRY(edit_once(e, whole, error));
        ++*edits;
    }
    return *edits ? 0 : error_set(error, MNEME_INVALID, "no episode has two steps");
}

static void edit_fini(struct edit *e) {
    (void)mneme_close(e->m, NULL);
    site_stop(&e->site);
}

int sync_edit(struct kit *kit, mneme_error *error) {
    const struct scratch_path path = scratch_path_of(&kit->scratch, "edit.mdb");
    CLEANUP(edit_fini) struct edit e = {.kit = kit};
    size_t edits = 0;
    report_heading(&kit->report, "bytes on the wire");
    report_progress(&kit->report, "counting bytes");
    TRY(store_fill(kit, &path, 10, error));
    TRY(site_start(&e.site, 0, error));
    const mneme_options options = synced_options(proxy_url(e.site.proxy), MNEME_SYNC_MANUAL);
    TRY(mneme_open(path.text, &options, &e.m, error));
    TRY(edit_all(&e, &edits, error));
    struct row row = {.name = "one more step, pushed",
                      .unit = "KB",
                      .reference = "its episode, plain",
                      .value = kilobytes(e.carried, edits),
                      .reference_value = kilobytes(e.plain, edits),
                      .goal = AT_MOST(0.1)};
    report_row(&kit->report, &row);
    row.reference = "its episode, packed";
    row.reference_value = kilobytes(e.packed, edits);
    row.goal = NO_GOAL;
    report_row(&kit->report, &row);
    return 0;
}
