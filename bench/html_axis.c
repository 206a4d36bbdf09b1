/*
 * html_axis.c - where figures stand on a logarithmic axis, and which numbers label it.
 */
#include <math.h>

#include "bench/html_impl.h"

static bool is_drawable(double value) { return isfinite(value) && value > 0; }

/* ---- Places of a row ----------------------------------------------------------------------- */

bool row_place(const struct row *row, double *place) {
    const struct goal *goal = &row->goal;
    bool of_value = goal->kind != GOAL_NONE && goal->of_value;
    if (of_value ? !is_drawable(goal->bound) : !row->reference)
        return false;
    *place = of_value ? row->value.median / goal->bound : row_ratio(row);
    return !isnan(*place);
}

bool row_goal_place(const struct row *row, double *place) {
    double unused;
    if (row->goal.kind == GOAL_NONE || !row_place(row, &unused))
        return false;
    *place = row->goal.of_value ? 1 : row->goal.bound;
    return is_drawable(*place);
}

/* The quartiles of what was kept; without that, what the spread says of them. */
static void middle_half(const struct measured *m, double *low, double *high) {
    size_t count = m->point_count;
    *low = count ? m->points[count / 4] : m->median * (1 - m->spread);
    *high = count ? m->points[count - 1 - count / 4] : m->median * (1 + m->spread);
}

bool row_range(const struct row *row, double *low, double *high) {
    double from, to, reference_from = row->goal.bound, reference_to = row->goal.bound;
    middle_half(&row->value, &from, &to);
    if (row->goal.kind == GOAL_NONE || !row->goal.of_value)
        middle_half(&row->reference_value, &reference_from, &reference_to);
    bool known = is_drawable(from) && is_drawable(to) && is_drawable(reference_from) &&
                 is_drawable(reference_to);
    if (known) {
        *low = from / reference_to;
        *high = to / reference_from;
    }
    return known && *high > *low;
}

bool row_margin(const struct row *row, double *margin) {
    double place, goal;
    if (!row_goal_place(row, &goal) || !row_place(row, &place))
        return false;
    *margin = row->goal.kind == GOAL_AT_LEAST ? place / goal : goal / place;
    return !isnan(*margin);
}

/* ---- The axis ------------------------------------------------------------------------------ */

struct span {
    double low, high;
};

static void include(struct span *span, double value) {
    if (!is_drawable(value))
        return;
    span->low = fmin(span->low, log10(value));
    span->high = fmax(span->high, log10(value));
}

static void include_row(struct span *span, const struct row *row) {
    double place, goal, low, high;
    if (!row_place(row, &place))
        return;
    include(span, 1);
    include(span, place);
    if (row_goal_place(row, &goal))
        include(span, goal);
    if (row_range(row, &low, &high) && is_drawable(place)) {
        /* A row that varies wildly must not press all others together. */
        include(span, fmax(low, place / 2));
        include(span, fmin(high, place * 2));
    }
}

/* How far the farthest round is from its median, as a factor. */
static double farthest(const struct measured *m) {
    double factor = 1;
    for (unsigned i = 0; m->median > 0 && m->point_count > 1 && i < m->point_count; i++)
        if (is_drawable(m->points[i]))
            factor = fmax(factor, fmax(m->points[i] / m->median, m->median / m->points[i]));
    return factor;
}

struct axis axis_of(const struct noted *items, size_t count) {
    const double narrowest = 0.3, room = 0.07; /* at least a factor of two; of the span */
    struct span span = {INFINITY, -INFINITY};
    double factor = 1;
    for (size_t i = 0; i < count; i++) {
        const struct row *row = &items[i].row;
        include_row(&span, row);
        factor = fmax(factor, fmax(farthest(&row->value),
                                   row->reference ? farthest(&row->reference_value) : 1));
    }
    factor = factor > 1 ? fmin(fmax(factor, 1.05), 4) : 0;
    if (span.high < span.low)
        return (struct axis){.factor = factor};
    double missing = fmax(0, narrowest - (span.high - span.low)) / 2;
    double margin = missing + room * (span.high - span.low + 2 * missing);
    return (struct axis){span.low - margin, span.high + margin, factor};
}

double axis_percent(const struct axis *axis, double value) {
    if (!(value > 0))
        return 0;
    double part = (log10(value) - axis->low) / (axis->high - axis->low);
    return 100 * fmin(fmax(part, 0), 1);
}

/* ---- Labels -------------------------------------------------------------------------------- */

static void add_tick(const struct axis *axis, double tick, double *ticks, size_t *count) {
    double at = log10(tick);
    if (*count < AXIS_TICKS_MAX && at >= axis->low && at <= axis->high)
        ticks[(*count)++] = tick;
}

/* 1, 2, 2.5 or 5 times a power of ten, the least that is not under `least`. */
static double round_step(double least) {
    static const double steps[] = {1, 2, 2.5, 5, 10};
    double power = pow(10, floor(log10(least)));
    for (size_t i = 0; i < COUNT_OF(steps); i++)
        if (steps[i] * power >= least)
            return steps[i] * power;
    return 10 * power;
}

size_t axis_ticks(const struct axis *axis, double ticks[AXIS_TICKS_MAX]) {
    const double few = 4, many = 7, decades = axis->high - axis->low;
    size_t count = 0;
    if (decades < 1) { /* steps of one size */
        double first = pow(10, axis->low), step = round_step((pow(10, axis->high) - first) / few);
        for (double i = ceil(first / step); count < AXIS_TICKS_MAX; i++) {
            if (log10(i * step) > axis->high)
                break;
            add_tick(axis, i * step, ticks, &count);
        }
        return count;
    }
    double every = ceil(decades / many);
    for (double power = every * floor(axis->low / every); power <= axis->high; power += every) {
        add_tick(axis, pow(10, power), ticks, &count);
        if (decades < 2.2)
            add_tick(axis, 3 * pow(10, power), ticks, &count);
    }
    return count;
}
