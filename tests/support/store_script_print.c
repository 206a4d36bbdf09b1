/*
 * store_script_print.c - scripts as text for people.
 */
#include <inttypes.h>

#include "support/store_script.h"

static void print_version(mneme_version version, struct buf *out) {
    buf_printf(out, " version %" PRIu64 "/%" PRIu64, version.clock, version.device);
}

static void print_condition(const struct script_write *write, struct buf *out) {
    static const char *const names[] = {[CONDITION_ABSENT] = "is absent",
                                        [CONDITION_LIVE] = "is live",
                                        [CONDITION_OPEN] = "is open"};
    switch (write->condition) {
    case CONDITION_NONE:
        return;
    case CONDITION_ABSENT:
    case CONDITION_LIVE:
    case CONDITION_OPEN:
        buf_printf(out, " if it %s", names[write->condition]);
        return;
    case CONDITION_VERSION:
        buf_append_string(out, " if it has");
        if (write->expect_true)
            buf_append_string(out, " the version read before");
        else
            print_version(write->expect_version, out);
        return;
    case CONDITION_CHILDREN:
        buf_printf(out, " if number and last place of its %s records are ",
                   store_kind_name(write->expect_kind));
        if (write->expect_true)
            buf_append_string(out, "those read before");
        else
            buf_printf(out, "%" PRIu64 " and %" PRIu64, write->expect_count, write->expect_place);
        return;
    case CONDITION_PARENT:
        buf_append_string(out, " if it stays with its parent");
        return;
    case CONDITION_CHANGE:
        buf_append_string(out, " if it has the change number read before");
        return;
    case CONDITION_FENCE:
        buf_append_string(out, " if the fence is as read before");
        return;
    case CONDITION_NO_ATTRIBUTE:
        buf_printf(out, " if no record has attribute #%u", write->expect_attribute);
        return;
    }
}

static void print_attributes(const char *title, unsigned bits, struct buf *out) {
    if (bits)
        buf_append_string(out, title);
    for (unsigned i = 0; i < SCRIPT_ATTRIBUTES; i++)
        if (bits >> i & 1)
            buf_printf(out, " #%u", i);
}

static void print_write(const struct script_write *write, struct buf *out) {
    static const char *const ops[] = {
        [MUTATION_PUT] = "put",     [MUTATION_DELETE] = "delete", [MUTATION_PURGE] = "purge",
        [MUTATION_CHECK] = "check", [MUTATION_MARK] = "mark",     [MUTATION_STATE] = "state"};
    buf_printf(out, "%s %s %u", ops[write->op], store_kind_name(write->kind), write->record);
    if (write->parent)
        buf_printf(out, " parent %u", write->parent);
    if (write->place)
        buf_printf(out, " place %" PRIu64, write->place);
    if (write->op == MUTATION_PUT)
        buf_printf(out, " time %" PRId64, write->time_us);
    if (write->sealed)
        buf_append_string(out, " sealed");
    print_attributes(" attributes", write->attributes, out);
    if (write->body_size)
        buf_printf(out, " body of %u (seed %u)", write->body_size, write->body_seed);
    if (!version_is_zero(write->version))
        print_version(write->version, out);
    print_condition(write, out);
}

static void print_query(const struct script_query *query, struct buf *out) {
    buf_printf(out, "query %s, %s first, limit %zu", store_kind_name(query->kind),
               query->order == ORDER_NEWEST_FIRST ? "newest" : "oldest", query->limit);
    if (query->has_since)
        buf_printf(out, ", since %" PRId64, query->since_us);
    if (query->has_until)
        buf_printf(out, ", until %" PRId64, query->until_us);
    if (query->parent)
        buf_printf(out, ", parent %u", query->parent);
    if (query->prefix_size)
        buf_printf(out, ", id as the first %u bytes of record %u's", query->prefix_size,
                   query->prefix_record);
    print_attributes(", attributes", query->filters, out);
    if (query->without_bodies)
        buf_append_string(out, ", without bodies");
    buf_append_string(out, "; all pages\n");
}

static void print_apply(const struct script_op *op, struct buf *out) {
    for (size_t i = 0; i < op->count; i++) {
        for (size_t j = 0; j < op->as.batches[i].count; j++) {
            buf_append_string(out, j ? "       and " : i ? "     batch " : "apply batch ");
            print_write(&op->as.batches[i].writes[j], out);
            buf_append_string(out, "\n");
        }
    }
    if (op->count == 0)
        buf_append_string(out, "apply nothing\n");
}

void script_print_op(const struct script_op *op, struct buf *out) {
    switch (op->action) {
    case SCRIPT_APPLY:
        print_apply(op, out);
        return;
    case SCRIPT_QUERY:
        print_query(&op->as.query, out);
        return;
    case SCRIPT_GET:
        buf_append_string(out, "get");
        for (size_t i = 0; i < op->count; i++)
            buf_printf(out, " %s %u", store_kind_name(op->as.names[i].kind),
                       op->as.names[i].record);
        buf_append_string(out, "\n");
        return;
    case SCRIPT_CHANGES:
        buf_printf(out, "changes since %" PRIu64 ", limit %zu\n", op->as.changes.since,
                   op->as.changes.limit);
        return;
    case SCRIPT_STATS:
        buf_append_string(out, "stats\n");
        return;
    case SCRIPT_REOPEN:
        buf_append_string(out, "reopen\n");
        return;
    case SCRIPT_CRASH:
        buf_append_string(out, "crash\n");
        return;
    }
}
