/*
 * codec_speed.c - how fast records are compressed, against zstd called directly, and encoded.
 */
#include "bench/codec_cases.h"
#include "bench/reference_zstd.h"

enum { LEVEL = 3 };

/* ---- Compression speed -------------------------------------------------------------------- */

struct packing {
    const struct forms *forms;
    struct packer *packer;
    struct zstd_reference zstd;
    struct slice *packed; /* by the packer */
    struct slice *frames; /* by zstd alone */
    struct arena arena;
    uint8_t *room; /* for one body, plain or compressed */
    size_t room_size;
};

static double rate(const struct forms *f, double seconds) {
    return (double)(f->plain_bytes * f->passes) / 1e6 / seconds;
}

static int find_dictionary(void *context, const uint8_t ref[PACK_REF_SIZE], struct dictionary **out,
                           mneme_error *error) {
    struct packing *p = context;
    (void)ref;
    (void)error;
    *out = dictionary_hold(p->forms->dictionary);
    return 0;
}

static int run_pack(void *context, double *value, mneme_error *error) {
    struct packing *p = context;
    const struct forms *f = p->forms;
    AUTO_BUF struct buf out = BUF_INIT(SIZE_MAX);
    double start = seconds_now();
    for (size_t pass = 0; pass < f->passes; pass++) {
        for (size_t i = 0; i < f->records->count; i++) {
            buf_reset(&out);
            TRY(pack(p->packer, f->dictionary, f->plain[i], &out, error));
        }
    }
    *value = rate(f, seconds_now() - start);
    return 0;
}

static int run_unpack(void *context, double *value, mneme_error *error) {
    struct packing *p = context;
    const struct forms *f = p->forms;
    double start = seconds_now();
    for (size_t pass = 0; pass < f->passes; pass++) {
        for (size_t i = 0; i < f->records->count; i++) {
            AUTO_ARENA struct arena arena = {.first_size = p->room_size};
            struct slice plain;
            TRY(unpack(p->packer, p->packed[i], find_dictionary, p, &arena, &plain, error));
        }
    }
    *value = rate(f, seconds_now() - start);
    return 0;
}

static int run_zstd_pack(void *context, double *value, mneme_error *error) {
    struct packing *p = context;
    const struct forms *f = p->forms;
    double start = seconds_now();
    for (size_t pass = 0; pass < f->passes; pass++) {
        for (size_t i = 0; i < f->records->count; i++) {
            size_t size;
            TRY(zstd_reference_compress(&p->zstd, f->plain[i], p->room, p->room_size, &size,
                                        error));
        }
    }
    *value = rate(f, seconds_now() - start);
    return 0;
}

static int run_zstd_unpack(void *context, double *value, mneme_error *error) {
    struct packing *p = context;
    const struct forms *f = p->forms;
    double start = seconds_now();
    for (size_t pass = 0; pass < f->passes; pass++)
        for (size_t i = 0; i < f->records->count; i++)
            TRY(zstd_reference_decompress(&p->zstd, p->frames[i], p->room, f->plain[i].size,
                                          error));
    *value = rate(f, seconds_now() - start);
    return 0;
}

static int packing_fill(struct packing *p, mneme_error *error) {
    const struct forms *f = p->forms;
    p->room_size = ZSTD_compressBound(f->largest);
    p->room = arena_alloc(&p->arena, p->room_size);
    p->packed = arena_zalloc(&p->arena, f->records->count, sizeof *p->packed);
    p->frames = arena_zalloc(&p->arena, f->records->count, sizeof *p->frames);
    if (!p->room || !p->packed || !p->frames)
        return forms_no_memory(error);
    for (size_t i = 0; i < f->records->count; i++) {
        AUTO_BUF struct buf out = BUF_INIT(SIZE_MAX);
        size_t size;
        TRY(pack(p->packer, f->dictionary, f->plain[i], &out, error));
        TRY(zstd_reference_compress(&p->zstd, f->plain[i], p->room, p->room_size, &size, error));
        if (arena_copy(&p->arena, buf_slice(&out), &p->packed[i]) ||
            arena_copy(&p->arena, slice_of(p->room, size), &p->frames[i]))
            return forms_no_memory(error);
    }
    return 0;
}

static int packing_init(struct packing *p, const struct forms *forms, enum pack_algorithm algorithm,
                        mneme_error *error) {
    const struct pack_options options = {.algorithm = algorithm};
    bool with = algorithm == PACK_ZSTD_DICTIONARY && forms->dictionary;
    struct slice dictionary = with ? dictionary_bytes(forms->dictionary) : (struct slice){0};
    p->forms = forms;
    TRY(packer_create(&options, &p->packer, error));
    TRY(zstd_reference_init(&p->zstd, dictionary, LEVEL, error));
    return packing_fill(p, error);
}

static void packing_fini(struct packing *p) {
    packer_destroy(p->packer);
    zstd_reference_fini(&p->zstd);
    arena_fini(&p->arena);
}

/* Pack and unpack against zstd called directly. */
static int speed_of_zstd(struct kit *kit, const struct forms *forms, enum pack_algorithm algorithm,
                         const char *pack_name, const char *unpack_name, mneme_error *error) {
    CLEANUP(packing_fini) struct packing p = {0};
    TRY(packing_init(&p, forms, algorithm, error));
    TRY(kit_compare(kit, pack_name, "MB/s", (struct contestant){run_pack, &p}, "zstd alone",
                    (struct contestant){run_zstd_pack, &p}, NO_GOAL, error));
    return kit_compare(kit, unpack_name, "MB/s", (struct contestant){run_unpack, &p}, "zstd alone",
                       (struct contestant){run_zstd_unpack, &p}, NO_GOAL, error);
}

static int report_speed(struct kit *kit, const char *name, const char *unit, contestant_run *run,
                        void *context, mneme_error *error) {
    const struct contestant only = {run, context};
    struct measured result;
    report_progress(&kit->report, "measuring: %s", name);
    TRY(measure(kit->options, &only, 1, &result, error));
    report_row(&kit->report, &(struct row){.name = name, .unit = unit, .value = result});
    return 0;
}

static int speed_of_other(struct kit *kit, const struct forms *forms, enum pack_algorithm algorithm,
                          const char *pack_name, const char *unpack_name, mneme_error *error) {
    CLEANUP(packing_fini) struct packing p = {0};
    TRY(packing_init(&p, forms, algorithm, error));
    TRY(report_speed(kit, pack_name, "MB/s", run_pack, &p, error));
    return report_speed(kit, unpack_name, "MB/s", run_unpack, &p, error);
}

static int packing_speeds(struct kit *kit, const struct forms *episodes, const struct forms *steps,
                          mneme_error *error) {
    report_heading(&kit->report, "compression, in bytes of plain bodies");
    TRY(speed_of_zstd(kit, episodes, PACK_ZSTD_DICTIONARY, "pack episodes, zstd + dict.",
                      "unpack episodes, zstd + dict.", error));
    TRY(speed_of_zstd(kit, steps, PACK_ZSTD_DICTIONARY, "pack steps, zstd + dict.",
                      "unpack steps, zstd + dict.", error));
    TRY(speed_of_zstd(kit, episodes, PACK_ZSTD, "pack episodes, zstd", "unpack episodes, zstd",
                      error));
    TRY(speed_of_other(kit, episodes, PACK_LZ4, "pack episodes, lz4", "unpack episodes, lz4",
                       error));
    return speed_of_other(kit, episodes, PACK_GZIP, "pack episodes, gzip", "unpack episodes, gzip",
                          error);
}

/* ---- Encoding ------------------------------------------------------------------------------ */

struct coding {
    const struct forms *forms;
    mneme_bytes *lines; /* the records as JSON */
};

static double per_record(const struct forms *f, double seconds) {
    return seconds * 1e9 / (double)(f->records->count * f->passes);
}

static int run_encode(void *context, double *value, mneme_error *error) {
    const struct forms *f = ((struct coding *)context)->forms;
    AUTO_BUF struct buf body = BUF_INIT(SIZE_MAX);
    double start = seconds_now();
    for (size_t i = 0; i < f->records->count * f->passes; i++) {
        AUTO_ARENA struct arena arena = {0};
        struct stored_record stored;
        buf_reset(&body);
        TRY(model_encode(f->records->items[i % f->records->count], &arena, &body, &stored, error));
    }
    *value = per_record(f, seconds_now() - start);
    return 0;
}

static int run_decode(void *context, double *value, mneme_error *error) {
    const struct forms *f = ((struct coding *)context)->forms;
    double start = seconds_now();
    for (size_t i = 0; i < f->records->count * f->passes; i++) {
        AUTO_ARENA struct arena arena = {.first_size = 16384};
        mneme_record record;
        size_t at = i % f->records->count;
        TRY(model_decode(&f->headers[at], f->plain[at], &arena, &record, error));
    }
    *value = per_record(f, seconds_now() - start);
    return 0;
}

static int run_to_json(void *context, double *value, mneme_error *error) {
    const struct forms *f = ((struct coding *)context)->forms;
    mneme_bytes line = {0};
    int status = 0;
    double start = seconds_now();
    for (size_t i = 0; i < f->records->count * f->passes && status == 0; i++) {
        line.size = 0;
        status = mneme_record_to_json(f->records->items[i % f->records->count], &line, error);
    }
    *value = per_record(f, seconds_now() - start);
    mneme_bytes_free(&line);
    return status;
}

static int run_from_json(void *context, double *value, mneme_error *error) {
    const struct coding *c = context;
    const struct forms *f = c->forms;
    double start = seconds_now();
    for (size_t i = 0; i < f->records->count * f->passes; i++) {
        const mneme_bytes *line = &c->lines[i % f->records->count];
        const mneme_record *record;
        TRY(mneme_record_from_json((mneme_text){line->data, line->size}, MNEME_KIND_NONE, &record,
                                   error));
        mneme_record_free(record);
    }
    *value = per_record(f, seconds_now() - start);
    return 0;
}

static int coding_rows(struct kit *kit, struct coding *c, const char *const names[4],
                       mneme_error *error) {
    static contestant_run *const runs[] = {run_encode, run_decode, run_to_json, run_from_json};
    int status = 0;
    for (size_t i = 0; i < c->forms->records->count && status == 0; i++)
        status = mneme_record_to_json(c->forms->records->items[i], &c->lines[i], error);
    for (size_t i = 0; i < COUNT_OF(runs) && status == 0; i++)
        status = report_speed(kit, names[i], "ns", runs[i], c, error);
    for (size_t i = 0; i < c->forms->records->count; i++)
        mneme_bytes_free(&c->lines[i]);
    return status;
}

static int coding_speeds(struct kit *kit, const struct forms *forms, const char *const names[4],
                         mneme_error *error) {
    struct coding c = {.forms = forms};
    c.lines = arena_zalloc(&kit->arena, forms->records->count, sizeof *c.lines);
    return c.lines ? coding_rows(kit, &c, names, error) : forms_no_memory(error);
}

int codec_speeds(struct kit *kit, const struct forms *episodes, const struct forms *steps,
                 mneme_error *error) {
    static const char *const episode_names[] = {"encode an episode", "decode an episode",
                                                "episode to JSON", "episode from JSON"};
    static const char *const step_names[] = {"encode a step", "decode a step", "step to JSON",
                                             "step from JSON"};
    TRY(packing_speeds(kit, episodes, steps, error));
    report_heading(&kit->report, "encoding and JSON");
    TRY(coding_speeds(kit, episodes, episode_names, error));
    return coding_speeds(kit, steps, step_names, error);
}
