/* A block is made again for each of its four words: ten rounds cost less than keeping a cache in step with `position`. */
#include "base/rng.h"
#include "base/error.h"

#include <math.h>

static void multiply(uint32_t a, uint32_t b, uint32_t *ret_high, uint32_t *ret_low)
{
    uint64_t product = (uint64_t)a * b;
    *ret_high = (uint32_t)(product >> 32);
    *ret_low = (uint32_t)product;
}

void rng_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t ret_words[4])
{
    uint32_t x0 = counter[0], x1 = counter[1], x2 = counter[2], x3 = counter[3];
    uint32_t key0 = key[0], key1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint32_t high0, low0, high1, low1;
        multiply(0xD2511F53u, x0, &high0, &low0);
        multiply(0xCD9E8D57u, x2, &high1, &low1);
        x0 = high1 ^ x1 ^ key0;
        x1 = low1;
        x2 = high0 ^ x3 ^ key1;
        x3 = low0;
        key0 += 0x9E3779B9u; /* the golden ratio */
        key1 += 0xBB67AE85u; /* sqrt(3) - 1 */
    }
    ret_words[0] = x0;
    ret_words[1] = x1;
    ret_words[2] = x2;
    ret_words[3] = x3;
}

uint32_t rng_next(struct rng *rng)
{
    uint64_t block = rng->position / 4;
    uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)rng->stream,
                           (uint32_t)(rng->stream >> 32)};
    uint32_t key[2] = {(uint32_t)rng->seed, (uint32_t)(rng->seed >> 32)};
    uint32_t words[4];
    rng_philox(counter, key, words);
    return words[rng->position++ % 4];
}

/* The high half of word * n is uniform once the low products that would make some results one word richer are drawn again.
 * Source: Lemire, "Fast random integer generation in an interval", 2019. */
uint32_t rng_below(struct rng *rng, uint32_t n)
{
    HOB_ASSERT(n > 0);
    uint32_t surplus = -n % n; /* 2^32 mod n */
    for (;;) {
        uint32_t high, low;
        multiply(rng_next(rng), n, &high, &low);
        if (low >= surplus) return high;
    }
}

float rng_uniform(struct rng *rng)
{
    return (float)(rng_next(rng) >> 8) * 0x1p-24f;
}

double rng_uniform_double(struct rng *rng)
{
    uint64_t high = rng_next(rng) >> 6, low = rng_next(rng) >> 5; /* 26 + 27 bits */
    return (double)(high << 27 | low) * 0x1p-53;
}

/* Box and Muller 1958. Only one of the pair is used, so that a draw does not depend on the one before it. */
double rng_normal_double(struct rng *rng)
{
    double radius = sqrt(-2.0 * log(1.0 - rng_uniform_double(rng))); /* 1 - u: never the logarithm of 0 */
    return radius * cos(2.0 * M_PI * rng_uniform_double(rng));
}

float rng_normal(struct rng *rng)
{
    return (float)rng_normal_double(rng);
}
