/*
 * cache_change_test.c - what a handle with caches reads after a change, whoever made it: itself,
 * another handle, another process.
 */
#include <sys/socket.h>

#include "api/cache_fixture.h"

/* ---- An open episode grows --------------------------------------------------------------- */

static void assert_steps(mneme *m, const mneme_id *episode, size_t count, bool sealed) {
    for (int round = 0; round < 2; round++) {
        const mneme_record *record = acquire(m, MNEME_EPISODE, episode);
        const mneme_step_list *steps = &record->as.episode->steps;
        assert_int_equal(steps->count, count);
        assert_int_equal((record->flags & MNEME_FLAG_SEALED) != 0, sealed);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(steps->items[i].number, i + 1);
        mneme_release(m, record);
    }
}

static size_t count_children(mneme *m, const mneme_id *episode) {
    mneme_query query = {.kind = MNEME_STEP, .parent = episode};
    const mneme_page *page = NULL;
    mneme_error error;
    OK(mneme_list(m, &query, &page, &error), &error);
    size_t count = page->count;
    mneme_page_release(m, page);
    return count;
}

static void open_episode__has_each_step_in_every_handle(void **state) {
    enum { STEPS = 12 };
    mneme *handles[] = {open_cached(*state), open_cached(*state)};
    mneme_error error;
    mneme_id id = start_episode(handles[0], "grows");
    for (size_t n = 0; n < STEPS; n++) {
        for (int h = 0; h < 2; h++) {
            assert_steps(handles[h], &id, n, false);
            assert_int_equal(count_children(handles[h], &id), n);
        }
        append_step(handles[n % 2], &id, "a step");
    }
    OK(complete(handles[1], &id, &error), &error);
    for (int h = 0; h < 2; h++) {
        assert_steps(handles[h], &id, STEPS, true);
        assert_int_equal(count_children(handles[h], &id), 0); /* they are inside now */
        assert_int_equal(count_listed(handles[h], MNEME_EPISODE, "outcome", "success"), 1);
        assert_int_equal(count_listed(handles[h], MNEME_EPISODE, "outcome", "open"), 0);
    }
    assert_true(stats_of(handles[0], MNEME_CACHE_EPISODES).hits >= STEPS);
    store_close_ok(handles[0]);
    store_close_ok(handles[1]);
}

/* A step by itself is cached too, and moves into its episode. */
static void step__is_gone_once_its_episode_is_completed(void **state) {
    mneme *handles[] = {open_cached(*state), open_cached(*state)};
    mneme_id episode = start_episode(handles[0], "has one step"), step;
    mneme_step content = step_of("search", "found");
    mneme_error error;
    OK(mneme_step_append(handles[0], &episode, &content, NULL, &step, NULL, &error), &error);
    for (int h = 0; h < 2; h++)
        mneme_release(handles[h], acquire(handles[h], MNEME_STEP, &step));
    OK(complete(handles[0], &episode, &error), &error);
    for (int h = 0; h < 2; h++)
        assert_gone(handles[h], MNEME_STEP, &step);
    store_close_ok(handles[0]);
    store_close_ok(handles[1]);
}

/* An episode that is completed and put open again between two looks has lost its steps all the
 * same. */
static void step__is_gone_though_its_episode_was_opened_again(void **state) {
    mneme *writer = open_cached(*state), *reader = open_cached(*state);
    mneme_id id = start_episode(writer, "twice"), step;
    mneme_step content = step_of("search", "found");
    mneme_episode empty = {.id = id, .task = text("again")};
    mneme_record put = {.kind = MNEME_EPISODE, .id = id, .as.episode = &empty};
    mneme_error error;
    OK(mneme_step_append(writer, &id, &content, NULL, &step, NULL, &error), &error);
    mneme_release(reader, acquire(reader, MNEME_STEP, &step));
    assert_steps(reader, &id, 1, false);
    assert_int_equal(count_children(reader, &id), 1);
    OK(complete(writer, &id, &error), &error);
    OK(mneme_put(writer, &put, 1, NULL, NULL, &error), &error);
    assert_gone(reader, MNEME_STEP, &step);
    assert_steps(reader, &id, 0, false);
    assert_int_equal(count_children(reader, &id), 0);
    store_close_ok(writer);
    store_close_ok(reader);
}

/* ---- Another process --------------------------------------------------------------------- */

/* A process that reads an episode when it is told to, and answers with what it has seen. */
struct observer {
    const char *path;
    mneme_id id;
    int end; /* its own end of a socket */
};

struct seen {
    unsigned steps, children, sealed, tagged, gone;
};

static int observe_once(mneme *m, const struct observer *observer, struct seen *seen) {
    const mneme_record *record;
    mneme_error error;
    mneme_pair where = {.name = text("tag"), .value = text("seen")};
    mneme_query queries[] = {{.kind = MNEME_STEP, .parent = &observer->id},
                             {.kind = MNEME_EPISODE, .where = &where, .where_count = 1}};
    int status = mneme_acquire(m, MNEME_EPISODE, &observer->id, &record, &error);
    *seen = (struct seen){.gone = status == MNEME_NOT_FOUND};
    if (status == 0) {
        seen->steps = (unsigned)record->as.episode->steps.count;
        seen->sealed = (record->flags & MNEME_FLAG_SEALED) != 0;
        mneme_release(m, record);
    }
    for (int i = 0; i < 2; i++) {
        const mneme_page *page;
        CHILD_CHECK(mneme_list(m, &queries[i], &page, &error) == 0, "%s", error.message);
        *(i ? &seen->tagged : &seen->children) = (unsigned)page->count;
        mneme_page_release(m, page);
    }
    return 0;
}

static int observe(void *context) {
    struct observer *observer = context;
    mneme_options options = cached_options();
    mneme *m = NULL;
    mneme_error error;
    char go;
    int status = mneme_open(observer->path, &options, &m, &error);
    CHILD_CHECK(status == 0, "%s", error.message);
    while (read(observer->end, &go, 1) == 1) {
        struct seen first, seen;
        observe_once(m, observer, &first);
        observe_once(m, observer, &seen);
        CHILD_CHECK(memcmp(&first, &seen, sizeof seen) == 0, "read twice and different");
        CHILD_CHECK(write(observer->end, &seen, sizeof seen) == sizeof seen, "write");
    }
    return mneme_close(m, &error) == 0 ? 0 : 1;
}

static void assert_seen(int end, const struct seen *expected) {
    struct seen seen;
    assert_int_equal(write(end, "x", 1), 1);
    assert_int_equal(read(end, &seen, sizeof seen), sizeof seen);
    assert_memory_equal(&seen, expected, sizeof seen);
}

static void another_process__sees_each_change(void **state) {
    struct home *home = *state;
    struct observer observer = {.path = home->path};
    struct seen expected = {0};
    int ends[2];
    mneme_error error;
    mneme *m = open_cached(home);
    observer.id = start_episode(m, "watched from elsewhere");
    store_close_ok(m); /* what forks has no store open */
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    observer.end = ends[1];
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        _exit(observe(&observer));
    }
    close(ends[1]);
    m = open_cached(home);
    for (unsigned n = 1; n <= 5; n++) {
        assert_seen(ends[0], &expected);
        append_step(m, &observer.id, "a step");
        expected.steps = expected.children = n;
    }
    assert_seen(ends[0], &expected);
    OK(mneme_tag_add(m, MNEME_EPISODE, &observer.id, text("seen"), NULL, &error), &error);
    expected.tagged = 1;
    assert_seen(ends[0], &expected);
    OK(complete(m, &observer.id, &error), &error);
    expected.sealed = 1;
    expected.children = 0;
    assert_seen(ends[0], &expected);
    OK(mneme_tag_remove(m, MNEME_EPISODE, &observer.id, text("seen"), NULL, &error), &error);
    expected.tagged = 0;
    assert_seen(ends[0], &expected);
    delete_record(m, MNEME_EPISODE, &observer.id);
    assert_seen(ends[0], &(struct seen){.gone = 1});
    close(ends[0]);
    assert_int_equal(child_wait(child), 0);
    store_close_ok(m);
}

/* ---- Tags, deletes, queued writes -------------------------------------------------------- */

static void tag__moves_a_record_between_lists(void **state) {
    mneme *handles[] = {open_cached(*state), open_cached(*state)};
    mneme_error error;
    mneme_id id = put_pattern(handles[0], "name", "tagged");
    for (int round = 0; round < 4; round++) {
        mneme *m = handles[round / 2];
        int add = round % 2 == 0;
        for (int h = 0; h < 2; h++)
            assert_int_equal(count_listed(handles[h], MNEME_PATTERN, "tag", "t"), !add);
        if (add)
            OK(mneme_tag_add(m, MNEME_PATTERN, &id, text("t"), NULL, &error), &error);
        else
            OK(mneme_tag_remove(m, MNEME_PATTERN, &id, text("t"), NULL, &error), &error);
        for (int h = 0; h < 2; h++) {
            const mneme_record *record = acquire(handles[h], MNEME_PATTERN, &id);
            assert_int_equal(record->as.pattern->tags.count, add);
            mneme_release(handles[h], record);
            assert_int_equal(count_listed(handles[h], MNEME_PATTERN, "tag", "t"), add);
        }
    }
    store_close_ok(handles[0]);
    store_close_ok(handles[1]);
}

static void delete__is_seen_by_every_handle(void **state) {
    mneme *handles[] = {open_cached(*state), open_cached(*state)};
    mneme_id ids[2] = {put_pattern(handles[0], "name", "stays"),
                       put_pattern(handles[0], "name", "goes")};
    for (int h = 0; h < 2; h++)
        assert_int_equal(count_listed(handles[h], MNEME_PATTERN, "type", "tool_sequence"), 2);
    delete_record(handles[1], MNEME_PATTERN, &ids[1]);
    for (int h = 0; h < 2; h++) {
        assert_gone(handles[h], MNEME_PATTERN, &ids[1]);
        mneme_release(handles[h], acquire(handles[h], MNEME_PATTERN, &ids[0]));
        assert_int_equal(count_listed(handles[h], MNEME_PATTERN, "type", "tool_sequence"), 1);
    }
    rewrite_pattern(handles[0], &ids[1], "is back");
    for (int h = 0; h < 2; h++) {
        const mneme_record *record = acquire(handles[h], MNEME_PATTERN, &ids[1]);
        assert_description(record, "is back");
        mneme_release(handles[h], record);
    }
    store_close_ok(handles[0]);
    store_close_ok(handles[1]);
}

/* A queued write goes past the caches; once its ticket resolves it is seen. */
static void queued_write__is_seen_once_it_is_on_disk(void **state) {
    mneme *m = open_cached(*state);
    mneme_id id = put_pattern(m, "name", "first");
    mneme_release(m, acquire(m, MNEME_PATTERN, &id));
    mneme_ticket ticket;
    mneme_write how = {.durability = MNEME_BATCH, .ticket = &ticket};
    mneme_pattern pattern = pattern_of("name", "queued");
    mneme_record put = {.kind = MNEME_PATTERN, .id = id, .as.pattern = &pattern};
    mneme_error error;
    OK(mneme_put(m, &put, 1, &how, NULL, &error), &error);
    OK(mneme_ticket_wait(m, ticket, -1, &error), &error);
    const mneme_record *record = acquire(m, MNEME_PATTERN, &id);
    assert_description(record, "queued");
    mneme_release(m, record);
    store_close_ok(m);
}

/* A step that could change its episode would stay in what others have cached of the old one. */
static void step__does_not_move_to_another_episode(void **state) {
    mneme *m = open_cached(*state);
    mneme_error error;
    mneme_id first = start_episode(m, "has it"), second = start_episode(m, "wants it"), id;
    mneme_step step = {.action = mneme_text_of("act")};
    OK(mneme_step_append(m, &first, &step, NULL, &id, NULL, &error), &error);
    assert_steps(m, &first, 1, false);
    mneme_record moved = {.kind = MNEME_STEP, .id = id, .parent = second, .as.step = &step};
    step.id = id;
    REFUSED(mneme_put(m, &moved, 1, NULL, NULL, &error), MNEME_CONFLICT, &error);
    REFUSED(mneme_step_append(m, &second, &step, NULL, NULL, NULL, &error), MNEME_CONFLICT, &error);
    assert_steps(m, &first, 1, false);
    assert_steps(m, &second, 0, false);
    /* Nor by way of a delete: the log would name the new episode only. */
    OK(mneme_delete(m, MNEME_STEP, &id, 1, NULL, &error), &error);
    REFUSED(mneme_put(m, &moved, 1, NULL, NULL, &error), MNEME_CONFLICT, &error);
    assert_steps(m, &first, 0, false);
    assert_int_equal(count_children(m, &second), 0);
    store_close_ok(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        HOME_CASE(open_episode__has_each_step_in_every_handle),
        HOME_CASE(step__is_gone_once_its_episode_is_completed),
        HOME_CASE(step__is_gone_though_its_episode_was_opened_again),
        HOME_CASE(another_process__sees_each_change),
        HOME_CASE(step__does_not_move_to_another_episode),
        HOME_CASE(tag__moves_a_record_between_lists),
        HOME_CASE(delete__is_seen_by_every_handle),
        HOME_CASE(queued_write__is_seen_once_it_is_on_disk),
    };
    return cmocka_run_group_tests_name("api/cache change", tests, NULL, NULL);
}
