/* Three sums that do not depend on the machine's vectors: the order is the numbers'. */
#include "hob/embed.h"

#include <math.h>

float hob_similarity(const float *a, const float *b, size_t n)
{
    double product = 0, a_squares = 0, b_squares = 0;
    for (size_t i = 0; i < n; i++) {
        product += (double)a[i] * (double)b[i];
        a_squares += (double)a[i] * (double)a[i];
        b_squares += (double)b[i] * (double)b[i];
    }
    double lengths = sqrt(a_squares) * sqrt(b_squares); /* apart: the product of the squares may be too large or too small */
    if (lengths == 0) return 0;
    return (float)fmin(1, fmax(-1, product / lengths));
}
