/*
 * soak_stage.c - starting and ending processes, and letting happen what the plan says.
 */
#include "bench/soak_stage.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/generate.h"
#include "bench/soak_record.h"
#include "os/os.h"

enum { TICK_US = 5000, END_US = 90 * 1000 * 1000, STUCK_US = 60 * 1000 * 1000 };

static void pause_us(long us) {
    struct timespec time = {.tv_nsec = us * 1000};
    nanosleep(&time, NULL);
}

/* ---- Processes ------------------------------------------------------------------------------ */

struct command {
    char numbers[4][24];
    char *words[11];
};

static void command_make(const struct soak_stage *stage, unsigned slot, struct command *c) {
    snprintf(c->numbers[0], 24, "%llu", (unsigned long long)stage->seed);
    snprintf(c->numbers[1], 24, "%u", slot);
    snprintf(c->numbers[2], 24, "%u", stage->threads);
    snprintf(c->numbers[3], 24, "%d", (int)soak_role_of(stage, slot));
    const char *const words[] = {"mneme", "bench", "soak-worker", stage->scratch.directory,
                                 proxy_url(stage->proxy)};
    memcpy(c->words, words, sizeof words);
    for (size_t i = 0; i < 4; i++)
        c->words[5 + i] = c->numbers[i];
    c->words[9] = NULL;
}

static int process_start(struct soak_stage *stage, unsigned slot, mneme_error *error) {
    struct soak_process *p = &stage->processes[slot];
    struct command command;
    command_make(stage, slot, &command);
    atomic_fetch_add(&stage->board->slots[slot].generation, 1);
    p->moved_us = clock_monotonic_us();
    sigset_t term, before;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &term, &before); /* else our handler could take it in the child */
    p->pid = fork();
    if (p->pid == 0) {
        signal(SIGTERM, SIG_DFL);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        execv("/proc/self/exe", command.words);
        _exit(127);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (p->pid > 0)
        return 0;
    p->pid = 0;
    return error_set_errno(error, errno, "cannot start a process");
}

/* The exit code, 256 + the signal, or -1: it has not ended in time. */
static int process_wait(struct soak_process *p) {
    int64_t until_us = clock_monotonic_us() + END_US;
    int code;
    pid_t ended;
    while ((ended = waitpid(p->pid, &code, WNOHANG)) == 0 && clock_monotonic_us() < until_us)
        pause_us(TICK_US);
    if (ended != p->pid)
        return -1;
    p->pid = 0;
    return WIFSIGNALED(code) ? 256 + WTERMSIG(code) : WEXITSTATUS(code);
}

static int process_end(struct soak_stage *stage, unsigned slot, mneme_error *error) {
    struct soak_process *p = &stage->processes[slot];
    if (!p->pid)
        return 0;
    /* One that sleeps may be the one that is to end, or have the right to write, for which that one
     * waits. */
    for (unsigned i = 0; i < stage->slots; i++)
        if (stage->processes[i].pid)
            kill(stage->processes[i].pid, SIGCONT);
    kill(p->pid, SIGTERM);
    int code = process_wait(p);
    if (code == -1)
        return error_set(error, MNEME_FAILURE, "process %ld, slot %u, does not end", (long)p->pid,
                         slot);
    if (code == 0 || code == 256 + SIGTERM) /* or it had hardly begun */
        return 0;
    return error_set(error, MNEME_FAILURE, "the process of slot %u ended with %d", slot, code);
}

static int process_kill(struct soak_stage *stage, unsigned slot, mneme_error *error) {
    struct soak_process *p = &stage->processes[slot];
    kill(p->pid, SIGKILL);
    int code = process_wait(p);
    return code == 256 + SIGKILL ? 0
                                 : error_set(error, MNEME_FAILURE,
                                             "the process of slot %u ended with %d", slot, code);
}

/* None may end by itself, or do nothing for long. */
static int processes_watch(struct soak_stage *stage, mneme_error *error) {
    int64_t now_us = clock_monotonic_us();
    for (unsigned i = 0; i < stage->slots; i++) {
        struct soak_process *p = &stage->processes[i];
        unsigned long long turns = atomic_load(&stage->board->slots[i].turns);
        int code;
        if (waitpid(p->pid, &code, WNOHANG) == p->pid) {
            p->pid = 0;
            return error_set(error, MNEME_FAILURE,
                             "the process of slot %u ended by itself (wait status %d); what it "
                             "saw stands above",
                             i, code);
        }
        if (turns != p->turns) {
            p->turns = turns;
            p->moved_us = now_us;
        } else if (now_us - p->moved_us > STUCK_US) {
            return error_set(error, MNEME_FAILURE,
                             "process %ld, slot %u, has done nothing for a minute", (long)p->pid,
                             i);
        }
    }
    return 0;
}

/* ---- The wire ------------------------------------------------------------------------------- */

static struct proxy_action decide(void *context, const struct proxy_request *request) {
    static const struct proxy_action losses[] = {{.fault = PROXY_LOSE},
                                                 {.fault = PROXY_RESET},
                                                 {.fault = PROXY_TRUNCATE, .bytes = 40},
                                                 {.fault = PROXY_MUTE},
                                                 {.fault = PROXY_DELAY, .ms = 60},
                                                 {.fault = PROXY_CLOSE}};
    struct soak_stage *stage = context;
    uint64_t chance = mix(stage->seed, request->number);
    int wire = atomic_load(&stage->wire);
    if (wire == EVENT_STALL)
        return (struct proxy_action){.fault = PROXY_STALL};
    if (wire == EVENT_LOSE && chance % 2)
        return losses[(chance >> 8) % COUNT_OF(losses)];
    return (struct proxy_action){.fault = PROXY_PASS};
}

static void wire_set(struct soak_stage *stage, enum soak_event_kind wire) {
    atomic_store(&stage->wire, (int)wire);
    if (wire == EVENT_FINE) /* those that were swallowed are not answered any more */
        (void)proxy_reset_all(stage->proxy);
}

/* ---- What happens --------------------------------------------------------------------------- */

static int restart(struct soak_stage *stage, unsigned slot, bool killed, mneme_error *error) {
    TRY(killed ? process_kill(stage, slot, error) : process_end(stage, slot, error));
    return process_start(stage, slot, error);
}

/* For who looks into what a failed run leaves. */
static void note(const struct soak_stage *stage, const struct soak_event *e) {
    char text[MNEME_TIME_TEXT_SIZE];
    if (!stage->diary)
        return;
    mneme_time_format(clock_wall_us(), text);
    fprintf(stage->diary, "%s %.3f %s %u: process %ld\n", text, (double)e->at_ms / 1000,
            soak_event_names[e->kind], e->slot, (long)stage->processes[e->slot].pid);
    fflush(stage->diary);
}

static int happen(struct soak_stage *stage, const struct soak_event *e, mneme_error *error) {
    struct soak_slot *slot = &stage->board->slots[e->slot];
    struct soak_process *p = &stage->processes[e->slot];
    stage->happened[e->kind]++;
    note(stage, e);
    switch (e->kind) {
    case EVENT_KILL:
    case EVENT_RESTART:
        return restart(stage, e->slot, e->kind == EVENT_KILL, error);
    case EVENT_SLEEP:
    case EVENT_WAKE:
        kill(p->pid, e->kind == EVENT_SLEEP ? SIGSTOP : SIGCONT);
        break;
    case EVENT_FULL:
    case EVENT_ROOM:
        atomic_store(&slot->full, e->kind == EVENT_FULL);
        break;
    case EVENT_BACKUP:
        atomic_store(&slot->backup, true);
        break;
    case EVENT_HOLD:
        atomic_store(&slot->hold, true);
        break;
    case EVENT_SERVER_DOWN:
        sqld_kill(&stage->server);
        break;
    case EVENT_SERVER_UP:
        return sqld_restart(&stage->server, error);
    case EVENT_STALL:
    case EVENT_LOSE:
    case EVENT_FINE:
        wire_set(stage, e->kind);
        break;
    case EVENT_CUT:
        (void)proxy_reset_all(stage->proxy);
        break;
    case EVENTS:
        break;
    }
    return 0;
}

static int play(struct soak_stage *stage, mneme_error *error) {
    int64_t begin_us = clock_monotonic_us();
    size_t next = 0;
    for (;;) {
        int64_t now_ms = (clock_monotonic_us() - begin_us) / 1000;
        TRY(interrupt_check(error));
        TRY(processes_watch(stage, error));
        for (; next < stage->plan.count && stage->plan.events[next].at_ms <= now_ms; next++)
            TRY(happen(stage, &stage->plan.events[next], error));
        if (now_ms >= stage->length_ms && next == stage->plan.count)
            return 0;
        report_progress(&stage->report, "%.0f of %.0f s, %zu of %zu events", (double)now_ms / 1000,
                        (double)stage->length_ms / 1000, next, stage->plan.count);
        pause_us(TICK_US);
    }
}

int soak_stage_play(struct soak_stage *stage, mneme_error *error) {
    int64_t begin_us = clock_monotonic_us();
    for (unsigned i = 0; i < stage->slots; i++)
        TRY(process_start(stage, i, error));
    TRY(play(stage, error));
    wire_set(stage, EVENT_FINE);
    for (unsigned i = 0; i < stage->slots; i++)
        TRY(process_end(stage, i, error));
    stage->seconds = (double)(clock_monotonic_us() - begin_us) / 1e6;
    return 0;
}

/* ---- Setting and striking ------------------------------------------------------------------- */

/* What all write to is there, here and on the server, before they begin. */
static int make_shared(struct soak_stage *stage, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    struct soak_path path = soak_store_path(stage->scratch.directory);
    const mneme_options options = {
        .size = sizeof options,
        .sync = {.url = proxy_url(stage->proxy), .mode = MNEME_SYNC_MANUAL}};
    mneme_record records[4];
    mneme *m = NULL;
    for (uint32_t i = 0; i < COUNT_OF(records); i++)
        if (soak_shared_pattern(stage->seed, i, &arena, &records[i]))
            return error_set(error, MNEME_NO_MEMORY, "no memory for records");
    TRY(mneme_open(path.text, &options, &m, error));
    int status = mneme_put(m, records, COUNT_OF(records), NULL, NULL, error);
    if (status == 0)
        status = mneme_sync(m, NULL, NULL, error);
    (void)mneme_close(m, NULL);
    return status;
}

static int make_ledgers(struct soak_stage *stage, mneme_error *error) {
    for (unsigned slot = 0; slot < stage->slots; slot++)
        for (unsigned thread = 0; thread < stage->threads; thread++) {
            struct soak_path path =
                soak_ledger_path(stage->scratch.directory, soak_writer(slot, thread));
            FILE *file = fopen(path.text, "we");
            if (!file)
                return error_set_errno(error, errno, "cannot make %s", path.text);
            fclose(file);
        }
    return 0;
}

int soak_stage_set(struct soak_stage *stage, mneme_error *error) {
    struct soak_path path;
    struct path_info info;
    atomic_store(&stage->wire, EVENT_FINE);
    TRY(scratch_create(&stage->scratch, stage->options, error));
    TRY(soak_board_map(stage->scratch.directory, &stage->board, error));
    snprintf(path.text, sizeof path.text, "%s/events.txt", stage->scratch.directory);
    stage->diary = fopen(path.text, "we");
    TRY(sqld_start(NULL, &stage->server, error));
    TRY(proxy_start(stage->server.ports[SQLD_HTTP].number, 0, &stage->proxy, error));
    proxy_decide_with(stage->proxy, decide, stage);
    TRY(make_shared(stage, error));
    TRY(make_ledgers(stage, error));
    path = soak_store_path(stage->scratch.directory);
    TRY(path_inspect(path.text, &info, error));
    stage->file_bytes = info.size;
    return soak_plan_make(stage->seed, stage->length_ms, stage->slots, &stage->plan, error);
}

void soak_stage_strike(struct soak_stage *stage, bool keep) {
    for (unsigned i = 0; i < SOAK_SLOTS_MAX; i++)
        if (stage->processes[i].pid) {
            kill(stage->processes[i].pid, SIGKILL);
            (void)process_wait(&stage->processes[i]);
        }
    if (stage->diary)
        fclose(TAKE(stage->diary));
    proxy_stop(TAKE(stage->proxy));
    soak_plan_free(&stage->plan);
    soak_board_unmap(TAKE(stage->board));
    if (keep && stage->scratch.directory[0]) {
        fprintf(stderr,
                "mneme bench soak: seed %llu; store and ledgers are kept in %s, the "
                "server's data in %s\n",
                (unsigned long long)stage->seed, stage->scratch.directory, stage->server.directory);
        stage->server.owns_directory = false;
    } else {
        scratch_remove(&stage->scratch);
    }
    sqld_stop(&stage->server);
}
