/*
 * hrana_events_fuzz.c - server-sent events: as many, and refused alike, in one piece and in bytes.
 */
#include <stdlib.h>

#include "store/sql/hrana/events.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct hrana_events at_once = {0}, bytewise = {0};
    size_t whole = 0, sum = 0;
    int status = hrana_events_read(&at_once, slice_of(data, size), &whole, NULL), again = 0;
    for (size_t i = 0; again == 0 && i < size; i++) {
        size_t one = 0;
        again = hrana_events_read(&bytewise, slice_of(data + i, 1), &one, NULL);
        sum += one;
    }
    if (again != status || (status == 0 && sum != whole))
        abort();
    return 0;
}
