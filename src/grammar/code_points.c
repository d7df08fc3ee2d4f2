/* A range of code points is cut where the length of its UTF-8 changes, and then until all bytes behind the first that differs
 * run over all of 80 to BF. */
#include "grammar/code_points.h"
#include "base/memory.h"

#include <stdlib.h>

void code_points_release(struct code_points *points)
{
    memory_free(points->ranges);
    *points = (struct code_points){0};
}

void code_points_add(struct code_points *points, uint32_t low, uint32_t high)
{
    if (points->n_ranges == points->n_reserved) {
        size_t n_wanted = points->n_reserved ? points->n_reserved * 2 : 8;
        struct code_range *grown =
            n_wanted <= CODE_POINTS_MAX_RANGES ? memory_resize(points->ranges, n_wanted, sizeof *grown) : NULL;
        points->is_failed |= !grown;
        if (!grown) return;
        points->ranges = grown;
        points->n_reserved = n_wanted;
    }
    points->ranges[points->n_ranges++] = (struct code_range){low, high};
}

void code_points_add_all(struct code_points *points, const struct code_points *more)
{
    for (size_t i = 0; i < more->n_ranges; i++) code_points_add(points, more->ranges[i].low, more->ranges[i].high);
}

static int by_low(const void *left, const void *right)
{
    const struct code_range *a = left, *b = right;
    return (a->low > b->low) - (a->low < b->low);
}

static void sort_and_join(struct code_points *points)
{
    size_t n = 0;
    if (points->n_ranges > 1) qsort(points->ranges, points->n_ranges, sizeof *points->ranges, by_low);
    for (size_t i = 0; i < points->n_ranges; i++) {
        struct code_range range = points->ranges[i];
        if (n && range.low <= points->ranges[n - 1].high + 1) {
            if (range.high > points->ranges[n - 1].high) points->ranges[n - 1].high = range.high;
        } else {
            points->ranges[n++] = range;
        }
    }
    points->n_ranges = n;
}

static void negate(struct code_points *points)
{
    struct code_points others = {.is_failed = points->is_failed};
    uint32_t next = 0;
    for (size_t i = 0; i < points->n_ranges; i++) {
        if (points->ranges[i].low > next) code_points_add(&others, next, points->ranges[i].low - 1);
        next = points->ranges[i].high + 1;
    }
    if (next <= UNICODE_MOST) code_points_add(&others, next, UNICODE_MOST);
    memory_free(points->ranges);
    *points = others;
}

void code_points_finish(struct code_points *points, bool is_negated)
{
    sort_and_join(points);
    if (!is_negated) negate(points); /* negated twice, with surrogates added between: they are out */
    code_points_add(points, 0xD800, 0xDFFF);
    sort_and_join(points);
    negate(points);
}

bool code_points_has(const struct code_points *points, uint32_t c)
{
    for (size_t i = 0; i < points->n_ranges; i++)
        if (c >= points->ranges[i].low && c <= points->ranges[i].high) return true;
    return false;
}

/* ---- UTF-8 ---- */

static void encode(uint32_t c, size_t n_bytes, uint8_t *bytes)
{
    static const uint8_t lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = n_bytes - 1; i > 0; i--, c >>= 6) bytes[i] = (uint8_t)(0x80 | (c & 0x3F));
    bytes[0] = (uint8_t)(lead[n_bytes] | c);
}

struct splitter {
    struct utf8_sequence *sequences;
    size_t n;
};

/* The range, all of n_bytes bytes, cut so that each piece is a product of ranges. */
static void split(struct splitter *splitter, uint32_t low, uint32_t high, size_t n_bytes)
{
    for (size_t k = n_bytes - 1; k > 0; k--) { /* the last k bytes free, or cut at their boundary */
        uint32_t mask = (1u << (6 * k)) - 1;
        if ((low & ~mask) == (high & ~mask)) continue;
        if (low & mask) {
            split(splitter, low, low | mask, n_bytes);
            split(splitter, (low | mask) + 1, high, n_bytes);
            return;
        }
        if ((high & mask) != mask) {
            split(splitter, low, (high & ~mask) - 1, n_bytes);
            split(splitter, high & ~mask, high, n_bytes);
            return;
        }
    }
    struct utf8_sequence *sequence = &splitter->sequences[splitter->n++];
    sequence->n_bytes = n_bytes;
    encode(low, n_bytes, sequence->low);
    encode(high, n_bytes, sequence->high);
}

size_t utf8_sequences(struct code_range range, struct utf8_sequence *ret_sequences)
{
    static const uint32_t most[] = {0x7F, 0x7FF, 0xFFFF, UNICODE_MOST};
    struct splitter splitter = {.sequences = ret_sequences};
    uint32_t low = range.low;
    for (size_t i = 0; i < 4 && low <= range.high; i++) {
        if (low > most[i]) continue;
        uint32_t high = range.high < most[i] ? range.high : most[i];
        split(&splitter, low, high, i + 1);
        low = high + 1;
    }
    return splitter.n;
}
