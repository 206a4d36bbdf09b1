/*
 * soak_stage.h - where a soak happens: its directory, server, wire and processes; and what happens.
 */
#ifndef MNEME_BENCH_SOAK_STAGE_H
#define MNEME_BENCH_SOAK_STAGE_H

#include "bench/options.h"
#include "bench/proxy.h"
#include "bench/report.h"
#include "bench/scratch.h"
#include "bench/soak.h"
#include "bench/soak_plan.h"
#include "bench/sqld.h"

struct soak_process {
    pid_t pid; /* 0: none runs */
    unsigned long long turns;
    int64_t moved_us; /* when it was last seen to do something */
};

struct soak_stage {
    const struct bench_options *options;
    struct report report;
    struct scratch scratch;
    struct sqld server;
    struct proxy *proxy;
    atomic_int wire; /* EVENT_STALL, EVENT_LOSE or EVENT_FINE */
    uint64_t seed;
    unsigned slots, threads;
    int64_t length_ms;
    struct soak_board *board;
    struct soak_process processes[SOAK_SLOTS_MAX];
    struct soak_plan plan;
    FILE *diary; /* what happened, in the directory */
    unsigned happened[EVENTS];
    bool played;    /* it has begun: what it leaves is worth a look when it fails */
    double seconds; /* that it took */
    uint64_t file_bytes;
};

/* Start from {0}, but for options, seed, slots, threads and length. */
int soak_stage_set(struct soak_stage *stage, mneme_error *error);
/* Ends what runs. `keep`: files stay, and a line says where. */
void soak_stage_strike(struct soak_stage *stage, bool keep);

/* All of the plan. MNEME_FAILURE: a process saw something wrong, died, or does nothing. */
int soak_stage_play(struct soak_stage *stage, mneme_error *error);

static inline enum soak_role soak_role_of(const struct soak_stage *stage, unsigned slot) {
    return slot + 1 == stage->slots ? SOAK_FAR : slot % 2 ? SOAK_TINY : SOAK_LOCAL;
}

/* ---- The end (soak_check.c) ------------------------------------------------------------------ */

struct soak_verdict {
    uint64_t checked, wrong;
    uint64_t live;
    uint64_t peers;     /* as which the store is known to the server: one more each time that it, or
                           the server, is taken for one that was set back */
    uint64_t conflicts; /* edits that sync overruled, of what all wrote to */
    uint64_t file_bytes, used_bytes, live_bytes;
    double settle_seconds; /* until store and server were in step */
};

/* When nobody works any more: whether everything is as the ledgers say. What is wrong is told on
 * standard error, the first of it. */
int soak_check(struct soak_stage *stage, struct soak_verdict *out, mneme_error *error);

#endif
