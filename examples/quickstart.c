/* quickstart.c - records an episode, and reads it back. */
#include <mneme/mneme.h>
#include <stdio.h>

int main(void) {
    mneme *m;
    mneme_id id;
    mneme_error error;
    const mneme_record *record;
    mneme_episode episode = {.task = mneme_text_of("Fix the login test")};
    mneme_step step = {.tool = mneme_text_of("grep"), .output = mneme_text_of("auth.c:120")};
    mneme_completion end = {.outcome = {.kind = MNEME_SUCCESS}};

    if (mneme_open("memory.mdb", NULL, &m, &error) ||
        mneme_episode_start(m, &episode, NULL, &id, &error) || /* returns when it is on disk */
        mneme_step_append(m, &id, &step, NULL, NULL, NULL, &error) ||
        mneme_episode_complete(m, &id, &end, NULL, &error) ||
        mneme_acquire(m, MNEME_EPISODE, &id, &record, &error))
        return fprintf(stderr, "%s\n", error.message), 1;
    const mneme_episode *back = record->as.episode;
    printf("%.*s: %zu step\n", (int)back->task.size, back->task.data, back->steps.count);
    mneme_release(m, record);
    return mneme_close(m, &error) != 0;
}
