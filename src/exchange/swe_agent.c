/*
 * swe_agent.c - trajectories of SWE-agent, one a file: {environment, trajectory: [turns], history:
 * [messages], info}.
 *
 * A turn {action, observation, response, thought, state, execution_time, query, …} is a step: its
 * tool is the first word of the action; members that are strings become metadata of the step, the
 * others stay under extra.trajectory at the turn's index. The history becomes the messages. Other
 * members of the file stay in extra. Versions differ, and all of these are read: the state is a
 * string or an object, `messages` became `query`, the content of a message may be a list.
 */
#include <math.h>

#include "exchange/exchange_impl.h"

struct run {
    struct arena *arena;
    struct buf *scratch;
    const struct json_node *root, *turns, *history; /* NULL: not there */
    mneme_episode *episode;
};

static enum guess swe_agent_guess(const struct outline *outline) {
    bool named = path_ends_with(outline->path, ".traj");
    if (outline_has(outline, "trajectory") || (named && outline_has(outline, "history")))
        return GUESS_BY_CONTENT;
    return named ? GUESS_BY_NAME : GUESS_NO;
}

/* ---- Steps ------------------------------------------------------------------------------- */

static mneme_text first_word(mneme_text action) {
    static const char space[] = " \t\r\n";
    size_t start = 0;
    while (start < action.size && memchr(space, action.data[start], 4))
        start++;
    size_t end = start;
    while (end < action.size && !memchr(space, action.data[end], 4))
        end++;
    return (mneme_text){end > start ? action.data + start : NULL, end - start};
}

/* Whether action and observation of the step tell these two members exactly. */
static bool turn_is_told(const struct json_node *turn) {
    return is_string(json_member(turn, "action")) && is_string(json_member(turn, "observation"));
}

static bool is_action_or_observation(const struct json_node *member) {
    return key_is(member, "action") || key_is(member, "observation");
}

static bool is_metadata(const struct json_node *member) {
    return is_string(member) && member->key.size > 0 && member->key.size <= MODEL_NAME_MAX &&
           !is_action_or_observation(member);
}

static int make_step_metadata(const struct json_node *turn, struct arena *arena,
                              mneme_pair_list *out) {
    mneme_pair *pairs = arena_zalloc(arena, turn->count, sizeof *pairs);
    if (!pairs)
        return MNEME_NO_MEMORY;
    size_t count = 0;
    const struct json_node *member = json_first(turn);
    for (; member; member = json_next(turn, member))
        if (is_metadata(member))
            pairs[count++] = (mneme_pair){text_of_slice(member->key), text_of_slice(member->text)};
    *out = (mneme_pair_list){pairs, count};
    return 0;
}

static void set_latency(const struct json_node *turn, mneme_step *step) {
    const struct json_node *time = json_member(turn, "execution_time");
    double seconds;
    if (time && time->type == JSON_NUMBER && json_double(time, &seconds) && seconds >= 0 &&
        seconds < 1e12) {
        step->has_latency = true;
        step->latency_ms = llround(seconds * 1000);
    }
}

static int make_step(const struct json_node *turn, struct arena *arena, mneme_step *step) {
    step->action = member_text(turn, "action");
    step->tool = first_word(step->action);
    if (is_string(json_member(turn, "observation"))) {
        step->output = member_text(turn, "observation");
        step->result = MNEME_RESULT_SUCCESS;
    }
    set_latency(turn, step);
    return make_step_metadata(turn, arena, &step->metadata);
}

static int make_steps(struct run *run, mneme_error *error) {
    if (!run->turns)
        return 0;
    mneme_step *steps = arena_zalloc(run->arena, run->turns->count, sizeof *steps);
    if (!steps)
        return MNEME_NO_MEMORY;
    const struct json_node *turn = json_first(run->turns);
    for (size_t i = 0; turn; turn = json_next(run->turns, turn), i++) {
        if (turn->type != JSON_OBJECT)
            return error_set(error, MNEME_INVALID, "trajectory[%zu]: expected an object", i);
        steps[i].number = i + 1;
        TRY(make_step(turn, run->arena, &steps[i]));
    }
    run->episode->steps = (mneme_step_list){steps, run->turns->count};
    return 0;
}

/* ---- Messages ---------------------------------------------------------------------------- */

/* Whether a message of the history holds the action of a turn. Demonstrations hold others'. */
static bool is_turn(const struct chat *chat) {
    const struct json_node *demo =
        chat->node->type == JSON_OBJECT ? json_member(chat->node, "is_demo") : NULL;
    return text_is(chat->role, "assistant") && !(demo && demo->type == JSON_TRUE);
}

static int make_messages(struct run *run) {
    mneme_episode *e = run->episode;
    if (!run->history)
        return 0;
    mneme_message *messages = arena_zalloc(run->arena, run->history->count, sizeof *messages);
    if (!messages)
        return MNEME_NO_MEMORY;
    size_t turns = 0, count = 0;
    const struct json_node *item = json_first(run->history);
    for (; item; item = json_next(run->history, item)) {
        struct chat chat = chat_of(item);
        TRY(chat_to_message(&chat, CHAT_PLAIN, 0, size_min(turns, e->steps.count), run->scratch,
                            run->arena, &messages[count++]));
        turns += is_turn(&chat);
    }
    e->messages = messages;
    e->message_count = count;
    return 0;
}

/* ---- Task and outcome -------------------------------------------------------------------- */

/* The part of `text` between two marks; the whole text when one is missing. */
static mneme_text between(mneme_text text, const char *begin, const char *end) {
    const char *from = text.size ? memmem(text.data, text.size, begin, strlen(begin)) : NULL;
    if (!from)
        return text;
    from += strlen(begin);
    size_t left = (size_t)(text.data + text.size - from);
    const char *to = memmem(from, left, end, strlen(end));
    return to && to > from ? (mneme_text){from, (size_t)(to - from)} : text;
}

/* The templates of SWE-agent put the issue between these marks. */
static mneme_text issue_in(mneme_text message) {
    static const struct {
        const char *begin, *end;
    } marks[] = {{"<pr_description>\n", "\n</pr_description>"}, {"ISSUE:\n", "\n\nINSTRUCTIONS:"}};
    for (size_t i = 0; i < COUNT_OF(marks); i++) {
        mneme_text part = between(message, marks[i].begin, marks[i].end);
        if (part.size < message.size)
            return part;
    }
    return message;
}

/* The text of a message, or the first text in it when its content is a list. */
static mneme_text content_text(const struct chat *chat) {
    const struct json_node *content = chat->content;
    if (is_string(content))
        return text_of_slice(content->text);
    const struct json_node *part =
        content && content->type == JSON_ARRAY ? json_first(content) : NULL;
    return member_text(part, "text");
}

/* The run's name: SWE-agent calls a file after the instance it worked on. */
static mneme_text instance_of(const char *path) {
    mneme_text name = mneme_text_of(path_base(path));
    if (path_ends_with(path, ".traj"))
        name.size -= strlen(".traj");
    return utf8_valid(slice_of_text(name)) ? name : (mneme_text){NULL, 0};
}

static int find_task(struct run *run, const char *path) {
    mneme_episode *e = run->episode;
    const struct json_node *item = run->history ? json_first(run->history) : NULL;
    for (; item && e->task.size == 0; item = json_next(run->history, item)) {
        struct chat chat = chat_of(item);
        bool is_demo = item->type == JSON_OBJECT && json_member(item, "is_demo") &&
                       json_member(item, "is_demo")->type == JSON_TRUE;
        if (text_is(chat.role, "user") && !is_demo)
            e->task = issue_in(content_text(&chat));
    }
    if (e->task.size)
        return 0;
    AUTO_BUF struct buf b = BUF_INIT(8192);
    struct slice name = slice_of_text(instance_of(path)), copy;
    buf_append_string(&b, "SWE-agent run ");
    buf_append(&b, name.data, size_min(name.size, 4096));
    TRY(b.status);
    TRY(arena_copy(run->arena, buf_slice(&b), &copy));
    e->task = text_of_slice(copy);
    return 0;
}

/* The file says whether a patch was submitted, not whether it is right. */
static void set_outcome(struct run *run) {
    static const char submitted[] = "submitted";
    const struct json_node *info = json_member(run->root, "info");
    mneme_text status = member_text(info, "exit_status");
    mneme_outcome *outcome = &run->episode->outcome;
    outcome->verdict = status;
    if (status.size >= sizeof submitted - 1 &&
        memcmp(status.data, submitted, sizeof submitted - 1) == 0)
        outcome->kind = MNEME_PARTIAL_SUCCESS;
    else
        outcome->kind = info ? MNEME_FAILED : MNEME_ABSTAINED;
}

static int make_metadata(struct run *run, const char *path) {
    mneme_pair *pairs = arena_zalloc(run->arena, 4, sizeof *pairs);
    if (!pairs)
        return MNEME_NO_MEMORY;
    const mneme_pair all[] = {{mneme_text_of("benchmark"), mneme_text_of("swe-agent")},
                              {mneme_text_of("instance_id"), instance_of(path)},
                              {mneme_text_of("environment"), member_text(run->root, "environment")},
                              {mneme_text_of("exit_status"), run->episode->outcome.verdict}};
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(all); i++)
        if (all[i].value.size)
            pairs[count++] = all[i];
    run->episode->metadata = (mneme_pair_list){pairs, count};
    return 0;
}

/* ---- What is left ------------------------------------------------------------------------ */

static void put_turn_rest(struct buf *b, const struct json_node *turn) {
    bool told = turn_is_told(turn);
    buf_append_byte(b, '{');
    const struct json_node *member = json_first(turn);
    for (; member; member = json_next(turn, member))
        if (!is_metadata(member) && !(told && is_action_or_observation(member)))
            object_member(b, member->key, member->raw);
    buf_append_byte(b, '}');
}

/* The turns, each without what its step tells. */
static void put_turns_rest(struct buf *b, const struct json_node *turns) {
    object_key(b, slice_of_string("trajectory"));
    buf_append_byte(b, '[');
    const struct json_node *turn = json_first(turns);
    for (bool first = true; turn; turn = json_next(turns, turn), first = false) {
        if (!first)
            buf_append_byte(b, ',');
        put_turn_rest(b, turn);
    }
    buf_append_byte(b, ']');
}

static int make_extra(struct run *run) {
    object_begin(run->scratch);
    const struct json_node *member = json_first(run->root);
    for (; member; member = json_next(run->root, member)) {
        if (member == run->turns)
            put_turns_rest(run->scratch, member);
        else if (member != run->history)
            object_member(run->scratch, member->key, member->raw);
    }
    return object_end(run->scratch, run->arena, &run->episode->extra);
}

/* ---- The episode ------------------------------------------------------------------------- */

/* An array that may be missing or null. */
static int find_array(const struct json_node *root, const char *key, const struct json_node **out,
                      mneme_error *error) {
    const struct json_node *array = json_member(root, key);
    if (array && array->type != JSON_ARRAY && array->type != JSON_NULL)
        return error_set(error, MNEME_INVALID, "%s: expected an array", key);
    *out = array && array->type == JSON_ARRAY ? array : NULL;
    return 0;
}

static int find_members(struct run *run, mneme_error *error) {
    if (run->root->type != JSON_OBJECT)
        return error_set(error, MNEME_INVALID, "expected an object");
    TRY(find_array(run->root, "trajectory", &run->turns, error));
    TRY(find_array(run->root, "history", &run->history, error));
    if (!run->turns && !run->history)
        return error_set(error, MNEME_INVALID, "needs the member \"trajectory\" or \"history\"");
    return 0;
}

static int make_episode(struct run *run, const struct piece *piece, const char *path,
                        mneme_error *error) {
    run->episode->task_type = mneme_text_of("debugging");
    TRY(make_steps(run, error));
    TRY(make_messages(run));
    TRY(find_task(run, path));
    set_outcome(run);
    TRY(make_metadata(run, path));
    TRY(make_extra(run));
    return origin_make(swe_agent_format.name, piece->text, run->arena, &run->episode->origin);
}

static int swe_agent_parse(const struct piece *piece, const char *path, struct arena *arena,
                           struct exchange_record *out, mneme_error *error) {
    AUTO_BUF struct buf scratch = BUF_INIT(JSON_SIZE_MAX);
    struct run run = {.arena = arena, .scratch = &scratch};
    TRY(json_parse(piece->text, arena, &run.root, error));
    TRY(find_members(&run, error));
    run.episode = arena_zalloc(arena, 1, sizeof *run.episode);
    int status = run.episode ? make_episode(&run, piece, path, error) : MNEME_NO_MEMORY;
    if (status == MNEME_NO_MEMORY)
        return exchange_no_memory(error);
    if (status == MNEME_TOO_LARGE)
        return error_set(error, status, "larger than this format may be");
    TRY(status);
    *out = (struct exchange_record){
        .record = {.kind = MNEME_EPISODE, .flags = MNEME_FLAG_SEALED, .as.episode = run.episode},
        .identity = IDENTITY_ORIGIN};
    return 0;
}

const struct format_operations swe_agent_format = {.name = "swe-agent",
                                                   .guess = swe_agent_guess,
                                                   .split = split_document,
                                                   .parse = swe_agent_parse};
