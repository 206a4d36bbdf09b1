/*
 * spill.c - temporary files without a name, which end with the process at the latest.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/os.h"

int spill_create(int *fd, mneme_error *error) {
    const char *directory = getenv("TMPDIR");
    char path[4096];
    if (!directory || !directory[0])
        directory = "/tmp";
    int made = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (made < 0) { /* not every filesystem has files without a name */
        int size = snprintf(path, sizeof path, "%s/mneme-XXXXXX", directory);
        if (size < 0 || (size_t)size >= sizeof path)
            return error_set(error, MNEME_INVALID, "the path in TMPDIR is too long");
        made = mkostemp(path, O_CLOEXEC);
        if (made >= 0)
            unlink(path);
    }
    if (made < 0)
        return error_set_errno(error, errno, "cannot make a temporary file in %s", directory);
    *fd = made;
    return 0;
}

int spill_write(int fd, struct slice bytes, mneme_error *error) {
    while (bytes.size) {
        ssize_t written = write(fd, bytes.data, bytes.size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return error_set_errno(error, errno, "cannot write to a temporary file");
        bytes = slice_of(bytes.data + written, bytes.size - (size_t)written);
    }
    return 0;
}

int spill_map(int fd, struct slice *out, mneme_error *error) {
    struct stat st;
    void *at = NULL;
    if (fstat(fd, &st) != 0)
        return error_set_errno(error, errno, "cannot read a temporary file");
    if (st.st_size > 0)
        at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED)
        return error_set_errno(error, errno, "cannot map a temporary file");
    *out = slice_of(at, (size_t)st.st_size);
    return 0;
}

void spill_close(int fd) {
    if (fd >= 0)
        close(fd);
}
