/*
 * top.c - the command `top`: takes pictures of the metrics, and shows them.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "top_screen.h"
#include "top_terminal.h"

/* The first interval is short, so that rates are there at once. */
#define FIRST_INTERVAL_S 0.3
#define INTERVAL_MIN_S 0.1
enum { PLAIN_ROWS = 200 };
/* How far back pictures are kept: LEVELS_S, of the shortest intervals. */
enum { LEVELS_S = 5, PICTURES = 64 };

struct top {
    struct cli *cli;
    const char *url;
    struct top_view view;
    struct history history;
    mneme_sync_status sync;
    struct taken {
        const mneme_metrics *picture;
        double at_s;
    } taken[PICTURES]; /* the latest first; the view borrows them */
    size_t taken_count;
    struct stat file; /* the store's, as it was opened */
    bool is_file;
    mneme_error trouble;
    bool live, ascii;
};

/* ---- The store ------------------------------------------------------------------------------- */

/* It looks, and reads no records: without caches and without a remote of sync. A server that does
 * not answer must not hold the keys for long. */
static int open_store(struct top *top) {
    struct cli *cli = top->cli;
    mneme_options options = cli_options(cli, top->url, OPEN_TO_READ);
    options.cache.off = true;
    options.sync = (mneme_sync_options){.url = NULL};
    options.remote.attempts = 1;
    options.remote.connect_ms = 2000;
    options.remote.timeout_ms = 5000;
    int status = mneme_open(top->url, &options, &cli->store, &cli->error);
    if (status == MNEME_NOT_FOUND && !url_is_of_a_server(top->url))
        return missing_store(cli, top->url);
    return status;
}

static void release_pictures(struct top *top, size_t kept) {
    while (top->taken_count > kept)
        mneme_metrics_release(top->taken[--top->taken_count].picture);
}

static void forget_pictures(struct top *top) {
    release_pictures(top, 0);
    top->view.pictures = (struct pictures){.now = NULL};
}

/* Put a new picture before the others, and let those go that are too old to be of use. */
static void keep_picture(struct top *top, const mneme_metrics *picture, double now_s) {
    release_pictures(top, PICTURES - 1);
    memmove(&top->taken[1], &top->taken[0], top->taken_count * sizeof top->taken[0]);
    top->taken[0] = (struct taken){picture, now_s};
    top->taken_count++;
    size_t oldest = top->taken_count > 1 ? 1 : 0;
    while (oldest + 1 < top->taken_count && now_s - top->taken[oldest].at_s < LEVELS_S)
        oldest++;
    release_pictures(top, oldest + 1);
    top->view.pictures = (struct pictures){
        .now = picture,
        .before = oldest > 0 ? top->taken[1].picture : NULL,
        .earlier = oldest > 0 ? top->taken[oldest].picture : NULL,
        .seconds = oldest > 0 ? now_s - top->taken[1].at_s : 0,
        .earlier_seconds = now_s - top->taken[oldest].at_s,
    };
}

/* Where the file of the store lies; NULL: it has none. */
static const char *file_path(const struct top *top) {
    const mneme_metrics *now = top->view.pictures.now;
    if (now == NULL || url_is_of_a_server(top->url) || strcmp(top->url, "mem:") == 0)
        return NULL;
    return now->store;
}

/* Whether the file that was opened is still what others would open. */
static bool file_is_there(struct top *top) {
    struct stat file;
    const char *path = file_path(top);
    if (path == NULL)
        return true;
    bool there = stat(path, &file) == 0;
    if (!top->is_file) { /* the first look */
        top->file = file;
        top->is_file = there;
        return true;
    }
    return there && file.st_dev == top->file.st_dev && file.st_ino == top->file.st_ino;
}

/* The pictures of what is gone stay on the screen until there is something new. */
static int reopen(struct top *top) {
    struct cli *cli = top->cli;
    mneme_close(cli->store, NULL);
    cli->store = NULL;
    int status = open_store(top);
    top->is_file = false;
    return status;
}

/* ---- Pictures -------------------------------------------------------------------------------- */

static void keep_history(struct top *top) {
    struct pool pool = {NULL};
    const struct pictures *p = &top->view.pictures;
    size_t count;
    if (p->before == NULL)
        return;
    history_begin(&top->history, top->taken[1].at_s, top->taken[0].at_s);
    const struct top_operation *list = figures_operations(p, TOP_NOW, &pool, &count);
    for (size_t i = 0; i < count; i++)
        history_add(&top->history, list[i].key, list[i].count, list[i].p99_ns);
    for (size_t i = 0; i < p->now->process_count; i++) {
        const mneme_process *process = &p->now->processes[i];
        history_add(&top->history, pool_format(&pool, "pid %lld", (long long)process->pid),
                    figures_calls(p, process), 0);
    }
    pool_free(&pool);
}

static void read_sync(struct top *top) {
    top->sync = (mneme_sync_status){.size = sizeof top->sync};
    int status = mneme_sync_status_get(top->cli->store, &top->sync, NULL);
    top->view.sync = status == 0 && top->sync.shared ? &top->sync : NULL;
}

static int take_picture(struct top *top) {
    const mneme_metrics *picture;
    struct cli *cli = top->cli;
    if (cli->store == NULL || !file_is_there(top)) {
        int status = reopen(top);
        if (status != 0)
            return status;
        forget_pictures(top);
    }
    int status = mneme_metrics_read(cli->store, &picture, &cli->error);
    if (status != 0)
        return status;
    keep_picture(top, picture, terminal_now());
    top->view.store = picture->store[0] != '\0' ? picture->store : top->url;
    keep_history(top);
    read_sync(top);
    file_is_there(top);
    return 0;
}

/* What goes wrong is shown, and tried again: a store or a server may come back. */
static void look(struct top *top) {
    int status = take_picture(top);
    top->trouble = top->cli->error;
    top->view.trouble = status != 0 ? top->trouble.message : "";
    top->cli->error = (mneme_error){.message = ""};
}

/* ---- Showing --------------------------------------------------------------------------------- */

static bool draw(struct top *top, struct canvas *canvas) {
    struct pool pool = {NULL};
    size_t size;
    canvas->pool = &pool;
    canvas->ascii = top->ascii;
    if (!canvas_begin(canvas))
        return true;
    screen_draw(&top->view, canvas);
    const char *text = canvas_end(canvas, &size);
    bool good = true;
    if (canvas->lines)
        fwrite(text, 1, size, top->cli->out.stream);
    else
        good = terminal_show(text, size);
    pool_free(&pool);
    return good;
}

static bool draw_live(struct top *top) {
    struct terminal_size size = terminal_size();
    struct canvas canvas = {.columns = size.columns, .rows = size.rows, .color = top->cli->color};
    return draw(top, &canvas);
}

static int draw_plain(struct top *top) {
    struct canvas canvas = {.columns = top->cli->width, .rows = PLAIN_ROWS, .lines = true};
    draw(top, &canvas);
    return output_flush(&top->cli->out, "standard output", &top->cli->error);
}

/* ---- Live ------------------------------------------------------------------------------------ */

static void press(struct top_view *view, int key, bool *quit) {
    switch (key) {
    case KEY_END:
    case 'q':
    case 'Q':
        *quit = true;
        break;
    case ' ':
        view->paused = !view->paused;
        break;
    case 'w':
        view->window = (view->window + 1) % TOP_WINDOWS;
        break;
    case 's':
        view->sort = (view->sort + 1) % TOP_SORTS;
        break;
    case 'p':
        view->processes = !view->processes;
        break;
    case '?':
    case 'h':
        view->help = !view->help;
        break;
    case KEY_ESCAPE:
        view->help = false;
        break;
    default:
        break;
    }
}

/* Shown while it is held, too: a held picture still answers to keys and to another size. */
static void run_live(struct top *top) {
    bool quit = false;
    double next_s = terminal_now() + FIRST_INTERVAL_S;
    while (!quit && draw_live(top)) {
        int key = terminal_wait(next_s);
        press(&top->view, key, &quit);
        if (quit || terminal_now() < next_s)
            continue;
        next_s = terminal_now() + top->view.interval_s;
        if (!top->view.paused)
            look(top);
    }
}

/* ---- Plain ----------------------------------------------------------------------------------- */

/* False: it is to end. */
static bool wait_plain(double seconds) {
    double until_s = terminal_now() + seconds;
    while (terminal_now() < until_s)
        if (terminal_wait(until_s) == KEY_END)
            return false;
    return true;
}

static int run_plain(struct top *top, int64_t count) {
    int status = 0;
    for (int64_t i = 0; status == 0 && i < count && wait_plain(top->view.interval_s); i++) {
        look(top);
        if (i > 0)
            fputc('\n', top->cli->out.stream);
        status = draw_plain(top);
    }
    return status;
}

/* ---- The command ----------------------------------------------------------------------------- */

/* main has set a locale that is UTF-8 always; the user's says what the terminal shows. */
static bool shows_utf8(void) {
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && value[0] != '\0')
            return strcasestr(value, "utf-8") != NULL || strcasestr(value, "utf8") != NULL;
    }
    return false;
}

static bool has_screen(void) {
    const char *terminal = getenv("TERM");
    return isatty(STDOUT_FILENO) && terminal != NULL && terminal[0] != '\0' &&
           strcmp(terminal, "dumb") != 0;
}

static int show(struct top *top, int64_t count) {
    int status = terminal_open(top->live, &top->cli->error);
    if (status != 0)
        return status;
    if (top->live)
        run_live(top);
    else
        status = run_plain(top, count);
    terminal_close();
    top->cli->signal = terminal_signal();
    return status;
}

static int run_top(struct cli *cli) {
    bool once = option_given(cli, "once") || option_given(cli, "count");
    int64_t count = option_whole(cli, "count", 1);
    struct top top = {.cli = cli, .live = !once && has_screen(), .ascii = !shows_utf8()};
    top.view = (struct top_view){.history = &top.history,
                                 .interval_s = option_real(cli, "interval", 1),
                                 .trouble = "",
                                 .keys = top.live && isatty(STDIN_FILENO)};
    if (cli->json)
        return fail_with(&cli->error, MNEME_INVALID,
                         "top draws a screen for people; the figures for programs are in "
                         "`mneme --json stats`");
    if (top.view.interval_s < INTERVAL_MIN_S)
        return fail_with(&cli->error, MNEME_INVALID, "--interval takes 0.1 to 3600 seconds");
    int status = cli_store_url(cli, &top.url);
    status = status == 0 ? open_store(&top) : status;
    status = status == 0 ? take_picture(&top) : status;
    if (status == 0)
        status = show(&top, count);
    forget_pictures(&top);
    history_fini(&top.history);
    return status;
}

static const struct option top_options[] = {
    OPTION_REAL("interval", "SECONDS", "between two pictures, from 0.1 to 3600; 1",
                .value.max = 3600),
    OPTION_SWITCH("once", "print one plain screen, of one interval, and end"),
    OPTION_WHOLE("count", "N", "print so many plain screens, and end", 1, 1000000),
    OPTION_END,
};
static const char *const top_examples[] = {"mneme top", "mneme top --interval 0.5",
                                           "mneme top --once | less", NULL};
const struct command top_command = {
    .name = "top",
    .summary = "see live what the processes of a store do",
    .details =
        "Shows what all processes of this machine that have the store open do: the busiest "
        "operations with rates, latencies and errors, the caches, the remote, sync, and the "
        "processes. It reads what they measure, asks them nothing, and leaves out what it does "
        "itself. Sparklines are of the last minute.\n"
        "\n"
        "Keys: q quits, space holds the picture, w changes between now, the last minute and the "
        "last hour, s between orders, p shows more processes, ? explains.\n"
        "\n"
        "Where standard output is no terminal, or with --once or --count, plain screens are "
        "printed; the first after one interval, as rates are of the time between two pictures. "
        "Signs are those of UTF-8 where the locale (LC_ALL, LC_CTYPE, LANG) says so, else ASCII. "
        "NO_COLOR is honoured. When the store or its server cannot be reached, top says so and "
        "goes on trying.",
    .examples = top_examples,
    .options = top_options,
    .is_long = true,
    .run = run_top,
};
