/*
 * conformance_test.c - every store and decorator passes the one suite. With arguments, only the
 * stores named: conformance_test mem 'batched(kv)'.
 */
#include "support/store_conformance.h"

int main(int argc, char **argv) {
    int failed = 0;
    for (size_t i = 0; i < store_maker_count; i++)
        if (store_maker_wanted(&store_makers[i], argc, argv))
            failed += store_conformance_run(&store_makers[i]);
    return failed != 0;
}
