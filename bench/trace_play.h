/*
 * trace_play.h - what policies that are known from books would have hit in a trace. Every key takes
 * one place of `capacity`.
 */
#ifndef MNEME_BENCH_TRACE_PLAY_H
#define MNEME_BENCH_TRACE_PLAY_H

#include "bench/trace.h"

/* Least recently used. MNEME_NO_MEMORY. */
int trace_play_lru(const struct trace *trace, size_t capacity, size_t *hits, mneme_error *error);

/*
 * The most that any policy can hit: of the keys in the cache and the one that was just asked for,
 * the one whose next use is farthest goes, or is not let in (Belady 1966; Mattson et al. 1970).
 * MNEME_NO_MEMORY.
 */
int trace_play_optimum(const struct trace *trace, size_t capacity, size_t *hits,
                       mneme_error *error);

#endif
