/*
 * replay_main.c - runs every file of a corpus directory through a fuzz target, so that the
 * ordinary test run, which has no libFuzzer, keeps what fuzzing once found.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Runs one file. The input is a block of exactly its size, so that a sanitizer sees a read past
 * its end. False, with a message, when the file cannot be read. */
static int replay_file(const char *path) {
    struct stat info;
    FILE *file = fopen(path, "rb");
    if (!file || fstat(fileno(file), &info) != 0) {
        perror(path);
        if (file)
            fclose(file);
        return 0;
    }
    size_t size = (size_t)info.st_size;
    uint8_t *data = malloc(size ? size : 1);
    int complete = data && fread(data, 1, size, file) == size;
    fclose(file);
    if (complete)
        LLVMFuzzerTestOneInput(data, size);
    else
        fprintf(stderr, "%s: cannot be read whole\n", path);
    free(data);
    return complete;
}

static int is_input(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: %s CORPUS_DIRECTORY\n", argv[0]);
        return 2;
    }
    struct dirent **entries;
    int count = scandir(argv[1], &entries, is_input, alphasort);
    if (count < 0) {
        perror(argv[1]);
        return 1;
    }
    int replayed = 0;
    for (int i = 0; i < count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", argv[1], entries[i]->d_name);
        replayed += replay_file(path);
        free(entries[i]);
    }
    free(entries);
    printf("%s: %d of %d inputs replayed\n", argv[1], replayed, count);
    return count > 0 && replayed == count ? 0 : 1;
}
