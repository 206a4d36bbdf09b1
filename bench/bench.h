/*
 * bench.h - what the command line needs to know of the benchmarks.
 */
#ifndef MNEME_BENCH_H
#define MNEME_BENCH_H

/* Runs `mneme bench ARGUMENT…`; argv[0] is the word "bench". Returns the exit code: 0 when the
 * bench ran, whatever its goals say. */
int bench_main(int argc, char **argv);

/* What `mneme bench --help` prints, newline at the end. */
extern const char bench_usage[];

#endif
