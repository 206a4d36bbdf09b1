/*
 * utf8.c - strict UTF-8 validation.
 */
#include "base/base.h"

/* Length of a well-formed sequence at p (RFC 3629, section 4: the table of byte ranges), or 0. */
static size_t utf8_sequence(const uint8_t *p, size_t left) {
    uint8_t a = p[0];
    size_t length = a < 0x80 ? 1 : a < 0xc2 ? 0 : a < 0xe0 ? 2 : a < 0xf0 ? 3 : a < 0xf5 ? 4 : 0;
    if (length == 0 || length > left)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (a == 0xe0 && p[1] < 0xa0) || (a == 0xf0 && p[1] < 0x90);
    bool surrogate = a == 0xed && p[1] > 0x9f;
    bool too_large = a == 0xf4 && p[1] > 0x8f;
    return overlong || surrogate || too_large ? 0 : length;
}

/* How many bytes from the front are ASCII, counted by 32 and then by 8. */
static size_t ascii_run(const uint8_t *p, size_t left) {
    uint64_t words[4];
    size_t i = 0;
    for (; left - i >= sizeof words; i += sizeof words) {
        memcpy(words, p + i, sizeof words);
        if ((words[0] | words[1] | words[2] | words[3]) & UINT64_C(0x8080808080808080))
            break;
    }
    for (; left - i >= sizeof words[0]; i += sizeof words[0]) {
        memcpy(words, p + i, sizeof words[0]);
        if (words[0] & UINT64_C(0x8080808080808080))
            break;
    }
    return i;
}

bool utf8_valid(struct slice s) {
    size_t i = 0;
    while (i < s.size) {
        i += ascii_run(s.data + i, s.size - i);
        if (i == s.size)
            break;
        size_t length = utf8_sequence(s.data + i, s.size - i);
        if (length == 0)
            return false;
        i += length;
    }
    return true;
}
