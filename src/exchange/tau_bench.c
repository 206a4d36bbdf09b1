/*
 * tau_bench.c - trajectories of tau-bench: {task_id, trial, reward, info, traj: [messages]}.
 *
 * A trajectory is one completed episode. A tool call and the message that answers it are one
 * step. In the usual form, a call alone in its message and the answer right behind it, the step
 * says all; every other message becomes a message of the episode (exchange_impl.h tells how), so
 * the trajectory can be built again from the episode: tests/exchange/ does.
 */
#include <math.h>
#include <stdio.h>

#include "exchange/exchange_impl.h"

/* An answer is looked for among this many calls before it, so that time stays linear. */
enum { CALLS_BACK = 256, TASK_NAME_MAX = 64 };

/* Reward 1 is success; tau-bench allows this much for rounding. */
#define REWARD_TOLERANCE 1e-6

struct trajectory {
    struct arena *arena;
    struct buf *scratch;
    struct chat *chats;
    size_t chat_count;
    mneme_step *steps;
    size_t step_count;
    mneme_message *messages;
    size_t message_count;
};

static enum guess tau_bench_guess(const struct outline *outline) {
    return outline_has(outline, "traj") ? GUESS_BY_CONTENT : GUESS_NO;
}

/* ---- Calls ------------------------------------------------------------------------------- */

static const struct json_node *call_function(const struct json_node *call) {
    const struct json_node *function =
        call->type == JSON_OBJECT ? json_member(call, "function") : NULL;
    return function && function->type == JSON_OBJECT ? function : NULL;
}

/* Whether tool_calls is an array of calls of named functions. */
static bool calls_are_steps(const struct chat *chat) {
    const struct json_node *calls = chat->calls;
    if (chat->irregular || !calls || calls->type != JSON_ARRAY || calls->count == 0)
        return false;
    const struct json_node *call = json_first(calls);
    for (; call; call = json_next(calls, call)) {
        const struct json_node *function = call_function(call);
        if (!function || !is_string(json_member(function, "name")))
            return false;
    }
    return true;
}

/* Whether a step can hold all of a call: {id, type: "function", function: {name, arguments}}. */
static bool call_is_regular(const struct json_node *call) {
    const struct json_node *function = call_function(call);
    return call->count == 3 && function->count == 2 && is_string(json_member(call, "id")) &&
           text_is(member_text(call, "type"), "function") &&
           is_string(json_member(function, "arguments"));
}

static bool calls_are_regular(const struct json_node *calls) {
    const struct json_node *call = json_first(calls);
    for (; call; call = json_next(calls, call))
        if (!call_is_regular(call))
            return false;
    return true;
}

/* Whether a message is nothing but one regular call. */
static bool is_call_alone(const struct chat *chat) {
    return text_is(chat->role, "assistant") && chat->node->count == 3 &&
           chat->content->type == JSON_NULL && chat->calls->count == 1;
}

static int add_step(struct trajectory *t, const struct json_node *call) {
    const struct json_node *function = call_function(call);
    const struct json_node *arguments = json_member(function, "arguments");
    mneme_step *step = &t->steps[t->step_count];
    *step = (mneme_step){.number = t->step_count + 1, .tool = member_text(function, "name")};
    if (arguments)
        step->parameters = text_of_slice(is_string(arguments) ? arguments->text : arguments->raw);
    if (is_string(json_member(call, "id"))) {
        mneme_pair *pair = arena_alloc(t->arena, sizeof *pair);
        if (!pair)
            return MNEME_NO_MEMORY;
        *pair = (mneme_pair){mneme_text_of("tool_call_id"), member_text(call, "id")};
        step->metadata = (mneme_pair_list){pair, 1};
    }
    t->step_count++;
    return 0;
}

/* ---- Answers ----------------------------------------------------------------------------- */

static bool answers_step(const struct chat *chat, const mneme_step *step) {
    return step->result == MNEME_RESULT_NONE && step->metadata.count == 1 &&
           is_string(chat->call_id) && text_is(chat->role, "tool") &&
           text_equal(step->metadata.items[0].value, text_of_slice(chat->call_id->text));
}

/* Whether the step can hold all of its answer: {role, tool_call_id, name, content}. */
static bool answer_is_regular(const struct chat *chat, const mneme_step *step) {
    return !chat->irregular && chat->node->count == 4 && is_string(chat->content) &&
           is_string(chat->name) && text_equal(text_of_slice(chat->name->text), step->tool);
}

static void set_output(mneme_step *step, const struct chat *chat) {
    static const char mark[] = "Error:";
    const struct json_node *content = chat->content;
    step->result = MNEME_RESULT_SUCCESS;
    if (content && content->type != JSON_NULL)
        step->output = text_of_slice(is_string(content) ? content->text : content->raw);
    if (step->output.size >= sizeof mark - 1 &&
        memcmp(step->output.data, mark, sizeof mark - 1) == 0)
        step->result = MNEME_RESULT_ERROR;
}

/* The step that a message answers, not behind the calls before it; NULL: none. */
static mneme_step *step_answered(struct trajectory *t, const struct chat *chat) {
    size_t back = size_min(t->step_count, CALLS_BACK);
    for (size_t i = 1; i <= back; i++) {
        mneme_step *step = &t->steps[t->step_count - i];
        if (answers_step(chat, step))
            return step;
    }
    return NULL;
}

/* ---- Messages ---------------------------------------------------------------------------- */

static int add_message(struct trajectory *t, const struct chat *chat, enum chat_mark mark,
                       uint64_t value) {
    return chat_to_message(chat, mark, value, t->step_count, t->scratch, t->arena,
                           &t->messages[t->message_count++]);
}

/* A message with calls, and the answers right behind it. *at goes behind them. */
static int add_calls(struct trajectory *t, size_t *at) {
    const struct chat *chat = &t->chats[(*at)++];
    bool regular = calls_are_regular(chat->calls);
    size_t first = t->step_count;
    if (!regular || !is_call_alone(chat))
        TRY(add_message(t, chat, regular ? CHAT_CALLS : CHAT_KEPT_CALLS, chat->calls->count));
    const struct json_node *call = json_first(chat->calls);
    for (; call; call = json_next(chat->calls, call))
        TRY(add_step(t, call));
    for (size_t i = first; i < t->step_count && *at < t->chat_count; i++) {
        const struct chat *answer = &t->chats[*at];
        if (answers_step(answer, &t->steps[i]) && answer_is_regular(answer, &t->steps[i])) {
            set_output(&t->steps[i], answer);
            ++*at;
        }
    }
    return 0;
}

static int add_other(struct trajectory *t, size_t *at) {
    const struct chat *chat = &t->chats[(*at)++];
    mneme_step *step = step_answered(t, chat);
    if (!step)
        return add_message(t, chat, CHAT_PLAIN, 0);
    set_output(step, chat);
    return add_message(t, chat, CHAT_ANSWERS, step->number);
}

static int read_chats(struct trajectory *t, const struct json_node *traj, mneme_error *error) {
    size_t calls = 0, i = 0;
    t->chats = arena_zalloc(t->arena, traj->count, sizeof *t->chats);
    t->messages = arena_zalloc(t->arena, traj->count, sizeof *t->messages);
    if (!t->chats || !t->messages)
        return MNEME_NO_MEMORY;
    const struct json_node *message = json_first(traj);
    for (; message; message = json_next(traj, message), i++) {
        if (message->type != JSON_OBJECT)
            return error_set(error, MNEME_INVALID, "traj[%zu]: expected an object", i);
        t->chats[i] = chat_of(message);
        calls += calls_are_steps(&t->chats[i]) ? t->chats[i].calls->count : 0;
    }
    t->chat_count = traj->count;
    t->steps = arena_zalloc(t->arena, calls, sizeof *t->steps);
    return t->steps ? 0 : MNEME_NO_MEMORY;
}

static int read_traj(struct trajectory *t, const struct json_node *traj, mneme_error *error) {
    TRY(read_chats(t, traj, error));
    for (size_t at = 0; at < t->chat_count;)
        TRY(calls_are_steps(&t->chats[at]) ? add_calls(t, &at) : add_other(t, &at));
    return 0;
}

/* ---- The episode ------------------------------------------------------------------------- */

static const struct json_node *object_member_of(const struct json_node *object, const char *key) {
    return object && object->type == JSON_OBJECT ? json_member(object, key) : NULL;
}

static const struct json_node *task_of(const struct json_node *root) {
    return object_member_of(object_member_of(root, "info"), "task");
}

static int find_task(const struct trajectory *t, const struct json_node *root, mneme_text *out) {
    *out = member_text(task_of(root), "instruction");
    for (size_t i = 0; out->size == 0 && i < t->chat_count; i++)
        if (text_is(t->chats[i].role, "user") && is_string(t->chats[i].content))
            *out = text_of_slice(t->chats[i].content->text);
    if (out->size)
        return 0;
    char *name = arena_alloc(t->arena, TASK_NAME_MAX);
    if (!name)
        return MNEME_NO_MEMORY;
    const struct json_node *id = json_member(root, "task_id");
    int digits = id && id->type == JSON_NUMBER ? (int)size_min(id->raw.size, 32) : 0;
    int size = snprintf(name, TASK_NAME_MAX, "tau-bench task %.*s", digits ? digits : 1,
                        digits ? (const char *)id->raw.data : "?");
    *out = (mneme_text){name, (size_t)size};
    return 0;
}

/* The benchmark's domain stands in the names of its files, and in the policy it gives agents. */
static mneme_text find_domain(const struct trajectory *t, const char *path) {
    static const char *const domains[] = {"airline", "retail"};
    char policy[128] = "";
    if (t->chat_count && is_string(t->chats[0].content))
        snprintf(policy, sizeof policy, "%.*s",
                 (int)size_min(t->chats[0].content->text.size, sizeof policy - 1),
                 (const char *)t->chats[0].content->text.data);
    for (size_t i = 0; i < COUNT_OF(domains); i++)
        if (strcasestr(path_base(path), domains[i]))
            return mneme_text_of(domains[i]);
    for (size_t i = 0; i < COUNT_OF(domains); i++)
        if (strcasestr(policy, domains[i]))
            return mneme_text_of(domains[i]);
    return (mneme_text){NULL, 0};
}

/* The metadata that one queries by. A number is known again by its digits; what is no number is
 * kept in extra too. */
static int make_metadata(const struct json_node *root, struct arena *arena, mneme_pair_list *out) {
    static const char *const names[] = {"task_id", "trial"};
    mneme_pair *pairs = arena_zalloc(arena, COUNT_OF(names), sizeof *pairs);
    if (!pairs)
        return MNEME_NO_MEMORY;
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const struct json_node *value = json_member(root, names[i]);
        if (value && (value->type == JSON_NUMBER || value->type == JSON_STRING))
            pairs[count++] = (mneme_pair){mneme_text_of(names[i]), text_of_slice(value->text)};
    }
    *out = (mneme_pair_list){pairs, count};
    return 0;
}

static int make_extra(const struct trajectory *t, const struct json_node *root, mneme_text *out) {
    object_begin(t->scratch);
    const struct json_node *member = json_first(root);
    for (; member; member = json_next(root, member)) {
        bool is_number = member->type == JSON_NUMBER;
        bool is_told = key_is(member, "traj") || key_is(member, "reward") ||
                       (is_number && (key_is(member, "task_id") || key_is(member, "trial")));
        if (!is_told)
            object_member(t->scratch, member->key, member->raw);
    }
    return object_end(t->scratch, t->arena, out);
}

static int make_episode(struct trajectory *t, const struct piece *piece, const char *path,
                        const struct json_node *root, mneme_episode *e) {
    e->task_type = mneme_text_of("other");
    e->context.domain = find_domain(t, path);
    e->reward.present = true;
    e->outcome.kind = fabs(e->reward.total - 1) <= REWARD_TOLERANCE ? MNEME_SUCCESS : MNEME_FAILED;
    e->steps = (mneme_step_list){t->steps, t->step_count};
    e->messages = t->messages;
    e->message_count = t->message_count;
    TRY(find_task(t, root, &e->task));
    TRY(make_metadata(root, t->arena, &e->metadata));
    TRY(make_extra(t, root, &e->extra));
    return origin_make(tau_bench_format.name, piece->text, t->arena, &e->origin);
}

static int check_members(const struct json_node *root, double *reward, mneme_error *error) {
    if (root->type != JSON_OBJECT)
        return error_set(error, MNEME_INVALID, "expected an object");
    const struct json_node *traj = json_member(root, "traj");
    const struct json_node *total = json_member(root, "reward");
    if (!traj || traj->type != JSON_ARRAY)
        return error_set(error, MNEME_INVALID, "traj: expected an array of messages");
    if (!total || total->type != JSON_NUMBER || !json_double(total, reward))
        return error_set(error, MNEME_INVALID, "reward: expected a number");
    return 0;
}

static int tau_bench_parse(const struct piece *piece, const char *path, struct arena *arena,
                           struct exchange_record *out, mneme_error *error) {
    const struct json_node *root;
    double reward;
    TRY(json_parse(piece->text, arena, &root, error));
    TRY(check_members(root, &reward, error));
    AUTO_BUF struct buf scratch = BUF_INIT(JSON_SIZE_MAX);
    struct trajectory t = {.arena = arena, .scratch = &scratch};
    mneme_episode *e = arena_zalloc(arena, 1, sizeof *e);
    if (!e)
        return exchange_no_memory(error);
    e->reward.total = reward;
    int status = read_traj(&t, json_member(root, "traj"), error);
    if (status == 0)
        status = make_episode(&t, piece, path, root, e);
    if (status == MNEME_NO_MEMORY)
        return exchange_no_memory(error);
    if (status == MNEME_TOO_LARGE)
        return error_set(error, status, "larger than this format may be");
    TRY(status);
    *out = (struct exchange_record){
        .record = {.kind = MNEME_EPISODE, .flags = MNEME_FLAG_SEALED, .as.episode = e},
        .identity = IDENTITY_ORIGIN};
    return 0;
}

const struct format_operations tau_bench_format = {.name = "tau-bench",
                                                   .guess = tau_bench_guess,
                                                   .split = split_document,
                                                   .parse = tau_bench_parse};
