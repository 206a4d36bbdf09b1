/*
 * cache_zipf.c - drawing keys by Zipf's law.
 */
#include "bench/cache_zipf.h"

#include <math.h>

#include "bench/generate.h"

int zipf_init(struct zipf *zipf, double exponent, size_t count, uint64_t seed, mneme_error *error) {
    double sum = 0;
    *zipf = (struct zipf){.count = count, .seed = seed};
    zipf->up_to = mem_zalloc(count, sizeof *zipf->up_to);
    if (!zipf->up_to)
        return error_set(error, MNEME_NO_MEMORY, "no memory for the popularity of %zu keys", count);
    for (size_t k = 0; k < count; k++)
        zipf->up_to[k] = sum += pow((double)(k + 1), -exponent);
    for (size_t k = 0; k < count; k++)
        zipf->up_to[k] /= sum;
    return 0;
}

void zipf_fini(struct zipf *zipf) {
    mem_free(zipf->up_to);
    *zipf = (struct zipf){0};
}

size_t zipf_draw(struct zipf *zipf) {
    double chance = fraction_of(mix(zipf->seed, zipf->drawn++));
    size_t low = 0, high = zipf->count - 1; /* the first whose up_to is greater */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (zipf->up_to[middle] > chance)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

int zipf_sequence(double exponent, size_t count, size_t draws, struct arena *arena, uint32_t **out,
                  mneme_error *error) {
    AUTO_ZIPF struct zipf zipf = {0};
    TRY(zipf_init(&zipf, exponent, count, 1, error));
    uint32_t *sequence = arena_zalloc(arena, draws, sizeof *sequence);
    if (!sequence)
        return error_set(error, MNEME_NO_MEMORY, "no memory for %zu requests", draws);
    for (size_t i = 0; i < draws; i++)
        sequence[i] = (uint32_t)zipf_draw(&zipf);
    *out = sequence;
    return 0;
}
