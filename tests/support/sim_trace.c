/*
 * sim_trace.c - a record as one line: its name, its version, and the tokens in its body.
 */
#include "support/sim_trace.h"

#include <inttypes.h>
#include <stdio.h>

#include "support/sim_work.h"

static void trace_record(const char *what, const struct stored_record *record) {
    uint64_t millis = (record->version.clock >> 16) % 1000000000, count;
    count = record->version.clock & 0xffff;
    size_t at = 0;
    fprintf(stderr,
            "      %s %s %u at %" PRIu64 ", flags %u, version %" PRIu64 ".%" PRIu64 " by %u:", what,
            store_kind_name(record->kind), get_be32(record->id.bytes + 12), record->change,
            record->flags, millis, count, (unsigned)record->version.device);
    for (unsigned token; (token = sim_token_next(record->body, &at));)
        fprintf(stderr, " w%u", token);
    fprintf(stderr, "\n");
}

void sim_trace_exchange(unsigned device, const struct feed_request *request,
                        const struct feed_answer *answer) {
    static const char *const verdicts[] = {"ok", "other epoch", "unknown", "other tag", "fenced"};
    static const char *const ops[] = {"put", "delete", "purge"};
    static const char *const fates[] = {"taken", "stale", "refused"};
    fprintf(stderr,
            "    device %u, fence %" PRIu64 ", cursor %" PRIu64 "%s: %s, head %" PRIu64
            ", cursor %" PRIu64 "%s\n",
            device, request->fence, request->cursor, request->quiet ? ", quiet" : "",
            verdicts[answer->verdict], answer->head, answer->cursor, answer->more ? ", more" : "");
    for (size_t i = 0; i < request->push_count; i++) {
        const struct feed_push *push = &request->pushes[i];
        char what[64];
        snprintf(what, sizeof what, "%s over %" PRIu64 ", %s,", ops[push->op], push->expect,
                 fates[push->fate]);
        trace_record(what, push->record);
    }
    for (size_t i = 0; i < answer->records.count; i++)
        trace_record("pulled", &answer->records.records[i]);
}
