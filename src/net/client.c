/*
 * client.c - calls: attempts over the pool, whether and when again, and the counters.
 */
#include <stdio.h>

#include "net/breaker.h"
#include "net/client.h"
#include "net/events.h"
#include "net/pool.h"
#include "net/retry.h"

struct net_client {
    struct net_options options; /* without the strings, which are not kept */
    struct net_url url;
    struct net_transport *transport;
    bool owns_transport;
    unsigned generation; /* of the process that made it */
    struct net_pool pool;

    struct lock lock; /* guards all below; never held together with the pool's */
    struct net_breaker breaker;
    struct net_budget budget;
    struct net_counters counters; /* the calls' part */
    char last_failure[160];
};

/* ---- Creation ------------------------------------------------------------------------------ */

static void client_init(struct net_client *client) {
    const struct net_options *o = &client->options;
    const struct net_pool_options pool = {
        .transport = client->transport,
        .min = o->pool_min,
        .max = o->pool_max,
        .idle_us = (int64_t)o->idle_ms * 1000,
        .age_us = (int64_t)o->age_ms * 1000,
        .acquire_us = (int64_t)o->acquire_ms * 1000,
    };
    net_pool_init(&client->pool, &pool);
    lock_init_short(&client->lock, RANK_NET);
    net_budget_init(&client->budget, o->budget_ratio, o->budget_max);
    client->breaker = (struct net_breaker){
        .failures_max = o->breaker_failures,
        .open_us = (int64_t)o->breaker_open_ms * 1000,
        .open_max_us = (int64_t)o->breaker_open_max_ms * 1000,
    };
    client->generation = process_generation();
}

int net_client_create(const struct net_options *options, struct net_client **out,
                      mneme_error *error) {
    struct net_options filled = *options;
    struct net_url url;
    net_options_fill(&filled);
    TRY(net_url_parse(options->url, &url, error));
    TRY(net_options_check(&filled, &url, error));
    AUTO_FREE struct net_client *client = mem_zalloc(1, sizeof *client);
    if (!client)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a client of %s", url.origin);
    client->url = url;
    client->transport = options->transport;
    client->owns_transport = !options->transport;
    if (client->owns_transport)
        TRY(net_transport_curl_create(&filled, &url, &client->transport, error));
    filled.url = filled.token = filled.basic = filled.ca_file = NULL;
    client->options = filled;
    client_init(client);
    LOG(DEBUG, NET, "client made", LOG_STRING("server.address", url.host),
        LOG_WHOLE("server.port", url.port), LOG_BOOL("tls", url.tls),
        LOG_WHOLE("pool_max", filled.pool_max));
    *out = TAKE(client);
    return 0;
}

void net_client_destroy(struct net_client *client) {
    /* In a child after fork() the sockets are the parent's: to close them as TLS has it would end
     * his connections. They stay as they are. */
    if (!client || client->generation != process_generation())
        return;
    net_pool_fini(&client->pool);
    if (client->owns_transport)
        client->transport->operations->destroy(client->transport);
    lock_fini(&client->lock);
    mem_free(client);
}

/* ---- One attempt --------------------------------------------------------------------------- */

/* A call that runs. */
struct call {
    struct net_client *client;
    const struct net_request *request;
    net_judge *judge;
    void *context;
    struct net_response *response;
    mneme_error error; /* of the last failure */
    int status;
    int64_t begun_us, deadline_us;
    uint32_t attempts;
    bool uncertain; /* some attempt was sent, and nobody knows what it did */
    bool sent;
    int64_t wait_us;
    uint64_t bytes_up, bytes_down;
};

static int64_t client_now(const struct net_client *client) {
    struct net_world *world = client->transport->world;
    return world->now_us(world);
}

static double client_chance(const struct net_client *client) {
    struct net_world *world = client->transport->world;
    return world->chance(world);
}

static size_t response_max(const struct net_request *request) {
    return request->response_max ? request->response_max : NET_RESPONSE_MAX;
}

static struct net_ending ending_of(const struct call *call) {
    return (struct net_ending){.url = &call->client->url,
                               .request = call->request,
                               .response = call->response,
                               .attempts = call->attempts,
                               .status = call->status,
                               .reason = call->error.message};
}

/* Ready for an attempt; the body keeps its block. */
static void response_reset(struct net_response *response, size_t max) {
    struct buf body = response->body;
    buf_reset(&body);
    body.max = max;
    *response = (struct net_response){.body = body, .retry_after_ms = -1};
}

/* Is an attempt let through? When not, the failure before it stands, if there was one. */
static bool ask_breaker(struct call *call, uint64_t *pass) {
    struct net_client *client = call->client;
    int64_t now_us = client_now(client);
    AUTO_LOCK(held, &client->lock);
    enum net_breaker_state before = client->breaker.state;
    if (net_breaker_ask(&client->breaker, now_us, pass)) {
        net_event_breaker(&client->url, before, &client->breaker, now_us);
        client->counters.attempts++;
        return true;
    }
    int64_t due_us = client->breaker.next_try_us - now_us;
    if (call->attempts == 0)
        call->status =
            error_set(&call->error, MNEME_UNAVAILABLE,
                      "not tried, for it failed again and again; the next try is due in "
                      "%lld ms. Last time: %s",
                      due_us > 0 ? (long long)((due_us + 999) / 1000) : 0, client->last_failure);
    return false;
}

/* What an attempt means for the breaker. */
static enum net_pass_end pass_end(const struct call *call, int status) {
    if (call->response->status)
        return call->response->status >= 500 ? NET_PASS_FAILURE : NET_PASS_SUCCESS;
    if (status == MNEME_UNAVAILABLE)
        return NET_PASS_FAILURE;
    return status == MNEME_TOO_LARGE ? NET_PASS_SUCCESS : NET_PASS_UNUSED;
}

static void give_pass(struct call *call, uint64_t pass, enum net_pass_end end, int64_t now_us) {
    struct net_client *client = call->client;
    double chance = end == NET_PASS_FAILURE ? client_chance(client) : 0;
    AUTO_LOCK(held, &client->lock);
    enum net_breaker_state before = client->breaker.state;
    net_breaker_end(&client->breaker, pass, end, now_us, chance);
    net_event_breaker(&client->url, before, &client->breaker, now_us);
    if (end == NET_PASS_FAILURE && call->response->status)
        snprintf(client->last_failure, sizeof client->last_failure, "HTTP status %d",
                 call->response->status);
    else if (end == NET_PASS_FAILURE)
        snprintf(client->last_failure, sizeof client->last_failure, "%s", call->error.message);
}

static void count_attempt(struct call *call, const struct net_attempt *attempt) {
    const struct net_response *response = call->response;
    call->sent |= response->sent;
    call->bytes_up += response->bytes_up;
    call->bytes_down += response->bytes_down;
    net_client_count(call->client, response, attempt);
}

/* Over a connection that was taken. */
static enum net_verdict perform(struct call *call, struct net_connection *connection,
                                uint64_t pass) {
    struct net_client *client = call->client;
    struct net_response *response = call->response;
    int64_t begun_us = client_now(client);
    struct net_request request = *call->request;
    struct net_attempt attempt = {.request = &request,
                                  .response_max = response_max(call->request),
                                  .timeout_us = call->deadline_us - begun_us};
    int status = request.ready ? request.ready(call->context, &request.body, &call->error) : 0;
    if (status == 0)
        status =
            client->transport->operations->perform(connection, &attempt, response, &call->error);
    else
        attempt.keep = true;
    int64_t ended_us = client_now(client);
    response->total_us = ended_us - begun_us;
    net_pool_release(&client->pool, connection, attempt.keep);
    count_attempt(call, &attempt);
    give_pass(call, pass, pass_end(call, status), ended_us);
    call->status = status;
    if (status == 0) {
        enum net_verdict verdict =
            call->judge(call->context, response, &call->status, &call->error);
        call->uncertain |= verdict == NET_AGAIN_IF_IDEMPOTENT;
        return verdict;
    }
    call->uncertain |= response->sent && status != MNEME_TOO_LARGE;
    /* What there was no memory for may have been done; asking again tells. */
    bool unread = status == MNEME_NO_MEMORY && response->sent;
    if ((status != MNEME_UNAVAILABLE && !unread) || attempt.hopeless)
        return NET_FAILED;
    return response->sent ? NET_AGAIN_IF_IDEMPOTENT : NET_AGAIN;
}

static enum net_verdict attempt(struct call *call) {
    struct net_client *client = call->client;
    struct net_connection *connection;
    int64_t wait_us = 0;
    uint64_t pass;
    if (!ask_breaker(call, &pass))
        return NET_FAILED;
    response_reset(call->response, response_max(call->request));
    int status =
        net_pool_acquire(&client->pool, call->deadline_us, &connection, &wait_us, &call->error);
    call->wait_us += wait_us;
    if (wait_us > 0)
        meter_add(client->options.meter, METER_NET_WAIT, (uint64_t)wait_us * 1000, 1);
    if (status != 0) {
        give_pass(call, pass, NET_PASS_UNUSED, 0);
        call->status = status;
        return NET_FAILED;
    }
    call->attempts++;
    uint64_t begun = meter_begin(client->options.meter);
    enum net_verdict verdict = perform(call, connection, pass);
    (void)meter_end(client->options.meter, METER_NET_ATTEMPT, begun,
                    verdict == NET_DONE ? 0 : call->status);
    const struct net_ending ending = ending_of(call);
    net_event_attempt(&ending);
    return verdict;
}

/* ---- Again? -------------------------------------------------------------------------------- */

/* Whether the breaker would let an attempt through then; and if so, whether the budget does. */
static bool allow_retry(struct net_client *client, int64_t at_us) {
    AUTO_LOCK(held, &client->lock);
    if (client->breaker.state == NET_BREAKER_OPEN && at_us < client->breaker.next_try_us)
        return false;
    if (!net_budget_spend(&client->budget)) {
        client->counters.retries_refused++;
        LOG(WARN, NET, "request is not sent again: too many were",
            LOG_STRING("server.address", client->url.host),
            LOG_WHOLE("server.port", client->url.port));
        return false;
    }
    client->counters.retries++;
    return true;
}

/* Pause before another attempt; false: there is none. */
static bool again(struct call *call, enum net_verdict verdict) {
    struct net_client *client = call->client;
    const struct net_options *o = &client->options;
    const struct net_response *response = call->response;
    uint32_t max = call->request->attempts_max ? call->request->attempts_max : o->attempts_max;
    if (verdict == NET_FAILED || call->attempts >= max ||
        (verdict == NET_AGAIN_IF_IDEMPOTENT && !call->request->idempotent))
        return false;
    /* A kept connection that the server had closed is nobody's trouble: go on at once. */
    bool stale = call->attempts == 1 && response->status == 0 && response->reused;
    int64_t now_us = client_now(client);
    int64_t pause_us =
        net_retry_pause_us(o->base_ms, o->cap_ms, call->attempts, response->retry_after_ms,
                           stale ? 0 : client_chance(client));
    if (pause_us >= call->deadline_us - now_us || !allow_retry(client, now_us + pause_us))
        return false;
    const struct net_ending ending = ending_of(call);
    net_event_retry(&ending, pause_us);
    if (pause_us > 0)
        client->transport->world->pause(client->transport->world, now_us + pause_us);
    return client_now(client) < call->deadline_us;
}

/* ---- Calls --------------------------------------------------------------------------------- */

static void call_begin(struct call *call) {
    struct net_client *client = call->client;
    const struct net_request *request = call->request;
    uint32_t total_ms = request->total_ms ? request->total_ms : client->options.total_ms;
    call->begun_us = client_now(client);
    call->deadline_us = call->begun_us + (int64_t)total_ms * 1000;
    AUTO_LOCK(held, &client->lock);
    client->counters.calls++;
    net_budget_earn(&client->budget);
}

static void call_failed(struct call *call) {
    struct net_client *client = call->client;
    if (call->uncertain && call->request->writes)
        call->status = MNEME_UNCERTAIN;
    const struct net_ending ending = ending_of(call);
    net_event_failed(&ending, client_now(client) - call->begun_us);
    if (call->attempts > 1)
        error_prefix(&call->error, call->status, "%s, attempt %u", client->url.origin,
                     call->attempts);
    else
        error_prefix(&call->error, call->status, "%s", client->url.origin);
    call->error.code = call->status;
    AUTO_LOCK(held, &client->lock);
    client->counters.failures++;
}

static void call_end(struct call *call) {
    struct net_response *response = call->response;
    if (call->status != 0)
        call_failed(call);
    response->attempts = call->attempts;
    response->sent = call->sent;
    response->wait_us = call->wait_us;
    response->bytes_up = call->bytes_up;
    response->bytes_down = call->bytes_down;
}

int net_client_check(const struct net_client *client, mneme_error *error) {
    if (client->generation == process_generation_again())
        return 0;
    return error_set(error, MNEME_FORKED,
                     "the connections to %s belong to the parent process; open anew after fork()",
                     client->url.origin);
}

int net_call(struct net_client *client, const struct net_request *request, net_judge *judge,
             void *context, struct net_response *response, mneme_error *error) {
    struct call call = {.client = client,
                        .request = request,
                        .judge = judge,
                        .context = context,
                        .response = response};
    TRY(net_client_check(client, error));
    response_reset(response, response_max(request));
    uint64_t req_before = log_req_begin();
    uint64_t begun = meter_begin(client->options.meter);
    call_begin(&call);
    enum net_verdict verdict;
    do
        verdict = attempt(&call);
    while (verdict != NET_DONE && again(&call, verdict));
    if (verdict == NET_DONE)
        call.status = 0;
    call_end(&call);
    log_req_end(req_before);
    (void)meter_end(client->options.meter, METER_NET_REQUEST, begun, call.status);
    if (call.status != 0 && error)
        *error = call.error;
    return call.status;
}

struct net_counters net_client_counters(struct net_client *client) {
    lock_acquire(&client->lock);
    struct net_counters counters = client->counters;
    counters.breaker_opened = client->breaker.opened;
    counters.breaker_half_opened = client->breaker.half_opened;
    counters.breaker_closed = client->breaker.closed;
    counters.breaker_refused = client->breaker.refused;
    counters.breaker = client->breaker.state;
    lock_release(&client->lock);
    net_pool_counters(&client->pool, &counters);
    return counters;
}

/* ---- For those who listen ------------------------------------------------------------------ */

struct net_transport *net_client_transport(struct net_client *client) {
    return client->transport;
}
const char *net_client_origin(const struct net_client *client) { return client->url.origin; }
int64_t net_client_total_us(const struct net_client *client) {
    return (int64_t)client->options.total_ms * 1000;
}

void net_client_count(struct net_client *client, const struct net_response *response,
                      const struct net_attempt *attempt) {
    AUTO_LOCK(held, &client->lock);
    client->counters.bytes_up += response->bytes_up;
    client->counters.bytes_down += response->bytes_down;
    client->counters.connects += attempt->connects;
    client->counters.reuses += response->reused;
}
