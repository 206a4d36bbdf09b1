/*
 * scratch.c - the bench's own directory: made on a real disk, removed at the end.
 */
#include "bench/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Magic numbers of statfs(2); linux/magic.h lacks some of them. */
static const struct {
    unsigned long magic;
    const char *name;
} file_systems[] = {
    {0xef53, "ext4"},    {0x58465342, "xfs"},       {0x9123683e, "btrfs"}, {0x01021994, "tmpfs"},
    {0x2fc12fc1, "zfs"}, {0x794c7630, "overlayfs"}, {0xf2f52010, "f2fs"},  {0x6969, "nfs"},
};

static const char *file_system_name(const char *path) {
    struct statfs info;
    if (statfs(path, &info) != 0)
        return "an unknown file system";
    for (size_t i = 0; i < COUNT_OF(file_systems); i++)
        if ((unsigned long)info.f_type == file_systems[i].magic)
            return file_systems[i].name;
    return "an unknown file system";
}

static bool is_tmpfs(const char *path) { return strcmp(file_system_name(path), "tmpfs") == 0; }

static const char *choose_base(const struct bench_options *options) {
    const char *base = options->directory;
    if (!base) {
        base = getenv("TMPDIR");
        if (!base || !*base || is_tmpfs(base))
            base = ".";
    }
    if (is_tmpfs(base))
        fprintf(stderr,
                "mneme bench: %s is a tmpfs, where nothing reaches a disk: what the rows on "
                "durable writes say is worth nothing; use --dir\n",
                base);
    return base;
}

int scratch_create(struct scratch *scratch, const struct bench_options *options,
                   mneme_error *error) {
    const char *base = choose_base(options);
    int size =
        snprintf(scratch->directory, sizeof scratch->directory, "%s/mneme-bench-XXXXXX", base);
    bool fits = size > 0 && (size_t)size < sizeof scratch->directory;
    if (!fits || !mkdtemp(scratch->directory)) {
        scratch->directory[0] = 0;
        return error_set_errno(error, fits ? errno : ENAMETOOLONG,
                               "cannot make a directory in %s; name another with --dir", base);
    }
    snprintf(scratch->file_system, sizeof scratch->file_system, "%s",
             file_system_name(scratch->directory));
    return 0;
}

void scratch_remove(struct scratch *scratch) {
    if (!scratch->directory[0])
        return;
    DIR *directory = opendir(scratch->directory);
    struct dirent *entry;
    while (directory && (entry = readdir(directory)))
        unlinkat(dirfd(directory), entry->d_name, 0);
    if (directory)
        closedir(directory);
    rmdir(scratch->directory);
    scratch->directory[0] = 0;
}

struct scratch_path scratch_path_of(const struct scratch *scratch, const char *name) {
    struct scratch_path path;
    snprintf(path.text, sizeof path.text, "%s/%s", scratch->directory, name);
    return path;
}

void scratch_remove_file(const struct scratch_path *path) {
    static const char *const endings[] = {"", "-lock", "-wal", "-shm"};
    for (size_t i = 0; i < COUNT_OF(endings); i++) {
        char name[sizeof path->text + 8];
        snprintf(name, sizeof name, "%s%s", path->text, endings[i]);
        unlink(name);
    }
}

static int copy_all(int in, int out) {
    for (;;) {
        char block[1 << 16];
        ssize_t got = read(in, block, sizeof block);
        if (got <= 0)
            return got < 0 ? errno : 0;
        for (ssize_t done = 0; done < got;) {
            ssize_t put = write(out, block + done, (size_t)(got - done));
            if (put < 0)
                return errno;
            done += put;
        }
    }
}

int scratch_copy_file(const struct scratch_path *from, const struct scratch_path *to,
                      mneme_error *error) {
    int in = open(from->text, O_RDONLY | O_CLOEXEC);
    int out = open(to->text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int code = in < 0 || out < 0 ? errno : copy_all(in, out);
    if (in >= 0)
        close(in);
    if (out >= 0 && close(out) != 0 && code == 0)
        code = errno;
    return code ? error_set_errno(error, code, "cannot copy %s", from->text) : 0;
}

int scratch_file_size(const struct scratch_path *path, uint64_t *size, mneme_error *error) {
    struct stat info;
    if (stat(path->text, &info) != 0)
        return error_set_errno(error, errno, "%s", path->text);
    *size = (uint64_t)info.st_size;
    return 0;
}
