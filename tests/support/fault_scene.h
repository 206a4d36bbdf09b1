/*
 * fault_scene.h - a store with a record of every kind in it, and one case for every public call
 * that writes: what the fault tests repeat while they fail one allocation or one write after the
 * other. Ids and times are given, so that a case that succeeds always leaves the same records.
 */
#ifndef TESTS_SUPPORT_FAULT_SCENE_H
#define TESTS_SUPPORT_FAULT_SCENE_H

#include "support/api_fixture.h"

struct scene {
    struct home home;
    char base[320];   /* a store to begin with, copied to home.path */
    char import[320]; /* a file of jsonl */
    mneme *m;         /* of home.path */
};

/* Make the directory and the store to begin with. */
void scene_make(struct scene *scene);
void scene_remove(struct scene *scene);
/* (Re)place home.path by a copy of `base`, and open it. */
void scene_reset(struct scene *scene);
/* Close and open again. */
void scene_reopen(struct scene *scene);
/* A write that always succeeds, and replaces its own record. */
void scene_probe(struct scene *scene);
/* All that can be seen, without versions. */
mneme_bytes scene_text(struct scene *scene);

struct fault_case {
    const char *name;
    int (*act)(struct scene *scene, mneme_error *error);
    /* Of an import: what went in before the failure stays, and running it again adds the rest. */
    bool in_parts;
};
extern const struct fault_case fault_cases[];
extern const size_t fault_case_count;

#endif
