/* Random numbers as a pure function of (seed, stream, position): the same on every machine, with any number of threads.
 *
 * Philox4x32-10, a counter-based generator: nothing is mixed from call to call, so any position can be read directly and two
 * streams of one seed never overlap. Good for sampling and initial weights, not for secrets.
 * Owns nothing. Not thread-safe: one rng per thread, each on a stream of its own.
 *
 *     struct rng rng = {.seed = 42, .stream = session_id};
 *     float u = rng_uniform(&rng);                     [0, 1)
 *     rng.position = 0;                                from the start again
 *
 * Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t seed;
    uint64_t stream;
    uint64_t position; /* of the next 32-bit word */
};

/* One block of the generator: four words from a 128-bit counter and a 64-bit key. */
void rng_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t ret_words[4]);

uint32_t rng_next(struct rng *rng);
/* Uniform in 0..n-1, without bias; n at least 1. */
uint32_t rng_below(struct rng *rng, uint32_t n);
/* Uniform in [0, 1), a multiple of 2^-24 (float) or 2^-53 (double). */
float rng_uniform(struct rng *rng);
double rng_uniform_double(struct rng *rng);
/* Mean 0, standard deviation 1. */
float rng_normal(struct rng *rng);
double rng_normal_double(struct rng *rng); /* the same draw, unrounded */

#endif
