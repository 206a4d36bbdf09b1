/*
 * feed.c - the calls of feed.h: what is the same for every feed, then the feed's operation.
 */
#include "store/feed.h"

void feed_answer_fini(struct feed_answer *answer) {
    record_set_fini(&answer->records);
    *answer = (struct feed_answer){0};
}

int feed_exchange(struct feed *feed, struct feed_request *request, struct feed_answer *answer,
                  mneme_error *error) {
    AUTO_ANSWER struct feed_answer got = {0};
    if (request->pull_max > FEED_PULL_MAX)
        return error_set(error, MNEME_INVALID, "an exchange asks for %zu records; at most %d",
                         request->pull_max, FEED_PULL_MAX);
    if (request->quiet && (request->push_count || request->pull_max))
        return error_set(error, MNEME_INVALID, "a quiet exchange neither pushes nor pulls");
    TRY(feed->operations->exchange(feed, request, &got, error));
    feed_answer_fini(answer);
    *answer = got;
    got = (struct feed_answer){0};
    return 0;
}

int feed_peers(struct feed *feed, struct feed_peer *peers, size_t room, size_t *count,
               mneme_error *error) {
    return feed->operations->peers(feed, peers, room, count, error);
}

int feed_collect(struct feed *feed, int64_t keep_us, uint64_t *collected, mneme_error *error) {
    return feed->operations->collect(feed, keep_us, collected, error);
}

int feed_wait(struct feed *feed, int64_t until_us, mneme_error *error) {
    return feed->operations->wait(feed, until_us, error);
}

void feed_wake(struct feed *feed) { feed->operations->wake(feed); }

void feed_close(struct feed *feed) {
    if (feed)
        feed->operations->close(feed);
}
