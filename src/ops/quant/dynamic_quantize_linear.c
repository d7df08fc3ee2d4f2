/* DynamicQuantizeLinear, and what it shares with operators that quantise an input by themselves. */
#include "ops/numbers.h"
#include "ops/quant/dynamic_range.h"

#include <math.h>

enum { LANES = 16 };

/* The range of each of the lanes, then of them all: what is least does not depend on the order. NaN is neither. */
static void widen_range(int64_t n, const float *items, float least[LANES], float most[LANES])
{
    for (int64_t i = 0; i < n; i += LANES)
        for (int64_t lane = 0; lane < LANES; lane++) {
            float item = items[i + lane];
            least[lane] = item < least[lane] ? item : least[lane];
            most[lane] = item > most[lane] ? item : most[lane];
        }
}

struct quantized dynamic_range(int64_t n, const float *items)
{
    float least[LANES] = {0}, most[LANES] = {0}, rest[LANES] = {0};
    int64_t n_whole = n / LANES * LANES;
    for (int64_t i = n_whole; i < n; i++) rest[i - n_whole] = items[i];
    widen_range(n_whole, items, least, most);
    widen_range(LANES, rest, least, most);
    for (int lane = 1; lane < LANES; lane++) {
        least[0] = least[lane] < least[0] ? least[lane] : least[0];
        most[0] = most[lane] > most[0] ? most[lane] : most[0];
    }
    struct quantized q = {.scale = (most[0] - least[0]) / 255};
    if (q.scale == 0) q.scale = 1;
    q.zero = rintf(fminf(fmaxf(-least[0] / q.scale, 0), 255));
    return q;
}

void dynamic_range_quantize(int64_t n, const float *items, struct quantized q, uint8_t *ret_integers)
{
    float quotients[NUMBERS_RUN];
    for (int64_t begin = 0, piece; begin < n; begin += piece) {
        piece = n - begin < NUMBERS_RUN ? n - begin : NUMBERS_RUN;
        for (int64_t i = 0; i < piece; i++) quotients[i] = items[begin + i] / q.scale;
        quantized_store(DTYPE_U8, piece, quotients, q.zero, ret_integers + begin);
    }
}

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    TRY(op_set_output(ctx, 0, DTYPE_U8, x->rank, x->dims));
    TRY(op_set_output(ctx, 1, DTYPE_F32, 0, NULL));
    return op_set_output(ctx, 2, DTYPE_U8, 0, NULL);
}

static hob_status run(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    struct quantized q = dynamic_range(tensor_n_items(x), x->data);
    if (ctx->outputs[0]) dynamic_range_quantize(tensor_n_items(x), x->data, q, ctx->outputs[0]->data);
    if (op_output(ctx, 1)) *(float *)ctx->outputs[1]->data = q.scale;
    if (op_output(ctx, 2)) *(uint8_t *)ctx->outputs[2]->data = (uint8_t)q.zero;
    return HOB_OK;
}

const struct op_def op_dynamic_quantize_linear = {
    .name = "DynamicQuantizeLinear",
    .domain = "",
    .since = 11,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 3,
    .max_outputs = 3,
    .types = TYPE(F32),
    .infer = infer,
    .run = run,
};
