/*
 * bench.c - `mneme bench`: its arguments, and which bench they ask for.
 */
#include "bench/bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/benches.h"
#include "bench/soak.h"

enum { ROUNDS_DEFAULT = 7, CAPACITY_MAX = 100000000, MINUTES_MAX = 10080 };

const char bench_usage[] =
    "usage: mneme bench store|codec|import|cache|remote|sync|metrics|targets [--json]\n"
    "                   [--long] [--rounds N] [--dir DIR]\n"
    "       mneme bench cache --trace FILE [--capacity N] [--json]\n"
    "       mneme bench remote --url URL [--json] [--long] [--rounds N]\n"
    "       mneme bench report [--only NAME,...] [--output DIR] [--long] [--rounds N] [--dir DIR]\n"
    "       mneme bench soak [--minutes M] [--seed S] [--processes N] [--threads N] [--json]\n"
    "                   [--dir DIR]\n"
    "       mneme bench generate N [--seed S]\n"
    "\n"
    "Measures speed and size. Rows are ratios to a reference that was measured in the same run,\n"
    "but for some figures that stand by themselves; docs/bench.md explains each. A goal that does\n"
    "not hold is printed as MISSED, and the exit code is 0 all the same. `soak` is another thing:\n"
    "load while everything goes wrong, and a look at every record behind it; exit code 1 when one\n"
    "is not as it must be.\n"
    "\n"
    "examples:\n"
    "  mneme bench store                 durable writes, reads, growth; one to three minutes\n"
    "  mneme bench codec --json          sizes and compression; one JSON object a line\n"
    "  mneme bench import --rounds 15    more rounds, narrower medians\n"
    "  mneme bench cache                 hits, threads, memory, hit rates on traces\n"
    "  mneme bench cache --trace requests.zst       hit rates on a trace of yours\n"
    "  mneme bench remote                a libSQL server, near and 40 ms away; four minutes\n"
    "  mneme bench sync                  a store that is synced with one, and another machine\n"
    "  mneme bench metrics               what it costs to count and time operations\n"
    "  mneme bench targets               each target of the plan: asked, measured; two minutes\n"
    "  mneme bench report                all of them, and BENCHMARKS.md and BENCHMARKS.html of "
    "what\n"
    "                                    they measured; half an hour\n"
    "  mneme bench soak --minutes 10 --seed 7       kills, restarts, cut connections, full disks\n"
    "  mneme bench generate 1000 > episodes.jsonl   made-up episodes, to try an import with\n"
    "\n"
    "options:\n"
    "  --json        one JSON object a row: bench, case, value, unit, reference,\n"
    "                reference_value, ratio, goal, holds\n"
    "  --long        larger sizes; may take more than three minutes\n"
    "  --quick       tiny sizes, to see that all runs; the figures mean nothing\n"
    "  --rounds N    rounds that the medians are of, 1 to 99 (default 7)\n"
    "  --dir DIR     where stores are made, and removed again (default: $TMPDIR unless that is\n"
    "                a tmpfs, else the current directory)\n"
    "  --trace FILE  of cache: play these requests, and print what our cache, LRU and the best\n"
    "                possible one would hit; lines of one number (a key) or of four (start, count\n"
    "                and two more), or big-endian 32-bit numbers; plain, gzip, xz or zstd\n"
    "  --capacity N  with --trace: in a cache of N entries (default: of several sizes)\n"
    "  --url URL     of remote: measure this server, and not one that is started for it (sqld, "
    "from\n"
    "                $MNEME_SQLD, tools/sqld or PATH). IT WRITES: some fifty thousand records "
    "into\n"
    "                the database, in tables whose names begin with mneme_, and drops them at the\n"
    "                end. A database that holds a memory of mneme is refused. The token comes "
    "from\n"
    "                $MNEME_TOKEN, $TURSO_AUTH_TOKEN or the file $MNEME_TOKEN_FILE\n"
    "  --only A,B    of report: these benches (default: all)\n"
    "  --output DIR  of report: where its two files go (default: the current directory). When a\n"
    "                bench cannot run, they say so, and the exit code is 9\n"
    "  --seed S      other made-up episodes; of soak: another course of events (default 1)\n"
    "  --minutes M   of soak: how long, decimals too (default 2)\n"
    "  --processes N of soak: 2 to 16 (default 4); the last works on the server itself\n"
    "  --threads N   of soak: in each process, 1 to 16 (default 4)\n"
    "\n"
    "Real episodes come from tau-bench-airline.json in $MNEME_DATA_DIR; without it, made-up ones\n"
    "stand in, and the line \"data:\" below the table says so. Traces come from the directory "
    "traces\n"
    "in there; without them, their rows are left out, with a word on stderr.\n";

/* ---- Arguments ---------------------------------------------------------------------------- */

static int parse_number(const char *text, const char *what, uint64_t most, uint64_t *out,
                        mneme_error *error) {
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || value > most)
        return error_set(error, MNEME_INVALID, "%s: '%.60s' is not a number up to %llu", what, text,
                         (unsigned long long)most);
    *out = value;
    return 0;
}

static int parse_some(const char *text, const char *what, uint64_t least, uint64_t most,
                      unsigned *out, mneme_error *error) {
    uint64_t value;
    TRY(parse_number(text, what, most, &value, error));
    if (value < least)
        return error_set(error, MNEME_INVALID, "%s: at least %llu", what,
                         (unsigned long long)least);
    *out = (unsigned)value;
    return 0;
}

static int parse_minutes(const char *text, double *out, mneme_error *error) {
    char *end;
    double value = strtod(text, &end);
    if (*text < '0' || *text > '9' || *end || !(value > 0 && value <= MINUTES_MAX))
        return error_set(error, MNEME_INVALID,
                         "--minutes: '%.60s' is not a number above 0 and up to %d", text,
                         MINUTES_MAX);
    *out = value;
    return 0;
}

/* The value of an option, "--name VALUE" or "--name=VALUE"; NULL when argv[*at] is another. */
static const char *option_value(int argc, char **argv, int *at, const char *name) {
    size_t size = strlen(name);
    const char *argument = argv[*at];
    if (strncmp(argument, name, size) == 0 && argument[size] == '=')
        return argument + size + 1;
    if (strcmp(argument, name) != 0)
        return NULL;
    return *at + 1 < argc ? argv[++*at] : "";
}

static int parse_flag(const char *argument, struct bench_options *options, mneme_error *error) {
    if (strcmp(argument, "--json") == 0)
        options->json = true;
    else if (strcmp(argument, "--long") == 0)
        options->long_run = true;
    else if (strcmp(argument, "--quick") == 0)
        options->quick = true;
    else
        return error_set(error, MNEME_INVALID, "no option '%.60s'; see `mneme bench --help`",
                         argument);
    return 0;
}

static int parse_option(int argc, char **argv, int *at, struct bench_options *options,
                        mneme_error *error) {
    const char *value;
    if ((value = option_value(argc, argv, at, "--rounds"))) {
        uint64_t rounds;
        TRY(parse_number(value, "--rounds", BENCH_ROUNDS_MAX, &rounds, error));
        if (rounds == 0)
            return error_set(error, MNEME_INVALID, "--rounds: at least 1");
        options->rounds = (unsigned)rounds;
    } else if ((value = option_value(argc, argv, at, "--seed"))) {
        TRY(parse_number(value, "--seed", UINT64_MAX, &options->seed, error));
    } else if ((value = option_value(argc, argv, at, "--dir"))) {
        if (!*value)
            return error_set(error, MNEME_INVALID, "--dir needs a directory");
        options->directory = value;
    } else if ((value = option_value(argc, argv, at, "--trace"))) {
        if (!*value)
            return error_set(error, MNEME_INVALID, "--trace needs a file");
        options->trace = value;
    } else if ((value = option_value(argc, argv, at, "--capacity"))) {
        TRY(parse_number(value, "--capacity", CAPACITY_MAX, &options->capacity, error));
        if (options->capacity == 0)
            return error_set(error, MNEME_INVALID, "--capacity: at least 1");
    } else if ((value = option_value(argc, argv, at, "--output"))) {
        if (!*value)
            return error_set(error, MNEME_INVALID, "--output needs a directory");
        options->output = value;
    } else if ((value = option_value(argc, argv, at, "--only"))) {
        if (!*value)
            return error_set(error, MNEME_INVALID, "--only needs the names of benches");
        options->only = value;
    } else if ((value = option_value(argc, argv, at, "--url"))) {
        if (!*value)
            return error_set(error, MNEME_INVALID, "--url needs the URL of a server");
        options->url = value;
    } else if ((value = option_value(argc, argv, at, "--minutes"))) {
        TRY(parse_minutes(value, &options->minutes, error));
    } else if ((value = option_value(argc, argv, at, "--processes"))) {
        TRY(parse_some(value, "--processes", 2, SOAK_SLOTS_MAX, &options->processes, error));
    } else if ((value = option_value(argc, argv, at, "--threads"))) {
        TRY(parse_some(value, "--threads", 1, SOAK_THREADS_MAX, &options->threads, error));
    } else {
        return parse_flag(argv[*at], options, error);
    }
    return 0;
}

/* What stands alone: the bench, and for generate a number. */
static int parse_word(const char *word, struct bench_options *options, bool *counted,
                      mneme_error *error) {
    if (!options->name) {
        const struct bench *bench = bench_find(slice_of_string(word));
        if (!bench)
            return error_set(error, MNEME_INVALID, "no bench '%.60s'; there are %s", word,
                             bench_names(false).text);
        options->name = bench->name;
        return 0;
    }
    if (strcmp(options->name, "generate") != 0 || *counted)
        return error_set(error, MNEME_INVALID, "one argument too many: '%.60s'", word);
    *counted = true;
    return parse_number(word, "generate", UINT64_C(1) << 40, &options->count, error);
}

static int parse_arguments(int argc, char **argv, struct bench_options *options,
                           mneme_error *error) {
    bool counted = false;
    *options = (struct bench_options){
        .rounds = ROUNDS_DEFAULT, .seed = 1, .words = argv, .word_count = argc};
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-')
            TRY(parse_option(argc, argv, &i, options, error));
        else
            TRY(parse_word(argv[i], options, &counted, error));
    }
    if (!options->name)
        return error_set(error, MNEME_INVALID,
                         "which bench? There are %s; see `mneme bench --help`",
                         bench_names(false).text);
    if (strcmp(options->name, "generate") == 0 && !counted)
        return error_set(error, MNEME_INVALID, "generate how many episodes?");
    if (options->trace && strcmp(options->name, "cache") != 0)
        return error_set(error, MNEME_INVALID, "--trace belongs to `mneme bench cache`");
    if (options->url && strcmp(options->name, "remote") != 0)
        return error_set(error, MNEME_INVALID, "--url belongs to `mneme bench remote`");
    if ((options->minutes > 0 || options->processes || options->threads) &&
        strcmp(options->name, "soak") != 0)
        return error_set(error, MNEME_INVALID,
                         "--minutes, --processes and --threads belong to `mneme bench soak`");
    if ((options->output || options->only) && strcmp(options->name, "report") != 0)
        return error_set(error, MNEME_INVALID,
                         "--output and --only belong to `mneme bench report`");
    if (options->capacity && !options->trace)
        return error_set(error, MNEME_INVALID, "--capacity needs --trace");
    return 0;
}

int bench_main(int argc, char **argv) {
    struct bench_options options;
    mneme_error error = {0};
    if (argc > 1 && strcmp(argv[1], "soak-worker") == 0)
        return soak_worker_main(argc - 1, argv + 1);
    int status = parse_arguments(argc, argv, &options, &error);
    const struct bench *bench = status == 0 ? bench_find(slice_of_string(options.name)) : NULL;
    if (bench)
        status = bench->run(&options, &error);
    if (status == 0)
        return 0;
    fprintf(stderr, "mneme bench: %s\n", error.message);
    return mneme_status_exit_code(status);
}
