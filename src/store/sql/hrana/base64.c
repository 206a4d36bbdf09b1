/*
 * base64.c - bytes to base64 text and back.
 *
 * Three bytes at a time with one table each way. Every blob of a JSON request goes through here;
 * at a gigabyte a second this is a hundredth of what the server takes for the same bytes.
 */
#include "store/sql/hrana/base64.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The value of a letter, with VALID set; 0 for what is none. */
enum { VALID = 0x40 };
#define V(n) (VALID | (n))
static const uint8_t values[256] = {
    ['A'] = V(0),  ['B'] = V(1),  ['C'] = V(2),  ['D'] = V(3),  ['E'] = V(4),  ['F'] = V(5),
    ['G'] = V(6),  ['H'] = V(7),  ['I'] = V(8),  ['J'] = V(9),  ['K'] = V(10), ['L'] = V(11),
    ['M'] = V(12), ['N'] = V(13), ['O'] = V(14), ['P'] = V(15), ['Q'] = V(16), ['R'] = V(17),
    ['S'] = V(18), ['T'] = V(19), ['U'] = V(20), ['V'] = V(21), ['W'] = V(22), ['X'] = V(23),
    ['Y'] = V(24), ['Z'] = V(25), ['a'] = V(26), ['b'] = V(27), ['c'] = V(28), ['d'] = V(29),
    ['e'] = V(30), ['f'] = V(31), ['g'] = V(32), ['h'] = V(33), ['i'] = V(34), ['j'] = V(35),
    ['k'] = V(36), ['l'] = V(37), ['m'] = V(38), ['n'] = V(39), ['o'] = V(40), ['p'] = V(41),
    ['q'] = V(42), ['r'] = V(43), ['s'] = V(44), ['t'] = V(45), ['u'] = V(46), ['v'] = V(47),
    ['w'] = V(48), ['x'] = V(49), ['y'] = V(50), ['z'] = V(51), ['0'] = V(52), ['1'] = V(53),
    ['2'] = V(54), ['3'] = V(55), ['4'] = V(56), ['5'] = V(57), ['6'] = V(58), ['7'] = V(59),
    ['8'] = V(60), ['9'] = V(61), ['+'] = V(62), ['/'] = V(63)};
#undef V

static void put_group(uint8_t *to, uint32_t bits) {
    to[0] = (uint8_t)letters[bits >> 18];
    to[1] = (uint8_t)letters[bits >> 12 & 63];
    to[2] = (uint8_t)letters[bits >> 6 & 63];
    to[3] = (uint8_t)letters[bits & 63];
}

/* The one or two bytes that are left: as many letters as have bits of theirs. */
static size_t put_rest(uint8_t *to, const uint8_t *from, size_t left, bool padding) {
    uint8_t group[4];
    put_group(group, (uint32_t)from[0] << 16 | (left == 2 ? (uint32_t)from[1] << 8 : 0));
    memcpy(to, group, left + 1);
    if (!padding)
        return left + 1;
    memset(to + left + 1, '=', 3 - left);
    return 4;
}

void base64_put(struct buf *b, struct slice bytes, bool padding) {
    size_t room;
    if (!checked_mul(bytes.size / 3 + 1, 4, &room)) {
        b->status = MNEME_TOO_LARGE;
        return;
    }
    uint8_t *first = buf_reserve(b, room), *to = first;
    if (!to)
        return;
    const uint8_t *from = bytes.data;
    size_t left = bytes.size;
    for (; left >= 3; left -= 3, from += 3, to += 4)
        put_group(to, (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2]);
    if (left)
        to += put_rest(to, from, left, padding);
    b->size += (size_t)(to - first);
}

/* The last two or three letters, which hold one or two bytes. */
static bool get_rest(const uint8_t *from, size_t left, uint8_t *to) {
    uint8_t a = values[from[0]], b = values[from[1]], c = left == 3 ? values[from[2]] : VALID;
    uint32_t bits = (uint32_t)(a & 63) << 18 | (uint32_t)(b & 63) << 12 | (uint32_t)(c & 63) << 6;
    to[0] = (uint8_t)(bits >> 16);
    if (left == 3)
        to[1] = (uint8_t)(bits >> 8);
    uint32_t behind = left == 3 ? bits & 0xff : bits & 0xffff;
    return (a & b & c & VALID) && behind == 0;
}

bool base64_get(struct slice text, uint8_t *out, size_t *size) {
    if (text.size && text.size % 4 == 0 && text.data[text.size - 1] == '=')
        text.size -= text.data[text.size - 2] == '=' ? 2 : 1;
    if (text.size % 4 == 1)
        return false;
    const uint8_t *from = text.data;
    uint8_t *to = out, all = VALID;
    size_t left = text.size;
    for (; left >= 4; left -= 4, from += 4, to += 3) {
        uint8_t a = values[from[0]], b = values[from[1]], c = values[from[2]], d = values[from[3]];
        uint32_t bits = (uint32_t)(a & 63) << 18 | (uint32_t)(b & 63) << 12 |
                        (uint32_t)(c & 63) << 6 | (d & 63);
        to[0] = (uint8_t)(bits >> 16);
        to[1] = (uint8_t)(bits >> 8);
        to[2] = (uint8_t)bits;
        all &= a & b & c & d;
    }
    if (left && !get_rest(from, left, to))
        return false;
    *size = (size_t)(to - out) + (left ? left - 1 : 0);
    return (all & VALID) != 0;
}
