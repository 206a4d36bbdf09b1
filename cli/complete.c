/*
 * complete.c - the command `episode complete`.
 */
#include "commands.h"

static int read_reward(struct cli *cli, mneme_reward *reward) {
    mneme_pair_list pairs = option_pairs(cli, "reward-part");
    mneme_reward_part *parts = pool_alloc(&cli->pool, pairs.count + 1, sizeof *parts);
    const struct value_rule rule = {.type = VALUE_REAL};
    for (size_t i = 0; i < pairs.count; i++) {
        const char *value = pairs.items[i].value.data;
        int status = value_check(&rule, "--reward-part NAME", value, &cli->error);
        if (status != 0)
            return status;
        parts[i] = (mneme_reward_part){pairs.items[i].name, value_real(value)};
    }
    *reward = (mneme_reward){
        .present = option_given(cli, "reward"),
        .total = option_real(cli, "reward", 0),
        .parts = parts,
        .part_count = pairs.count,
    };
    if (pairs.count > 0 && !reward->present)
        return fail_with(&cli->error, MNEME_INVALID, "--reward-part needs --reward, the total");
    return 0;
}

/* --applied ID=EFFECT, in the order of mneme_effect. */
static int read_applied(struct cli *cli, mneme_completion *completion) {
    const struct value_rule rule = {.type = VALUE_CHOICE,
                                    .choices = "pending|helped|no_effect|hindered"};
    mneme_pair_list pairs = option_pairs(cli, "applied");
    mneme_applied_pattern *applied = pool_alloc(&cli->pool, pairs.count + 1, sizeof *applied);
    int status = 0;
    for (size_t i = 0; i < pairs.count && status == 0; i++) {
        const char *effect = pairs.items[i].value.data;
        const char *id = pool_copy(&cli->pool, pairs.items[i].name.data, pairs.items[i].name.size);
        status = value_check(&rule, "--applied ID", effect, &cli->error);
        if (status == 0)
            status = cli_resolve_id(cli, MNEME_PATTERN, id, &applied[i].pattern);
        if (status == 0)
            applied[i].effect = (mneme_effect)value_choice(rule.choices, effect);
    }
    completion->applied = applied;
    completion->applied_count = pairs.count;
    return status;
}

static int complete(struct cli *cli, mneme_completion *completion, mneme_id *id) {
    mneme_ticket ticket;
    struct mneme_write write = cli_write(cli, &ticket);
    int status = read_applied(cli, completion);
    if (status == 0)
        status = cli_resolve_id(cli, MNEME_EPISODE, cli->arguments[0], id);
    if (status == 0)
        status = mneme_episode_complete(cli->store, id, completion, &write, &cli->error);
    return status == 0 ? cli_settle(cli, &write) : status;
}

static int run_complete(struct cli *cli) {
    mneme_completion completion = {
        /* OUTCOME_CHOICES are in the order of the enumeration, behind "none". */
        .outcome = {.kind = (mneme_outcome_kind)(option_choice(cli, "outcome") + 1),
                    .verdict = option_text(cli, "verdict"),
                    .reason = option_text(cli, "reason"),
                    .completed = option_texts(cli, "done"),
                    .failed = option_texts(cli, "failed"),
                    .artifacts = option_texts(cli, "artifact")},
        .reflection = {.successes = option_texts(cli, "worked"),
                       .improvements = option_texts(cli, "improve"),
                       .insights = option_texts(cli, "insight")},
        .end_us = option_time(cli, "time"),
    };
    mneme_id id;
    int status = read_reward(cli, &completion.reward);
    if (status == 0)
        status = cli_open(cli, OPEN_TO_CHANGE);
    if (status == 0)
        status = complete(cli, &completion, &id);
    if (status != 0)
        return status;
    if (!cli->json) {
        cli_say(cli, "completed %s: %s", id_text(cli, &id), option_value(cli, "outcome"));
        return 0;
    }
    struct json_line line = line_begin(cli->out.stream);
    line_add_id(&line, "id", &id);
    line_add_text(&line, "outcome", option_value(cli, "outcome"));
    line_end(&line);
    return 0;
}

static const char *const complete_examples[] = {
    "mneme episode complete $id --outcome success --reward 1",
    "mneme episode complete $id --outcome failure --reason \"no seats left\"",
    NULL,
};
static const struct option complete_options[] = {
    OPTION_CHOICE("outcome", "OUTCOME", "how it ended", OUTCOME_CHOICES, .required = true),
    OPTION_TEXT("verdict", "TEXT", "the judgement in a sentence"),
    OPTION_TEXT("reason", "TEXT", "why it ended so"),
    OPTION_REAL("reward", "NUMBER", "the total"),
    OPTION_PAIR("reward-part", "NAME=NUMBER", "a part of it", .repeats = true),
    OPTION_TEXT("done", "TEXT", "a part that was completed", .repeats = true),
    OPTION_TEXT("failed", "TEXT", "a part that failed", .repeats = true),
    OPTION_TEXT("artifact", "TEXT", "what was made", .repeats = true),
    OPTION_TEXT("worked", "TEXT", "looking back: what went well", .repeats = true),
    OPTION_TEXT("improve", "TEXT", "looking back: what to do better", .repeats = true),
    OPTION_TEXT("insight", "TEXT", "looking back: what was learned", .repeats = true),
    OPTION_PAIR("applied", "ID=EFFECT", "a pattern's effect: helped, no_effect, hindered, pending",
                .repeats = true),
    OPTION_TIME("time", "TIME", "when it ended; now if not given"),
    OPTION_END,
};
const struct command episode_complete_command = {
    .name = "episode complete",
    .arguments = "ID",
    .summary = "say how an episode ended",
    .details = "The episode takes no more steps then.",
    .examples = complete_examples,
    .options = complete_options,
    .min_arguments = 1,
    .max_arguments = 1,
    .argument_kind = ARGUMENT_TEXT,
    .run = run_complete,
};
