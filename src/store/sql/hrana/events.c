/*
 * events.c - a line at a time, a byte at a time.
 */
#include "store/sql/hrana/events.h"

static bool name_is(const struct hrana_events *e, const char *name) {
    return strcmp(e->name, name) == 0;
}

/* True: an event has ended. */
static bool end_line(struct hrana_events *e) {
    bool ended = e->line == 0 && e->open;
    if (e->line == 0)
        e->open = false;
    else if (name_is(e, "event") || name_is(e, "data"))
        e->open = true;
    e->line = 0;
    e->value = false;
    memset(e->name, 0, sizeof e->name);
    return ended;
}

/* A name that is too long for its field fills it, and so is none that is known. */
static void add_byte(struct hrana_events *e, uint8_t byte) {
    e->value |= byte == ':';
    if (!e->value && e->line < sizeof e->name - 1)
        e->name[e->line] = byte ? (char)byte : '?';
    e->line++;
}

int hrana_events_read(struct hrana_events *events, struct slice bytes, size_t *whole,
                      mneme_error *error) {
    size_t ended = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        uint8_t byte = bytes.data[i];
        bool second = byte == '\n' && events->after_cr; /* of CR LF: one end of a line */
        events->after_cr = byte == '\r';
        if (byte == '\r' || byte == '\n')
            ended += !second && end_line(events);
        else if (events->line < HRANA_EVENT_LINE_MAX)
            add_byte(events, byte);
        else
            return error_set(error, MNEME_CORRUPT, "the server sent a line of more than %d bytes",
                             HRANA_EVENT_LINE_MAX);
    }
    *whole = ended;
    return 0;
}
