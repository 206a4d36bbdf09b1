/*
 * metrics_load.c - a program that has a store open and is busy: what tests of metrics look at.
 *
 *     metrics_load URL [REMOTE]
 *
 * It works until a line comes on standard input, then prints what it did as one line of JSON, and
 * keeps the store open, idle, until its input ends. What it writes and asks for has the words
 * "canary", which no metric may have.
 */
#include <mneme/mneme.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { STEPS = 2, READS = 10, PAUSE_MS = 20 };

struct counts {
    unsigned started, steps, completed, read, missed, listed;
};

/* An episode with steps, from its start to its end. */
static int write_one(mneme *m, mneme_id *id, struct counts *counts, mneme_error *error) {
    static const mneme_text canary = {"canary task", 11}, tool = {"canary tool", 11};
    static const mneme_pair note = {{"note", 4}, {"canary value", 12}};
    mneme_episode episode = {.task = canary, .metadata = {&note, 1}};
    mneme_step step = {.tool = tool, .result = MNEME_RESULT_SUCCESS, .output = canary};
    mneme_completion completion = {.outcome = {.kind = MNEME_SUCCESS}};
    int status = mneme_episode_start(m, &episode, NULL, id, error);
    counts->started += status == 0;
    for (int i = 0; i < STEPS && status == 0; i++) {
        status = mneme_step_append(m, id, &step, NULL, NULL, NULL, error);
        counts->steps += status == 0;
    }
    if (status == 0)
        status = mneme_episode_complete(m, id, &completion, NULL, error);
    counts->completed += status == 0;
    return status;
}

/* Read it, look for one that is not there, and ask twice for the same list. */
static int read_some(mneme *m, const mneme_id *id, struct counts *counts, mneme_error *error) {
    static const mneme_pair where = {{"meta.note", 9}, {"canary value", 12}};
    mneme_query query = {.kind = MNEME_EPISODE, .where = &where, .where_count = 1, .limit = 5};
    const mneme_record *record;
    const mneme_page *page;
    mneme_id absent = *id;
    int status = 0;
    for (int i = 0; i < READS && status == 0; i++) {
        status = mneme_acquire(m, MNEME_EPISODE, id, &record, error);
        if (status == 0) {
            mneme_release(m, record);
            counts->read++;
        }
    }
    absent.bytes[15] ^= 1;
    if (mneme_acquire(m, MNEME_EPISODE, &absent, &record, NULL) == MNEME_NOT_FOUND)
        counts->missed++;
    for (int i = 0; i < 2 && status == 0; i++) {
        status = mneme_list(m, &query, &page, error);
        if (status == 0) {
            mneme_page_release(m, page);
            counts->listed++;
        }
    }
    return status;
}

static int work(mneme *m, struct counts *counts, mneme_error *error) {
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    int status = 0;
    while (status == 0 && poll(&input, 1, PAUSE_MS) == 0) {
        mneme_id id;
        status = write_one(m, &id, counts, error);
        if (status == 0)
            status = read_some(m, &id, counts, error);
    }
    return status;
}

static void wait_for_end(void) {
    char block[256];
    while (read(STDIN_FILENO, block, sizeof block) > 0)
        ;
}

int main(int argc, char **argv) {
    mneme_options options = {.size = sizeof options, .slow_us = 1};
    struct counts counts = {0};
    mneme_error error;
    mneme *m = NULL;
    if (argc > 2) {
        options.sync.url = argv[2];
        options.sync.mode = MNEME_SYNC_BACKGROUND;
    }
    int status = argc > 1 ? mneme_open(argv[1], &options, &m, &error) : MNEME_INVALID;
    if (status == 0)
        status = work(m, &counts, &error);
    if (status != 0) {
        fprintf(stderr, "metrics_load: %s\n", argc > 1 ? error.message : "which store?");
        return 1;
    }
    printf("{\"episode_start\":%u,\"step_append\":%u,\"episode_complete\":%u,\"read\":%u,"
           "\"missed\":%u,\"list\":%u}\n",
           counts.started, counts.steps, counts.completed, counts.read, counts.missed,
           counts.listed);
    fflush(stdout);
    wait_for_end();
    return mneme_close(m, &error) != 0;
}
