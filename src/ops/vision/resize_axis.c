#include "ops/vision/resize_axis.h"

#include "base/size.h"
#include "ops/moving.h"

/* Where output position o lies on the input. */
static double coordinate(const struct resize_sampling *sampling, const struct resize_axis *axis, int64_t o)
{
    double x = (double)o, n_in = (double)axis->n_in, scale = axis->scale, length = axis->length;
    switch (sampling->coordinates) {
    case RESIZE_ALIGN_CORNERS:
        return length == 1 ? 0 : x * (n_in - 1) / (length - 1);
    case RESIZE_ASYMMETRIC:
        return x / scale;
    case RESIZE_TF_HALF_PIXEL_FOR_NN:
        return (x + 0.5) / scale;
    case RESIZE_PYTORCH_HALF_PIXEL:
        return axis->n_out > 1 ? (x + 0.5) / scale - 0.5 : 0;
    case RESIZE_TF_CROP_AND_RESIZE:
        if (axis->n_out == 1) return 0.5 * (axis->roi_begin + axis->roi_end) * (n_in - 1);
        return axis->roi_begin * (n_in - 1) + x * (axis->roi_end - axis->roi_begin) * (n_in - 1) / (length - 1);
    case RESIZE_HALF_PIXEL_SYMMETRIC:
        return n_in / 2 * (1 - (double)axis->n_out / length) + (x + 0.5) / scale - 0.5;
    case RESIZE_HALF_PIXEL:
        break;
    }
    return (x + 0.5) / scale - 0.5;
}

/* As TensorFlow's CropAndResize has it; NaN is outside. */
static bool is_outside(const struct resize_sampling *sampling, const struct resize_axis *axis, double x)
{
    return sampling->coordinates == RESIZE_TF_CROP_AND_RESIZE && !(x >= 0 && x <= (double)(axis->n_in - 1));
}

bool resize_axis_is_identity(const struct resize_sampling *sampling, const struct resize_axis *axis)
{
    if (axis->n_in != axis->n_out || fabs(axis->scale - 1) > 1e-9) return false;
    return sampling->coordinates != RESIZE_TF_CROP_AND_RESIZE || (axis->roi_begin == 0 && axis->roi_end == 1);
}

static double round_coordinate(enum resize_rounding rounding, double x)
{
    switch (rounding) {
    case RESIZE_ROUND_PREFER_FLOOR:
        return ceil(x - 0.5);
    case RESIZE_ROUND_PREFER_CEIL:
        return floor(x + 0.5);
    case RESIZE_FLOOR:
        return floor(x);
    case RESIZE_CEIL:
        break;
    }
    return ceil(x);
}

hob_status resize_map_make(struct op_context *ctx, const struct resize_sampling *sampling,
                           const struct resize_axis *axis, int64_t **ret_map)
{
    int64_t *map = ARENA_NEW(ctx->scratch, int64_t, (size_t)axis->n_out);
    if (!map) OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for a table of %lld positions", (long long)axis->n_out);
    for (int64_t o = 0; o < axis->n_out; o++) {
        double x = coordinate(sampling, axis, o);
        double nearest = fmin(fmax(round_coordinate(sampling->rounding, x), 0), (double)(axis->n_in - 1));
        map[o] = is_outside(sampling, axis, x) ? MAP_FILL : (int64_t)nearest;
    }
    *ret_map = map;
    return HOB_OK;
}

/* ---- weights ---- */

static double weight_at(const struct resize_sampling *sampling, double distance)
{
    double x = fabs(distance), a = sampling->cubic_a;
    if (sampling->mode == RESIZE_LINEAR) return x < 1 ? 1 - x : 0;
    if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/* How far a filter reaches: taps floor(x) + begin … floor(x) + 1 - begin. Antialiasing widens it when the axis shrinks. */
struct footprint {
    int64_t begin, n_taps;
    double stretch;
};

static struct footprint find_footprint(const struct resize_sampling *sampling, const struct resize_axis *axis)
{
    double stretch = sampling->is_antialiased ? fmin(axis->scale, 1) : 1;
    double begin = floor((sampling->mode == RESIZE_LINEAR ? -1 : -2) / stretch) + 1;
    /* n_out >= 1 bounds 1 / scale by n_in but for what rounding to sizes does; taps far outside are all the edge anyway. */
    begin = fmax(begin, -4 * (double)axis->n_in - 4);
    return (struct footprint){(int64_t)begin, 2 - 2 * (int64_t)begin, stretch};
}

static int64_t clamp(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

/* Weights of one output into ret_weights[n_taps]; returns the first input they are for. */
static int64_t weigh(const struct resize_sampling *sampling, const struct resize_axis *axis,
                     const struct footprint *footprint, double x, int64_t n_taps, double *ret_weights)
{
    /* Beyond this, every tap is the edge. */
    double reach = (double)footprint->n_taps + 1;
    x = fmin(fmax(x, -reach), (double)axis->n_in + reach);
    int64_t base = (int64_t)floor(x), first = clamp(base + footprint->begin, 0, axis->n_in - n_taps);
    double sum = 0;
    for (int64_t t = 0; t < n_taps; t++) ret_weights[t] = 0;
    for (int64_t t = 0; t < footprint->n_taps; t++) {
        int64_t position = base + footprint->begin + t, inside = clamp(position, 0, axis->n_in - 1);
        if (sampling->excludes_outside && inside != position) continue;
        double weight = weight_at(sampling, ((double)position - x) * footprint->stretch);
        ret_weights[inside - first] += weight;
        sum += weight;
    }
    if (!sampling->is_antialiased && !sampling->excludes_outside) return first;
    for (int64_t t = 0; t < n_taps && sum != 0; t++) ret_weights[t] /= sum;
    return first;
}

hob_status resize_taps_make(struct op_context *ctx, const struct resize_sampling *sampling,
                            const struct resize_axis *axis, bool is_f64, struct resize_taps *ret_taps)
{
    struct footprint footprint = find_footprint(sampling, axis);
    int64_t n_taps = footprint.n_taps < axis->n_in ? footprint.n_taps : axis->n_in, n_weights;
    if (!int64_mul(n_taps, axis->n_out, &n_weights))
        OP_FAIL(ctx, HOB_LIMIT, "found %lld taps for each of %lld positions, expected fewer", (long long)n_taps,
                (long long)axis->n_out);
    int64_t *first = ARENA_NEW(ctx->scratch, int64_t, (size_t)axis->n_out);
    bool *outside = ARENA_NEW(ctx->scratch, bool, (size_t)axis->n_out);
    double *row = ARENA_NEW(ctx->scratch, double, (size_t)n_taps);
    float *weights_f32 = is_f64 ? NULL : ARENA_NEW(ctx->scratch, float, (size_t)n_weights);
    double *weights_f64 = is_f64 ? ARENA_NEW(ctx->scratch, double, (size_t)n_weights) : NULL;
    if (!first || !outside || !row || (is_f64 ? !weights_f64 : !weights_f32))
        OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for a table of %lld weights", (long long)n_weights);
    for (int64_t o = 0; o < axis->n_out; o++) {
        double x = coordinate(sampling, axis, o);
        outside[o] = is_outside(sampling, axis, x);
        first[o] = weigh(sampling, axis, &footprint, x, n_taps, row);
        for (int64_t t = 0; t < n_taps; t++) {
            if (is_f64) weights_f64[o * n_taps + t] = row[t];
            else weights_f32[o * n_taps + t] = (float)row[t];
        }
    }
    *ret_taps = (struct resize_taps){.n_taps = n_taps,
                                     .first = first,
                                     .weights_f32 = weights_f32,
                                     .weights_f64 = weights_f64,
                                     .is_outside = sampling->coordinates == RESIZE_TF_CROP_AND_RESIZE ? outside : NULL,
                                     .outside_value = sampling->outside_value};
    return HOB_OK;
}

/* ---- passes ---- */

void resize_reads(const void *table, int64_t o, int64_t *ret_begin, int64_t *ret_end)
{
    const struct resize_taps *taps = table;
    *ret_begin = taps->first[o];
    *ret_end = taps->first[o] + taps->n_taps;
}

/* Neighbouring outputs of the last axis, or rows of items next to each other. Two taps and four, the linear and cubic cases, are
 * loops of their own, which add in the same order. */
#define RESIZE_PASS(suffix, type)                                                                                    \
    static void pass_row_##suffix(const struct resize_taps *taps, const struct separable_span *span, const type *in, \
                                  type *out)                                                                         \
    {                                                                                                                \
        int64_t n_taps = taps->n_taps, n = span->out_end - span->out_begin;                                          \
        const int64_t *first = taps->first + span->out_begin;                                                        \
        const type *weights = taps->weights_##suffix + span->out_begin * n_taps;                                     \
        in -= span->in_begin;                                                                                        \
        if (n_taps == 2) {                                                                                           \
            for (int64_t i = 0; i < n; i++)                                                                          \
                out[i] = in[first[i]] * weights[2 * i] + in[first[i] + 1] * weights[2 * i + 1];                      \
        } else if (n_taps == 4) {                                                                                    \
            for (int64_t i = 0; i < n; i++, weights += 4) {                                                          \
                const type *x = in + first[i];                                                                       \
                out[i] = x[0] * weights[0] + x[1] * weights[1] + x[2] * weights[2] + x[3] * weights[3];              \
            }                                                                                                        \
        } else {                                                                                                     \
            for (int64_t i = 0; i < n; i++, weights += n_taps) {                                                     \
                type sum = 0;                                                                                        \
                for (int64_t t = 0; t < n_taps; t++) sum += in[first[i] + t] * weights[t];                           \
                out[i] = sum;                                                                                        \
            }                                                                                                        \
        }                                                                                                            \
    }                                                                                                                \
                                                                                                                     \
    static void weigh_rows_##suffix(int64_t n_taps, const type *w, int64_t n, const type *in, type *out)             \
    {                                                                                                                \
        if (n_taps == 2) {                                                                                           \
            for (int64_t i = 0; i < n; i++) out[i] = in[i] * w[0] + in[n + i] * w[1];                                \
            return;                                                                                                  \
        }                                                                                                            \
        if (n_taps == 4) {                                                                                           \
            for (int64_t i = 0; i < n; i++)                                                                          \
                out[i] = in[i] * w[0] + in[n + i] * w[1] + in[2 * n + i] * w[2] + in[3 * n + i] * w[3];              \
            return;                                                                                                  \
        }                                                                                                            \
        for (int64_t i = 0; i < n; i++) out[i] = in[i] * w[0];                                                       \
        for (int64_t t = 1; t < n_taps; t++)                                                                         \
            for (int64_t i = 0; i < n; i++) out[i] += in[t * n + i] * w[t];                                          \
    }                                                                                                                \
                                                                                                                     \
    static void fill_outside_##suffix(const struct resize_taps *taps, const struct separable_span *span, type *out)  \
    {                                                                                                                \
        int64_t n = span->inner;                                                                                     \
        if (!taps->is_outside) return;                                                                               \
        for (int64_t o = span->out_begin; o < span->out_end; o++, out += n)                                          \
            for (int64_t i = 0; taps->is_outside[o] && i < n; i++) out[i] = (type)taps->outside_value;               \
    }                                                                                                                \
                                                                                                                     \
    void resize_pass_##suffix(const void *table, const struct separable_span *span, const void *in, void *out)       \
    {                                                                                                                \
        const struct resize_taps *taps = table;                                                                      \
        const type *from = in;                                                                                       \
        type *to = out;                                                                                              \
        int64_t n = span->inner;                                                                                     \
        if (n == 1) pass_row_##suffix(taps, span, from, to);                                                         \
        for (int64_t o = span->out_begin; n > 1 && o < span->out_end; o++, to += n)                                  \
            weigh_rows_##suffix(taps->n_taps, taps->weights_##suffix + o * taps->n_taps, n,                          \
                                from + (taps->first[o] - span->in_begin) * n, to);                                   \
        fill_outside_##suffix(taps, span, out);                                                                      \
    }

RESIZE_PASS(f32, float)
RESIZE_PASS(f64, double)
