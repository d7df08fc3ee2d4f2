/* The eight partial sums that every reduction over a row uses (kernels.h, "lanes"). */
#ifndef KERNELS_GENERIC_LANES_H
#define KERNELS_GENERIC_LANES_H

enum { N_LANES = 8 };

struct lanes {
    float sums[N_LANES];
};

static inline float lanes_total(const struct lanes *lanes)
{
    const float *s = lanes->sums;
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

#endif
