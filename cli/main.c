/*
 * main.c - one run of the program: parse, load the settings, run the command, report, exit.
 */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "display.h"

/*
 * A program started with a standard stream closed would get its descriptor for the next file it
 * opens, and print into the store. So the closed ones are filled first, with /dev/null opened
 * the wrong way round for the first two: using them still is an error.
 */
static void occupy_closed_streams(void) {
    static const int modes[] = {O_WRONLY, O_RDONLY, O_RDWR};
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", modes[fd]) != fd)
            exit(EXIT_FAILURE);
}

static void set_up_output(struct cli *cli) {
    const char *terminal = getenv("TERM");
    bool is_terminal = isatty(STDOUT_FILENO) != 0;
    const char *color = cli->settings.values[SETTING_COLOR];
    cli->color = is_terminal && color != NULL && strcmp(color, "auto") == 0 && terminal != NULL &&
                 strcmp(terminal, "dumb") != 0;
    cli->width = display_columns(STDOUT_FILENO, is_terminal ? 80 : 120);
}

/* What the library logs. Its lines go to standard error between those that are for people. */
static int set_up_log(struct cli *cli) {
    const struct settings *settings = &cli->settings;
    mneme_error why;
    mneme_log_options options = {
        .size = sizeof options,
        .spec = settings->values[SETTING_LOG_LEVEL],
        .format = strcmp(settings->values[SETTING_LOG_FORMAT], "json") == 0 ? MNEME_LOG_JSON
                                                                            : MNEME_LOG_LOGFMT,
    };
    int status = mneme_log_set(&options, &why);
    if (status == 0)
        return 0;
    return fail_with(&cli->error, status, "log.level (%s): %s",
                     settings->origins[SETTING_LOG_LEVEL], why.message);
}

static int load_settings(struct cli *cli) {
    int status = settings_load(&cli->settings, &cli->pool, &cli->error);
    if (status == 0 && option_given(cli, "store"))
        status = settings_set(&cli->settings, SETTING_STORE, option_value(cli, "store"),
                              "option --store", "--store", &cli->error);
    if (status == 0 && option_given(cli, "token-file"))
        status = settings_set(&cli->settings, SETTING_TOKEN_FILE, option_value(cli, "token-file"),
                              "option --token-file", "--token-file", &cli->error);
    if (status == 0 && option_given(cli, "remote"))
        status = settings_set(&cli->settings, SETTING_SYNC_URL, option_value(cli, "remote"),
                              "option --remote", "--remote", &cli->error);
    if (status == 0 && option_given(cli, "log"))
        status = settings_set(&cli->settings, SETTING_LOG_LEVEL, option_value(cli, "log"),
                              "option --log", "--log", &cli->error);
    if (status == 0 && option_given(cli, "no-color"))
        status = settings_set(&cli->settings, SETTING_COLOR, "never", "option --no-color",
                              "--no-color", &cli->error);
    if (status == 0 && option_given(cli, "no-cache"))
        status = settings_set(&cli->settings, SETTING_CACHE, "off", "option --no-cache",
                              "--no-cache", &cli->error);
    return status == 0 ? set_up_log(cli) : status;
}

/* "episode" alone: which of its commands? */
static int demand_command_of_group(struct cli *cli) {
    return fail_with(&cli->error, MNEME_INVALID, "'%s' needs one of %s; see `mneme help %s`",
                     cli->group, words_of_group(cli, cli->group), cli->group);
}

/* Help is given whatever the settings say, so that it also helps whose file is wrong. */
static int run_without_settings(struct cli *cli, bool *done) {
    *done = true;
    if (cli->version)
        return command_find("version")->run(cli);
    if (cli->command != NULL && !cli->help) {
        *done = false;
        return 0;
    }
    if (cli->command != NULL)
        help_command(cli, cli->command);
    else if (cli->group != NULL && !cli->help)
        return demand_command_of_group(cli);
    else if (cli->group != NULL)
        help_group(cli, cli->group);
    else if (cli->help)
        help_general(cli);
    else
        help_short(cli);
    return 0;
}

static int run(struct cli *cli, int argc, char **argv) {
    bool done;
    int status = cli_parse(cli, argc, argv);
    if (status != 0)
        return status;
    int settings_status = load_settings(cli);
    set_up_output(cli);
    status = run_without_settings(cli, &done);
    if (done)
        return status;
    if (settings_status != 0 && !cli->command->without_settings)
        return settings_status;
    return cli->command->run(cli);
}

/* Closing finishes queued writes, so it can fail; the first error is the one that is told. */
static int close_store(struct cli *cli, int status) {
    mneme_error error = {0};
    int closed = mneme_close(cli->store, &error);
    cli->store = NULL;
    if (status != 0 || closed == 0)
        return status;
    cli->error = error;
    return closed;
}

/* What was printed must have arrived. A reader that went away wanted no more: no message. */
static int finish_output(struct cli *cli, int status) {
    mneme_error error = {0};
    int flushed = output_flush(&cli->out, "standard output", &error);
    if (cli->out.error == EPIPE) {
        cli->signal = SIGPIPE;
        return status;
    }
    if (status != 0 || flushed == 0)
        return status;
    cli->error = error;
    return flushed;
}

static void print_error(const struct cli *cli, int status) {
    const char *message = cli->error.message;
    if (message[0] == '\0')
        message = mneme_status_text(status);
    /* The sentence may quote what the user or a file gave. */
    fputs("mneme: ", stderr);
    display_put(stderr, mneme_text_of(message), MNEME_ERROR_TEXT_MAX);
    fputc('\n', stderr);
}

int main(int argc, char **argv) {
    struct cli cli = {.signal = 0};
    occupy_closed_streams();
    setlocale(LC_CTYPE, "C.UTF-8");
    signal(SIGPIPE, SIG_IGN);
    int status = output_open(&cli.out, STDOUT_FILENO, &cli.error);
    if (status == 0) {
        status = run(&cli, argc, argv);
        status = close_store(&cli, status);
        status = finish_output(&cli, status);
    }
    if (status != 0 && cli.signal != SIGPIPE)
        print_error(&cli, status);
    output_close(&cli.out);
    pool_free(&cli.pool);
    if (cli.signal != 0)
        return 128 + cli.signal;
    return status != 0 ? mneme_status_exit_code(status) : cli.exit_code;
}
