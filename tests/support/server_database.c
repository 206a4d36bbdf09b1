/*
 * server_database.c - see server_database.h. Each database is a namespace of one server.
 */
#include "support/server_database.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/sqld.h"
#include "net/net.h"

static struct sqld server;
static pid_t server_owner;
static struct net_client *admin;

static void server_end(void) {
    if (getpid() != server_owner)
        return; /* a child that ended in an unusual way */
    net_client_destroy(admin);
    sqld_stop(&server);
}

static int server_begin(mneme_error *error) {
    static const char *const arguments[] = {"--enable-namespaces", "--max-active-namespaces",
                                            "10000", NULL};
    struct sqld_options options = {.arguments = arguments, .has_admin = true};
    char url[64];
    TRY(sqld_start(&options, &server, error));
    server_owner = getpid();
    atexit(server_end);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", server.ports[SQLD_ADMIN].number);
    return net_client_create(&(struct net_options){.url = url}, &admin, error);
}

int server_database_make(struct server_database *out, mneme_error *error) {
    static unsigned count;
    char path[96];
    AUTO_RESPONSE struct net_response response = {0};
    if (!server_owner)
        TRY(server_begin(error));
    if (server_owner != getpid())
        return error_set(error, MNEME_FORKED, "the server belongs to the parent of this process");
    snprintf(out->name, sizeof out->name, "home%u", ++count);
    snprintf(path, sizeof path, "/v1/namespaces/%s/create", out->name);
    struct net_request request = {.method = "POST",
                                  .path = path,
                                  .body = slice_of_string("{}"),
                                  .content_type = "application/json"};
    TRY(net_call(admin, &request, net_judge_http, NULL, &response, error));
    /* Not by the address: the server takes its first number for a namespace. */
    snprintf(out->origin, sizeof out->origin, "http://localhost:%u",
             server.ports[SQLD_HTTP].number);
    snprintf(out->url, sizeof out->url, "%s/dev/%s", out->origin, out->name);
    return 0;
}
