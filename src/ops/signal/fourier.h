/* Discrete Fourier transforms of any length in f64: O(n log n) for every n, primes too.
 *
 * A plan holds the tables for one length; it lives in an arena and is read-only once made, so threads share it.
 * Relative error (root mean square) about 1e-16 * log2(n).
 *
 *     struct fourier plan;
 *     TRY(fourier_init(&plan, n, ctx->scratch, error));
 *     struct complex *items = …, *work = …;                  n and fourier_work_items(&plan) of them
 *     fourier_run(&plan, items, work);                       in place
 */
#ifndef OPS_SIGNAL_FOURIER_H
#define OPS_SIGNAL_FOURIER_H

#include "base/arena.h"
#include "hob/status.h"

#include <stdint.h>

struct complex {
    double re, im;
};

enum { FOURIER_MAX_FACTORS = 63 };

struct fourier {
    int64_t n;
    int n_factors;
    int64_t factors[FOURIER_MAX_FACTORS]; /* of n, or of n_padded */
    const struct complex *turns;          /* e^(-2 pi i k / length of the factored transform) */
    /* Lengths with a large prime factor: a convolution with a chirp, by transforms of a power of two. */
    int64_t n_padded;             /* 0: n itself is factored */
    const struct complex *chirp;  /* n: e^(-pi i k^2 / n) */
    const struct complex *filter; /* n_padded: transform of the chirp's conjugate, / n_padded */
};

/* n >= 1. Fails: HOB_NO_MEMORY, HOB_LIMIT. */
HOB_MUST_CHECK hob_status fourier_init(struct fourier *ret_plan, int64_t n, struct arena *arena, hob_error *error);
int64_t fourier_work_items(const struct fourier *plan);
/* items[k] = sum over j of items[j] e^(-2 pi i j k / n). */
void fourier_run(const struct fourier *plan, struct complex *items, struct complex *work);
/* items[k] = sum over j of items[j] e^(2 pi i j k / n) / n. */
void fourier_run_inverse(const struct fourier *plan, struct complex *items, struct complex *work);

#endif
