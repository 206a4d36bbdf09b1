/*
 * sync_board.c - see sync_board.h.
 */
#include "support/sync_board.h"

#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#include "os/os.h"
#include "support/api_fixture.h"

/* ---- Sets ---------------------------------------------------------------------------------- */

void sync_set_add(struct sync_set *set, unsigned number) {
    if (number < SYNC_DEEDS_MAX)
        set->words[number / 64] |= UINT64_C(1) << number % 64;
}

bool sync_set_has(const struct sync_set *set, unsigned number) {
    return number < SYNC_DEEDS_MAX && (set->words[number / 64] >> number % 64 & 1);
}

/* The next token of a text at *at or behind it; 0: there is none. */
static unsigned next_token(mneme_text text, size_t *at) {
    while (*at < text.size) {
        unsigned number = 0;
        size_t digits = 0;
        if (text.data[(*at)++] != 'w')
            continue;
        for (; *at < text.size && text.data[*at] >= '0' && text.data[*at] <= '9' && digits < 6;
             digits++)
            number = 10 * number + (unsigned)(text.data[(*at)++] - '0');
        if (digits && *at < text.size && text.data[*at] == ';')
            return number;
    }
    return 0;
}

void sync_set_add_text(struct sync_set *set, mneme_text text) {
    size_t at = 0;
    for (unsigned number; (number = next_token(text, &at)) != 0;)
        sync_set_add(set, number);
}

/* ---- Deeds --------------------------------------------------------------------------------- */

struct sync_board *sync_board_make(void) {
    struct sync_board *board =
        mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(board, MAP_FAILED);
    board->next = 1;
    return board;
}

void sync_board_clear(struct sync_board *board) {
    memset(board, 0, sizeof *board);
    board->next = 1;
}

void sync_board_free(struct sync_board *board) { munmap(board, sizeof *board); }

struct sync_deed *sync_deed_plan(struct sync_board *board, const struct sync_deed *as) {
    unsigned number = atomic_fetch_add(&board->next, 1);
    if (number >= SYNC_DEEDS_MAX)
        return NULL;
    struct sync_deed *deed = &board->deeds[number];
    *deed = *as;
    deed->begin_us = clock_monotonic_us();
    return deed;
}

unsigned sync_deed_number(const struct sync_board *board, const struct sync_deed *deed) {
    return (unsigned)(deed - board->deeds);
}

void sync_deed_begin(struct sync_deed *deed) { deed->phase = SYNC_BEGUN; }

void sync_deed_end(struct sync_deed *deed, enum sync_phase phase) {
    deed->end_us = clock_monotonic_us();
    deed->phase = (unsigned)phase;
}

static unsigned deeds_of(const struct sync_board *board) {
    unsigned next = board->next;
    return next < SYNC_DEEDS_MAX ? next : SYNC_DEEDS_MAX;
}

void sync_board_reap(struct sync_board *board, unsigned agent) {
    int64_t now = clock_monotonic_us();
    for (unsigned i = 1; i < deeds_of(board); i++)
        if (board->deeds[i].agent == agent && board->deeds[i].end_us == 0)
            board->deeds[i].end_us = now;
}

/* ---- What a store shows -------------------------------------------------------------------- */

struct taking {
    const struct sync_board *board;
    unsigned device;
    struct sync_view *view;
    char *problem;
};

static bool is_out_of_place(struct taking *t, unsigned number, mneme_text line) {
    const struct sync_deed *deed = &t->board->deeds[number];
    unsigned phase = deed->phase;
    bool begun = number < deeds_of(t->board) && (phase == SYNC_BEGUN || phase == SYNC_DONE);
    bool here = !deed->local || deed->device == t->device;
    if (begun && deed->adds && here)
        return false;
    snprintf(t->problem, SYNC_PROBLEM, "store %u: w%u (%s of device %u, slot %u) is in %.*s",
             t->device, number, begun ? deed->what : "nothing that was begun", deed->device,
             deed->slot, (int)(line.size < 200 ? line.size : 200), line.data);
    return true;
}

/* Count a record's tokens. *local: it is one that stays here. */
static bool take_tokens(struct taking *t, mneme_kind kind, mneme_text line, bool *local) {
    size_t at = 0;
    *local = false;
    for (unsigned number; (number = next_token(line, &at)) != 0;) {
        if (is_out_of_place(t, number, line))
            return true;
        *local = *local || t->board->deeds[number].local;
        if (kind == MNEME_SUPERSEDED)
            sync_set_add(&t->view->superseded, number);
        else if (kind != MNEME_STEP && t->view->shown[number] < UINT8_MAX)
            t->view->shown[number]++;
    }
    return false;
}

static bool take_record(struct taking *t, const mneme_record *record) {
    mneme_bytes *text = &t->view->text;
    size_t before = text->size;
    mneme_error error;
    bool local = false;
    if (mneme_record_to_json(record, text, &error)) {
        snprintf(t->problem, SYNC_PROBLEM, "%s", error.message);
        return true;
    }
    mneme_text line = {text->data + before, text->size - before};
    if (t->board && take_tokens(t, record->kind, line, &local))
        return true;
    t->view->records++;
    t->view->conflicts += record->kind == MNEME_SUPERSEDED;
    t->view->local_tokens += local;
    if (local)
        text->size = before;
    else
        text->data[before] = '\n'; /* in the place of its brace */
    return false;
}

static bool take_kind(mneme *m, struct taking *t, mneme_kind kind) {
    mneme_query query = {.kind = kind, .order = MNEME_OLDEST_FIRST, .limit = 500};
    char cursor[256];
    do {
        const mneme_page *page;
        mneme_error error;
        if (mneme_list(m, &query, &page, &error)) {
            snprintf(t->problem, SYNC_PROBLEM, "store %u: %s", t->device, error.message);
            return true;
        }
        bool wrong = false;
        for (size_t i = 0; i < page->count && !wrong; i++)
            wrong = take_record(t, page->records[i]);
        query.after = (mneme_text){cursor, page->next.size};
        if (page->next.size)
            memcpy(cursor, page->next.data, page->next.size);
        mneme_page_release(m, page);
        if (wrong)
            return true;
    } while (query.after.size);
    return false;
}

bool sync_view_take(mneme *m, const struct sync_board *board, unsigned device,
                    struct sync_view *view, char problem[SYNC_PROBLEM]) {
    struct taking taking = {board, device, view, problem};
    *view = (struct sync_view){0};
    for (int kind = 1; kind < MNEME_KIND_COUNT; kind++)
        if (kind != MNEME_DICTIONARY && take_kind(m, &taking, (mneme_kind)kind))
            return true;
    return false;
}

void sync_view_free(struct sync_view *view) { mneme_bytes_free(&view->text); }

/* ---- Accounting ---------------------------------------------------------------------------- */

/* Whether a run of sync on the device may have taken something in while the deed was done. */
static bool sync_ran_in(const struct sync_board *board, const struct sync_deed *deed) {
    for (unsigned i = 1; i < deeds_of(board); i++) {
        const struct sync_deed *run = &board->deeds[i];
        if (run->syncs && run->device == deed->device && run->begin_us <= deed->end_us &&
            run->end_us >= deed->begin_us)
            return true;
    }
    return false;
}

/* Whether deed `by` may have taken away the token of deed `number`. */
static bool is_covered_by(const struct sync_board *board, unsigned number, unsigned by) {
    const struct sync_deed *lost = &board->deeds[number], *deed = &board->deeds[by];
    unsigned phase = deed->phase;
    if (by == number || deed->slot != lost->slot || deed->syncs ||
        (phase != SYNC_BEGUN && phase != SYNC_DONE))
        return false;
    if (sync_set_has(&deed->covers, number))
        return true;
    if (!deed->whole || lost->begin_us > deed->end_us)
        return false;
    return (lost->device == deed->device && lost->end_us >= deed->begin_us) ||
           sync_ran_in(board, deed);
}

static bool is_covered(const struct sync_board *board, unsigned number) {
    for (unsigned by = 1; by < deeds_of(board); by++)
        if (is_covered_by(board, number, by))
            return true;
    return false;
}

bool sync_board_misses(const struct sync_board *board, const struct sync_view *view,
                       char problem[SYNC_PROBLEM]) {
    for (unsigned i = 1; board && i < deeds_of(board); i++) {
        const struct sync_deed *deed = &board->deeds[i];
        const char *what = NULL;
        if (!deed->adds || deed->local)
            continue;
        if (view->shown[i] > 1)
            what = "is there twice";
        else if (deed->phase == SYNC_DONE && !view->shown[i] &&
                 !sync_set_has(&view->superseded, i) && !is_covered(board, i))
            what = "is nowhere, and nobody who knew of it took it away";
        if (what) {
            snprintf(problem, SYNC_PROBLEM, "w%u (%s of device %u, slot %u) %s", i, deed->what,
                     deed->device, deed->slot, what);
            return true;
        }
    }
    return false;
}

static void print_deed(const struct sync_board *board, unsigned i) {
    static const char *const phases[] = {"planned", "begun", "done", "refused"};
    const struct sync_deed *deed = &board->deeds[i];
    fprintf(stderr, "  w%u %s: device %u, agent %u, slot %u, %s, %" PRId64 " to %" PRId64 " us, %s",
            i, deed->what, deed->device, deed->agent, deed->slot, phases[deed->phase & 3],
            deed->begin_us - board->deeds[1].begin_us, deed->end_us - board->deeds[1].begin_us,
            deed->note);
    for (unsigned over = 1; over < deeds_of(board); over++)
        if (sync_set_has(&deed->covers, over))
            fprintf(stderr, " over w%u", over);
    fprintf(stderr, "\n");
}

void sync_board_print(const struct sync_board *board) {
    for (unsigned i = 1; i < deeds_of(board); i++)
        print_deed(board, i);
}
