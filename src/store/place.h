/*
 * place.h - where a store that is a file may lie; the same rules for each kind of file.
 */
#ifndef MNEME_STORE_PLACE_H
#define MNEME_STORE_PLACE_H

#include "os/os.h"

struct place_rules {
    bool must_exist, read_only, allow_network_filesystem;
};

/* What is at `path`, and whether there may be a store. Where there is nothing, the directories
 * above it are made. MNEME_NOT_FOUND: nothing, and it must exist or is only to be read.
 * MNEME_UNSUPPORTED: on a network filesystem. */
int place_inspect(const char *path, const struct place_rules *rules, struct path_info *info,
                  mneme_error *error);

/* Whether what is there is a plain file with something in it; `example` is a name for one.
 * MNEME_INVALID, MNEME_CORRUPT: empty. */
int place_check_file(const char *path, const struct path_info *info, const char *example,
                     mneme_error *error);

#endif
