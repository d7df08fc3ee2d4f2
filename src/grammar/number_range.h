/* Numbers between bounds, digit by digit: exact for integers, and for decimals of up to 15 digits without an exponent.
 *
 *     struct number_bound low = {.is_set = true}, high = {0};          0 or more
 *     TRY(number_bound_read("0.5", false, &high, error));              and at most 0.5
 *     TRY(number_range_decimals(&builder, &low, &high, &fragment, error));
 */
#ifndef GRAMMAR_NUMBER_RANGE_H
#define GRAMMAR_NUMBER_RANGE_H

#include "grammar/builder.h"

enum { BOUND_DIGITS = 15 };

struct number_bound {
    bool is_set, is_negative, is_strict;
    uint64_t whole;                 /* below 10^15 */
    uint8_t fraction[BOUND_DIGITS]; /* digits, zeros behind the last */
    size_t n_fraction;
};

/* text: a decimal as JSON writes it, no exponent. Fails: HOB_UNSUPPORTED (an exponent, too many digits). */
HOB_MUST_CHECK hob_status number_bound_read(const char *text, bool is_strict, struct number_bound *ret_bound,
                                            hob_error *error);

/* Whole numbers from low to high, both included; at most 15 digits where a side is not set. */
struct fragment number_range_integers(struct grammar_builder *builder, bool has_low, int64_t low, bool has_high,
                                      int64_t high);
/* Decimals. Fails: HOB_UNSUPPORTED (more digits behind the point than doubles tell apart). */
HOB_MUST_CHECK hob_status number_range_decimals(struct grammar_builder *builder, const struct number_bound *low,
                                                const struct number_bound *high, struct fragment *ret_fragment,
                                                hob_error *error);

#endif
