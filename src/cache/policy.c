/*
 * policy.c - a small queue on trial, a main part ranked by frequency and size, and a memory.
 *
 * Parts. A new node joins the small part, a queue in two halves. Hits in the fresh half do not
 * count: they are the echo of the miss. The main part holds what has proved its worth, in classes
 * of like frequency per byte. The ghosts are keys evicted lately (1.5 for every node), with the
 * frequency they had and when they were last known to be used, counted in misses.
 *
 * Frequency. Known for cached keys and ghosts, in eighths of an access; halved for all once there
 * were twenty times as many accesses as there are nodes. Readers only count hits in the node, up
 * to three; the policy adds them to the frequency when it comes by.
 *
 * Eviction. In the main part the node with the lowest rank is the victim; rank = floor +
 * frequency / size, where the floor is the rank of the last victim: GreedyDual-Size-Frequency. A
 * victim that was hit is ranked anew and the next one is looked at. Rounding frequency / size to
 * two binary digits makes each class a queue that is in the order of its ranks, so no heap is
 * needed. The small part, when over its share, gives up its oldest node: one hit on trial goes to
 * the main part, the rest must have more frequency per byte than the main part's victim, by one
 * access and a quarter. On a loop longer than the cache all are equal but for rounding, and what
 * is there stays.
 *
 * Return. A ghost that comes back sooner than the main part's victim has been waiting goes to the
 * main part at once, the rest on trial with the frequency they had (LIRS: compare how recently a
 * key was used again, not how recently it was used).
 *
 * Share of the small part, 2 to 50 %, in steps of a tenth of a node. Keys that the small part
 * evicted and that return soon say that it is too small; when they return late, that it is too
 * large. So do keys that the main part evicted, and the more weight each has the fewer there are.
 *
 * Sources. S3-FIFO (SOSP 2023) and Clock2Q+ (arXiv 2511.21958): small queue, ghosts, correlation
 * window. TinyLFU (arXiv 1512.00727): the duel of frequencies, ageing. LIRS (SIGMETRICS 2002).
 * GDSF (HP Labs 1998). ARC (FAST 2003): ghosts that move a border. The mixture is ours.
 *
 * Measured (hit ratio in %, least recently used / this / the optimum, which knows the future and
 * may decline to cache), one access at a time, every node of the same size:
 *   OLTP      250 16.5/24.9/38.5     500 23.5/34.5/46.4    1000 32.8/41.6/53.6
 *            2000 42.5/47.7/60.4    5000 53.7/56.7/68.3   10000 60.7/63.6/73.0
 *   orm-busy  381 65.7/69.0/76.2     763 77.0/76.5/82.8    3817 84.1/85.5/90.2
 *            7634 88.0/89.7/93.3   19087 93.4/94.6/96.6
 *   web12     137 39.7/43.1/58.5     687 60.0/65.4/74.7    1375 68.5/72.6/80.0
 *            3439 77.7/79.6/84.7
 *   multi3    250 17.8/34.2/42.1     500 32.7/43.8/48.9    1000 37.7/51.5/56.3
 *            2000 44.6/61.2/68.8
 *   loop      250  0.0/22.2/24.7     500  0.0/48.4/49.4     750  0.0/72.5/74.0
 * The mean of this / optimum is 0.873; S3-FIFO with a correlation window has 0.750, W-TinyLFU with
 * a hill climber 0.848. Zipf 0.9 over 100,000 keys, sizes 1 to 100 (log-uniform), room for 10 % of
 * the bytes: 75.7; S3-FIFO 67.6, exact GDSF 75.8. Zipf 1.1, room for 10,000 keys: 0.992 of what the
 * best fixed set has. Known weakness: where only what is recent is ever used, and the window of
 * what is used does not fit, least recently used was better by up to 12 points; S3-FIFO shares it.
 */
#include "cache/policy_impl.h"

/* What an access must be worth more than the victim's to win a duel. One access alone would let a
 * loop's newcomers in by the fractions that halving leaves. */
enum { DUEL_MARGIN = POLICY_ACCESS + POLICY_ACCESS / 4 };
enum { EPOCH_NODES = 20, EPOCH_EVENTS_MIN = 16 * EPOCH_NODES, EPOCHS_KEPT = 7 };
enum { FILL_MOVES = 4 };
/* More than eight accesses rank no higher. Else a favourite that nobody asks for any more would
 * stay until the floor has risen by all it once earned. */
enum { RANK_FREQUENCY_MAX = 8 * POLICY_ACCESS };
static const double SHARE_FIRST = 0.1, SHARE_MIN = 0.02, SHARE_MAX = 0.5, SHARE_STEP = 0.1;
static const double FRESH_PART = 0.5, MAIN_WEIGHT = 0.5;

/* ---- Chains ------------------------------------------------------------------------------- */

static struct policy_load *load_of(struct policy *p, int place) {
    return &p->loads[place < POLICY_MAIN ? place : POLICY_MAIN];
}

/* Class `place` - POLICY_MAIN has another oldest node, or none. */
static void oldest_changed(struct policy *p, int place) {
    if (place < POLICY_MAIN)
        return;
    const struct policy_node *oldest = p->chains[place].oldest;
    uint64_t bit = UINT64_C(1) << (place - POLICY_MAIN);
    p->occupied = oldest ? p->occupied | bit : p->occupied & ~bit;
    p->oldest_ranks[place - POLICY_MAIN] = oldest ? oldest->rank : 0;
}

static void join(struct policy *p, struct policy_node *node, int place) {
    struct policy_chain *chain = &p->chains[place];
    node->place = (uint8_t)place;
    if (place != POLICY_TRIAL) /* which is a move within the small part */
        node->stamp = p->clock;
    node->previous = NULL;
    node->next = chain->newest;
    if (node->next)
        node->next->previous = node;
    chain->newest = node;
    load_of(p, place)->bytes += node->size;
    load_of(p, place)->entries++;
    if (!chain->oldest) {
        chain->oldest = node;
        oldest_changed(p, place);
    }
}

static void leave(struct policy *p, struct policy_node *node) {
    struct policy_chain *chain = &p->chains[node->place];
    *(node->previous ? &node->previous->next : &chain->newest) = node->next;
    *(node->next ? &node->next->previous : &chain->oldest) = node->previous;
    load_of(p, node->place)->bytes -= node->size;
    load_of(p, node->place)->entries--;
    if (!node->next)
        oldest_changed(p, node->place);
    node->next = node->previous = NULL;
    node->place = POLICY_OUT;
}

static size_t entries_of(const struct policy *p) {
    return p->loads[POLICY_FRESH].entries + p->loads[POLICY_TRIAL].entries +
           p->loads[POLICY_MAIN].entries;
}

static size_t bytes_of(const struct policy *p) {
    return p->loads[POLICY_FRESH].bytes + p->loads[POLICY_TRIAL].bytes +
           p->loads[POLICY_MAIN].bytes;
}

static bool is_over(const struct policy *p) {
    return entries_of(p) > p->options.entries || bytes_of(p) > p->options.bytes;
}

/* How much of the budget a load takes, of that budget of the two which is the nearer to full. */
static double share_of(const struct policy *p, struct policy_load load) {
    double bytes_max = (double)size_max(p->options.bytes, 1);
    double entries_max = (double)size_max(p->options.entries, 1);
    if ((double)bytes_of(p) * entries_max > (double)entries_of(p) * bytes_max)
        return (double)load.bytes / bytes_max;
    return (double)load.entries / entries_max;
}

static bool small_is_over(const struct policy *p) {
    struct policy_load small = {
        p->loads[POLICY_FRESH].bytes + p->loads[POLICY_TRIAL].bytes,
        p->loads[POLICY_FRESH].entries + p->loads[POLICY_TRIAL].entries,
    };
    return share_of(p, small) > p->share;
}

static struct policy_node *small_oldest(const struct policy *p) {
    struct policy_node *node = p->chains[POLICY_TRIAL].oldest;
    return node ? node : p->chains[POLICY_FRESH].oldest;
}

/* ---- Frequencies -------------------------------------------------------------------------- */

/* Accesses were noticed. Enough of them begin an epoch, and halve the weight of those before. */
static void count_events(struct policy *p, size_t events) {
    p->events += events;
    if (p->events >= size_max(EPOCH_NODES * entries_of(p), EPOCH_EVENTS_MIN)) {
        p->epoch++;
        p->events /= 2;
    }
}

static uint8_t aged(uint8_t frequency, unsigned epochs) {
    if (epochs > EPOCHS_KEPT)
        return 0;
    return (uint8_t)(frequency >> epochs);
}

static unsigned frequency_of(const struct policy *p, struct policy_node *node) {
    node->frequency = aged(node->frequency, (uint8_t)(p->epoch - node->epoch));
    node->epoch = (uint8_t)p->epoch;
    return node->frequency;
}

static void add_accesses(const struct policy *p, struct policy_node *node, unsigned accesses) {
    unsigned frequency = frequency_of(p, node) + accesses * POLICY_ACCESS;
    node->frequency = frequency > UINT8_MAX ? UINT8_MAX : (uint8_t)frequency;
}

/* Relaxed: see policy_touch, which this may undo or be undone by. */
static unsigned take_hits(struct policy_node *node) {
    unsigned hits = atomic_load_explicit(&node->hits, memory_order_relaxed);
    if (hits)
        atomic_store_explicit(&node->hits, 0, memory_order_relaxed);
    return hits;
}

/* Count the hits that readers left in the node. */
static unsigned count_hits(struct policy *p, struct policy_node *node) {
    unsigned hits = take_hits(node);
    if (hits) {
        add_accesses(p, node, hits);
        count_events(p, hits);
    }
    return hits;
}

/* ---- The main part ------------------------------------------------------------------------ */

/* Frequency over size, scaled to 30 bits for the smallest size and the greatest frequency, and
 * rounded down to two binary digits. *class numbers the values that are left. */
static uint32_t density_of(unsigned frequency, size_t size, int *class) {
    const uint64_t scale = POLICY_DENSITY_MAX / RANK_FREQUENCY_MAX;
    uint64_t density = size_min(frequency, RANK_FREQUENCY_MAX) * scale / size_max(size, 1);
    int exponent = 0;
    while (density >> exponent > 1)
        exponent++;
    if (exponent == 0) {
        *class = 0;
        return 1;
    }
    uint64_t digits = density >> (exponent - 1); /* 2 or 3 */
    *class = 2 * exponent + (int)(digits & 1);
    return (uint32_t)(digits << (exponent - 1));
}

static void join_main(struct policy *p, struct policy_node *node) {
    int class;
    node->rank = p->floor + density_of(frequency_of(p, node), node->size, &class);
    join(p, node, POLICY_MAIN + class);
}

static struct policy_node *main_lowest(const struct policy *p) {
    int lowest = -1;
    for (int class = 0; class < POLICY_CLASSES; class ++) {
        if (!(p->occupied >> class & 1))
            continue;
        /* Above the floor, because ranks wrap around: invariant (4). */
        if (lowest < 0 || p->oldest_ranks[class] - p->floor < p->oldest_ranks[lowest] - p->floor)
            lowest = class;
    }
    return lowest < 0 ? NULL : p->chains[POLICY_MAIN + lowest].oldest;
}

/* The node that the main part would miss least, which stays in it; NULL: the part is empty.
 * Whatever was hit is ranked anew, each node at most once: readers may be faster than we are. */
static struct policy_node *main_victim(struct policy *p) {
    struct policy_node *node = main_lowest(p);
    for (size_t left = p->loads[POLICY_MAIN].entries; left > 1 && count_hits(p, node); left--) {
        leave(p, node);
        join_main(p, node);
        node = main_lowest(p);
    }
    if (node)
        p->floor = node->rank;
    return node;
}

static void move_to_main(struct policy *p, struct policy_node *node) {
    count_hits(p, node);
    leave(p, node);
    join_main(p, node);
}

/* ---- Ghosts ------------------------------------------------------------------------------- */

static void remember(struct policy *p, struct policy_node *node, enum ghost_origin origin) {
    struct ghost ghost = {
        .stamp = node->stamp,
        .epoch = p->epoch,
        .frequency = (uint8_t)frequency_of(p, node),
        .origin = (uint8_t)origin,
    };
    ghost_put(&p->ghosts, node->hash, ghost);
}

/* The share that the small part should have moves by what a ghost of `origin` tells. */
static void move_share(struct policy *p, enum ghost_origin origin, bool soon) {
    double step = SHARE_STEP / (double)size_max(entries_of(p), 1);
    if (origin == GHOST_REMOVED)
        return;
    if (origin == GHOST_MAIN)
        step *= -MAIN_WEIGHT * (p->small_evicted + 1) / (p->main_evicted + 1);
    else if (!soon)
        step = -step;
    p->share += step;
    if (p->share > SHARE_MAX)
        p->share = SHARE_MAX;
    if (p->share < SHARE_MIN)
        p->share = SHARE_MIN;
}

/* A node joins whose key left a ghost. True: it may go to the main part at once. */
static bool recall(struct policy *p, struct policy_node *node, struct ghost ghost) {
    unsigned epochs = (uint16_t)(p->epoch - ghost.epoch);
    node->frequency = aged(ghost.frequency, epochs);
    add_accesses(p, node, 1);
    const struct policy_node *victim = main_victim(p);
    if (!victim)
        return false;
    bool soon = p->clock - ghost.stamp < p->clock - victim->stamp;
    move_share(p, (enum ghost_origin)ghost.origin, soon);
    if (!soon && small_is_over(p))
        move_to_main(p, small_oldest(p));
    return soon;
}

/* ---- The interface ------------------------------------------------------------------------ */

struct policy *policy_create(const struct policy_options *options) {
    struct policy *p = mem_zalloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->options = *options;
    p->share = SHARE_FIRST;
    return p;
}

void policy_destroy(struct policy *policy) {
    if (!policy)
        return;
    ghost_fini(&policy->ghosts);
    mem_free(policy);
}

static void join_small(struct policy *p, struct policy_node *node) {
    join(p, node, POLICY_FRESH);
    const struct policy_load *fresh = &p->loads[POLICY_FRESH];
    while (fresh->entries > 1 && share_of(p, *fresh) > p->share * FRESH_PART) {
        struct policy_node *oldest = p->chains[POLICY_FRESH].oldest;
        take_hits(oldest);
        leave(p, oldest);
        join(p, oldest, POLICY_TRIAL);
    }
}

void policy_add(struct policy *p, struct policy_node *node) {
    struct ghost ghost;
    p->clock++;
    count_events(p, 1);
    atomic_store_explicit(&node->hits, 0, memory_order_relaxed); /* no reader has it yet */
    node->frequency = POLICY_ACCESS;
    node->epoch = (uint8_t)p->epoch;
    bool known = ghost_take(&p->ghosts, node->hash, &ghost);
    if (known && recall(p, node, ghost) && node->size <= p->options.bytes)
        join_main(p, node);
    else
        join_small(p, node);
    /* While there is room for all, the small part gives what it has too much to the main part. */
    for (int moves = 0; moves < FILL_MOVES && !is_over(p) && small_is_over(p); moves++)
        move_to_main(p, small_oldest(p));
}

void policy_remove(struct policy *p, struct policy_node *node) {
    count_hits(p, node);
    leave(p, node);
    remember(p, node, GHOST_REMOVED);
}

static struct policy_node *evict(struct policy *p, struct policy_node *node) {
    bool small = node->place < POLICY_MAIN;
    size_t ghosts = entries_of(p) + entries_of(p) / 2;
    if (ghosts > ghost_room(&p->ghosts) + ghost_room(&p->ghosts) / 4)
        ghost_grow(&p->ghosts, ghosts);
    *(small ? &p->small_evicted : &p->main_evicted) += 1;
    if (p->small_evicted + p->main_evicted > 2 * (double)entries_of(p)) {
        p->small_evicted /= 2;
        p->main_evicted /= 2;
    }
    leave(p, node);
    remember(p, node, small ? GHOST_SMALL : GHOST_MAIN);
    return node;
}

/* Whether a node on trial is worth more than the victim of the main part. */
static bool wins(const struct policy *p, struct policy_node *node, struct policy_node *victim) {
    double worth = frequency_of(p, node), needed = frequency_of(p, victim) + DUEL_MARGIN;
    return worth * (double)victim->size >= needed * (double)node->size;
}

struct policy_node *policy_victim(struct policy *p) {
    struct policy_node *node = p->chains[POLICY_FRESH].newest;
    if (node && node->size > p->options.bytes)
        return evict(p, node); /* it alone is too much: no other shall go for it */
    if (!is_over(p))
        return NULL;
    struct policy_node *candidate = small_oldest(p), *victim = main_victim(p);
    if (!victim || !candidate)
        return evict(p, victim ? victim : candidate);
    if (!small_is_over(p))
        return evict(p, victim);
    if (count_hits(p, candidate)) {
        move_to_main(p, candidate);
        return evict(p, main_victim(p));
    }
    if (!wins(p, candidate, victim))
        return evict(p, candidate);
    move_to_main(p, candidate);
    return evict(p, victim);
}
