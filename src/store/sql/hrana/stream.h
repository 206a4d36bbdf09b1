/*
 * stream.h - connections that a server keeps open for us between programs.
 *
 * A request without a stream makes the server open its database, and read and parse the whole
 * schema, before it can answer: for a read of one record that is most of the work. A request that
 * does not close its stream is answered with a baton; who sends it with the next request finds the
 * connection as it was left. Each answer has a new baton.
 *
 * Which programs. Those that only read, and those that write and say that they end their
 * transaction themselves (`ends` of sql_program): a COMMIT or ROLLBACK that was done leaves the
 * connection clean; without one its stream is not kept. Other writers send one request each, whose
 * close ends all.
 *
 * What may go wrong. A server forgets a stream after 10 seconds, or when it starts again, and knows
 * each baton once, so a request whose answer was lost cannot be sent with it again. It then says so
 * (see hrana_judge): nothing was done. A second attempt always goes without a stream.
 *
 * Limits. An open stream is one of 128 connections that sqld gives to all its clients. So few are
 * kept, for as long as programs follow each other, and those who ask now and then have none. Who is
 * done with a server closes those that are left: many short processes would use up all of them.
 */
#ifndef MNEME_STORE_SQL_HRANA_STREAM_H
#define MNEME_STORE_SQL_HRANA_STREAM_H

#include "store/sql/driver.h"

enum { HRANA_BATON_SIZE = 256, HRANA_STREAMS_MAX = 8 };

struct hrana_stream {
    bool kept;                    /* the request is to leave a stream behind */
    char baton[HRANA_BATON_SIZE]; /* "" opens a new one */
};

/* Of one server. Zeroed at birth; its owner's lock guards it. */
struct hrana_streams {
    char idle[HRANA_STREAMS_MAX][HRANA_BATON_SIZE]; /* the newest last */
    int64_t idle_us[HRANA_STREAMS_MAX];             /* since when */
    size_t count, open;                             /* idle ones; all of them */
    unsigned quick;                                 /* programs that came soon after another */
    int64_t last_us;
};

/* How a program is to go; to be called when it has a connection of ours, so that those who wait for
 * one hold no stream. */
struct hrana_stream hrana_streams_take(struct hrana_streams *s, const struct sql_program *program,
                                       int64_t now_us);
/* Whether no transaction is open after a program with these results. */
bool hrana_stream_is_clean(const struct sql_program *program, const struct sql_results *results);
/* It came back with this baton; {NULL, 0}: without, or not at all. */
void hrana_streams_give(struct hrana_streams *s, const struct hrana_stream *used,
                        struct slice baton, int64_t now_us);

/* Take an idle stream to close it. False: there is none that the server still has. */
bool hrana_streams_close(struct hrana_streams *s, int64_t now_us, struct hrana_stream *out);

/* The server knows one of them no more, and so, as a rule, none. */
void hrana_streams_forget(struct hrana_streams *s);

/* Turn the body of a request, of `size` bytes as it was encoded, into one that goes over `stream`
 * and leaves it open; without one, it is as it was encoded. May be called again. */
void hrana_stream_set_json(struct buf *body, size_t size, const struct hrana_stream *stream);
void hrana_stream_set_proto(struct buf *body, size_t size, const struct hrana_stream *stream);

/* Append the body of a request that does nothing but close a stream with a baton. */
void hrana_stream_close_json(struct buf *body, const struct hrana_stream *stream);
void hrana_stream_close_proto(struct buf *body, const struct hrana_stream *stream);

#endif
