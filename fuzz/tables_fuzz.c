/*
 * tables_fuzz.c - reads arbitrary bytes as an SQLite file to import. Whatever it is, it ends, with
 * lines of which each is a record or says what is wrong.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "exchange/exchange.h"
#include "os/os.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "tables_fuzz: %s\n", what);
        abort();
    }
}

static char path[] = "/tmp/mneme-tables-fuzz-XXXXXX";

static void remove_file(void) { unlink(path); }

/* One file for all inputs. */
static int file_of_input(void) {
    static int fd = -1;
    if (fd < 0) {
        fd = mkstemp(path);
        demand(fd >= 0, "no temporary file");
        atexit(remove_file);
    }
    return fd;
}

static void read_lines(const struct format_operations *format, struct slice lines) {
    struct splitter splitter = splitter_of(lines);
    struct piece piece;
    mneme_error error = {.code = 0};
    while (format->split(&splitter, &piece, &error) == SPLIT_RECORD) {
        AUTO_ARENA struct arena arena = {0};
        struct exchange_record parsed;
        error = (mneme_error){.code = 0};
        if (format->parse(&piece, path, &arena, &parsed, &error) != 0)
            demand(error.code != 0 && error.message[0], "a failure must say why");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct format_operations *format;
    struct slice lines;
    mneme_error error = {.code = 0};
    int fd = file_of_input();
    demand(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size, "disk full");
    demand(format_find("sqlite", &format, &error) == 0, "the format must be there");
    if (format->load(path, &lines, &error) != 0) {
        demand(error.code != 0 && error.message[0], "a failure must say why");
        return 0;
    }
    read_lines(format, lines);
    file_unmap(lines);
    return 0;
}
