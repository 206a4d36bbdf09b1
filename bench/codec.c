/*
 * codec.c - `mneme bench codec`: what records take; codec_speed.c has the rest.
 */
#include "bench/benches.h"
#include "bench/codec_cases.h"
#include "store/kv/kv_impl.h"

int forms_no_memory(mneme_error *error) {
    return error_set(error, MNEME_NO_MEMORY, "no memory for records");
}

static int forms_init(struct forms *f, struct kit *kit, mneme_kind kind,
                      const struct record_list *records, size_t bytes_a_run, mneme_error *error) {
    AUTO_BUF struct buf json = BUF_INIT(SIZE_MAX);
    *f = (struct forms){.records = records, .dictionary = kit_dictionary(kit, kind)};
    f->plain = arena_zalloc(&kit->arena, records->count, sizeof *f->plain);
    f->headers = arena_zalloc(&kit->arena, records->count, sizeof *f->headers);
    if (!f->plain || !f->headers)
        return forms_no_memory(error);
    TRY(kit_bodies(records, &kit->arena, f->plain, f->headers, error));
    for (size_t i = 0; i < records->count; i++) {
        buf_reset(&json);
        TRY(model_to_json(records->items[i], &json, error));
        f->json_bytes += json.size;
        f->plain_bytes += f->plain[i].size;
        f->largest = size_max(f->largest, f->plain[i].size);
    }
    f->passes = bytes_a_run / size_max(f->plain_bytes, 1) + 1;
    return 0;
}

static void forms_fini(struct forms *f) { dictionary_drop(f->dictionary); }

/* ---- Sizes -------------------------------------------------------------------------------- */

/* All of a record that lies in the records table: checksum, header, attributes, body. */
static int blob_size(const struct forms *f, size_t i, struct slice body, size_t *size,
                     mneme_error *error) {
    enum { USUAL_CHANGE = 100000 };
    AUTO_BUF struct buf blob = BUF_INIT(KV_BLOB_MAX);
    struct stored_record record = f->headers[i];
    record.body = body;
    record.change = USUAL_CHANGE + i;
    record.version = (mneme_version){(uint64_t)record.time_us / 1000 << 16 | i, 1};
    TRY(kv_blob_write(&blob, &record, 1, error));
    *size = blob.size;
    return 0;
}

static int packed_sizes(const struct forms *f, enum pack_algorithm algorithm, size_t *bodies,
                        size_t *blobs, mneme_error *error) {
    const struct pack_options options = {.algorithm = algorithm};
    struct packer *packer;
    int status = 0;
    TRY(packer_create(&options, &packer, error));
    *bodies = *blobs = 0;
    for (size_t i = 0; i < f->records->count && status == 0; i++) {
        AUTO_BUF struct buf packed = BUF_INIT(STORE_BODY_MAX);
        size_t size = 0;
        status = pack(packer, f->dictionary, f->plain[i], &packed, error);
        if (status == 0)
            status = blob_size(f, i, buf_slice(&packed), &size, error);
        *bodies += packed.size;
        *blobs += size;
    }
    packer_destroy(packer);
    return status;
}

static void report_size(struct kit *kit, const struct forms *f, const char *name, size_t bytes,
                        struct goal goal) {
    double count = (double)f->records->count;
    report_row(&kit->report,
               &(struct row){.name = name,
                             .unit = "B",
                             .reference = "plain JSON",
                             .value = {.median = (double)bytes / count},
                             .reference_value = {.median = (double)f->json_bytes / count},
                             .goal = goal});
}

static int sizes(struct kit *kit, const struct forms *episodes, const struct forms *steps,
                 mneme_error *error) {
    size_t bodies, blobs;
    report_heading(&kit->report,
                   "bytes a record: with checksum, header and attributes, and the body alone");
    TRY(packed_sizes(episodes, PACK_ZSTD_DICTIONARY, &bodies, &blobs, error));
    report_size(kit, episodes, "episode, stored", blobs, AT_MOST(0.17));
    report_size(kit, episodes, "episode, body alone", bodies, NO_GOAL);
    TRY(packed_sizes(steps, PACK_ZSTD_DICTIONARY, &bodies, &blobs, error));
    report_size(kit, steps, "single step, stored", blobs, AT_MOST(0.25));
    report_size(kit, steps, "single step, body alone", bodies, NO_GOAL);
    return 0;
}

static int sizes_by_algorithm(struct kit *kit, const struct forms *episodes,
                              const struct forms *steps, mneme_error *error) {
    static const char *const names[][2] = {
        [PACK_RAW] = {"episode body, none", "step body, none"},
        [PACK_LZ4] = {"episode body, lz4", "step body, lz4"},
        [PACK_GZIP] = {"episode body, gzip", "step body, gzip"},
        [PACK_ZSTD] = {"episode body, zstd", "step body, zstd"},
        [PACK_ZSTD_DICTIONARY] = {"episode body, zstd + dictionary",
                                  "step body, zstd + dictionary"}};
    report_heading(&kit->report, "bodies by algorithm (steps under 1,024 bytes stay raw without a "
                                 "dictionary)");
    for (size_t i = 0; i < 2 * COUNT_OF(names); i++) {
        const struct forms *f = i < COUNT_OF(names) ? episodes : steps;
        size_t algorithm = i % COUNT_OF(names), bodies, blobs;
        TRY(packed_sizes(f, (enum pack_algorithm)algorithm, &bodies, &blobs, error));
        report_size(kit, f, names[algorithm][f == steps], bodies, NO_GOAL);
    }
    return 0;
}

int codec_bench(const struct bench_options *options, mneme_error *error) {
    AUTO_KIT struct kit kit = {0};
    CLEANUP(forms_fini) struct forms episodes = {0};
    CLEANUP(forms_fini) struct forms steps = {0};
    size_t bytes_a_run = bench_size(options, 1, 20 << 20, 100 << 20);
    TRY(kit_init(&kit, options, error));
    TRY(forms_init(&episodes, &kit, MNEME_EPISODE, &kit.corpus.fresh, bytes_a_run, error));
    TRY(forms_init(&steps, &kit, MNEME_STEP, &kit.steps, bytes_a_run, error));
    TRY(sizes(&kit, &episodes, &steps, error));
    TRY(sizes_by_algorithm(&kit, &episodes, &steps, error));
    TRY(codec_speeds(&kit, &episodes, &steps, error));
    return kit_end(&kit, error);
}
