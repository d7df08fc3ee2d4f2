/* Convolution in f64, plane by plane: one tap of one channel after the other, along rows of outputs. */
#include "ops/vision/convolution.h"

struct walk {
    const struct convolution_f64 *convolution;
    int64_t n_taps, n_rows, width, n_input_items;
};

static int64_t product(int rank, const int64_t *factors)
{
    int64_t all = 1;
    for (int axis = 0; axis < rank; axis++) all *= factors[axis];
    return all;
}

/* Where in a channel the row of inputs begins that an output row sees under a tap; -1: outside. Leaves the tap's place in the row. */
static int64_t input_row(const struct convolution *shape, int64_t row, int64_t tap, int64_t *ret_tap)
{
    int last = shape->rank - 1;
    int64_t offset = 0, step = shape->inputs[last];
    *ret_tap = tap % shape->taps[last];
    tap /= shape->taps[last];
    for (int axis = last - 1; axis >= 0; axis--) {
        int64_t i = row % shape->outputs[axis] * shape->strides[axis] + tap % shape->taps[axis] * shape->dilations[axis] +
                    shape->origins[axis];
        if (i < 0 || i >= shape->inputs[axis]) return -1;
        offset += i * step;
        step *= shape->inputs[axis];
        row /= shape->outputs[axis];
        tap /= shape->taps[axis];
    }
    return offset;
}

static void add_tap(const struct walk *walk, const double *channel, double weight, int64_t tap, double *y)
{
    const struct convolution *shape = &walk->convolution->shape;
    int last = shape->rank - 1;
    for (int64_t row = 0; row < walk->n_rows; row++, y += walk->width) {
        int64_t in_row, offset = input_row(shape, row, tap, &in_row);
        if (offset < 0) continue;
        int64_t i = in_row * shape->dilations[last] + shape->origins[last];
        for (int64_t column = 0; column < walk->width; column++, i += shape->strides[last])
            if (i >= 0 && i < shape->inputs[last]) y[column] += weight * channel[offset + i];
    }
}

static void run_planes(void *context, size_t begin, size_t end)
{
    const struct walk *walk = context;
    const struct convolution_f64 *c = walk->convolution;
    int64_t n_outputs = c->shape.n_outputs, n_channels = c->shape.n_channels, n_pixels = walk->n_rows * walk->width;
    for (int64_t plane = (int64_t)begin; plane < (int64_t)end; plane++) {
        int64_t output = plane % (n_outputs * c->shape.n_groups);
        const double *x = c->x + plane / n_outputs * n_channels * walk->n_input_items;
        const double *weights = c->weights + output * n_channels * walk->n_taps;
        double *y = c->y + plane * n_pixels;
        for (int64_t i = 0; i < n_pixels; i++) y[i] = 0;
        for (int64_t k = 0; k < n_channels * walk->n_taps; k++)
            add_tap(walk, x + k / walk->n_taps * walk->n_input_items, weights[k], k % walk->n_taps, y);
        if (c->bias)
            for (int64_t i = 0; i < n_pixels; i++) y[i] += c->bias[output];
    }
}

void convolution_run_f64(struct op_context *ctx, const struct convolution_f64 *convolution)
{
    const struct convolution *shape = &convolution->shape;
    struct walk walk = {.convolution = convolution,
                        .n_taps = product(shape->rank, shape->taps),
                        .n_rows = product(shape->rank - 1, shape->outputs),
                        .width = shape->outputs[shape->rank - 1],
                        .n_input_items = product(shape->rank, shape->inputs)};
    int64_t n_planes = shape->n_batches * shape->n_groups * shape->n_outputs;
    if (n_planes && walk.n_rows && walk.width) thread_pool_run(ctx->pool, (size_t)n_planes, 1, run_planes, &walk);
}
