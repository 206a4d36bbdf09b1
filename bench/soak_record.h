/*
 * soak_record.h - the records of a soak: their ids tell who made them, their content which write.
 *
 * Model. An id is a name: a class, a writer and a number; whoever finds a record can tell whose it
 * is. The content follows from the seed and the number of the write that made it, so that what a
 * record must hold need not be kept. Ownership. Records are made in the arena given.
 */
#ifndef MNEME_BENCH_SOAK_RECORD_H
#define MNEME_BENCH_SOAK_RECORD_H

#include "base/base.h"
#include "mneme/mneme.h"

enum soak_class {
    SOAK_OBJECT = 1, /* of one writer; number: which */
    SOAK_STEP = 2,   /* number: the write; index: which of its steps */
    SOAK_RACE = 3,   /* an episode that all append to; number: which */
    SOAK_BOARD = 4   /* a pattern that all tag; number: which */
};

struct soak_name {
    enum soak_class class;
    unsigned writer;
    uint32_t number;
    unsigned index;
};
mneme_id soak_id(struct soak_name name);
/* False: no record of a soak has this id. */
bool soak_name_of(const mneme_id *id, struct soak_name *name);

/* What follows from seed, writer and write; a well-mixed number. */
uint64_t soak_chance(uint64_t seed, unsigned writer, uint32_t write);

/* The word that all records of a writer have, as their type or tag: "w12". */
enum { SOAK_WORD_SIZE = 16 };
void soak_word(unsigned writer, char word[SOAK_WORD_SIZE]);
/* A tag that a writer gives: "w12-3". */
enum { SOAK_TAGS = 24 };
void soak_tag(unsigned writer, unsigned number, char tag[SOAK_WORD_SIZE]);

/* What stands behind an object's number when it is no episode. */
mneme_kind soak_plain_kind(uint32_t object);
/* A pattern, heuristic or relation as `write` makes it; it has the writer's word as its only tag.
 */
int soak_plain(uint64_t seed, unsigned writer, uint32_t object, uint32_t write, struct arena *arena,
               mneme_record *out);
/* An open episode without steps. */
int soak_episode(uint64_t seed, unsigned writer, uint32_t object, uint32_t write,
                 struct arena *arena, mneme_record *out, mneme_episode **episode);
int soak_step(uint64_t seed, unsigned writer, uint32_t write, unsigned index, struct arena *arena,
              mneme_step *out);
/* How many steps an episode has that is written whole. */
unsigned soak_whole_steps(uint32_t write);
/* How `write` completes an episode. */
void soak_completion(uint32_t write, mneme_completion *out);

/* Episodes and patterns of all. */
int soak_race(uint64_t seed, uint32_t number, struct arena *arena, mneme_record *out);
int soak_shared_pattern(uint64_t seed, uint32_t number, struct arena *arena, mneme_record *out);

/* Whether two records are the same but for version and flags; if not, *why (of `size` bytes) shows
 * where they begin to differ. */
bool soak_equal(const mneme_record *wanted, const mneme_record *found, char *why, size_t size);

#endif
