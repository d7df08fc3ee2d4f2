/* Convolution in f64, a row of outputs at a time: one tap of one channel after the other. */
#include "ops/vision/convolution.h"

struct walk {
    const struct convolution_f64 *convolution;
    int64_t n_taps, n_rows, width, n_input_items;
    int64_t plane, step; /* of y: items of a plane; from output to output of a row */
};

/* Overflows only for tensors without items, whose sizes nobody checked; so it wraps, and is not looked at then. */
static int64_t product(int rank, const int64_t *factors)
{
    uint64_t all = 1;
    for (int axis = 0; axis < rank; axis++) all *= (uint64_t)factors[axis];
    return (int64_t)all;
}

/* Where in a channel the row of inputs begins that an output row sees under a tap; -1: outside. Leaves the tap's place in the row. */
static int64_t input_row(const struct convolution *shape, int64_t row, int64_t tap, int64_t *ret_tap)
{
    int last = shape->rank - 1;
    int64_t offset = 0, step = shape->inputs[last];
    *ret_tap = tap % shape->taps[last];
    tap /= shape->taps[last];
    for (int axis = last - 1; axis >= 0; axis--) {
        int64_t i = row % shape->outputs[axis] * shape->strides[axis] +
                    tap % shape->taps[axis] * shape->dilations[axis] + shape->origins[axis];
        if (i < 0 || i >= shape->inputs[axis]) return -1;
        offset += i * step;
        step *= shape->inputs[axis];
        row /= shape->outputs[axis];
        tap /= shape->taps[axis];
    }
    return offset;
}

static int64_t output_row(const struct walk *walk, int64_t row)
{
    const struct convolution *shape = &walk->convolution->shape;
    if (!shape->is_spread) return row * walk->width;
    int64_t offset = 0;
    for (int axis = shape->rank - 2; axis >= 0; axis--) {
        offset += row % shape->outputs[axis] * shape->spread_steps[axis];
        row /= shape->outputs[axis];
    }
    return offset;
}

static void add_tap(const struct walk *walk, const double *channel, double weight, int64_t row, int64_t tap, double *y)
{
    const struct convolution *shape = &walk->convolution->shape;
    int last = shape->rank - 1;
    int64_t in_row, offset = input_row(shape, row, tap, &in_row);
    if (offset < 0) return;
    int64_t i = in_row * shape->dilations[last] + shape->origins[last];
    for (int64_t column = 0; column < walk->width; column++, i += shape->strides[last], y += walk->step)
        if (i >= 0 && i < shape->inputs[last]) *y += weight * channel[offset + i];
}

/* Item r of the loop is row r % n_rows of plane r / n_rows. */
static void run_rows(void *context, size_t begin, size_t end)
{
    const struct walk *walk = context;
    const struct convolution_f64 *c = walk->convolution;
    int64_t n_outputs = c->shape.n_outputs, n_channels = c->shape.n_channels;
    int64_t n_steps = n_channels ? n_channels * walk->n_taps : 0;
    for (int64_t r = (int64_t)begin; r < (int64_t)end; r++) {
        int64_t row = r % walk->n_rows, plane = r / walk->n_rows, output = plane % (n_outputs * c->shape.n_groups);
        const double *x = n_steps ? c->x + plane / n_outputs * n_channels * walk->n_input_items : NULL;
        const double *weights = c->weights + output * n_steps;
        double *y = c->y + plane * walk->plane + output_row(walk, row);
        for (int64_t i = 0; i < walk->width; i++) y[i * walk->step] = 0;
        for (int64_t k = 0; k < n_steps; k++)
            add_tap(walk, x + k / walk->n_taps * walk->n_input_items, weights[k], row, k % walk->n_taps, y);
        for (int64_t i = 0; c->bias && i < walk->width; i++) y[i * walk->step] += c->bias[output];
    }
}

void convolution_run_f64(struct op_context *ctx, const struct convolution_f64 *convolution)
{
    const struct convolution *shape = &convolution->shape;
    int last = shape->rank - 1;
    struct walk walk = {.convolution = convolution,
                        .n_taps = product(shape->rank, shape->taps),
                        .n_rows = product(last, shape->outputs),
                        .width = shape->outputs[last],
                        .n_input_items = product(shape->rank, shape->inputs),
                        .plane = shape->is_spread ? shape->spread_plane : product(shape->rank, shape->outputs),
                        .step = shape->is_spread ? shape->spread_steps[last] : 1};
    int64_t n_rows = shape->n_batches * shape->n_groups * shape->n_outputs * walk.n_rows;
    if (n_rows && walk.width) thread_pool_run(ctx->pool, (size_t)n_rows, 1, run_rows, &walk);
}
