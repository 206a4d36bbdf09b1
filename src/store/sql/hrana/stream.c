/*
 * stream.c - which stream a program goes over, and how its request says so.
 */
#include "store/sql/hrana/stream.h"

static const int64_t idle_max_us = 8000000; /* the server's limit is 10 s */
static const int64_t quick_us = 1000000;
enum { QUICK_READS = 5 }; /* after so many programs a stream is worth its place, and its closing */

/* Only what leaves nothing behind: a transaction, or a setting, would be the next program's. */
static bool is_plain_read(const struct sql_program *program) {
    static const char select[] = "SELECT ";
    for (size_t i = 0; i < program->count; i++)
        if (program->steps[i].sql.size < sizeof select - 1 ||
            memcmp(program->steps[i].sql.data, select, sizeof select - 1) != 0)
            return false;
    return !program->writes && program->count > 0;
}

static bool is_step(const struct sql_step *step, const char *sql) {
    return slice_equal(step->sql, slice_of_string(sql));
}

bool hrana_stream_is_clean(const struct sql_program *program, const struct sql_results *results) {
    bool ended = !program->writes;
    for (size_t i = 0; i < program->count && i < results->count; i++)
        ended =
            ended ||
            (results->steps[i].outcome == SQL_DONE &&
             (is_step(&program->steps[i], "COMMIT") || is_step(&program->steps[i], "ROLLBACK")));
    return ended;
}

static void drop_old(struct hrana_streams *s, int64_t now_us) {
    size_t old = 0;
    while (old < s->count && now_us - s->idle_us[old] > idle_max_us)
        old++;
    s->count -= old;
    s->open -= old;
    memmove(s->idle, s->idle + old, s->count * sizeof s->idle[0]);
    memmove(s->idle_us, s->idle_us + old, s->count * sizeof s->idle_us[0]);
}

struct hrana_stream hrana_streams_take(struct hrana_streams *s, const struct sql_program *program,
                                       int64_t now_us) {
    struct hrana_stream out = {.kept = false};
    if (!program->ends && !is_plain_read(program))
        return out;
    s->quick = now_us - s->last_us > quick_us ? 0 : s->quick + (s->quick < QUICK_READS);
    s->last_us = now_us;
    drop_old(s, now_us);
    if (s->count) {
        s->count--;
        memcpy(out.baton, s->idle[s->count], sizeof out.baton);
        out.kept = true;
    } else if (s->quick == QUICK_READS && s->open < HRANA_STREAMS_MAX) {
        s->open++;
        out.kept = true;
    }
    return out;
}

bool hrana_streams_close(struct hrana_streams *s, int64_t now_us, struct hrana_stream *out) {
    drop_old(s, now_us);
    if (s->count == 0)
        return false;
    *out = (struct hrana_stream){.kept = true};
    s->count--;
    s->open--;
    memcpy(out->baton, s->idle[s->count], sizeof out->baton);
    return true;
}

/* It is written into requests as it is. */
static bool is_baton(struct slice baton) {
    for (size_t i = 0; i < baton.size; i++)
        if (baton.data[i] <= ' ' || baton.data[i] > '~' || baton.data[i] == '"' ||
            baton.data[i] == '\\')
            return false;
    return baton.size > 0 && baton.size < HRANA_BATON_SIZE;
}

void hrana_streams_give(struct hrana_streams *s, const struct hrana_stream *used,
                        struct slice baton, int64_t now_us) {
    if (!used->kept)
        return;
    if (!is_baton(baton)) {
        s->open--;
        return;
    }
    memcpy(s->idle[s->count], baton.data, baton.size);
    s->idle[s->count][baton.size] = 0;
    s->idle_us[s->count++] = now_us;
}

void hrana_streams_forget(struct hrana_streams *s) {
    s->open -= s->count;
    s->count = 0;
}

void hrana_stream_set_json(struct buf *body, size_t size, const struct hrana_stream *stream) {
    static const char closing[] = ",{\"type\":\"close\"}]}";
    if (body->status)
        return;
    body->size = size - (sizeof closing - 1);
    if (!stream->kept)
        buf_append_string(body, closing);
    else if (stream->baton[0])
        buf_printf(body, "],\"baton\":\"%s\"}", stream->baton);
    else
        buf_append_string(body, "]}");
}

/* PipelineReqBody { string baton=1; repeated StreamRequest requests=2 }, fields in any order. */
static const uint8_t proto_closing[] = {2 << 3 | 2, 2, 1 << 3 | 2, 0};

static void put_baton(struct buf *body, const char *baton) {
    enum { BATON_TAG = 1 << 3 | 2 };
    size_t length = strlen(baton);
    buf_append_byte(body, BATON_TAG);
    if (length > 127)
        buf_append_byte(body, (uint8_t)(length | 128));
    buf_append_byte(body, (uint8_t)(length > 127 ? length >> 7 : length));
    buf_append(body, baton, length);
}

void hrana_stream_set_proto(struct buf *body, size_t size, const struct hrana_stream *stream) {
    if (body->status)
        return;
    body->size = size - sizeof proto_closing;
    if (!stream->kept)
        buf_append(body, proto_closing, sizeof proto_closing);
    else if (stream->baton[0])
        put_baton(body, stream->baton);
}

void hrana_stream_close_json(struct buf *body, const struct hrana_stream *stream) {
    buf_printf(body, "{\"baton\":\"%s\",\"requests\":[{\"type\":\"close\"}]}", stream->baton);
}

void hrana_stream_close_proto(struct buf *body, const struct hrana_stream *stream) {
    put_baton(body, stream->baton);
    buf_append(body, proto_closing, sizeof proto_closing);
}
