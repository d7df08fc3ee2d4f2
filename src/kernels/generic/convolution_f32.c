/* Convolutions, item by item. */
#include "kernels/generic/functions_f32.h"
#include "kernels/generic/generic.h"

/* index as coordinates of a row-major space. */
static void unravel(int64_t index, int rank, const int64_t *dims, int64_t *ret_at)
{
    for (int axis = rank - 1; axis >= 0; axis--) {
        ret_at[axis] = index % dims[axis];
        index /= dims[axis];
    }
}

/* Where in a channel the output at `at` looks for that tap; -1: outside. */
static int64_t input_of(const struct patches_f32_args *args, const int64_t *at, const int64_t *tap)
{
    int64_t index = 0;
    for (int axis = 0; axis < args->rank; axis++) {
        int64_t i = at[axis] * args->strides[axis] + tap[axis] * args->dilations[axis] + args->origins[axis];
        if (i < 0 || i >= args->inputs[axis]) return -1;
        index = index * args->inputs[axis] + i;
    }
    return index;
}

void generic_patches_f32(const struct patches_f32_args *args)
{
    int64_t n_taps = 1, at[PATCHES_MAX_RANK], tap[PATCHES_MAX_RANK];
    for (int axis = 0; axis < args->rank; axis++) n_taps *= args->taps[axis];
    for (int64_t j = 0; j < panel_count(args->n_pixels) * PANEL_COLUMNS; j++) {
        float *column =
            args->panels + j / PANEL_COLUMNS * args->n_channels * n_taps * PANEL_COLUMNS + j % PANEL_COLUMNS;
        unravel(args->pixel_begin + j, args->rank, args->outputs, at);
        for (int64_t t = 0; t < n_taps; t++) {
            unravel(t, args->rank, args->taps, tap);
            int64_t i = j < args->n_pixels ? input_of(args, at, tap) : -1;
            for (int64_t c = 0; c < args->n_channels; c++)
                column[(c * n_taps + t) * PANEL_COLUMNS] = i < 0 ? 0 : args->x[c * args->channel_stride + i];
        }
    }
}

void generic_depthwise_f32(const struct depthwise_f32_args *args)
{
    for (int64_t row = args->row_begin; row < args->row_end; row++)
        for (int64_t column = 0; column < args->out_width; column++) {
            float sum = 0;
            for (int64_t ky = 0; ky < args->taps[0]; ky++)
                for (int64_t kx = 0; kx < args->taps[1]; kx++) {
                    int64_t iy = row * args->strides[0] + ky * args->dilations[0] + args->origins[0];
                    int64_t ix = column * args->strides[1] + kx * args->dilations[1] + args->origins[1];
                    bool is_inside = iy >= 0 && iy < args->height && ix >= 0 && ix < args->width;
                    sum = fmaf(args->weights[ky * args->taps[1] + kx], is_inside ? args->x[iy * args->width + ix] : 0,
                               sum);
                }
            args->y[row * args->out_width + column] = sum;
        }
}

static float hard_sigmoid_item(float x, float alpha, float beta)
{
    float y = fmaf(x, alpha, beta);
    y = y < 0 ? 0 : y;
    return y > 1 ? 1 : y;
}

static float activate_item(const struct finish_f32_args *args, float x)
{
    float alpha = args->alpha, beta = args->beta;
    switch (args->activation) {
    case FINISH_NONE:
        return x;
    case FINISH_RELU:
        return x < 0 ? 0 : x;
    case FINISH_LEAKY_RELU:
        return x < 0 ? alpha * x : x;
    case FINISH_CLIP:
        x = x < alpha ? alpha : x;
        return x > beta ? beta : x;
    case FINISH_SIGMOID:
        return sigmoid_item(x);
    case FINISH_HARD_SIGMOID:
        return hard_sigmoid_item(x, alpha, beta);
    case FINISH_HARD_SWISH:
        return x * hard_sigmoid_item(x, alpha, beta);
    case FINISH_SILU:
        return silu_item(x);
    case FINISH_TANH:
        return tanh_item(x);
    case FINISH_GELU:
        return gelu_item(x);
    }
    return x;
}

void generic_finish_f32(const struct finish_f32_args *args)
{
    for (int64_t row = 0; row < args->n_rows; row++)
        for (int64_t i = 0; i < args->n_columns; i++) {
            float *y = args->y + row * args->y_stride + i, x = *y;
            if (args->bias) x += args->bias[row];
            if (args->before) x += args->before[row * args->before_stride + i];
            x = activate_item(args, x);
            if (args->is_scaled) x = x * args->scale + args->shift;
            if (args->after) x += args->after[row * args->after_stride + i];
            *y = x;
        }
}
