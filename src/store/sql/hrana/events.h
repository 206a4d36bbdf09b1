/*
 * events.h - counts server-sent events in bytes as they come (WHATWG HTML, 9.2.6).
 *
 * What an event says is of no use here, only that there was one: lines that name or carry it, and
 * an empty line behind them. Comments and other fields are passed over. A line ends with LF, CR or
 * both. Nothing is kept but where we are.
 */
#ifndef MNEME_STORE_SQL_HRANA_EVENTS_H
#define MNEME_STORE_SQL_HRANA_EVENTS_H

#include "base/base.h"

enum { HRANA_EVENT_LINE_MAX = 65536 };

/* Start from {0}. */
struct hrana_events {
    size_t line;  /* bytes of the line so far, without its end */
    char name[8]; /* the start of the line's name, zeros behind it */
    bool value;   /* behind the name's colon */
    bool after_cr;
    bool open; /* an event has begun */
};

/* Read on; *whole is how many events came to their end in these bytes. MNEME_CORRUPT: a line of
 * more than HRANA_EVENT_LINE_MAX bytes. */
int hrana_events_read(struct hrana_events *events, struct slice bytes, size_t *whole,
                      mneme_error *error);

#endif
