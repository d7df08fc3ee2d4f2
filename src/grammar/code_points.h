/* Sets of Unicode code points as sorted ranges, and the byte sequences of UTF-8 that spell them.
 *
 * Owns its ranges. A failure to grow sticks in is_failed. Surrogates (D800 to DFFF) have no UTF-8 and are never part of a
 * finished set. Not thread-safe.
 *
 *     struct code_points digits = {0};
 *     code_points_add(&digits, '0', '9');
 *     code_points_finish(&digits, false);
 *     code_points_release(&digits);
 */
#ifndef GRAMMAR_CODE_POINTS_H
#define GRAMMAR_CODE_POINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UNICODE_MOST = 0x10FFFF, CODE_POINTS_MAX_RANGES = 1 << 16, UTF8_MAX_SEQUENCES = 32 };

struct code_range {
    uint32_t low, high;
};

struct code_points {
    struct code_range *ranges;
    size_t n_ranges, n_reserved;
    bool is_failed;
};

void code_points_release(struct code_points *points); /* takes a zeroed set */
void code_points_add(struct code_points *points, uint32_t low, uint32_t high);
void code_points_add_all(struct code_points *points, const struct code_points *more);
/* Sorts, joins, and takes out surrogates; is_negated: all other code points instead. */
void code_points_finish(struct code_points *points, bool is_negated);
/* Of a finished set. */
bool code_points_has(const struct code_points *points, uint32_t c);

/* One range of each of up to four bytes. */
struct utf8_sequence {
    uint8_t low[4], high[4];
    size_t n_bytes;
};
/* The sequences that spell a range without surrogates, at most UTF8_MAX_SEQUENCES. */
size_t utf8_sequences(struct code_range range, struct utf8_sequence *ret_sequences);

#endif
