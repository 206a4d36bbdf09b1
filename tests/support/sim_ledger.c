/*
 * sim_ledger.c - compares what devices show before and after.
 */
#include "support/sim_ledger.h"

#include <stdio.h>

enum { FATE_UNSEEN, FATE_SHOWN, FATE_GONE };

void sim_ledger_init(struct sim_ledger *ledger, struct sim_world *world) {
    memset(ledger, 0, sizeof *ledger);
    ledger->world = world;
    ledger->next = 1;
}

static size_t index_of(const struct sim_device *device) { return device->number - 1; }

/* ---- Tokens ------------------------------------------------------------------------------ */

static void write_token(struct sim_ledger *ledger, const struct sim_device *device, unsigned token,
                        enum sim_token_type type, unsigned slot, unsigned key) {
    ledger->tokens[token] = (struct sim_token){
        .written = true, .type = type, .slot = slot, .device = device->number, .key = key};
    ledger->writes++;
}

static unsigned make_token(struct sim_ledger *ledger, const struct sim_device *device,
                           enum sim_token_type type, unsigned slot, unsigned key) {
    unsigned token = ledger->next < SIM_TOKENS_MAX - 1 ? ledger->next++ : ledger->next;
    write_token(ledger, device, token, type, slot, key);
    return token;
}

static void add_edge(struct sim_ledger *ledger, unsigned from, unsigned to) {
    if (ledger->edge_count == SIM_EDGES_MAX) {
        (void)sim_fails(ledger->world, "the ledger is full");
        return;
    }
    ledger->edges[ledger->edge_count].from = (uint16_t)from;
    ledger->edges[ledger->edge_count++].to = (uint16_t)to;
}

static bool has_successor(const struct sim_ledger *ledger, unsigned token) {
    for (size_t i = 0; i < ledger->edge_count; i++)
        if (ledger->edges[i].from == token)
            return true;
    return false;
}

static unsigned token_under(const struct sim_element *elements, size_t count, unsigned key) {
    for (size_t i = 0; i < count; i++)
        if (elements[i].key == key)
            return elements[i].token;
    return 0;
}

static const char *key_text(unsigned key, char text[32]) {
    static const char *const names[] = {"nothing", "title", "domain", "verdict"};
    if (key < SIM_KEY_META)
        return names[key & 3];
    snprintf(text, 32, "%s %u",
             key >= SIM_KEY_STEP  ? "step"
             : key >= SIM_KEY_TAG ? "tag"
                                  : "metadata",
             key >= SIM_KEY_STEP  ? key - SIM_KEY_STEP
             : key >= SIM_KEY_TAG ? key - SIM_KEY_TAG
                                  : key - SIM_KEY_META);
    return text;
}

static bool fails(struct sim_ledger *ledger, unsigned token, const struct sim_device *device,
                  const char *what) {
    const struct sim_token *t = &ledger->tokens[token];
    char text[32], where[32] = "";
    if (device)
        snprintf(where, sizeof where, "device %u: ", device->number);
    return sim_fails(ledger->world, "%sw%u (slot %u, %s, written by device %u): %s", where, token,
                     t->slot, key_text(t->key, text), t->device, what);
}

/* ---- Looking ----------------------------------------------------------------------------- */

/* An element is shown under one key once, and steps and tags once. */
static bool doubled(struct sim_ledger *ledger, const struct sim_device *device,
                    const struct sim_seen *seen) {
    for (size_t i = 0; i < seen->count; i++)
        for (size_t k = 0; k < i; k++)
            if (seen->elements[i].key == seen->elements[k].key)
                return fails(ledger, seen->elements[i].token, device, "it is shown twice");
    return false;
}

/* Whether a token may come back; see the header. */
static bool may_return(const struct sim_ledger *ledger, const struct sim_token *token) {
    bool reborn = token->key >= SIM_KEY_STEP && ledger->reborn[token->slot];
    return token->rewritten || token->forgotten || reborn ||
           (token->unsure && ledger->world->server.was_turned);
}

static bool appears(struct sim_ledger *ledger, struct sim_device *device, unsigned slot,
                    struct sim_element element) {
    struct sim_shown *shown = &ledger->shown[index_of(device)];
    const struct sim_token *token = &ledger->tokens[element.token];
    if (element.token >= SIM_TOKENS_MAX || !token->written || token->slot != slot ||
        token->key != element.key)
        return sim_fails(ledger->world, "device %u shows w%u in slot %u, where nobody wrote it",
                         device->number, element.token, slot);
    if (shown->fate[element.token] == FATE_GONE && !may_return(ledger, token))
        return fails(ledger, element.token, device, "it was gone, and comes back");
    shown->fate[element.token] = FATE_SHOWN;
    return false;
}

/* Whether the slot's record, or the episode that it belongs to, was deleted by anybody. */
static bool was_deleted(const struct sim_ledger *ledger, unsigned slot) {
    unsigned parent = sim_slots[slot].parent;
    return ledger->deleted[slot] || (parent && ledger->deleted[parent - 1]);
}

/* Whether anybody removed what stood under this key: that wins against older values of others. */
static bool was_removed(const struct sim_ledger *ledger, unsigned slot, unsigned key) {
    for (unsigned token = 1; token < ledger->next; token++)
        if (ledger->tokens[token].written && ledger->tokens[token].type == SIM_REMOVAL &&
            ledger->tokens[token].slot == slot && ledger->tokens[token].key == key)
            return true;
    return false;
}

static bool vanishes(struct sim_ledger *ledger, struct sim_device *device, unsigned slot,
                     struct sim_element element, const struct sim_seen *seen) {
    ledger->shown[index_of(device)].fate[element.token] = FATE_GONE;
    bool register_of_all = element.key < SIM_KEY_META; /* an empty value may have won */
    if (has_successor(ledger, element.token) || was_deleted(ledger, slot) || register_of_all ||
        was_removed(ledger, slot, element.key) || ledger->tokens[element.token].forgiven ||
        token_under(seen->elements, seen->count, element.key))
        return false;
    return fails(ledger, element.token, device, "it is gone, and nobody wrote over it");
}

/* Take what is seen of a slot for what is shown. */
static bool look_at_slot(struct sim_ledger *ledger, struct sim_device *device, unsigned slot,
                         const struct sim_seen *seen) {
    struct sim_shown *shown = &ledger->shown[index_of(device)];
    bool failed = doubled(ledger, device, seen);
    for (size_t i = 0; i < shown->count[slot] && !failed; i++) {
        struct sim_element old = shown->elements[slot][i];
        if (token_under(seen->elements, seen->count, old.key) != old.token)
            failed = vanishes(ledger, device, slot, old, seen);
    }
    for (size_t i = 0; i < seen->count && !failed; i++)
        failed = appears(ledger, device, slot, seen->elements[i]);
    shown->live[slot] = seen->live;
    shown->stored[slot] = seen->stored;
    shown->count[slot] = seen->count;
    memcpy(shown->elements[slot], seen->elements, seen->count * sizeof *seen->elements);
    return failed;
}

/* Whether the store was written to since it was last looked at. */
static bool is_stale(struct sim_ledger *ledger, struct sim_device *device) {
    struct sim_shown *shown = &ledger->shown[index_of(device)];
    struct store_stats stats;
    if (store_stats(device->store, &stats, NULL))
        return true;
    bool stale = stats.commits != shown->commits;
    shown->commits = stats.commits;
    return stale;
}

static bool see(struct sim_ledger *ledger, struct sim_device *device, unsigned slot,
                struct sim_seen *seen) {
    mneme_error error = {0};
    return sim_see(device->store, slot, device->number, seen, &error) &&
           sim_fails(ledger->world, "device %u, slot %u cannot be read: %s", device->number, slot,
                     error.message);
}

bool sim_ledger_look(struct sim_ledger *ledger, struct sim_device *device) {
    bool failed = false;
    if (!is_stale(ledger, device))
        return false;
    for (unsigned slot = 0; slot < SIM_SLOTS && !failed; slot++) {
        AUTO_SEEN struct sim_seen seen = {0};
        failed = see(ledger, device, slot, &seen) || look_at_slot(ledger, device, slot, &seen);
    }
    return failed;
}

/* ---- Writing ----------------------------------------------------------------------------- */

/* Note what a write did to a slot, before the slot is looked at. */
static void note_write(struct sim_ledger *ledger, struct sim_device *device, unsigned slot,
                       const struct sim_seen *seen) {
    const struct sim_shown *shown = &ledger->shown[index_of(device)];
    const struct sim_element *before = shown->elements[slot];
    size_t count = shown->count[slot];
    unsigned deletion = 0;
    if (shown->live[slot] && !seen->live) {
        deletion = make_token(ledger, device, SIM_DELETION, slot, 0);
        ledger->deleted[slot] = true;
    }
    if (shown->stored[slot] && !shown->live[slot] && seen->live)
        ledger->reborn[slot] = true;
    for (size_t i = 0; i < seen->count; i++) {
        struct sim_element now = seen->elements[i];
        unsigned old = token_under(before, count, now.key);
        if (now.token >= SIM_TOKENS_MAX)
            continue;
        if (shown->unsure || (seen->sealed && now.key >= SIM_KEY_STEP))
            ledger->tokens[now.token].rewritten = true;
        if (old == now.token)
            continue;
        write_token(ledger, device, now.token, SIM_VALUE, slot, now.key);
        if (old)
            add_edge(ledger, old, now.token);
    }
    for (size_t i = 0; i < count; i++) {
        unsigned now = token_under(seen->elements, seen->count, before[i].key);
        ledger->tokens[before[i].token].unsure |= shown->unsure && now != before[i].token;
        ledger->tokens[before[i].token].forgotten |= shown->set_back && now != before[i].token;
        if (now)
            continue;
        unsigned by =
            deletion ? deletion : make_token(ledger, device, SIM_REMOVAL, slot, before[i].key);
        add_edge(ledger, before[i].token, by);
    }
}

bool sim_ledger_work(struct sim_ledger *ledger, struct sim_device *device, unsigned slot,
                     enum sim_deed deed, struct test_random *random) {
    mneme_error error = {0};
    bool done = false;
    if (sim_ledger_look(ledger, device))
        return true;
    if (ledger->next > SIM_TOKENS_MAX - 64)
        return false;
    unsigned first = ledger->next;
    if (sim_work(device, slot, deed, random, &ledger->next, &done, &error))
        return sim_fails(ledger->world, "device %u, slot %u, deed %d: %s", device->number, slot,
                         (int)deed, error.message);
    for (unsigned i = 0; done && i < SIM_SLOTS; i++) {
        AUTO_SEEN struct sim_seen seen = {0};
        if (i != slot && sim_slots[i].parent != slot + 1)
            continue;
        if (see(ledger, device, i, &seen))
            return true;
        note_write(ledger, device, i, &seen);
        if (look_at_slot(ledger, device, i, &seen))
            return true;
        (void)is_stale(ledger, device);
    }
    for (unsigned token = first; done && token < ledger->next; token++)
        if (!ledger->tokens[token].written)
            return fails(ledger, token, device, "it was written, and is not shown");
    return false;
}

void sim_ledger_stepped(struct sim_ledger *ledger, struct sim_device *device, bool acknowledged) {
    struct sim_shown *shown = &ledger->shown[index_of(device)];
    shown->unsure = !acknowledged;
    shown->set_back = shown->set_back && !acknowledged;
}

void sim_ledger_kept(struct sim_ledger *ledger, struct sim_device *device) {
    ledger->kept[index_of(device)] = ledger->shown[index_of(device)];
    ledger->kept_next[index_of(device)] = ledger->next;
}

bool sim_ledger_restored(struct sim_ledger *ledger, struct sim_device *device) {
    size_t at = index_of(device);
    ledger->shown[at] = ledger->kept[at];
    ledger->shown[at].commits = 0;
    ledger->shown[at].unsure = ledger->shown[at].set_back = true;
    for (unsigned token = ledger->kept_next[at]; token < ledger->next; token++)
        if (ledger->tokens[token].device == device->number)
            ledger->tokens[token].forgiven = true;
    return sim_ledger_look(ledger, device);
}

/* ---- The end ----------------------------------------------------------------------------- */

/* A child whose deleter may never have heard of it; see the header. */
static bool went_unheard(const struct sim_ledger *ledger, const struct sim_token *token) {
    bool is_child = token->key >= SIM_KEY_STEP || sim_slots[token->slot].parent;
    return is_child && was_deleted(ledger, token->slot) && ledger->world->server.was_turned;
}

/* Whether what a token's write said is accounted for. What wrote over it has a greater number, or
 * is one of the same write; so this ends. */
static bool is_settled(const struct sim_ledger *ledger, unsigned token, uint8_t *known) {
    const struct sim_token *t = &ledger->tokens[token];
    if (known[token])
        return known[token] == 2;
    known[token] = 1;
    bool settled = t->type != SIM_VALUE || t->shown || t->superseded || went_unheard(ledger, t);
    for (size_t i = 0; i < ledger->edge_count && !settled; i++)
        if (ledger->edges[i].from == token)
            settled = is_settled(ledger, ledger->edges[i].to, known);
    known[token] = settled ? 2 : 1;
    return settled;
}

static bool shown_though_written_over(struct sim_ledger *ledger) {
    for (size_t i = 0; i < ledger->edge_count; i++) {
        unsigned from = ledger->edges[i].from, to = ledger->edges[i].to;
        char text[64];
        snprintf(text, sizeof text, "it is shown, though w%u wrote over it", to);
        if (ledger->tokens[from].shown && !ledger->tokens[to].forgiven &&
            !may_return(ledger, &ledger->tokens[from]))
            return fails(ledger, from, NULL, text);
    }
    return false;
}

static bool is_deleted_for_good(const struct sim_ledger *ledger, unsigned slot) {
    for (unsigned token = 1; token < ledger->next; token++) {
        const struct sim_token *t = &ledger->tokens[token];
        if (t->written && t->type == SIM_DELETION && t->slot == slot && !t->forgiven)
            return !ledger->reborn[slot];
    }
    return false;
}

bool sim_ledger_settle(struct sim_ledger *ledger) {
    uint8_t known[SIM_TOKENS_MAX] = {0};
    for (unsigned token = 1; token < ledger->next; token++) {
        const struct sim_token *t = &ledger->tokens[token];
        if (t->written && !t->forgiven && !is_settled(ledger, token, known))
            return fails(ledger, token, NULL, "it is lost, and no superseded record has it");
    }
    for (unsigned slot = 0; slot < SIM_SLOTS; slot++)
        if (!sim_slots[slot].local && ledger->shown[0].live[slot] &&
            is_deleted_for_good(ledger, slot))
            return sim_fails(ledger->world, "slot %u was deleted, and is back", slot);
    return shown_though_written_over(ledger);
}
