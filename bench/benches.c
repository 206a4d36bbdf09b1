/*
 * benches.c - the table of benches.
 */
#include "bench/benches.h"

const struct bench benches[] = {
    {"store", store_bench, "durable writes, reads, growth"},
    {"codec", codec_bench, "sizes, compression, encoding"},
    {"import", import_bench, "imports of whole files"},
    {"cache", cache_bench, "hits, threads, memory, hit rates on traces"},
    {"remote", remote_bench, "a store behind a server, near and 40 ms away"},
    {"sync", sync_bench, "a store that is synced with a server, and another machine"},
    {"metrics", metrics_bench, "what it costs to count and time operations"},
    {"targets", targets_bench, "every figure that the plan asks for"},
    {"soak", soak_bench, "load while everything goes wrong, and a look at every record behind it"},
    {"report", report_bench, NULL},
    {"generate", generate_bench, NULL},
};
const size_t bench_count = COUNT_OF(benches);

const struct bench *bench_find(struct slice name) {
    for (size_t i = 0; i < bench_count; i++)
        if (slice_equal(name, slice_of_string(benches[i].name)))
            return &benches[i];
    return NULL;
}

struct bench_names bench_names(bool reported) {
    struct bench_names names = {0};
    size_t last = 0, size = 0;
    for (size_t i = 0; i < bench_count; i++)
        if (!reported || benches[i].about)
            last = i;
    for (size_t i = 0; i <= last; i++)
        if (!reported || benches[i].about)
            size += (size_t)snprintf(names.text + size, sizeof names.text - size, "%s%s",
                                     size == 0   ? ""
                                     : i == last ? " and "
                                                 : ", ",
                                     benches[i].name);
    return names;
}
