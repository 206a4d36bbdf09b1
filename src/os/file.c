/*
 * file.c - what a path is, where the user's store lies, and whole files for reading.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "os/os.h"

enum { PATH_SIZE = 4096 };

int path_inspect(const char *path, struct path_info *info, mneme_error *error) {
    struct stat st;
    if (lstat(path, &st) != 0) {
        if (errno == ENOENT) {
            *info = (struct path_info){.type = PATH_ABSENT};
            return 0;
        }
        return error_set_errno(error, errno, "%s", path);
    }
    *info = (struct path_info){.type = S_ISREG(st.st_mode)   ? PATH_FILE
                                       : S_ISDIR(st.st_mode) ? PATH_DIRECTORY
                                       : S_ISLNK(st.st_mode) ? PATH_SYMLINK
                                                             : PATH_OTHER,
                               .size = (uint64_t)st.st_size,
                               .device = (uint64_t)st.st_dev,
                               .inode = (uint64_t)st.st_ino};
    return 0;
}

static int path_copy(const char *path, char copy[PATH_SIZE], mneme_error *error) {
    size_t size = strlen(path) + 1;
    if (size > PATH_SIZE)
        return error_set(error, MNEME_INVALID, "a path of %zu bytes is too long (at most %d)", size,
                         PATH_SIZE - 1);
    memcpy(copy, path, size);
    return 0;
}

int path_make_parents(const char *path, mneme_error *error) {
    char copy[PATH_SIZE];
    TRY(path_copy(path, copy, error));
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(copy, 0700) != 0 && errno != EEXIST)
            return error_set_errno(error, errno, "cannot make the directory %s", copy);
        *slash = '/';
    }
    return 0;
}

/* The directory that holds `path`: "." when the path names none. */
static int path_parent(const char *path, char parent[PATH_SIZE], mneme_error *error) {
    TRY(path_copy(path, parent, error));
    char *slash = strrchr(parent, '/');
    if (!slash)
        memcpy(parent, ".", 2);
    else
        slash[slash == parent] = 0;
    return 0;
}

int path_sync_parent(const char *path, mneme_error *error) {
    char parent[PATH_SIZE];
    TRY(path_parent(path, parent, error));
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int status = 0;
    if (fd < 0 || fsync(fd) != 0)
        status = error_set_errno(error, errno, "cannot sync the directory %s", parent);
    if (fd >= 0)
        close(fd);
    return status;
}

int path_publish(const char *part, const char *path, mneme_error *error) {
    int failed = link(part, path) != 0 ? errno : 0;
    if (failed == EPERM || failed == EOPNOTSUPP) /* a filesystem without hard links */
        failed = renameat2(AT_FDCWD, part, AT_FDCWD, path, RENAME_NOREPLACE) != 0 ? errno : 0;
    unlink(part);
    return failed ? error_set_errno(error, failed, "cannot make %s", path)
                  : path_sync_parent(path, error);
}

int path_on_network(const char *path, bool *network, const char **name, mneme_error *error) {
    /* The f_type values of statfs(2) of filesystems on which byte-range locks or shared
     * mappings do not hold between machines. */
    static const struct {
        uint32_t magic;
        const char *name;
    } kinds[] = {{0x6969, "NFS"},      {0xff534d42, "CIFS"}, {0x517b, "SMB"},
                 {0xfe534d42, "SMB2"}, {0x01021997, "9p"},   {0x65735546, "FUSE"},
                 {0x00c36400, "Ceph"}, {0x47504653, "GPFS"}, {0x0bd00bd0, "Lustre"},
                 {0x5346414f, "AFS"}};
    char parent[PATH_SIZE];
    TRY(path_parent(path, parent, error));
    struct statfs fs;
    if (statfs(parent, &fs) != 0)
        return error_set_errno(error, errno, "%s", parent);
    *network = false;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (kinds[i].magic == (uint32_t)fs.f_type) {
            *network = true;
            *name = kinds[i].name;
        }
    }
    return 0;
}

bool path_is_full(const char *path, uint64_t bytes) {
    struct statvfs fs;
    struct stat st;
    struct rlimit limit;
    if (statvfs(path, &fs) == 0 && fs.f_bavail < bytes / fs.f_frsize)
        return true;
    return stat(path, &st) == 0 && getrlimit(RLIMIT_FSIZE, &limit) == 0 &&
           limit.rlim_cur != RLIM_INFINITY && (uint64_t)st.st_size + bytes > limit.rlim_cur;
}

int path_default_store(char *path, size_t size, mneme_error *error) {
    const char *store = getenv("MNEME_STORE");
    const char *data = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");
    char made[PATH_SIZE];
    int n;
    if (store && *store)
        n = snprintf(made, sizeof made, "%s", store);
    else if (data && data[0] == '/')
        n = snprintf(made, sizeof made, "%s/mneme/memory.mdb", data);
    else if (home && home[0] == '/')
        n = snprintf(made, sizeof made, "%s/.local/share/mneme/memory.mdb", home);
    else
        return error_set(error, MNEME_NOT_FOUND,
                         "no default store: set HOME, XDG_DATA_HOME or MNEME_STORE");
    if (n < 0 || (size_t)n >= size_min(size, sizeof made))
        return error_set(error, MNEME_TOO_LARGE, "the path of the default store is too long");
    memcpy(path, made, (size_t)n + 1);
    return 0;
}

int file_map(const char *path, struct slice *out, mneme_error *error) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(error, errno, "cannot read %s", path);
    struct stat st;
    int status = 0;
    void *at = NULL;
    if (fstat(fd, &st) != 0)
        status = error_set_errno(error, errno, "cannot read %s", path);
    else if (!S_ISREG(st.st_mode))
        status = error_set(error, MNEME_INVALID, "%s is not a plain file", path);
    else if (st.st_size > 0) {
        at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (at == MAP_FAILED)
            status = error_set_errno(error, errno, "cannot map %s", path);
    }
    close(fd);
    if (status == 0)
        *out = slice_of(at, (size_t)st.st_size);
    return status;
}

void file_unmap(struct slice mapping) {
    if (mapping.size) {
        void *at;
        memcpy(&at, &mapping.data, sizeof at);
        munmap(at, mapping.size);
    }
}
