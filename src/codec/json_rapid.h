/*
 * json_rapid.h - the seam between json.c and RapidJSON, in words that C and C++ share.
 *
 * RapidJSON's reader (json_rapid.cc) finds the tokens; json.c, told of each, checks what RapidJSON
 * does not and builds the tree. An offset counts bytes from the start of the text. All of this is
 * private to the codec.
 */
#ifndef MNEME_CODEC_JSON_RAPID_H
#define MNEME_CODEC_JSON_RAPID_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What json.c builds from the tokens. Every json_on_ call returns false to end the parse. */
struct json_builder;

/* A null, false, true or number, from its first byte to before `end`. */
bool json_on_scalar(struct json_builder *b, size_t at, size_t end);
/* A decoded string, and the decoded name of the member that follows; `at` is the opening quote. */
bool json_on_string(struct json_builder *b, const char *text, size_t size, size_t at);
bool json_on_key(struct json_builder *b, const char *text, size_t size, size_t at);
/* The brackets of an array or object, each at its own byte. */
bool json_on_open(struct json_builder *b, size_t at);
bool json_on_close(struct json_builder *b, size_t at);

/*
 * Parse `text`, which is decoded in place. A NUL ends it, and it is readable up to the next
 * multiple of 16 bytes. NULL when the text to the NUL is one value; else what is wrong. *offset
 * is where reading stopped. Never allocates.
 */
const char *json_rapid_parse(char *text, struct json_builder *builder, size_t *offset);

enum { JSON_DIGITS_MAX = 17 };
/* Digits that read back as `value`, finite and above zero: value = DIGITS x 10^*scale, the first
 * and last digit not zero. Returns how many; nearly always the fewest possible. */
int json_rapid_digits(double value, char digits[JSON_DIGITS_MAX], int *scale);

#ifdef __cplusplus
}
#endif
#endif
