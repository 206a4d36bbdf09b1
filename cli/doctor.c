/*
 * doctor.c - the command `doctor`: what is wrong with a store, or the way to it.
 */
#include <string.h>

#include "commands.h"
#include "display.h"

static const char *verdict_text(mneme_verdict verdict) {
    return verdict == MNEME_CHECK_FINE      ? "ok"
           : verdict == MNEME_CHECK_WARNING ? "warning"
                                            : "failed";
}

static void put_check(void *context, const mneme_check *check) {
    struct cli *cli = context;
    FILE *out = cli->out.stream;
    const char *verdict = verdict_text(check->verdict);
    if (cli->json) {
        struct json_line line = line_begin(out);
        line_add_text(&line, "verdict", verdict);
        line_add_text(&line, "topic", check->topic);
        line_add_text(&line, "text", check->text);
        line_add_text(&line, "next", check->next);
        line_end(&line);
        return;
    }
    put_bold(out, cli->color && check->verdict != MNEME_CHECK_FINE, verdict);
    fprintf(out, "%*s%s: ", (int)(9 - strlen(verdict)), "", check->topic);
    display_put(out, mneme_text_of(check->text), SIZE_MAX);
    if (check->next[0] != '\0') {
        fputs("; ", out);
        display_put(out, mneme_text_of(check->next), SIZE_MAX);
    }
    fputc('\n', out);
}

static void put_report(struct cli *cli, const mneme_doctor_report *report) {
    struct json_line line = line_begin(cli->out.stream);
    line_add_count(&line, "ok", report->fine);
    line_add_count(&line, "warnings", report->warnings);
    line_add_count(&line, "failures", report->failures);
    line_add_bool(&line, "exists", report->exists);
    line_add_bool(&line, "reads", report->reads);
    line_add_bool(&line, "writes", report->writes);
    line_add_whole(&line, "connect_us", report->connect_us);
    line_add_whole(&line, "latency_us", report->latency_us);
    line_add_whole(&line, "skew_us", report->skew_us);
    line_end(&line);
}

static int run_doctor(struct cli *cli) {
    mneme_doctor_report report = {.size = sizeof report};
    const char *url;
    int status = 0;
    if (cli->argument_count > 0)
        url = cli->arguments[0];
    else
        status = cli_store_url(cli, &url);
    if (status != 0)
        return status;
    mneme_options options = cli_options(cli, url, OPEN_TO_READ);
    status = mneme_doctor(url, &options, put_check, cli, &report, &cli->error);
    if (cli->json)
        put_report(cli, &report);
    return status;
}

static const char *const examples[] = {
    "mneme doctor",
    "mneme doctor libsql://memory-me.turso.io",
    "mneme --json doctor file:memory.db",
    NULL,
};
const struct command doctor_command = {
    .name = "doctor",
    .arguments = "[URL]",
    .summary = "check that the store can be reached and used",
    .details =
        "Looks at the store, or at that of URL, and prints a line for each check: ok, "
        "warning or failed, what was found, and the next step. Of a server: whether it is "
        "reached, what it is, how fast it answers, whether the clocks agree, what the token "
        "allows, the replica, and the tables. Nothing is made or changed. Exit code 0 when "
        "nothing failed; else that of the first failure, 7 for a server that is not reached, "
        "8 for a token that is not taken.",
    .examples = examples,
    .max_arguments = 1,
    .argument_kind = ARGUMENT_FILE,
    .is_long = true,
    .run = run_doctor,
};
