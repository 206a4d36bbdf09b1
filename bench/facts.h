/*
 * facts.h - what figures were measured with: the machine, and what runs on it in which version.
 */
#ifndef MNEME_BENCH_FACTS_H
#define MNEME_BENCH_FACTS_H

#include "base/base.h"

enum { FACTS_MAX = 24, FACT_SIZE = 160, PROCESSOR_SIZE = 64 };

struct fact {
    const char *name;
    char text[FACT_SIZE];
};

/* In the order in which they are to be shown. */
struct facts {
    struct fact items[FACTS_MAX];
    size_t count;
};

/* All of them. What cannot be found out says so. Starts sqld for a moment, to ask its version. */
void facts_read(struct facts *facts);

/* "AMD EPYC-Genoa Processor"; "" when the kernel does not tell. */
void facts_processor(char text[PROCESSOR_SIZE]);

/* Whether this program was compiled to be measured: optimised, without checks or sanitizers. */
bool facts_built_for_speed(void);

#endif
