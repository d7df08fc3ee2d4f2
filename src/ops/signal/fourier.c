/* Stockham's transform with mixed radices (Swarztrauber 1984): each stage joins r transforms of length m into one of length
 * m*r, reading one buffer and writing the other, so that no reordering is needed. A length with a prime factor above
 * LARGEST_RADIX goes through Bluestein's chirp convolution (1970), whose length is free to be a power of two. */
#include "ops/signal/fourier.h"

#include "base/error.h"
#include "base/size.h"

#include <math.h>
#include <string.h>

enum { LARGEST_RADIX = 31 };

/* ---- tables ---- */

/* e^(-2 pi i k / n). Octants keep the argument small: the table is exact to the last place for any n. */
static struct complex turn(int64_t k, int64_t n)
{
    const double pi = 3.14159265358979323846;
    int64_t eighth = 8 * k / n, rest = 8 * k % n; /* k / n = (eighth + rest / n) / 8 */
    bool is_odd = eighth & 1;
    double angle = pi / 4 * (double)(is_odd ? n - rest : rest) / (double)n;
    double c = cos(angle), s = sin(angle);
    double along = is_odd ? s : c, across = is_odd ? c : s; /* within the quarter that the eighth belongs to */
    switch (eighth / 2) {
    case 0: return (struct complex){along, -across};
    case 1: return (struct complex){-across, -along};
    case 2: return (struct complex){-along, across};
    default: return (struct complex){across, along};
    }
}

static hob_status new_items(struct arena *arena, int64_t n, struct complex **ret_items, hob_error *error)
{
    *ret_items = ARENA_NEW(arena, struct complex, (size_t)n);
    if (!*ret_items) FAIL(error, HOB_NO_MEMORY, "no memory for a Fourier transform of length %lld", (long long)n);
    return HOB_OK;
}

static hob_status make_turns(struct fourier *plan, int64_t n, struct arena *arena, hob_error *error)
{
    struct complex *turns;
    TRY(new_items(arena, n, &turns, error));
    for (int64_t k = 0; k < n; k++) turns[k] = turn(k, n);
    plan->turns = turns;
    return HOB_OK;
}

/* false: a prime factor is left that is too large for a stage. */
static bool find_factors(struct fourier *plan, int64_t n)
{
    plan->n_factors = 0;
    while (n % 4 == 0) {
        plan->factors[plan->n_factors++] = 4;
        n /= 4;
    }
    for (int64_t radix = 2; radix <= LARGEST_RADIX && n > 1; radix++)
        for (; n % radix == 0; n /= radix) plan->factors[plan->n_factors++] = radix;
    return n == 1;
}

/* ---- stages ---- */

static struct complex times(struct complex a, struct complex b)
{
    return (struct complex){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

static struct complex plus(struct complex a, struct complex b)
{
    return (struct complex){a.re + b.re, a.im + b.im};
}

static struct complex minus(struct complex a, struct complex b)
{
    return (struct complex){a.re - b.re, a.im - b.im};
}

/* One stage: `length` transforms of m items, r of which make one of m*r. from [r,rest,m], to [rest,r,m]. */
struct stage {
    const struct complex *turns, *from;
    struct complex *to;
    int64_t n, m, r, rest; /* n = m * r * rest, the length of turns */
};

static void run_stage_2(const struct stage *s)
{
    for (int64_t k = 0; k < s->rest; k++)
        for (int64_t j = 0; j < s->m; j++) {
            struct complex a = s->from[k * s->m + j];
            struct complex b = times(s->from[(k + s->rest) * s->m + j], s->turns[j * s->rest]);
            struct complex *to = s->to + k * s->m * 2 + j;
            to[0] = plus(a, b);
            to[s->m] = minus(a, b);
        }
}

static void run_stage_4(const struct stage *s)
{
    for (int64_t k = 0; k < s->rest; k++)
        for (int64_t j = 0; j < s->m; j++) {
            const struct complex *from = s->from + k * s->m + j;
            int64_t step = s->rest * s->m, turn_step = j * s->rest;
            struct complex a = from[0], b = times(from[step], s->turns[turn_step]);
            struct complex c = times(from[2 * step], s->turns[2 * turn_step]);
            struct complex d = times(from[3 * step], s->turns[3 * turn_step]);
            struct complex even = plus(a, c), odd = plus(b, d), left = minus(a, c), right = minus(b, d);
            struct complex *to = s->to + k * s->m * 4 + j;
            to[0] = plus(even, odd);
            to[s->m] = (struct complex){left.re + right.im, left.im - right.re};
            to[2 * s->m] = minus(even, odd);
            to[3 * s->m] = (struct complex){left.re - right.im, left.im + right.re};
        }
}

static void run_stage_any(const struct stage *s)
{
    struct complex turned[LARGEST_RADIX];
    for (int64_t k = 0; k < s->rest; k++)
        for (int64_t j = 0; j < s->m; j++) {
            for (int64_t q = 0; q < s->r; q++)
                turned[q] = times(s->from[(k + s->rest * q) * s->m + j], s->turns[q * j * s->rest]);
            for (int64_t p = 0; p < s->r; p++) {
                struct complex sum = turned[0];
                for (int64_t q = 1; q < s->r; q++)
                    sum = plus(sum, times(turned[q], s->turns[q * p % s->r * (s->n / s->r)]));
                s->to[k * s->m * s->r + p * s->m + j] = sum;
            }
        }
}

/* The factored transform of n items, in place. */
static void run_stages(const struct fourier *plan, int64_t n, struct complex *items, struct complex *work)
{
    struct stage stage = {.turns = plan->turns, .from = items, .to = work, .n = n, .m = 1};
    for (int i = 0; i < plan->n_factors; i++) {
        stage.r = plan->factors[i];
        stage.rest = n / (stage.m * stage.r);
        if (stage.r == 2) run_stage_2(&stage);
        else if (stage.r == 4) run_stage_4(&stage);
        else run_stage_any(&stage);
        stage.m *= stage.r;
        stage.from = stage.to;
        stage.to = stage.to == work ? items : work;
    }
    if (stage.from != items) memcpy(items, stage.from, (size_t)n * sizeof *items);
}

/* ---- Bluestein ---- */

static hob_status make_chirp(struct fourier *plan, struct arena *arena, hob_error *error)
{
    int64_t n = plan->n, padded = plan->n_padded;
    struct complex *chirp, *filter, *work;
    TRY(new_items(arena, n, &chirp, error));
    TRY(new_items(arena, padded, &filter, error));
    TRY(new_items(arena, padded, &work, error));
    /* k^2 mod 2n step by step: (k+1)^2 = k^2 + 2k + 1 */
    for (int64_t k = 0, square = 0; k < n; square = (square + 2 * k + 1) % (2 * n), k++) chirp[k] = turn(square, 2 * n);
    for (int64_t k = 0; k < n; k++) {
        filter[k] = (struct complex){chirp[k].re / (double)padded, -chirp[k].im / (double)padded};
        if (k) filter[padded - k] = filter[k];
    }
    run_stages(plan, padded, filter, work);
    plan->chirp = chirp;
    plan->filter = filter;
    return HOB_OK;
}

/* The inverse transform is the transform of the numbers with their parts exchanged, with its parts exchanged. */
static void exchange(int64_t n, struct complex *items)
{
    for (int64_t k = 0; k < n; k++) items[k] = (struct complex){items[k].im, items[k].re};
}

static void run_bluestein(const struct fourier *plan, struct complex *items, struct complex *work)
{
    struct complex *padded = work + plan->n_padded;
    for (int64_t k = 0; k < plan->n; k++) padded[k] = times(items[k], plan->chirp[k]);
    memset(padded + plan->n, 0, (size_t)(plan->n_padded - plan->n) * sizeof *padded);
    run_stages(plan, plan->n_padded, padded, work);
    for (int64_t k = 0; k < plan->n_padded; k++) padded[k] = times(padded[k], plan->filter[k]);
    exchange(plan->n_padded, padded);
    run_stages(plan, plan->n_padded, padded, work);
    exchange(plan->n_padded, padded);
    for (int64_t k = 0; k < plan->n; k++) items[k] = times(padded[k], plan->chirp[k]);
}

/* ---- plans ---- */

hob_status fourier_init(struct fourier *ret_plan, int64_t n, struct arena *arena, hob_error *error)
{
    struct fourier plan = {.n = n};
    if (n > INT64_MAX / 64) FAIL(error, HOB_LIMIT, "a Fourier transform: found length %lld, expected less", (long long)n);
    if (find_factors(&plan, n)) {
        TRY(make_turns(&plan, n, arena, error));
    } else {
        for (plan.n_padded = 1; plan.n_padded < 2 * n - 1;) plan.n_padded *= 2;
        HOB_ASSERT(find_factors(&plan, plan.n_padded));
        TRY(make_turns(&plan, plan.n_padded, arena, error));
        TRY(make_chirp(&plan, arena, error));
    }
    *ret_plan = plan;
    return HOB_OK;
}

int64_t fourier_work_items(const struct fourier *plan)
{
    return plan->n_padded ? 2 * plan->n_padded : plan->n;
}

void fourier_run(const struct fourier *plan, struct complex *items, struct complex *work)
{
    if (plan->n_padded) run_bluestein(plan, items, work);
    else run_stages(plan, plan->n, items, work);
}

void fourier_run_inverse(const struct fourier *plan, struct complex *items, struct complex *work)
{
    exchange(plan->n, items);
    fourier_run(plan, items, work);
    for (int64_t k = 0; k < plan->n; k++)
        items[k] = (struct complex){items[k].im / (double)plan->n, items[k].re / (double)plan->n};
}
