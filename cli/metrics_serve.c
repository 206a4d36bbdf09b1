/*
 * metrics_serve.c - the command `metrics serve`: what a store's processes do, for Prometheus.
 */
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "commands.h"
#include "metrics_http.h"

enum { SWEEP_S = 1 };

/* Posted by Ctrl-C and SIGTERM, whichever thread they reach. */
static sem_t stop;

static void ask_to_stop(int number) {
    (void)number;
    sem_post(&stop);
}

static void catch_signals(void) {
    struct sigaction action = {.sa_handler = ask_to_stop, .sa_flags = SA_RESTART};
    sem_init(&stop, 0, 0);
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static void wait_for_signal(struct http_server *server) {
    struct timespec until;
    do {
        http_sweep(server);
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += SWEEP_S;
    } while (sem_clockwait(&stop, CLOCK_MONOTONIC, &until) != 0);
}

static void say_where(struct cli *cli, const struct listener *listener) {
    char url[LISTEN_URL_SIZE];
    listen_url(listener, url);
    if (!cli->json) {
        cli_say(cli, listener->is_unix ? "serving /metrics at %s" : "serving %s/metrics", url);
        return;
    }
    struct json_line line = line_begin(cli->out.stream);
    line_add_text(&line, "listen", url);
    line_end(&line);
    fflush(cli->out.stream);
}

static int parse_place(struct cli *cli, struct listener *listener) {
    const char *place = option_value(cli, "listen");
    int status = listen_parse(place != NULL ? place : "127.0.0.1:9464", listener, &cli->error);
    if (status != 0 || listener->is_loopback || option_given(cli, "allow-remote"))
        return status;
    return fail_with(&cli->error, MNEME_INVALID,
                     "%s can be reached from other machines, and whoever does needs no password; "
                     "if that is meant, add --allow-remote",
                     listener->host);
}

static int serve(struct cli *cli, struct listener *listener, struct metrics_source *source) {
    struct http_server *server;
    struct http_options options = {
        .listener = listener,
        .names = option_texts(cli, "allow-host"),
        .source = source,
    };
    int status = http_start(&options, &server, &cli->error);
    if (status != 0)
        return status;
    say_where(cli, listener);
    wait_for_signal(server);
    http_stop(server);
    listener->fd = -1; /* libmicrohttpd has closed it */
    return 0;
}

static int run_metrics_serve(struct cli *cli) {
    struct listener listener;
    struct metrics_source *source = NULL;
    int status = parse_place(cli, &listener);
    if (status != 0)
        return status;
    status = metrics_source_open(
        cli, option_given(cli, "each") ? MNEME_METRICS_EACH : MNEME_METRICS_TOTAL, &source);
    catch_signals(); /* before there is a socket to remove */
    if (status == 0)
        status = listen_open(&listener, &cli->error);
    if (status == 0)
        status = serve(cli, &listener, source);
    listen_close(&listener);
    metrics_source_close(source);
    return status;
}

static const char *const serve_examples[] = {
    "mneme metrics serve",
    "mneme metrics serve --listen 127.0.0.1:0",
    "mneme metrics serve --listen unix:/run/user/1000/mneme.sock",
    NULL,
};
static const struct option serve_options[] = {
    OPTION_TEXT("listen", "PLACE",
                "ADDRESS:PORT, [ADDRESS]:PORT or unix:PATH; 127.0.0.1:9464 if not given, and a "
                "free port for port 0"),
    OPTION_SWITCH("each", "each process by itself, with a label pid, and no total"),
    OPTION_TEXT("allow-host", "NAME", "answer requests to this name, too", .repeats = true),
    OPTION_SWITCH("allow-remote", "listen at an address that other machines reach"),
    OPTION_END,
};
const struct command metrics_serve_command = {
    .name = "metrics serve",
    .summary = "answer Prometheus with what is measured",
    .details =
        "Serves GET /metrics over HTTP until Ctrl-C or SIGTERM, then ends with exit code 0. Each "
        "scrape takes a picture of what all processes of this machine do with the store: "
        "OpenMetrics for who asks for it, as Prometheus does, else the older text. No label has "
        "content of records. docs/prometheus.md lists what there is.\n"
        "\n"
        "There is no password, so only programs of this machine are listened to, and requests that "
        "name another machine in the header Host are refused, as are those of web pages. A socket "
        "at unix:PATH is its owner's alone. While the store cannot be read the answer is 503 with "
        "the reason, and scrapes go on trying.",
    .examples = serve_examples,
    .options = serve_options,
    .argument_kind = ARGUMENT_NONE,
    .is_long = true,
    .run = run_metrics_serve,
};
