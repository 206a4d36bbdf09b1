/*
 * tls_test.c - that certificates and host names are verified, against a server with TLS.
 *
 * data/localhost.pem is a key and a certificate that it signed itself, for "localhost" only, made
 * for these tests.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "net/listen.h"
#include "net_fixture.h"

#define PEM MNEME_SOURCE_DIR "/tests/net/data/localhost.pem"
#define SCRIPT MNEME_SOURCE_DIR "/tests/support/net_tls_server.py"

/* The server ends when its standard input does. */
struct tls_server {
    pid_t pid;
    int input;
    unsigned port;
};

static void run_server(int input, int output) {
    dup2(input, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    execlp("python3", "python3", SCRIPT, PEM, (char *)NULL);
    _exit(127);
}

static int server_setup(void **state) {
    struct tls_server *server = calloc(1, sizeof *server);
    int in[2], out[2];
    char line[32] = "";
    if (!server || pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
        return -1;
    server->pid = fork();
    if (server->pid == 0)
        run_server(in[0], out[1]);
    close(in[0]);
    close(out[1]);
    FILE *f = fdopen(out[0], "r");
    if (server->pid < 0 || !f || !fgets(line, sizeof line, f))
        return -1;
    fclose(f);
    server->input = in[1];
    server->port = (unsigned)strtoul(line, NULL, 10);
    *state = server;
    return server->port ? 0 : -1;
}

static int server_teardown(void **state) {
    struct tls_server *server = *state;
    int status;
    close(server->input);
    pid_t ended = waitpid(server->pid, &status, 0);
    bool ok = ended == server->pid;
    free(server);
    return ok ? 0 : -1;
}

static int call(const struct tls_server *server, const char *host, const char *ca_file,
                const struct net_request *request, struct net_response *response,
                mneme_error *error) {
    char url[64];
    struct net_client *client;
    snprintf(url, sizeof url, "https://%s:%u", host, server->port);
    const struct net_options options = {.url = url, .ca_file = ca_file, .token = "t0ken"};
    OK(net_client_create(&options, &client, error), error);
    int status = net_call(client, request, net_judge_http, NULL, response, error);
    net_client_destroy(client);
    return status;
}

static void tls__takes_a_certificate_that_is_trusted(void **state) {
    AUTO_RESPONSE struct net_response response = {0};
    mneme_error error;
    OK(call(*state, "localhost", PEM, &get_request, &response, &error), &error);
    assert_body(&response, "secret");
    assert_true(response.connect_us > 0);
}

static void tls__refuses_a_certificate_that_is_not(void **state) {
    AUTO_RESPONSE struct net_response response = {0};
    mneme_error error;
    struct net_request request = post_of("{}");
    request.writes = request.idempotent = true;
    REFUSED(call(*state, "localhost", NULL, &request, &response, &error), MNEME_UNAVAILABLE,
            &error);
    assert_says(&error, "certificate is not trusted");
    assert_int_equal(response.attempts, 1); /* it would not be trusted the next time */
    assert_false(response.sent);
    assert_int_equal(response.bytes_up, 0);
}

static void tls__refuses_a_certificate_of_another_host(void **state) {
    AUTO_RESPONSE struct net_response response = {0};
    mneme_error error;
    REFUSED(call(*state, "127.0.0.1", PEM, &get_request, &response, &error), MNEME_UNAVAILABLE,
            &error);
    assert_says(&error, "certificate is not trusted");
    assert_int_equal(response.body.size, 0);
    assert_false(response.sent);
}

static void tls__tells_of_a_file_without_certificates(void **state) {
    AUTO_RESPONSE struct net_response response = {0};
    mneme_error error;
    REFUSED(call(*state, "localhost", "/nowhere/ca.pem", &get_request, &response, &error),
            MNEME_UNAVAILABLE, &error);
    assert_says(&error, "/nowhere/ca.pem");
    assert_int_equal(response.attempts, 1);
}

/* A server without TLS where TLS is spoken to. */
static void tls__does_not_fall_back_to_plain_http(void **state) {
    (void)state;
    static const struct net_server_step steps[] = {{.bytes = HTTP_OK("2") "ok"}};
    struct net_server *plain = net_server_start(steps, 1);
    struct tls_server server = {.port = net_server_port(plain)};
    AUTO_RESPONSE struct net_response response = {0};
    mneme_error error;
    struct net_request request = get_request;
    request.attempts_max = 1;
    request.total_ms = 1000;
    REFUSED(call(&server, "localhost", PEM, &request, &response, &error), MNEME_UNAVAILABLE,
            &error);
    struct net_server_seen seen;
    net_server_seen(plain, &seen);
    assert_int_equal(seen.requests, 0);
    assert_false(response.sent);
    net_server_stop(plain);
}

/* Bodies larger than what libcurl gives to TLS at once. */
static void tls__sends_and_counts_large_bodies(void **state) {
    static const size_t sizes[] = {16000, 20000, 70000, 1000000};
    char *body = calloc(1, sizes[3]);
    assert_non_null(body);
    uint64_t head = 0;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        AUTO_RESPONSE struct net_response response = {0};
        mneme_error error;
        struct net_request request = post_of("");
        request.body = slice_of(body, sizes[i]);
        OK(call(*state, "localhost", PEM, &request, &response, &error), &error);
        assert_int_equal(response.body.size, sizes[i]);
        head = head ? head : response.bytes_up - sizes[0];
        assert_in_range(response.bytes_up - sizes[i], head, head + 2); /* digits of the length */
    }
    free(body);
}

/* The server's end of a kept connection is gone when it is closed: SIGPIPE is not ours to raise. */
static void tls__raises_no_sigpipe(void **state) {
    struct sigaction before, standard = {.sa_handler = SIG_DFL};
    void *own = NULL;
    (void)state;
    sigaction(SIGPIPE, &standard, &before);
    assert_int_equal(server_setup(&own), 0);
    char url[64];
    struct net_client *client;
    AUTO_RESPONSE struct net_response response = {0};
    mneme_error error;
    snprintf(url, sizeof url, "https://localhost:%u", ((struct tls_server *)own)->port);
    const struct net_options options = {.url = url, .ca_file = PEM, .attempts_max = 1};
    OK(net_client_create(&options, &client, &error), &error);
    OK(net_call(client, &get_request, net_judge_http, NULL, &response, &error), &error);
    assert_int_equal(server_teardown(&own), 0);
    REFUSED(net_call(client, &get_request, net_judge_http, NULL, &response, &error),
            MNEME_UNAVAILABLE, &error);
    net_client_destroy(client);
    sigset_t pending, blocked;
    sigpending(&pending);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    assert_false(sigismember(&pending, SIGPIPE));
    assert_false(sigismember(&blocked, SIGPIPE));
    sigaction(SIGPIPE, &before, NULL);
}

/* Listening is under the same rules. Its answer is not one to listen to, but it is read. */
static int listen_to(const struct tls_server *server, const char *host, const char *ca_file,
                     mneme_error *error) {
    char url[64];
    struct net_client *client;
    struct net_listener *listener;
    const struct net_listening listening = {.path = "/", .content_type = "text/event-stream"};
    snprintf(url, sizeof url, "https://%s:%u", host, server->port);
    const struct net_options options = {.url = url, .ca_file = ca_file, .token = "t0ken"};
    OK(net_client_create(&options, &client, error), error);
    OK(net_listener_create(client, &listener, error), error);
    int status = net_listener_run(listener, &listening, error);
    net_listener_destroy(listener);
    net_client_destroy(client);
    return status;
}

static void tls__is_verified_for_those_who_listen(void **state) {
    mneme_error error;
    REFUSED(listen_to(*state, "localhost", PEM, &error), MNEME_UNSUPPORTED, &error);
    assert_says(&error, "answered 200");
    REFUSED(listen_to(*state, "127.0.0.1", PEM, &error), MNEME_UNAVAILABLE, &error);
    assert_says(&error, "certificate is not trusted");
    REFUSED(listen_to(*state, "localhost", NULL, &error), MNEME_UNAVAILABLE, &error);
    assert_says(&error, "certificate is not trusted");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tls__takes_a_certificate_that_is_trusted),
        cmocka_unit_test(tls__refuses_a_certificate_that_is_not),
        cmocka_unit_test(tls__refuses_a_certificate_of_another_host),
        cmocka_unit_test(tls__tells_of_a_file_without_certificates),
        cmocka_unit_test(tls__does_not_fall_back_to_plain_http),
        cmocka_unit_test(tls__sends_and_counts_large_bodies),
        cmocka_unit_test(tls__raises_no_sigpipe),
        cmocka_unit_test(tls__is_verified_for_those_who_listen),
    };
    return cmocka_run_group_tests_name("net/tls", tests, server_setup, server_teardown);
}
