/*
 * place.c - see place.h.
 */
#include "store/place.h"

int place_inspect(const char *path, const struct place_rules *rules, struct path_info *info,
                  mneme_error *error) {
    bool network;
    const char *kind = "";
    TRY(path_inspect(path, info, error));
    if (info->type == PATH_ABSENT && (rules->must_exist || rules->read_only))
        return error_set(error, MNEME_NOT_FOUND,
                         "there is no store at %s; make one with `mneme init`, or name another",
                         path);
    if (info->type == PATH_ABSENT)
        TRY(path_make_parents(path, error));
    TRY(path_on_network(path, &network, &kind, error));
    if (network && !rules->allow_network_filesystem)
        return error_set(error, MNEME_UNSUPPORTED,
                         "%s is on %s, where locks between machines cannot be trusted; keep the "
                         "store on a local disk",
                         path, kind);
    return 0;
}

int place_check_file(const char *path, const struct path_info *info, const char *example,
                     mneme_error *error) {
    if (info->type == PATH_DIRECTORY)
        return error_set(error, MNEME_INVALID,
                         "%s is a directory; name a file in it, such as %s/%s", path, path,
                         example);
    if (info->type == PATH_SYMLINK)
        return error_set(error, MNEME_INVALID,
                         "%s is a symbolic link; name the file that it points to", path);
    if (info->type != PATH_FILE)
        return error_set(error, MNEME_INVALID, "%s is not a plain file", path);
    if (info->size == 0)
        return error_set(error, MNEME_CORRUPT,
                         "%s is empty, and no store: delete it to make a new one there, or restore "
                         "it from a backup",
                         path);
    return 0;
}
