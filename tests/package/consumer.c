/*
 * consumer.c - a program of somebody who installed mneme: valid C99 and valid C++11. It puts an
 * episode into a store in memory and reads it back.
 */
#include <mneme/mneme.h>
#include <stdio.h>
#include <string.h>

static const char task[] = "find the cheapest flight";

static int round_trip(mneme *m, mneme_error *error) {
    mneme_episode episode;
    memset(&episode, 0, sizeof episode);
    episode.task = mneme_text_of(task);

    mneme_id id;
    int status = mneme_episode_start(m, &episode, NULL, &id, error);
    if (status)
        return status;
    const mneme_record *record;
    status = mneme_acquire(m, MNEME_EPISODE, &id, &record, error);
    if (status)
        return status;
    mneme_text back = record->as.episode->task;
    int same = back.size == strlen(task) && memcmp(back.data, task, back.size) == 0;
    mneme_release(m, record);
    return same ? 0 : MNEME_CORRUPT;
}

int main(void) {
    mneme *m;
    mneme_error error;
    memset(&error, 0, sizeof error);
    int status = mneme_open("mem:", NULL, &m, &error);
    if (status == 0) {
        status = round_trip(m, &error);
        if (mneme_close(m, &error) != 0)
            status = MNEME_FAILURE;
    }
    printf("mneme %s: %s %s\n", mneme_version_text(), mneme_status_name(status), error.message);
    return status ? 1 : 0;
}
