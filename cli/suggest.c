/*
 * suggest.c - which command or option was meant by a word that is none.
 */
#include <string.h>

#include "cli.h"

enum { WORD_MAX = 40 };

static size_t min3(size_t a, size_t b, size_t c) {
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/*
 * How many single characters must be inserted, deleted, replaced or swapped with their
 * neighbour to turn one word into the other (optimal string alignment distance). Words longer
 * than WORD_MAX are infinitely far from everything.
 */
static size_t edit_distance(const char *a, const char *b) {
    size_t rows = strlen(a), columns = strlen(b);
    size_t d[WORD_MAX + 1][WORD_MAX + 1];
    if (rows > WORD_MAX || columns > WORD_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= columns; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= rows; i++) {
        d[i][0] = i;
        for (size_t j = 1; j <= columns; j++) {
            size_t replaced = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1, replaced);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = min3(d[i][j], d[i - 2][j - 2] + 1, d[i][j]);
        }
    }
    return d[rows][columns];
}

/* The best candidate so far for one mistyped word. */
struct guess {
    const char *word;
    const char *best;
    size_t distance;
};

static struct guess guess_begin(const char *word) {
    /* A third of the letters may be wrong; more is another word. */
    size_t letters = strlen(word);
    return (struct guess){word, NULL, letters / 3 + (letters > 2) + 1};
}

/* Consider that `candidate` was meant, written as `written`; `far` counts as mistakes already
 * made. */
static void guess_consider(struct guess *guess, const char *written, const char *candidate,
                           size_t far) {
    size_t distance = edit_distance(guess->word, written);
    size_t letters = strlen(guess->word);
    /* The beginning of a word is as good as one mistake. */
    if (letters >= 3 && distance > 1 && strncmp(guess->word, written, letters) == 0)
        distance = 1;
    if (distance > 0 && distance < guess->distance)
        distance += far;
    if (distance < guess->distance) {
        guess->best = candidate;
        guess->distance = distance;
    }
}

const char *suggest_command(const char *word) {
    struct guess guess = guess_begin(word);
    for (size_t i = 0; commands[i] != NULL; i++) {
        const char *name = commands[i]->name;
        const char *space = strchr(name, ' ');
        guess_consider(&guess, name, name, 0);
        /* Someone who writes "start" means "episode start", but rather "stats" by "stat". */
        if (space != NULL && strchr(word, ' ') == NULL)
            guess_consider(&guess, space + 1, name, 1);
    }
    return guess.best;
}

static void consider_options(struct guess *guess, const struct option *table) {
    for (; table != NULL && table->name != NULL; table++)
        guess_consider(guess, table->name, table->name, 0);
}

const char *suggest_option(const struct command *command, const char *name) {
    struct guess guess = guess_begin(name);
    if (command != NULL)
        consider_options(&guess, command->options);
    consider_options(&guess, global_options);
    return guess.best;
}
