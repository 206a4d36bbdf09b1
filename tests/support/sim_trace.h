/*
 * sim_trace.h - prints what goes between the simulated devices and their server, for people.
 */
#ifndef MNEME_TESTS_SIM_TRACE_H
#define MNEME_TESTS_SIM_TRACE_H

#include "store/feed.h"

/* To stderr: the pushes with their fates, the verdict, and the page. */
void sim_trace_exchange(unsigned device, const struct feed_request *request,
                        const struct feed_answer *answer);

#endif
