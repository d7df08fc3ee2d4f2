/* Which keys a query sees: one contiguous run, whatever limits there are. */
#include "ops/attention/attention.h"

struct key_range attention_range(const struct attention *at, int64_t b, int64_t t)
{
    int64_t n_keys = at->n_keys ? at->n_keys[b] : at->k.dims[2];
    int64_t position = (at->n_before ? at->n_before[b] : at->k.dims[2] - at->q.dims[2]) + t;
    struct key_range range = {0, n_keys};
    if (at->is_causal && range.end > position + 1) range.end = position + 1;
    if (at->right_window && range.end > position + at->right_window) range.end = position + at->right_window;
    if (at->left_window && position - at->left_window + 1 > 0) range.begin = position - at->left_window + 1;
    if (range.end < range.begin) range.end = range.begin;
    if (range.begin > n_keys) range = (struct key_range){0, 0};
    return range;
}
