/*
 * soak_look.h - whether what a store shows is what a ledger says.
 *
 * Model. An object with n pending writes has n + 1 states that it may be in; a look tells which of
 * them the store shows. Who settles looks at every object with pending writes, and so learns which
 * of them went in: of a batch all or nothing, and, of one process that was killed, a prefix of what
 * it wrote.
 * Errors. MNEME_FAILURE: the store shows something wrong, and the text says what. Else as the
 * store.
 */
#ifndef MNEME_BENCH_SOAK_LOOK_H
#define MNEME_BENCH_SOAK_LOOK_H

#include "bench/soak_ledger.h"
#include "bench/soak_record.h"

enum { SOAK_WHY_SIZE = 480 };

/* Where to look. */
struct soak_eye {
    mneme *m;
    uint64_t seed;
};

/* Whether a record (NULL: none was found) is the object in this state. */
bool soak_matches(uint64_t seed, const struct soak_ledger *ledger, uint32_t object,
                  const struct soak_state *state, const mneme_record *found,
                  char why[SOAK_WHY_SIZE]);

/* Bit n of *states: the object may have the first n of its pending writes. *found is whether it is
 * there at all. MNEME_FAILURE: none of its states is what the store shows. */
int soak_look(const struct soak_eye *eye, const struct soak_ledger *ledger, uint32_t object,
              uint32_t *states, mneme_error *error);

/* Learn by reading how one pending write went, and write it into the ledger. */
int soak_settle(const struct soak_eye *eye, struct soak_ledger *ledger, uint32_t number,
                mneme_error *error);

/* … all of them; `killed`: they are the last of one process, that wrote them in this order. */
int soak_settle_all(const struct soak_eye *eye, struct soak_ledger *ledger, bool killed,
                    mneme_error *error);

#endif
