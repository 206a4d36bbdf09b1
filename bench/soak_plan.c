/*
 * soak_plan.c - two rows of events, one of processes and one of the server, put in one order.
 */
#include "bench/soak_plan.h"

#include <stdlib.h>

#include "bench/generate.h"

enum { COLUMNS = 98 };

const char *const soak_event_names[EVENTS] = {
    "kill", "restart",     "sleep",     "wake",  "full", "room", "backup",
    "hold", "server down", "server up", "stall", "lose", "fine", "cut"};

/* A kind, the kind that ends it (or itself), and how long it lasts. */
struct recipe {
    enum soak_event_kind kind, end;
    int64_t shortest_ms, longest_ms;
};
static const struct recipe of_processes[] = {
    {EVENT_KILL, EVENT_KILL, 0, 0},      {EVENT_RESTART, EVENT_RESTART, 0, 0},
    {EVENT_SLEEP, EVENT_WAKE, 150, 900}, {EVENT_FULL, EVENT_ROOM, 300, 900},
    {EVENT_BACKUP, EVENT_BACKUP, 0, 0},  {EVENT_HOLD, EVENT_HOLD, 0, 0},
    {EVENT_KILL, EVENT_KILL, 0, 0},
};
static const struct recipe of_server[] = {
    {EVENT_SERVER_DOWN, EVENT_SERVER_UP, 150, 1200},
    {EVENT_LOSE, EVENT_FINE, 300, 1200},
    {EVENT_CUT, EVENT_CUT, 0, 0},
    {EVENT_STALL, EVENT_FINE, 300, 1500},
};

struct maker {
    struct soak_plan *plan;
    size_t room;
    uint64_t chance;
    int64_t length_ms;
    unsigned slots;
};

static int64_t between(struct maker *m, int64_t low, int64_t high) {
    m->chance = mix(m->chance, 1);
    return low + (int64_t)((m->chance >> 20) % (uint64_t)(high - low + 1));
}

static void add(struct maker *m, int64_t at_ms, enum soak_event_kind kind, unsigned slot) {
    if (m->plan->count < m->room)
        m->plan->events[m->plan->count++] = (struct soak_event){at_ms, kind, slot};
}

/* Each kind once before one comes again. */
static void make_row(struct maker *m, const struct recipe *recipes, size_t count, int64_t least_ms,
                     int64_t most_ms, bool in_turn) {
    size_t order[8], left = 0;
    for (int64_t at_ms = between(m, 100, most_ms);; at_ms += between(m, least_ms, most_ms)) {
        if (left == 0)
            for (; left < count; left++)
                order[left] = left;
        size_t pick = (size_t)between(m, 0, (int64_t)left - 1);
        const struct recipe *r = &recipes[order[pick]];
        order[pick] = order[--left];
        unsigned slot = (unsigned)between(m, 0, (int64_t)m->slots - 1);
        int64_t end_ms = at_ms + between(m, r->shortest_ms, r->longest_ms);
        if (end_ms > m->length_ms)
            return;
        add(m, at_ms, r->kind, slot);
        if (r->end != r->kind)
            add(m, end_ms, r->end, slot);
        if (in_turn)
            at_ms = end_ms;
    }
}

static int by_time(const void *a, const void *b) {
    const struct soak_event *x = a, *y = b;
    return (x->at_ms > y->at_ms) - (x->at_ms < y->at_ms);
}

int soak_plan_make(uint64_t seed, int64_t length_ms, unsigned slots, struct soak_plan *out,
                   mneme_error *error) {
    struct maker m = {.plan = out, .chance = mix(seed, 77), .length_ms = length_ms, .slots = slots};
    m.room = (size_t)(length_ms / 50) + 16;
    *out = (struct soak_plan){.events = mem_zalloc(m.room, sizeof *out->events)};
    if (!out->events)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a schedule");
    make_row(&m, of_processes, COUNT_OF(of_processes), 120, 800, false);
    make_row(&m, of_server, COUNT_OF(of_server), 250, 1500, true);
    qsort(out->events, out->count, sizeof *out->events, by_time);
    return 0;
}

void soak_plan_free(struct soak_plan *plan) { mem_free(TAKE(plan->events)); }

void soak_plan_print(const struct soak_plan *plan, FILE *out) {
    int column = 0;
    for (size_t i = 0; i < plan->count; i++) {
        const struct soak_event *e = &plan->events[i];
        char text[64];
        int size = snprintf(text, sizeof text, "%.1f %s", (double)e->at_ms / 1000,
                            soak_event_names[e->kind]);
        if (e->kind < EVENT_SERVER_DOWN)
            size += snprintf(text + size, sizeof text - (size_t)size, " %u", e->slot);
        bool breaks = column == 0 || column + 2 + size > COLUMNS;
        column = breaks ? 3 + size : column + 2 + size;
        fprintf(out, "%s%s", !breaks ? ", " : i ? ",\n   " : "   ", text);
    }
    fputc('\n', out);
}
