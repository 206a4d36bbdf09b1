/*
 * sim_ledger.h - where every token went: who wrote it, what it wrote over, what each device showed.
 *
 * Model. An acknowledged write is compared with what its device showed before: tokens that are new
 * were written by it; each wrote over the token that stood under its key, and tokens that are gone
 * without a successor were removed by it (that is a token, too, which nobody can see), or deleted
 * with their record. So "a wrote over b" is known only where a's device had seen b.
 *
 * What is held up at each look at a device:
 *  1. A token that was shown there, and then not, never comes back.
 *  2. A token goes only when somebody wrote over it or removed it, another stands under its key (or
 *     may: of members that every record has, an empty one), or its record was deleted by somebody.
 * And when all is synced, of each token, but for those whose device was set back behind them:
 *  3. It is shown; or one that wrote over it is, or was itself …; or a superseded record has it.
 *  4. It is not shown when somebody wrote over it.
 *  5. A deleted record is not there, unless one that had seen it deleted made it again.
 * What is not held up, and docs/sync.md says so:
 *  a. Rules 1 and 4 for a step that was written again, inside its sealed episode, by a device that
 *     did not know of its removal: the later of the two wins; and for what a device that was not
 *     sure of its last exchange, or was set back, wrote again.
 *  b. The same for what such a device wrote over or removed, when the remote was set back or
 *     replaced, or the device was set back: nobody is left who knows that it had sent that.
 *  c. Rule 2 for what was written by a device that was set back behind it.
 *     And rule 1 for a step of an episode that was deleted and put again: one that was written
 *     without knowing of that goes where the delete is heard of, and is back when a machine that
 *     took it for a step of the new life has completed that.
 *  d. Rule 3 for a child of an episode that another device deleted, when the remote was set back or
 *     replaced before that device heard of the child.
 */
#ifndef MNEME_TESTS_SIM_LEDGER_H
#define MNEME_TESTS_SIM_LEDGER_H

#include "support/sim_work.h"

enum { SIM_TOKENS_MAX = 1024, SIM_EDGES_MAX = 4096 };

enum sim_token_type { SIM_VALUE, SIM_REMOVAL, SIM_DELETION };

struct sim_token {
    bool written;
    enum sim_token_type type;
    unsigned slot, device, key;
    bool forgiven;          /* its device was set back to before it */
    bool shown;             /* at the end */
    bool superseded;        /* a superseded record has it */
    bool rewritten;         /* see a */
    bool unsure, forgotten; /* see b */
};

/* What one device showed of the slots when it was last looked at. */
struct sim_shown {
    bool live[SIM_SLOTS], stored[SIM_SLOTS];
    struct sim_element elements[SIM_SLOTS][SIM_ELEMENTS_MAX];
    size_t count[SIM_SLOTS];
    uint8_t fate[SIM_TOKENS_MAX]; /* 0: not seen yet, 1: shown, 2: gone */
    uint64_t commits;             /* of the store then */
    bool unsure; /* its last exchange was not acknowledged, or it was set back since */
    bool set_back;
};

struct sim_ledger {
    struct sim_world *world;
    unsigned next;
    struct sim_token tokens[SIM_TOKENS_MAX];
    struct {
        uint16_t from, to;
    } edges[SIM_EDGES_MAX];
    size_t edge_count;
    struct sim_shown shown[SIM_DEVICES_MAX];
    struct sim_shown kept[SIM_DEVICES_MAX];     /* … when its copy was made */
    unsigned kept_next[SIM_DEVICES_MAX];        /* tokens from here on are behind the copy */
    bool deleted[SIM_SLOTS], reborn[SIM_SLOTS]; /* by anybody */
    size_t writes;
};

void sim_ledger_init(struct sim_ledger *ledger, struct sim_world *world);

/* Look at a device after something other than a write of its own. True: a rule is broken, and the
 * world's failure says how. */
bool sim_ledger_look(struct sim_ledger *ledger, struct sim_device *device);
/* Do a deed on a device, and note what it wrote. True: failed. */
bool sim_ledger_work(struct sim_ledger *ledger, struct sim_device *device, unsigned slot,
                     enum sim_deed deed, struct test_random *random);
/* How a step of the device ended. */
void sim_ledger_stepped(struct sim_ledger *ledger, struct sim_device *device, bool acknowledged);
/* The device's copy is made now; the device is set back to it. */
void sim_ledger_kept(struct sim_ledger *ledger, struct sim_device *device);
bool sim_ledger_restored(struct sim_ledger *ledger, struct sim_device *device);

/* Rules 3 to 5, when all devices show the same: see sim_check.h. */
bool sim_ledger_settle(struct sim_ledger *ledger);

#endif
