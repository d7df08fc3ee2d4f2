/* MelWeightMatrix: triangles over the bins of a spectrum, evenly spaced on the mel scale. Corners are whole bins: the frequency
 * times (dft_length + 1) / sample_rate, rounded down, as the specification's reference does; its step is a (bins + 2)th of the
 * range, which leaves the last triangle a little short of the upper edge. */
#include "base/size.h"
#include "ops/math/cast.h"
#include "ops/numbers.h"
#include "ops/signal/transform.h"

#include <math.h>

struct mel_params {
    enum dtype dtype;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct mel_params *params = ARENA_NEW(node->arena, struct mel_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    int64_t dtype = attributes_int(node->attributes, "output_datatype", DTYPE_F32);
    if (dtype < 0 || dtype >= DTYPE_END || !op_types_have(TYPES_NUMBER, (enum dtype)dtype))
        FAIL(node->error, HOB_BAD_GRAPH, "%s: output_datatype: found %lld, expected a type of numbers", node->node_name,
             (long long)dtype);
    params->dtype = (enum dtype)dtype;
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct mel_params *params = ctx->params;
    int64_t n_mels, dft_length;
    TRY(signal_read_integer(ctx, 0, 0, &n_mels));
    TRY(signal_read_integer(ctx, 1, 0, &dft_length));
    if (n_mels < 0 || dft_length < 0)
        OP_FAIL(ctx, HOB_BAD_ARGUMENT, "found %lld mel bins and dft_length %lld, expected 0 or more", (long long)n_mels,
                (long long)dft_length);
    return op_set_output(ctx, 0, params->dtype, 2, (int64_t[]){dft_length / 2 + 1, n_mels});
}

static hob_status read_number(struct op_context *ctx, int i, double *ret_number)
{
    const struct tensor *input = ctx->inputs[i];
    if (!numbers_is_float(input->dtype) || tensor_n_items(input) != 1)
        OP_FAIL(ctx, HOB_BAD_TYPE, "input %d: found %s %s, expected one float", i, dtype_name(input->dtype), OP_SHAPE(input));
    numbers_load_f64(input, 0, 0, 1, ret_number);
    return HOB_OK;
}

static double mel_of(double hertz)
{
    return 2595 * log10(1 + hertz / 700);
}

/* The bins of all corners: n_mels + 2 of them, none outside the spectrum. */
static hob_status find_corners(struct op_context *ctx, int64_t n_mels, int64_t n_bins, int64_t **ret_corners)
{
    int64_t dft_length, sample_rate, *corners = ARENA_NEW(ctx->scratch, int64_t, (size_t)n_mels + 2);
    double lower, upper;
    if (!corners) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    TRY(signal_read_integer(ctx, 1, 0, &dft_length));
    TRY(signal_read_integer(ctx, 2, 0, &sample_rate));
    TRY(read_number(ctx, 3, &lower));
    TRY(read_number(ctx, 4, &upper));
    double low = mel_of(lower), step = (mel_of(upper) - low) / (double)(n_mels + 2);
    for (int64_t i = 0; i < n_mels + 2; i++) {
        double hertz = 700 * (pow(10, ((double)i * step + low) / 2595) - 1);
        double bin = floor(((double)dft_length + 1) * hertz / (double)sample_rate);
        if (!(bin >= 0 && bin < (double)n_bins))
            OP_FAIL(ctx, HOB_BAD_ARGUMENT, "found %g to %g Hz at %lld samples a second, expected edges within the spectrum",
                    lower, upper, (long long)sample_rate);
        corners[i] = (int64_t)bin;
    }
    *ret_corners = corners;
    return HOB_OK;
}

/* Column `mel` of the matrix: up from corner 0 to corner 1, down to corner 2. */
static void draw_triangle(double *column, int64_t width, const int64_t *corners)
{
    int64_t rise = corners[1] - corners[0], fall = corners[2] - corners[1];
    if (!rise) column[corners[1] * width] = 1;
    for (int64_t bin = corners[0]; rise && bin <= corners[1]; bin++)
        column[bin * width] = (double)(bin - corners[0]) / (double)rise;
    for (int64_t bin = corners[1]; bin < corners[2]; bin++)
        column[bin * width] = (double)(corners[2] - bin) / (double)fall;
}

static hob_status run(struct op_context *ctx)
{
    const struct tensor *y = ctx->outputs[0];
    int64_t n_bins = y->dims[0], n_mels = y->dims[1], *corners;
    if (!n_mels) return HOB_OK;
    TRY(find_corners(ctx, n_mels, n_bins, &corners));
    double *items = ARENA_NEW(ctx->scratch, double, (size_t)tensor_n_items(y));
    if (!items) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    for (int64_t mel = 0; mel < n_mels; mel++) draw_triangle(items + mel, n_mels, corners + mel);
    struct tensor matrix;
    TRY(tensor_init(&matrix, DTYPE_F64, 2, y->dims, items, ctx->error));
    cast_apply(ctx, &matrix, y);
    return HOB_OK;
}

const struct op_def op_mel_weight_matrix = {
    .name = "MelWeightMatrix",
    .domain = "",
    .since = 17,
    .min_inputs = 5,
    .max_inputs = 5,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPE(I32) | TYPE(I64),
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
