/* Whole numbers of equal length are compared digit by digit: while a prefix equals a bound's, that bound limits the next digit.
 * Decimals are a whole part strictly between the bounds' with any fraction, or one equal to a bound's with a bounded fraction. */
#include "grammar/number_range.h"
#include "base/error.h"
#include "grammar/regular.h"

#include <string.h>

enum { MOST_DIGITS = 15, FRACTION_MOST = 12 };
#define WHOLE_MOST 999999999999999u /* 10^15 - 1: more digits and doubles could round across a bound */

/* ---- whole numbers ---- */

static size_t n_digits(uint64_t number)
{
    size_t n = 1;
    while (number /= 10) n++;
    return n;
}

static uint64_t power_of_ten(size_t n)
{
    uint64_t power = 1;
    while (n--) power *= 10;
    return power;
}

static void digit_move(struct grammar_builder *builder, uint32_t from, int low, int high, uint32_t to)
{
    if (low <= high) grammar_builder_bytes(builder, from, (unsigned)('0' + low), (unsigned)('0' + high), to);
}

/* low to high, of n digits each. states: of prefixes equal to both, to low's, to high's, and to none. */
static void add_same_length(struct grammar_builder *builder, uint32_t from, uint64_t low, uint64_t high, size_t n,
                            uint32_t to)
{
    uint32_t both = from, at_low = grammar_builder_state(builder), at_high = grammar_builder_state(builder);
    uint32_t inside = grammar_builder_state(builder);
    for (size_t i = n; i-- > 0;) {
        int l = (int)(low / power_of_ten(i) % 10), h = (int)(high / power_of_ten(i) % 10);
        uint32_t next[4];
        for (size_t k = 0; k < 4; k++) next[k] = i ? grammar_builder_state(builder) : to;
        if (both != BUILDER_NONE && l == h) digit_move(builder, both, l, l, next[0]);
        if (both != BUILDER_NONE && l != h) {
            digit_move(builder, both, l, l, next[1]);
            digit_move(builder, both, l + 1, h - 1, next[3]);
            digit_move(builder, both, h, h, next[2]);
        }
        digit_move(builder, at_low, l, l, next[1]);
        digit_move(builder, at_low, l + 1, 9, next[3]);
        digit_move(builder, at_high, 0, h - 1, next[3]);
        digit_move(builder, at_high, h, h, next[2]);
        digit_move(builder, inside, 0, 9, next[3]);
        both = both != BUILDER_NONE && l == h ? next[0] : BUILDER_NONE;
        at_low = next[1], at_high = next[2], inside = next[3];
    }
}

static void add_unsigned(struct grammar_builder *builder, uint32_t from, uint64_t low, uint64_t high, uint32_t to)
{
    for (size_t n = n_digits(low); low <= high && n <= n_digits(high); n++) {
        uint64_t least = n > 1 ? power_of_ten(n - 1) : 0, most = power_of_ten(n) - 1;
        uint32_t start = grammar_builder_state(builder);
        grammar_builder_skip(builder, from, start);
        add_same_length(builder, start, low > least ? low : least, high < most ? high : most, n, to);
    }
}

struct fragment number_range_integers(struct grammar_builder *builder, bool has_low, int64_t low, bool has_high,
                                      int64_t high)
{
    struct fragment all = {grammar_builder_state(builder), grammar_builder_state(builder)};
    uint64_t most_negative = has_low ? (low < 0 ? 0u - (uint64_t)low : 0) : WHOLE_MOST;
    uint64_t least_negative = has_high && high < 0 ? 0u - (uint64_t)high : 1;
    uint64_t most = has_high ? (high < 0 ? 0 : (uint64_t)high) : WHOLE_MOST;
    if (!has_high && has_low && low > (int64_t)most) most = (uint64_t)low + 1000;
    if (!has_low && most_negative < least_negative) most_negative = least_negative + 1000;
    if (most_negative >= least_negative)
        add_unsigned(builder, grammar_builder_literal(builder, all.from, "-", 1), least_negative, most_negative,
                     all.to);
    if (!has_high || high >= 0) add_unsigned(builder, all.from, has_low && low > 0 ? (uint64_t)low : 0, most, all.to);
    return all;
}

/* ---- decimals ---- */

hob_status number_bound_read(const char *text, bool is_strict, struct number_bound *ret_bound, hob_error *error)
{
    struct number_bound bound = {.is_set = true, .is_strict = is_strict, .is_negative = *text == '-'};
    const char *at = text + bound.is_negative;
    size_t n = 0;
    for (; *at >= '0' && *at <= '9'; at++, n++)
        if (n < BOUND_DIGITS) bound.whole = bound.whole * 10 + (uint64_t)(*at - '0');
    if (*at == '.')
        for (at++; *at >= '0' && *at <= '9'; at++, n++)
            if (bound.n_fraction < BOUND_DIGITS) bound.fraction[bound.n_fraction++] = (uint8_t)(*at - '0');
    while (bound.n_fraction && !bound.fraction[bound.n_fraction - 1]) bound.n_fraction--;
    if (*at || n > BOUND_DIGITS)
        FAIL(error, HOB_UNSUPPORTED, "found the bound %.40s, expected at most %d digits and no exponent", text,
             BOUND_DIGITS);
    *ret_bound = bound;
    return HOB_OK;
}

/* Digits behind the point: how many at most. */
struct fractions {
    struct grammar_builder *builder;
    size_t n_most;
    uint32_t to;
};

/* n more digits or fewer, from a place where the number may end. */
static void add_free_digits(const struct fractions *fractions, uint32_t from, size_t n)
{
    grammar_builder_skip(fractions->builder, from, fractions->to);
    for (; n; n--) {
        uint32_t next = grammar_builder_state(fractions->builder);
        digit_move(fractions->builder, from, 0, 9, next);
        grammar_builder_skip(fractions->builder, next, fractions->to);
        from = next;
    }
}

static void add_free_fraction(const struct fractions *fractions, uint32_t from)
{
    uint32_t first = grammar_builder_state(fractions->builder);
    grammar_builder_skip(fractions->builder, from, fractions->to);
    digit_move(fractions->builder, grammar_builder_literal(fractions->builder, from, ".", 1), 0, 9, first);
    add_free_digits(fractions, first, fractions->n_most - 1);
}

static int digit_of(const struct number_bound *bound, size_t i)
{
    return i < bound->n_fraction ? bound->fraction[i] : 0;
}

/* A fraction above (is_least) or below the bound's, or equal to it unless that is strict. What has been read equals the bound's
 * first i digits; it may end there when the rest of the bound, being zero or not, allows it. */
static void add_bounded_fraction(const struct fractions *fractions, uint32_t from, const struct number_bound *bound,
                                 bool is_least)
{
    struct grammar_builder *builder = fractions->builder;
    uint32_t at = grammar_builder_literal(builder, from, ".", 1);
    for (size_t i = 0; i <= fractions->n_most; i++) {
        bool has_rest = i < bound->n_fraction;
        bool may_end = is_least ? !has_rest && !bound->is_strict : has_rest || !bound->is_strict;
        if (may_end) grammar_builder_skip(builder, i ? at : from, fractions->to);
        if (i == fractions->n_most) return;
        uint32_t next = grammar_builder_state(builder), inside = grammar_builder_state(builder);
        int digit = digit_of(bound, i);
        digit_move(builder, at, digit, digit, next);
        if (is_least) digit_move(builder, at, digit + 1, 9, inside);
        else digit_move(builder, at, 0, digit - 1, inside);
        add_free_digits(fractions, inside, fractions->n_most - i - 1);
        at = next;
    }
}

static struct fragment bounded_fraction(struct grammar_builder *builder, size_t n_most,
                                        const struct number_bound *bound, bool is_least)
{
    struct fragment fragment = {grammar_builder_state(builder), grammar_builder_state(builder)};
    struct fractions fractions = {builder, n_most, fragment.to};
    add_bounded_fraction(&fractions, fragment.from, bound, is_least);
    return fragment;
}

static uint32_t add_whole(struct grammar_builder *builder, uint32_t from, uint64_t low, uint64_t high)
{
    uint32_t to = grammar_builder_state(builder);
    add_unsigned(builder, from, low, high, to);
    return to;
}

/* Decimals of no sign from low to high. */
static void add_magnitudes(struct grammar_builder *builder, uint32_t from, const struct number_bound *low,
                           const struct number_bound *high, size_t n_most, uint32_t to)
{
    struct fractions fractions = {builder, n_most, to};
    if (low->whole > high->whole) return;
    if (low->whole == high->whole) {
        struct fragment both = regular_intersect(builder, bounded_fraction(builder, n_most, low, true),
                                                 bounded_fraction(builder, n_most, high, false));
        grammar_builder_skip(builder, add_whole(builder, from, low->whole, low->whole), both.from);
        grammar_builder_skip(builder, both.to, to);
        return;
    }
    add_bounded_fraction(&fractions, add_whole(builder, from, low->whole, low->whole), low, true);
    add_bounded_fraction(&fractions, add_whole(builder, from, high->whole, high->whole), high, false);
    if (high->whole - low->whole > 1)
        add_free_fraction(&fractions, add_whole(builder, from, low->whole + 1, high->whole - 1));
}

hob_status number_range_decimals(struct grammar_builder *builder, const struct number_bound *low,
                                 const struct number_bound *high, struct fragment *ret_fragment, hob_error *error)
{
    const struct number_bound nothing = {.is_set = true}, above_nothing = {.is_set = true, .is_strict = true};
    const struct number_bound endless = {.is_set = true, .whole = WHOLE_MOST};
    size_t n_low = n_digits(low->whole), n_high = n_digits(high->whole), n_whole = n_low > n_high ? n_low : n_high;
    size_t n_most = n_whole + FRACTION_MOST > MOST_DIGITS ? MOST_DIGITS - n_whole : FRACTION_MOST;
    struct fragment all = {grammar_builder_state(builder), grammar_builder_state(builder)};
    if (n_most == 0) n_most = 1;
    if (low->n_fraction > n_most || high->n_fraction > n_most)
        FAIL(error, HOB_UNSUPPORTED, "found a bound with too many digits, expected at most %d in all", MOST_DIGITS);
    bool has_negative = !low->is_set || low->is_negative, has_positive = !high->is_set || !high->is_negative;
    if (has_negative)
        add_magnitudes(builder, grammar_builder_literal(builder, all.from, "-", 1),
                       high->is_set && high->is_negative ? high : &above_nothing, low->is_set ? low : &endless, n_most,
                       all.to);
    if (has_positive)
        add_magnitudes(builder, all.from, low->is_set && !low->is_negative ? low : &nothing,
                       high->is_set ? high : &endless, n_most, all.to);
    *ret_fragment = all;
    return builder->status;
}
