/*
 * feed_row.c - the rows of a feed's page, which are packed.
 *
 * For a server each value of an answer is a piece of memory, and most of what a page costs it are
 * its values, not its bytes. So the view mneme_feed gives three: the change number; a text of all
 * that is small, with a space between: kind, time_us, flags, clock, device, place, plain_size,
 * body_size, checksum, chunks, and in hexadecimal id and parent (which may be empty), and at the
 * end the attributes, which have spaces of their own; and the body.
 */
#include "store/sql/feed_impl.h"

/* The text that is left. `wrong` sticks. */
struct unpacker {
    struct slice left;
    bool wrong;
};

static struct slice take_word(struct unpacker *u) {
    const uint8_t *space = u->left.size ? memchr(u->left.data, ' ', u->left.size) : NULL;
    if (!space) {
        u->wrong = true;
        return slice_of(NULL, 0);
    }
    struct slice word = slice_of(u->left.data, (size_t)(space - u->left.data));
    u->left = slice_of(space + 1, u->left.size - word.size - 1);
    return word;
}

/* Summed up below zero, where there is one number more. */
static struct sql_value take_integer(struct unpacker *u) {
    struct slice word = take_word(u);
    bool negative = word.size && word.data[0] == '-';
    int64_t value = 0;
    u->wrong |= word.size == negative;
    for (size_t i = negative; i < word.size; i++) {
        uint8_t digit = (uint8_t)(word.data[i] - '0');
        bool fits = digit <= 9 && value >= INT64_MIN / 10 && value * 10 >= INT64_MIN + digit;
        value = fits ? value * 10 - digit : 0;
        u->wrong |= !fits;
    }
    u->wrong |= !negative && value == INT64_MIN;
    return sql_integer(negative || u->wrong ? value : -value);
}

static int digit_of(uint8_t c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Nothing is NULL. What is no id keeps a length that no id has. */
static struct sql_value take_id(struct unpacker *u, mneme_id *id) {
    struct slice word = take_word(u);
    if (word.size == 0)
        return sql_null();
    if (word.size != 2 * sizeof id->bytes)
        return sql_blob(slice_of(id->bytes, 0));
    for (size_t i = 0; i < sizeof id->bytes; i++) {
        int high = digit_of(word.data[2 * i]), low = digit_of(word.data[2 * i + 1]);
        u->wrong |= high < 0 || low < 0;
        id->bytes[i] = (uint8_t)((high & 15) << 4 | (low & 15));
    }
    return sql_blob(slice_of(id->bytes, sizeof id->bytes));
}

int feed_row_unpack(const struct sql_value packed[FEED_COLUMNS], struct feed_row *out,
                    mneme_error *error) {
    struct sql_value *v = out->values;
    struct unpacker u = {.left = packed[1].bytes, .wrong = packed[1].type != SQL_TEXT};
    v[0] = packed[0];
    v[1] = sql_text(take_word(&u));
    v[3] = take_integer(&u);
    v[4] = take_integer(&u);
    v[5] = take_integer(&u);
    v[6] = sql_text(take_word(&u));
    v[8] = take_integer(&u);
    v[10] = take_integer(&u);
    v[11] = take_integer(&u);
    v[12] = take_integer(&u);
    v[13] = take_integer(&u);
    v[2] = take_id(&u, &out->id);
    v[7] = take_id(&u, &out->parent);
    v[9] = sql_text(u.left);
    v[14] = packed[2];
    return u.wrong ? error_set(error, MNEME_CORRUPT,
                               "a row of mneme_record has a value that mneme did not write; "
                               "restore it from a backup, or delete the row")
                   : 0;
}
