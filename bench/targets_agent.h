/*
 * targets_agent.h - the work of agents with one memory, as a sequence of calls that anybody can
 * repeat.
 *
 * Model. A memory of real episodes (variations) and of patterns of 2 KB. A task, the work of one
 * agent, is, in this order:
 *   - lists: the 20 newest episodes, the 10 newest failures, the 20 newest patterns;
 *   - reads of 5 past episodes and 10 patterns;
 *   - the start of an episode; 10 steps, with 3 reads of patterns before each is appended;
 *   - its end (three of four succeed), a tag, a new count in one of the patterns that were read;
 *   - a read of the episode, as whoever reviews it does.
 * Which episode or pattern is read is drawn by Zipf's law with exponent 0.99, as YCSB draws keys
 * (Cooper et al. 2010). The tenth that is asked for most is called hot. Draws are the same in
 * every run.
 */
#ifndef MNEME_BENCH_TARGETS_AGENT_H
#define MNEME_BENCH_TARGETS_AGENT_H

#include "bench/cache_zipf.h"
#include "bench/kit.h"
#include "bench/store_cases.h"

/* Ids, the most popular first, and who draws from them. */
struct popular {
    mneme_kind kind;
    mneme_id *ids;
    size_t count;
    struct zipf draws;
};

struct agents {
    struct kit *kit;
    struct arena arena;
    struct live_steps steps;
    struct popular episodes, patterns;
    uint64_t task;             /* how many have been worked on */
    mneme_durability of_steps; /* all other writes are durable when they return */
    /* What was seen: */
    size_t hot_reads, hot_hits; /* of the hot tenth, on a handle with caches */
    double *times;              /* room for seconds of each read and list; NULL: not wanted */
    size_t timed, times_max;
};

/* Make the memory in `m`. Start from {0}. */
int agents_init(struct agents *a, struct kit *kit, mneme *m, size_t episodes, size_t patterns,
                mneme_error *error);
void agents_fini(struct agents *a);
#define AUTO_AGENTS CLEANUP(agents_fini)

/* Draw from the beginning again. */
void agents_again(struct agents *a);

/* One task. */
int agents_work(struct agents *a, mneme *m, mneme_error *error);

/* A read of an episode or a pattern, and the three lists: what a task does, alone. */
int agents_read(struct agents *a, mneme *m, struct popular *of, mneme_id *id, mneme_error *error);
int agents_list(struct agents *a, mneme *m, mneme_error *error);

#endif
