#include "ops/attention/ms_mask.h"

#include "kernels/kernels.h"
#include "ops/as_f32.h"

#include <float.h>

/* The kinds differ in which keys count for query t of batch b. */
static bool is_kept(const struct ms_mask *mask, int64_t b, int64_t t, int64_t key)
{
    const int32_t *items = mask->keys->data;
    switch (mask->keys->rank) {
    case 1: return key < items[b] && (mask->keys->dims[0] != 2 * mask->B || key >= items[mask->B + b]);
    case 2: return items[b * mask->S + key] != 0;
    case 3: return items[(b * mask->T + t) * mask->S + key] != 0;
    default: break;
    }
    int64_t most = mask->keys->dims[2];
    return items[(b * most + mask->P + t) * most + key] != 0;
}

static hob_status check_keys(struct op_context *ctx, const struct ms_mask *mask)
{
    const struct tensor *keys = mask->keys;
    const int64_t *dims = keys->dims, B = mask->B, T = mask->T, S = mask->S;
    bool fits = (keys->rank == 1 && (dims[0] == B || dims[0] == 2 * B || dims[0] == 3 * B + 2)) ||
                tensor_has_shape(keys, 2, (int64_t[]){B, S}) || tensor_has_shape(keys, 3, (int64_t[]){B, T, S}) ||
                (keys->rank == 4 && dims[0] == B && dims[1] == 1 && dims[2] == dims[3] && dims[2] >= S);
    if (!fits)
        OP_FAIL(ctx, HOB_BAD_SHAPE,
                "mask: found %s, expected [B], [2B], [3B+2], [B,S], [B,T,S] or [B,1,M,M] for B %lld, T %lld, S %lld",
                OP_SHAPE(keys), (long long)B, (long long)T, (long long)S);
    return HOB_OK;
}

/* [B,1 or T,S] of zeros and the filter value, shown as [B,H,T,S].
 *
 * ONNX Runtime gives future keys the lowest score. A filter value that low makes masked keys their equals: a query that sees
 * only masked keys (padding on the left) then attends to all keys alike, future ones too. Nobody reads such a row, but the
 * peer writes it so; the mask then hides the future in place of is_causal. */
static hob_status apply_keys(struct op_context *ctx, const struct ms_mask *mask, struct attention *attention)
{
    if (!mask->keys) return HOB_OK;
    TRY(check_keys(ctx, mask));
    bool hides_future = attention->is_causal && mask->filter == -FLT_MAX && mask->T > 1;
    int64_t n_rows = mask->keys->rank > 2 || hides_future ? mask->T : 1;
    float *items;
    TRY(scratch_f32(ctx, mask->B * n_rows * mask->S, &items));
    for (int64_t row = 0; row < mask->B * n_rows; row++)
        for (int64_t key = 0; key < mask->S; key++) {
            bool is_future = hides_future && key > mask->P + row % n_rows;
            bool is_seen = !is_future && is_kept(mask, row / n_rows, row % n_rows, key);
            items[row * mask->S + key] = is_seen ? 0 : mask->filter;
        }
    if (hides_future) attention->is_causal = false;
    struct tensor narrow;
    TRY(tensor_init(&narrow, DTYPE_F32, 4, (int64_t[]){mask->B, 1, n_rows, mask->S}, items, ctx->error));
    attention->mask = tensor_broadcast(&narrow, 4, (int64_t[]){mask->B, mask->H, mask->T, mask->S});
    return HOB_OK;
}

static hob_status check_bias(struct op_context *ctx, const struct ms_mask *mask)
{
    const int64_t *dims = mask->bias->dims;
    bool fits = mask->bias->rank == 4 && (dims[0] == 1 || dims[0] == mask->B) &&
                (dims[1] == 1 || dims[1] == mask->H) && dims[2] == mask->T && dims[3] == mask->S;
    if (!fits)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "attention_bias: found %s, expected [1 or %lld,1 or %lld,%lld,%lld]",
                OP_SHAPE(mask->bias), (long long)mask->B, (long long)mask->H, (long long)mask->T, (long long)mask->S);
    return HOB_OK;
}

/* Adds [B,H,T,S] tensors row by row; mask may have been broadcast over heads and queries. */
static hob_status add_bias(struct op_context *ctx, const struct tensor *bias, struct tensor *mask)
{
    int64_t n_heads = bias->dims[1], n_queries = bias->dims[2], n_keys = bias->dims[3];
    float *sum;
    TRY(scratch_f32(ctx, tensor_n_items(bias), &sum));
    for (int64_t row = 0; row < bias->dims[0] * n_heads * n_queries; row++) {
        int64_t b = row / (n_heads * n_queries), h = row / n_queries % n_heads, t = row % n_queries;
        const float *x =
            (const float *)bias->data + b * bias->strides[0] + h * bias->strides[1] + t * bias->strides[2];
        const float *y = (const float *)mask->data + b * mask->strides[0] + t * mask->strides[2];
        ctx->kernels->add_f32(n_keys, x, 1, y, 1, sum + row * n_keys);
    }
    return tensor_init(mask, DTYPE_F32, 4, bias->dims, sum, ctx->error);
}

hob_status ms_mask_apply(struct op_context *ctx, const struct ms_mask *mask, struct attention *attention)
{
    TRY(apply_keys(ctx, mask, attention));
    if (!mask->bias) return HOB_OK;
    TRY(check_bias(ctx, mask));
    struct tensor narrow;
    TRY(as_f32(ctx, mask->bias, &narrow));
    struct tensor bias = tensor_broadcast(&narrow, 4, (int64_t[]){mask->B, mask->H, mask->T, mask->S});
    if (attention->mask.data) return add_bias(ctx, &bias, &attention->mask);
    attention->mask = bias;
    return HOB_OK;
}
