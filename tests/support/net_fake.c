/*
 * net_fake.c - a scripted transport on a driven clock.
 */
#include <stdio.h>
#include <stdlib.h>

#include "support/net_fake.h"

struct net_fake {
    struct net_transport transport;
    struct net_world world;
    struct lock lock; /* guards all below */
    int64_t now_us;
    double chance;
    const struct net_fake_answer *answers;
    size_t answer_count;
    net_fake_responder *responder;
    void *context;
    unsigned fail_connect;
    struct net_fake_seen seen;
};

struct fake_connection {
    struct net_connection base;
    struct net_fake *fake;
    bool used;
};

static struct net_fake *fake_of_world(struct net_world *world) {
    return (struct net_fake *)(void *)((char *)world - offsetof(struct net_fake, world));
}

/* ---- Time and chance ---------------------------------------------------------------------- */

static int64_t fake_now(struct net_world *world) { return net_fake_now_us(fake_of_world(world)); }

static void fake_pause(struct net_world *world, int64_t until_us) {
    struct net_fake *fake = fake_of_world(world);
    AUTO_LOCK(held, &fake->lock);
    int64_t us = until_us - fake->now_us;
    if (fake->seen.pauses < COUNT_OF(fake->seen.pause_us))
        fake->seen.pause_us[fake->seen.pauses] = us;
    fake->seen.pauses++;
    if (us > 0)
        fake->now_us = until_us;
}

/* The real wait is short, so that a clock which is moved meanwhile is seen. */
static bool fake_wait(struct net_world *world, struct signal *signal, struct lock *lock,
                      int64_t deadline_us) {
    if (fake_now(world) >= deadline_us)
        return false;
    (void)signal_wait(signal, lock, clock_monotonic_us() + 1000);
    return fake_now(world) < deadline_us;
}

static double fake_chance(struct net_world *world) {
    struct net_fake *fake = fake_of_world(world);
    AUTO_LOCK(held, &fake->lock);
    return fake->chance;
}

/* ---- Connections -------------------------------------------------------------------------- */

static int fake_connect(struct net_transport *transport, struct net_connection **out,
                        mneme_error *error) {
    struct net_fake *fake = (struct net_fake *)transport;
    lock_acquire(&fake->lock);
    bool fails = fake->fail_connect && --fake->fail_connect == 0;
    fake->seen.connects += !fails;
    lock_release(&fake->lock);
    if (fails)
        return error_set(error, MNEME_NO_MEMORY, "the script has no memory for a connection");
    struct fake_connection *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    c->fake = fake;
    *out = &c->base;
    return 0;
}

static void fake_close(struct net_connection *connection) {
    struct fake_connection *c = (struct fake_connection *)connection;
    lock_acquire(&c->fake->lock);
    c->fake->seen.closes++;
    lock_release(&c->fake->lock);
    free(c);
}

static void fake_destroy(struct net_transport *transport) { (void)transport; }

/* ---- Attempts ----------------------------------------------------------------------------- */

static void note_request(struct net_fake_seen *seen, const struct net_attempt *attempt) {
    const struct net_request *r = attempt->request;
    seen->last_timeout_us = attempt->timeout_us;
    snprintf(seen->method, sizeof seen->method, "%s", r->method);
    snprintf(seen->path, sizeof seen->path, "%s", r->path);
    snprintf(seen->content_type, sizeof seen->content_type, "%s",
             r->content_type ? r->content_type : "");
    snprintf(seen->body, sizeof seen->body, "%.*s", (int)size_min(r->body.size, sizeof seen->body),
             r->body.size ? (const char *)r->body.data : "");
    seen->headers[0] = 0;
    for (size_t i = 0, at = 0; i < r->header_count && at < sizeof seen->headers; i++)
        at +=
            (size_t)snprintf(seen->headers + at, sizeof seen->headers - at, "%s\n", r->headers[i]);
}

static struct net_fake_answer next_answer(struct net_fake *fake,
                                          const struct net_attempt *attempt) {
    lock_acquire(&fake->lock);
    unsigned number = fake->seen.attempts++;
    note_request(&fake->seen, attempt);
    net_fake_responder *responder = fake->responder;
    void *context = fake->context;
    struct net_fake_answer answer = {.http = 200};
    if (fake->answer_count)
        answer = fake->answers[size_min(number, fake->answer_count - 1)];
    lock_release(&fake->lock);
    return responder ? responder(context, attempt->request, number) : answer;
}

static int fake_failure(const struct net_fake_answer *answer, struct net_attempt *attempt,
                        struct net_response *response, mneme_error *error) {
    response->sent = answer->sent || answer->http != 0;
    attempt->hopeless = answer->hopeless;
    buf_reset(&response->body);
    return error_set(error, answer->failure ? answer->failure : MNEME_UNAVAILABLE,
                     "the script says so");
}

static int fake_perform(struct net_connection *connection, struct net_attempt *attempt,
                        struct net_response *response, mneme_error *error) {
    struct fake_connection *c = (struct fake_connection *)connection;
    struct net_fake_answer answer = next_answer(c->fake, attempt);
    bool late = answer.delay_us >= attempt->timeout_us;
    response->reused = c->used;
    attempt->connects = !c->used;
    c->used = true;
    response->bytes_up = 100 + attempt->request->body.size;
    net_fake_advance(c->fake, late ? attempt->timeout_us : answer.delay_us);
    if (late || !answer.http)
        return fake_failure(&answer, attempt, response, error);
    if (answer.body)
        buf_append(&response->body, answer.body,
                   answer.body_size ? answer.body_size : strlen(answer.body));
    if (response->body.status) {
        answer.failure = response->body.status;
        return fake_failure(&answer, attempt, response, error);
    }
    snprintf(response->content_type, sizeof response->content_type, "%s",
             answer.content_type ? answer.content_type : "application/json");
    response->retry_after_ms = answer.retry_after_ms ? answer.retry_after_ms : -1;
    response->bytes_down = 100 + response->body.size;
    response->sent = true;
    response->status = answer.http;
    attempt->keep = true;
    return 0;
}

static const struct net_transport_operations fake_operations = {
    .connect = fake_connect,
    .perform = fake_perform,
    .close = fake_close,
    .destroy = fake_destroy,
};

/* ---- For tests ---------------------------------------------------------------------------- */

struct net_fake *net_fake_create(void) {
    struct net_fake *fake = calloc(1, sizeof *fake);
    if (!fake)
        abort();
    fake->world = (struct net_world){fake_now, fake_pause, fake_wait, fake_chance};
    fake->transport = (struct net_transport){.operations = &fake_operations, .world = &fake->world};
    lock_init(&fake->lock, RANK_LEAF);
    fake->now_us = INT64_C(3600000000);
    fake->chance = 0.5;
    return fake;
}

void net_fake_destroy(struct net_fake *fake) {
    if (fake->seen.connects != fake->seen.closes) {
        fprintf(stderr, "net_fake: %u connections made, %u closed\n", fake->seen.connects,
                fake->seen.closes);
        abort();
    }
    lock_fini(&fake->lock);
    free(fake);
}

struct net_transport *net_fake_transport(struct net_fake *fake) {
    return &fake->transport;
}

void net_fake_script(struct net_fake *fake, const struct net_fake_answer *answers, size_t count) {
    AUTO_LOCK(held, &fake->lock);
    fake->answers = answers;
    fake->answer_count = count;
}

void net_fake_respond(struct net_fake *fake, net_fake_responder *responder, void *context) {
    AUTO_LOCK(held, &fake->lock);
    fake->responder = responder;
    fake->context = context;
}

void net_fake_fail_connect(struct net_fake *fake, unsigned k) {
    AUTO_LOCK(held, &fake->lock);
    fake->fail_connect = k;
}

int64_t net_fake_now_us(struct net_fake *fake) {
    AUTO_LOCK(held, &fake->lock);
    return fake->now_us;
}

void net_fake_advance(struct net_fake *fake, int64_t us) {
    AUTO_LOCK(held, &fake->lock);
    fake->now_us += us;
}

void net_fake_chance(struct net_fake *fake, double chance) {
    AUTO_LOCK(held, &fake->lock);
    fake->chance = chance;
}

void net_fake_seen(struct net_fake *fake, struct net_fake_seen *out) {
    AUTO_LOCK(held, &fake->lock);
    *out = fake->seen;
}
