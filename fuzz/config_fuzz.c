/*
 * config_fuzz.c - the configuration file: any bytes either become settings that keep their
 * rules, or an error that names the file.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds) {
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct pool pool = {NULL};
    struct settings settings = {.pool = &pool};
    mneme_error error = {0}, again = {0};
    mneme_text text = {(const char *)data, size};
    int status = settings_parse(&settings, text, "config.ini", &error);
    check(status == 0 || strncmp(error.message, "config.ini:", 11) == 0);
    for (int i = 0; i < SETTING_COUNT; i++) {
        const char *value = settings.values[i];
        check((value == NULL) == (settings.origins[i] == NULL));
        check(value == NULL || value_check(&setting_specs[i].rule, "x", value, &again) == 0);
    }
    pool_free(&pool);
    return 0;
}
