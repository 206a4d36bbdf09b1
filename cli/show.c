/*
 * show.c - one record as a page for people. Long texts are cut; --json has all of them.
 */
#include <inttypes.h>
#include <string.h>

#include "cli.h"
#include "display.h"

enum {
    LABEL = 13,
    STEP_INDENT = 6,
    TEXT_LINES = 10,
    RESULT_LINES = 4,
    PARAMETER_LINES = 2,
    ROLE_COLUMNS = 9
};

const char *outcome_text(mneme_outcome_kind kind) {
    static const char *const names[] = {"open", "success", "partial_success", "failure",
                                        "abstained"};
    return (size_t)kind < sizeof names / sizeof names[0] ? names[kind] : "?";
}

const char *result_text(mneme_result_kind kind) {
    static const char *const names[] = {"", "success", "error", "timeout"};
    return (size_t)kind < sizeof names / sizeof names[0] ? names[kind] : "?";
}

/* ---- Labelled lines ---------------------------------------------------------------------- */

static void put_label(struct cli *cli, const char *label) {
    put_bold(cli->out.stream, cli->color, label);
    fprintf(cli->out.stream, "%*s", LABEL - (int)strlen(label), "");
}

static void put_text(struct cli *cli, const char *label, mneme_text text) {
    if (text.size == 0)
        return;
    put_label(cli, label);
    display_put_lines(cli->out.stream, text, LABEL, cli->width, TEXT_LINES);
}

static void put_string(struct cli *cli, const char *label, const char *text) {
    put_text(cli, label, mneme_text_of(text));
}

static void put_time(struct cli *cli, const char *label, int64_t time_us) {
    if (time_us != 0)
        put_string(cli, label,
                   pool_format(&cli->pool, "%s UTC", display_time(&cli->pool, time_us, 19)));
}

static void put_texts(struct cli *cli, const char *label, mneme_text_list texts) {
    for (size_t i = 0; i < texts.count; i++)
        put_text(cli, i == 0 ? label : "", texts.items[i]);
}

static void put_tags(struct cli *cli, mneme_text_list tags) {
    const char *list = "";
    for (size_t i = 0; i < tags.count; i++)
        list = pool_format(&cli->pool, "%s%s%.*s", list, i > 0 ? ", " : "", (int)tags.items[i].size,
                           tags.items[i].data);
    put_string(cli, "Tags", list);
}

static void put_metadata(struct cli *cli, mneme_pair_list pairs) {
    for (size_t i = 0; i < pairs.count; i++) {
        const mneme_pair *pair = &pairs.items[i];
        put_string(cli, i == 0 ? "Metadata" : "",
                   pool_format(&cli->pool, "%.*s = %.*s", (int)pair->name.size, pair->name.data,
                               (int)pair->value.size, pair->value.data));
    }
}

static void put_context(struct cli *cli, const mneme_context *context) {
    put_text(cli, "Language", context->language);
    put_text(cli, "Framework", context->framework);
    put_text(cli, "Domain", context->domain);
    put_text(cli, "Complexity", context->complexity);
}

static void put_title(struct cli *cli, const char *kind, const mneme_id *id) {
    put_bold(cli->out.stream, cli->color, kind);
    fprintf(cli->out.stream, " %s\n", id_text(cli, id));
}

/* ---- Steps and messages ------------------------------------------------------------------ */

/* "3  search_flights  120 ms  success", then parameters and result below it. */
static void put_step(struct cli *cli, const mneme_step *step) {
    FILE *out = cli->out.stream;
    fprintf(out, "%*" PRIu64 "  ", STEP_INDENT - 2, step->number);
    display_put(out, step->tool, 40);
    if (step->tool.size > 0 && step->action.size > 0)
        fputs("  ", out);
    display_put(out, step->action, 60);
    if (step->has_latency)
        fprintf(out, "  %" PRId64 " ms", step->latency_ms);
    if (step->has_tokens)
        fprintf(out, "  %" PRId64 " tokens", step->tokens);
    if (step->result == MNEME_RESULT_ERROR || step->result == MNEME_RESULT_TIMEOUT)
        fprintf(out, "  %s", result_text(step->result));
    fputc('\n', out);
    if (step->parameters.size > 0) {
        fprintf(out, "%*s", STEP_INDENT, "");
        display_put_lines(out, step->parameters, STEP_INDENT, cli->width, PARAMETER_LINES);
    }
    if (step->output.size > 0) {
        fprintf(out, "%*s> ", STEP_INDENT, "");
        display_put_lines(out, step->output, STEP_INDENT + 2, cli->width, RESULT_LINES);
    }
}

/* The role in a column of its own, wide enough for "assistant". */
static void put_message(struct cli *cli, const mneme_message *message) {
    FILE *out = cli->out.stream;
    fprintf(out, "%*s", STEP_INDENT, "");
    size_t used = display_put(out, message->role, ROLE_COLUMNS);
    fprintf(out, "%*s", (int)(ROLE_COLUMNS - used + 2), "");
    display_put_lines(out, message->text, STEP_INDENT + ROLE_COLUMNS + 2, cli->width, RESULT_LINES);
}

/* Steps and what was said between them, in the order in which they happened. */
static void put_course(struct cli *cli, const mneme_episode *episode) {
    size_t said = 0;
    if (episode->steps.count + episode->message_count == 0)
        return;
    fputc('\n', cli->out.stream);
    put_bold(cli->out.stream, cli->color, "Course");
    fprintf(cli->out.stream, " (%zu steps, %zu messages)\n", episode->steps.count,
            episode->message_count);
    for (size_t i = 0; i <= episode->steps.count; i++) {
        bool last = i == episode->steps.count;
        while (said < episode->message_count && (last || episode->messages[said].after_step <= i))
            put_message(cli, &episode->messages[said++]);
        if (!last)
            put_step(cli, &episode->steps.items[i]);
    }
}

/* ---- Episodes ---------------------------------------------------------------------------- */

static void put_outcome(struct cli *cli, const mneme_outcome *outcome) {
    put_string(cli, "Outcome", outcome_text(outcome->kind));
    put_text(cli, "Verdict", outcome->verdict);
    put_text(cli, "Reason", outcome->reason);
    put_texts(cli, "Completed", outcome->completed);
    put_texts(cli, "Failed", outcome->failed);
    put_texts(cli, "Artifacts", outcome->artifacts);
}

static void put_reward(struct cli *cli, const mneme_reward *reward) {
    if (!reward->present)
        return;
    const char *text = pool_format(&cli->pool, "%g", reward->total);
    for (size_t i = 0; i < reward->part_count; i++)
        text = pool_format(&cli->pool, "%s%s%.*s %g", text, i == 0 ? ": " : ", ",
                           (int)reward->parts[i].name.size, reward->parts[i].name.data,
                           reward->parts[i].value);
    put_string(cli, "Reward", text);
}

static void put_applied(struct cli *cli, const mneme_episode *episode) {
    static const char *const effects[] = {"pending", "helped", "no_effect", "hindered"};
    for (size_t i = 0; i < episode->applied_count; i++) {
        const mneme_applied_pattern *applied = &episode->applied[i];
        const char *at =
            applied->step > 0 ? pool_format(&cli->pool, " at step %" PRIu64, applied->step) : "";
        put_string(cli, i == 0 ? "Applied" : "",
                   pool_format(&cli->pool, "%s%s: %s", id_text(cli, &applied->pattern), at,
                               (size_t)applied->effect < 4 ? effects[applied->effect] : "?"));
    }
}

static void put_end(struct cli *cli, const mneme_episode *episode) {
    if (episode->end_us == 0)
        return;
    int64_t duration_us = episode->end_us - episode->start_us;
    const char *lasted = duration_us > 0 ? display_duration(&cli->pool, duration_us) : NULL;
    put_string(cli, "Ended",
               pool_format(&cli->pool, "%s UTC%s%s", display_time(&cli->pool, episode->end_us, 19),
                           lasted != NULL ? ", after " : "", lasted != NULL ? lasted : ""));
}

static void show_episode(struct cli *cli, const mneme_episode *episode) {
    put_text(cli, "Task", episode->task);
    put_text(cli, "Type", episode->task_type);
    put_context(cli, &episode->context);
    put_time(cli, "Started", episode->start_us);
    put_end(cli, episode);
    put_outcome(cli, &episode->outcome);
    put_reward(cli, &episode->reward);
    put_texts(cli, "Worked", episode->reflection.successes);
    put_texts(cli, "To improve", episode->reflection.improvements);
    put_texts(cli, "Insights", episode->reflection.insights);
    put_applied(cli, episode);
    put_tags(cli, episode->tags);
    put_metadata(cli, episode->metadata);
    put_text(cli, "Origin", episode->origin);
    put_course(cli, episode);
}

/* ---- The other kinds --------------------------------------------------------------------- */

static const char *percent_text(struct cli *cli, double part) {
    return pool_format(&cli->pool, "%.0f %%", part * 100);
}

static void show_pattern(struct cli *cli, const mneme_pattern *pattern) {
    const mneme_effectiveness *effect = &pattern->effectiveness;
    put_text(cli, "Type", pattern->type);
    put_text(cli, "Name", pattern->name);
    put_text(cli, "Description", pattern->description);
    put_text(cli, "Content", pattern->content);
    put_string(cli, "Success", percent_text(cli, pattern->success_rate));
    put_string(cli, "Seen", pool_format(&cli->pool, "%" PRIu64 " times", pattern->occurrences));
    if (effect->retrieved + effect->applied > 0)
        put_string(cli, "Used",
                   pool_format(&cli->pool,
                               "retrieved %" PRIu64 ", applied %" PRIu64 ", success %" PRIu64
                               ", failure %" PRIu64 ", reward %+g",
                               effect->retrieved, effect->applied, effect->success, effect->failure,
                               effect->reward_delta));
    put_context(cli, &pattern->context);
    put_time(cli, "Created", pattern->created_us);
    put_tags(cli, pattern->tags);
    put_metadata(cli, pattern->metadata);
}

static void show_heuristic(struct cli *cli, const mneme_heuristic *heuristic) {
    put_text(cli, "When", heuristic->condition);
    put_text(cli, "Then", heuristic->action);
    put_string(cli, "Confidence", percent_text(cli, heuristic->confidence));
    for (size_t i = 0; i < heuristic->evidence_count; i++)
        put_string(cli, i == 0 ? "Evidence" : "", id_text(cli, &heuristic->evidence[i]));
    put_time(cli, "Created", heuristic->created_us);
    put_tags(cli, heuristic->tags);
    put_metadata(cli, heuristic->metadata);
}

static const char *end_text(struct cli *cli, mneme_kind kind, const mneme_id *id) {
    const char *name = mneme_kind_name(kind);
    return pool_format(&cli->pool, "%s %s", name != NULL ? name : "record", id_text(cli, id));
}

static void show_relation(struct cli *cli, const mneme_relation *relation) {
    put_text(cli, "Type", relation->type);
    put_string(cli, "From", end_text(cli, relation->from_kind, &relation->from));
    put_string(cli, "To", end_text(cli, relation->to_kind, &relation->to));
    put_string(cli, "Weight", pool_format(&cli->pool, "%g", relation->weight));
    put_time(cli, "Created", relation->created_us);
    put_metadata(cli, relation->metadata);
}

static const char *version_text(struct cli *cli, uint64_t clock, uint64_t device) {
    int64_t time_us = (int64_t)(clock >> 16) * 1000;
    return pool_format(&cli->pool, "%s UTC, on device %016" PRIx64,
                       display_time(&cli->pool, time_us, 19), device);
}

static void show_superseded(struct cli *cli, const mneme_superseded *edit) {
    put_string(cli, "Record", end_text(cli, edit->subject_kind, &edit->subject));
    put_text(cli, "Why", superseded_why(cli, edit));
    put_string(cli, "Overruled", version_text(cli, edit->lost_clock, edit->lost_device));
    put_string(cli, "Kept", version_text(cli, edit->kept_clock, edit->kept_device));
    put_text(cli, "It was", edit->lost);
}

void show_record(struct cli *cli, const mneme_record *record) {
    const char *kind = mneme_kind_name(record->kind);
    char *title = pool_copy(&cli->pool, kind, strlen(kind));
    title[0] = (char)(title[0] - 'a' + 'A');
    put_title(cli, title, &record->id);
    if (record->kind == MNEME_EPISODE)
        show_episode(cli, record->as.episode);
    else if (record->kind == MNEME_PATTERN)
        show_pattern(cli, record->as.pattern);
    else if (record->kind == MNEME_HEURISTIC)
        show_heuristic(cli, record->as.heuristic);
    else if (record->kind == MNEME_RELATION)
        show_relation(cli, record->as.relation);
    else if (record->kind == MNEME_SUPERSEDED)
        show_superseded(cli, record->as.superseded);
}
