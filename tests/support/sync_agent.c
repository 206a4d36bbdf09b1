/*
 * sync_agent.c - see sync_agent.h.
 */
#include "support/sync_agent.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/base.h"
#include "support/api_fixture.h"
#include "support/random_record.h"
#include "support/store_records.h"

enum { TOKEN_SIZE = 24, WAIT_MS_MAX = 60, DOOM_IN_SYNC = 4 };

struct work {
    struct sync_agent *agent;
    mneme *m, *bare; /* bare: the same file, without caches and without a remote */
    struct rng rng;
    unsigned slot;
    mneme_id id;
    const mneme_record *now; /* what stands in the slot; NULL: nothing */
    struct sync_deed *deed;
    char token[TOKEN_SIZE];
    mneme_error error;
};

/* ---- Deeds --------------------------------------------------------------------------------- */

static mneme_kind slot_kind(unsigned slot) {
    return slot < 3 || slot == SYNC_LOCAL_PATTERN ? MNEME_PATTERN : MNEME_EPISODE;
}

static bool slot_is_local(unsigned slot) { return slot >= SYNC_SHARED_SLOTS; }

/* Plan a deed on the slot. False: the board is full. */
static bool plan(struct work *w, const char *what, bool adds, bool whole) {
    struct sync_deed deed = {.what = what,
                             .adds = adds,
                             .whole = whole,
                             .local = slot_is_local(w->slot),
                             .device = w->agent->device,
                             .agent = w->agent->number,
                             .slot = w->slot};
    w->deed = sync_deed_plan(w->agent->board, &deed);
    if (w->deed)
        snprintf(w->token, sizeof w->token, "w%u;", sync_deed_number(w->agent->board, w->deed));
    return w->deed;
}

/* The call has returned. Somebody else may have taken the record away, or completed it, since it
 * was read: then nothing was written. */
static void done(struct work *w, int status) {
    bool refused = status == MNEME_NOT_FOUND || status == MNEME_CONFLICT;
    CHILD_CHECK(status == 0 || refused, "%s: %s", w->deed->what, w->error.message);
    sync_deed_end(w->deed, refused ? SYNC_REFUSED : SYNC_DONE);
}

static bool is_older(mneme_version a, mneme_version b) {
    return a.clock < b.clock || (a.clock == b.clock && a.device < b.device);
}

/* What the file holds now: a read that begins behind this one must not be older. */
static mneme_version version_now(struct work *w) {
    const mneme_record *record;
    int status = mneme_acquire(w->bare, slot_kind(w->slot), &w->id, &record, &w->error);
    CHILD_CHECK(status == 0 || status == MNEME_NOT_FOUND, "%s", w->error.message);
    if (status)
        return (mneme_version){0};
    mneme_version version = record->version;
    mneme_release(w->bare, record);
    return version;
}

static void read_slot(struct work *w) {
    mneme_version least = version_now(w);
    int status = mneme_acquire(w->m, slot_kind(w->slot), &w->id, &w->now, &w->error);
    if (status)
        w->now = NULL;
    CHILD_CHECK(status == 0 || status == MNEME_NOT_FOUND, "%s", w->error.message);
    CHILD_CHECK(status || !is_older(w->now->version, least),
                "device %u, agent %u: slot %u is read older than it is", w->agent->device,
                w->agent->number, w->slot);
}

static void cover(struct work *w, mneme_text text) { sync_set_add_text(&w->deed->covers, text); }

/* What a delete takes with it. */
static void cover_all(struct work *w) {
    mneme_bytes text = {0};
    mneme_query query = {.kind = MNEME_CHECKPOINT, .parent = &w->id, .limit = 1000};
    const mneme_page *page;
    int status = mneme_record_to_json(w->now, &text, &w->error);
    CHILD_CHECK(status == 0, "%s", w->error.message);
    if (w->now->kind == MNEME_EPISODE) {
        status = mneme_list(w->m, &query, &page, &w->error);
        CHILD_CHECK(status == 0, "%s", w->error.message);
        for (size_t i = 0; i < page->count; i++)
            cover(w, page->records[i]->as.checkpoint->note);
        mneme_page_release(w->m, page);
    }
    cover(w, (mneme_text){text.data, text.size});
    mneme_bytes_free(&text);
}

/* ---- Writes -------------------------------------------------------------------------------- */

static void put(struct work *w, const mneme_record *record) {
    /* Said anew each time: another process may have deleted it meanwhile, and then it is new. */
    mneme_write how = {.local_only = slot_is_local(w->slot)};
    sync_deed_begin(w->deed);
    done(w, mneme_put(w->m, record, 1, &how, NULL, &w->error));
}

static void make(struct work *w) {
    mneme_write how = {.local_only = slot_is_local(w->slot)};
    if (!plan(w, "make", true, true))
        return;
    read_slot(w);
    if (w->now) { /* it has come meanwhile */
        sync_deed_end(w->deed, SYNC_REFUSED);
        return;
    }
    mneme_pattern pattern = pattern_of(w->token, "made");
    mneme_record record = {.kind = MNEME_PATTERN, .id = w->id, .as.pattern = &pattern};
    mneme_episode episode = {.id = w->id, .task = text(w->token)};
    if (slot_kind(w->slot) == MNEME_PATTERN) {
        put(w, &record);
        return;
    }
    sync_deed_begin(w->deed);
    done(w, mneme_episode_start(w->m, &episode, &how, NULL, &w->error));
}

static void set(struct work *w, mneme_text *member) {
    cover(w, *member);
    *member = text(w->token);
}

static void edit_pattern(struct work *w) {
    mneme_pattern pattern = *w->now->as.pattern;
    mneme_record record = {.kind = MNEME_PATTERN, .id = w->id, .as.pattern = &pattern};
    mneme_text *const members[] = {&pattern.name, &pattern.description, &pattern.context.domain};
    set(w, members[rng_below(&w->rng, COUNT_OF(members))]);
    put(w, &record);
}

static void edit_episode(struct work *w) {
    mneme_episode episode = *w->now->as.episode;
    mneme_record record = {.kind = MNEME_EPISODE, .id = w->id, .as.episode = &episode};
    mneme_text *const members[] = {&episode.task, &episode.context.domain};
    set(w, members[rng_below(&w->rng, COUNT_OF(members))]);
    put(w, &record);
}

static void edit(struct work *w) {
    if (!plan(w, "edit", true, true))
        return;
    mneme_release(w->m, w->now); /* read it in the time of the deed */
    read_slot(w);
    if (!w->now)
        sync_deed_end(w->deed, SYNC_REFUSED);
    else if (w->now->kind == MNEME_PATTERN)
        edit_pattern(w);
    else
        edit_episode(w);
}

static void delete (struct work *w) {
    if (!plan(w, "delete", false, true))
        return;
    mneme_release(w->m, w->now);
    read_slot(w);
    if (!w->now) {
        sync_deed_end(w->deed, SYNC_REFUSED);
        return;
    }
    cover_all(w);
    sync_deed_begin(w->deed);
    done(w, mneme_delete(w->m, w->now->kind, &w->id, 1, NULL, &w->error));
}

static void add_tag(struct work *w) {
    if (!plan(w, "tag", true, false))
        return;
    sync_deed_begin(w->deed);
    done(w, mneme_tag_add(w->m, w->now->kind, &w->id, text(w->token), NULL, &w->error));
}

static void remove_tag(struct work *w) {
    const mneme_text_list *tags =
        w->now->kind == MNEME_PATTERN ? &w->now->as.pattern->tags : &w->now->as.episode->tags;
    if (tags->count == 0 || !plan(w, "removal of a tag", false, false))
        return;
    mneme_text tag = tags->items[rng_below(&w->rng, tags->count)];
    cover(w, tag);
    sync_deed_begin(w->deed);
    done(w, mneme_tag_remove(w->m, w->now->kind, &w->id, tag, NULL, &w->error));
}

static void append(struct work *w) {
    if (!plan(w, "step", true, false))
        return;
    mneme_step step = step_of("tool", w->token);
    sync_deed_begin(w->deed);
    done(w, mneme_step_append(w->m, &w->id, &step, NULL, NULL, NULL, &w->error));
}

static void take_checkpoint(struct work *w) {
    if (!plan(w, "checkpoint", true, false))
        return;
    mneme_checkpoint checkpoint = {.episode = w->id, .note = text(w->token)};
    mneme_record record = {.kind = MNEME_CHECKPOINT, .parent = w->id, .as.checkpoint = &checkpoint};
    sync_deed_begin(w->deed);
    done(w, mneme_put(w->m, &record, 1, NULL, NULL, &w->error));
}

static void finish(struct work *w) {
    if (!plan(w, "completion", true, false))
        return;
    mneme_completion completion = {.outcome = {.kind = MNEME_SUCCESS, .verdict = text(w->token)}};
    sync_deed_begin(w->deed);
    done(w, mneme_episode_complete(w->m, &w->id, &completion, NULL, &w->error));
}

/* ---- Sync ---------------------------------------------------------------------------------- */

static int stop_or_end(void *context, const mneme_sync_report *so_far) {
    struct work *w = context;
    (void)so_far;
    if (rng_chance(&w->rng, w->agent->doom * DOOM_IN_SYNC))
        raise(SIGKILL);
    return rng_chance(&w->rng, 5);
}

static void note_sync(struct sync_deed *deed, int status, const mneme_sync_report *report) {
    snprintf(deed->note, sizeof deed->note, "%s: %u out, %u in, %u merged, %u lost, at %u of %u",
             mneme_status_name(status) + strlen("MNEME_"), (unsigned)report->pushed,
             (unsigned)report->pulled, (unsigned)report->merged, (unsigned)report->superseded,
             (unsigned)report->cursor, (unsigned)report->head);
}

static void run_sync(struct work *w) {
    mneme_sync_run run = {.size = sizeof run,
                          .wait_ms = (int64_t)rng_below(&w->rng, WAIT_MS_MAX),
                          .progress = stop_or_end,
                          .context = w};
    struct sync_deed deed = {
        .what = "sync", .syncs = true, .device = w->agent->device, .agent = w->agent->number};
    w->deed = sync_deed_plan(w->agent->board, &deed);
    if (!w->deed)
        return;
    mneme_sync_report report = {.size = sizeof report};
    int status = mneme_sync(w->m, &run, &report, &w->error);
    note_sync(w->deed, status, &report);
    sync_deed_end(w->deed, SYNC_DONE);
    CHILD_CHECK(status == 0 || status == MNEME_LOCKED || status == MNEME_UNAVAILABLE ||
                    status == MNEME_UNCERTAIN || status == MNEME_CANCELLED,
                "sync: %s", w->error.message);
}

/* ---- The process --------------------------------------------------------------------------- */

static void work_on_pattern(struct work *w, unsigned dice) {
    if (dice < 45)
        edit(w);
    else if (dice < 75)
        add_tag(w);
    else if (dice < 90)
        remove_tag(w);
    else
        delete (w);
}

static void work_on_episode(struct work *w, unsigned dice) {
    bool open = !(w->now->flags & MNEME_FLAG_SEALED);
    if (open && dice < 45)
        append(w);
    else if (open && dice < 57)
        finish(w);
    else if (dice < 65)
        take_checkpoint(w);
    else if (dice < 75)
        edit(w);
    else if (dice < 85)
        add_tag(w);
    else if (dice < 93)
        remove_tag(w);
    else
        delete (w);
}

static void write_something(struct work *w) {
    unsigned dice = (unsigned)rng_below(&w->rng, 100);
    w->slot = (unsigned)rng_below(&w->rng, SYNC_SLOTS);
    w->id = numbered_id(1000 + w->slot);
    if (slot_is_local(w->slot))
        w->id.bytes[0] = (uint8_t)w->agent->device;
    read_slot(w);
    if (!w->now)
        make(w);
    else if (w->now->kind == MNEME_PATTERN)
        work_on_pattern(w, dice);
    else
        work_on_episode(w, dice);
    if (w->now)
        mneme_release(w->m, w->now);
    w->now = NULL;
}

int sync_agent_run(void *context) {
    struct work w = {.agent = context};
    struct sync_agent *agent = w.agent;
    w.rng.state = agent->seed;
    CHILD_CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0, "prctl");
    int status = mneme_open(agent->path, &agent->options, &w.m, &w.error);
    CHILD_CHECK(status == 0, "%s", w.error.message);
    mneme_options bare = quiet_options();
    bare.cache.off = true;
    status = mneme_open(agent->path, &bare, &w.bare, &w.error);
    CHILD_CHECK(status == 0, "%s", w.error.message);
    for (unsigned call = 0; call < agent->calls; call++) {
        if (rng_chance(&w.rng, agent->sync_percent))
            run_sync(&w);
        else
            write_something(&w);
        if (rng_chance(&w.rng, agent->doom))
            raise(SIGKILL);
    }
    if (rng_chance(&w.rng, agent->doom)) /* without giving anything back */
        _exit(0);
    store_close_ok(w.bare);
    status = mneme_close(w.m, &w.error);
    CHILD_CHECK(status == 0, "%s", w.error.message);
    return 0;
}
