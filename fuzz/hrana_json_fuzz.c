/*
 * hrana_json_fuzz.c - any bytes as a server's answer in JSON. The first byte is how many steps the
 * program had.
 */
#include "hrana_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    decode_and_check(hrana_decode_json, data, size);
    return 0;
}
