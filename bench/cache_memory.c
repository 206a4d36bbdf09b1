/*
 * cache_memory.c - what a full cache takes from the heap, against the bytes that it was given.
 */
#include <malloc.h>

#include "bench/cache_cases.h"
#include "bench/cache_value.h"
#include "bench/generate.h"

/* The limit in entries is set where that in bytes comes first, by a little. */
enum { LIMIT = 64 << 20, BYTES_AN_ENTRY = 1600 };

/* Bytes that are allocated and not freed. */
static size_t heap_bytes(void) {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static int resident_kib(uint64_t *out, mneme_error *error) {
    (void)malloc_trim(0);
    return proc_number("/proc/self/status", "RssAnon", out, error);
}

/* Keep values of `least` to `most` bytes until several times the limit has gone through. */
static int fill(struct cache *cache, size_t limit, size_t least, size_t most, mneme_error *error) {
    enum { TIMES_OVER = 4 };
    size_t kept = 0;
    for (uint64_t i = 0; kept < TIMES_OVER * limit; i++) {
        size_t bytes = least + (size_t)(mix(3, i) % (most - least + 1));
        struct cache_item *item = value_make(i, bytes);
        if (!item)
            return error_set(error, MNEME_NO_MEMORY, "no memory for a value");
        kept += item->node.size;
        cache_keep(cache, item);
    }
    return 0;
}

static void report_bytes(struct kit *kit, const char *name, double bytes, size_t limit,
                         struct goal goal) {
    report_row(&kit->report, &(struct row){.name = name,
                                           .unit = "KiB",
                                           .reference = "the limit in bytes",
                                           .value = {.median = bytes / 1024},
                                           .reference_value = {.median = (double)limit / 1024},
                                           .goal = goal});
}

/* The cache's own tables count too. */
static int full_cache(struct kit *kit, const char *values, size_t least, size_t most,
                      mneme_error *error) {
    AUTO_CACHE struct cache *cache = NULL;
    size_t limit = bench_size(kit->options, 1 << 20, LIMIT, LIMIT);
    uint64_t resident, resident_before;
    char name[32];
    TRY(resident_kib(&resident_before, error));
    size_t before = heap_bytes();
    TRY(value_cache_create(limit, limit / BYTES_AN_ENTRY, 0, &cache, error));
    TRY(fill(cache, limit, least, most, error));
    size_t after = heap_bytes();
    TRY(resident_kib(&resident, error));
    snprintf(name, sizeof name, "heap: values of %s", values);
    report_bytes(kit, name, (double)(after - size_min(before, after)), limit, AT_MOST(1.1));
    snprintf(name, sizeof name, "resident: values of %s", values);
    double grown = (double)resident - (double)resident_before;
    report_bytes(kit, name, grown > 0 ? grown * 1024 : 0, limit, NO_GOAL);
    return 0;
}

int cache_memory_of_handle(struct kit *kit, const struct scratch_path *path, const mneme_id *ids,
                           size_t count, mneme_error *error) {
    AUTO_HANDLE mneme *m = NULL;
    size_t limit = bench_size(kit->options, 1 << 19, LIMIT, LIMIT);
    mneme_options options = {.size = sizeof options, .no_training = true};
    options.cache.limits[MNEME_CACHE_PATTERNS] =
        (mneme_cache_limits){.bytes = limit, .entries = limit / BYTES_AN_ENTRY};
    size_t before = heap_bytes();
    TRY(mneme_open(path->text, &options, &m, error));
    for (size_t i = 0; i < count; i++) {
        const mneme_record *record;
        TRY(mneme_acquire(m, MNEME_PATTERN, &ids[i], &record, error));
        mneme_release(m, record);
    }
    size_t after = heap_bytes();
    report_bytes(kit, "heap: all of them read", (double)(after - size_min(before, after)), limit,
                 AT_MOST(1.1));
    return 0;
}

int cache_memory(struct kit *kit, mneme_error *error) {
    report_heading(&kit->report, "memory of a full cache, filled four times over");
    TRY(full_cache(kit, "2 KB", 2048, 2048, error));
    return full_cache(kit, "0.5-30 KB", 512, 30 << 10, error);
}
