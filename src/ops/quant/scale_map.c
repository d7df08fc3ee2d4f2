#include "ops/quant/scale_map.h"

#include "ops/axes.h"

static hob_status check_blocks(struct op_context *ctx, int axis, int64_t block_size)
{
    const struct tensor *x = ctx->inputs[0], *scale = ctx->inputs[1];
    bool fits = scale->rank == x->rank && block_size > 0;
    for (int i = 0; fits && i < x->rank; i++) {
        int64_t n_blocks = x->dims[i] / block_size + (x->dims[i] % block_size != 0);
        fits = scale->dims[i] == (i == axis ? n_blocks : x->dims[i]);
    }
    if (!fits)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "scale: found %s for blocks of %lld along axis %d of %s", OP_SHAPE(scale),
                (long long)block_size, axis, OP_SHAPE(x));
    return HOB_OK;
}

static bool is_single(const struct tensor *x)
{
    return x->rank <= 1 && tensor_n_items(x) == 1;
}

hob_status scale_map_init(struct op_context *ctx, int64_t axis, int64_t block_size, struct scale_map *ret_map)
{
    const struct tensor *x = ctx->inputs[0], *scale = ctx->inputs[1], *zero = op_input(ctx, 2);
    int at;
    if (zero && !tensor_same_shape(zero, scale) && !(is_single(zero) && is_single(scale)))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "zero point: found %s, expected %s as the scale", OP_SHAPE(zero), OP_SHAPE(scale));
    *ret_map = (struct scale_map){0};
    if (is_single(scale)) return HOB_OK;
    TRY(axis_normalize(ctx, axis, &at));
    struct scale_map map = {.inner = 1, .n_axis = x->dims[at], .block = 1, .n_blocks = x->dims[at]};
    for (int i = at + 1; i < x->rank; i++) map.inner *= x->dims[i];
    if (block_size || scale->rank != 1) {
        TRY(check_blocks(ctx, at, block_size));
        map.block = block_size;
        map.n_blocks = scale->dims[at];
        map.is_blocked = true;
    } else if (scale->dims[0] != x->dims[at]) {
        OP_FAIL(ctx, HOB_BAD_SHAPE, "scale: found %s, expected one number or [%lld]", OP_SHAPE(scale),
                (long long)x->dims[at]);
    }
    *ret_map = map;
    return HOB_OK;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* a / b for numbers from 0 on; 64-bit divisions cost more than a short row, and few tensors need them. */
static int64_t divide(int64_t a, int64_t b, int64_t *ret_rest)
{
    int64_t quotient = a < UINT32_MAX && b < UINT32_MAX ? (uint32_t)a / (uint32_t)b : a / b;
    *ret_rest = a - quotient * b;
    return quotient;
}

/* The last axis: neighbours share a block, or have a scale each. */
static struct scale_run run_of_row(const struct scale_map *map, int64_t i, int64_t n_items)
{
    int64_t along, inside, outer = divide(i, map->n_axis, &along);
    int64_t row = map->is_blocked ? outer * map->n_blocks : 0;
    if (map->block == 1) return (struct scale_run){row + along, 1, least(map->n_axis - along, n_items)};
    int64_t block = divide(along, map->block, &inside), n = least(map->block - inside, map->n_axis - along);
    return (struct scale_run){row + block, 0, least(n, n_items)};
}

struct scale_run scale_map_run(const struct scale_map *map, int64_t i, int64_t n_items)
{
    if (!map->inner) return (struct scale_run){0, 0, n_items};
    if (map->inner == 1) return run_of_row(map, i, n_items);
    int64_t inside, along, ignored, outer = divide(divide(i, map->inner, &inside), map->n_axis, &along);
    int64_t n = least(map->inner - inside, n_items);
    if (!map->is_blocked) return (struct scale_run){along, 0, n};
    int64_t row = outer * map->n_blocks + divide(along, map->block, &ignored);
    return (struct scale_run){row * map->inner + inside, 1, n};
}
