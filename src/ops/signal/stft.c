/* STFT: Fourier transforms of frames of a signal, each frame_step further, under a window. In f64 whatever the type.
 * A window shorter than a frame covers its front; what it does not cover counts as 0. */
#include "ops/numbers.h"
#include "ops/signal/transform.h"

enum { INPUT_SIGNAL, INPUT_STEP, INPUT_WINDOW, INPUT_LENGTH };

struct stft_params {
    bool is_onesided;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct stft_params *params = ARENA_NEW(node->arena, struct stft_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->is_onesided = attributes_int(node->attributes, "onesided", 1) != 0;
    *ret_params = params;
    return HOB_OK;
}

struct frames {
    struct tensor x;      /* [B,L,1 or 2] */
    const struct tensor *y;
    const double *window; /* NULL: none */
    int64_t step, length, n_covered, n_frames;
};

/* A signal without its last axis is real. */
static hob_status read_signal(struct op_context *ctx, struct tensor *ret_x)
{
    struct tensor x = *ctx->inputs[INPUT_SIGNAL];
    if (x.rank == 2) {
        x.dims[2] = x.strides[2] = 1;
        x.rank = 3;
    }
    if (x.rank != 3 || x.dims[2] < 1 || x.dims[2] > 2)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found %s, expected [batch,length,1] or [batch,length,2]",
                OP_SHAPE(ctx->inputs[INPUT_SIGNAL]));
    *ret_x = x;
    return HOB_OK;
}

static hob_status describe(struct op_context *ctx, struct frames *ret_frames)
{
    struct frames frames = {0};
    const struct tensor *window = op_input(ctx, INPUT_WINDOW);
    TRY(read_signal(ctx, &frames.x));
    int64_t n_samples = frames.x.dims[1];
    if (window && window->rank != 1) OP_FAIL(ctx, HOB_BAD_SHAPE, "window: found %s, expected one axis", OP_SHAPE(window));
    TRY(op_check_dtype(ctx, INPUT_WINDOW, frames.x.dtype));
    TRY(signal_read_integer(ctx, INPUT_STEP, 0, &frames.step));
    TRY(signal_read_integer(ctx, INPUT_LENGTH, window ? window->dims[0] : n_samples, &frames.length));
    if (frames.step < 1) OP_FAIL(ctx, HOB_BAD_ARGUMENT, "frame_step: found %lld, expected 1 or more", (long long)frames.step);
    if (frames.length < 1 || frames.length > n_samples)
        OP_FAIL(ctx, HOB_BAD_ARGUMENT, "frame_length: found %lld, expected 1 to the %lld samples of the signal",
                (long long)frames.length, (long long)n_samples);
    frames.n_frames = 1 + (n_samples - frames.length) / frames.step;
    frames.n_covered = window && window->dims[0] < frames.length ? window->dims[0] : frames.length;
    *ret_frames = frames;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct stft_params *params = ctx->params;
    struct frames frames;
    TRY(describe(ctx, &frames));
    if (params->is_onesided && frames.x.dims[2] == 2)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "onesided: found a complex signal %s, expected a real one", OP_SHAPE(&frames.x));
    int64_t n_bins = params->is_onesided ? frames.length / 2 + 1 : frames.length;
    return op_set_output(ctx, 0, frames.x.dtype, 4, (int64_t[]){frames.x.dims[0], frames.n_frames, n_bins, 2});
}

static void load(const void *context, int64_t index, struct complex *ret_items)
{
    const struct frames *frames = context;
    const struct tensor *x = &frames->x;
    int64_t offset = index / frames->n_frames * x->strides[0] + index % frames->n_frames * frames->step * x->strides[1];
    transforms_load(x, offset, x->strides[1], frames->n_covered, ret_items);
    for (int64_t k = frames->n_covered; k < frames->length; k++) ret_items[k] = (struct complex){0, 0};
    for (int64_t k = 0; frames->window && k < frames->n_covered; k++) {
        ret_items[k].re *= frames->window[k];
        ret_items[k].im *= frames->window[k];
    }
}

static void store(const void *context, int64_t index, const struct complex *items)
{
    const struct frames *frames = context;
    transforms_store(frames->y, index * frames->y->strides[1], frames->y->strides[2], frames->y->dims[2], items);
}

static hob_status load_window(struct op_context *ctx, struct frames *frames)
{
    const struct tensor *window = op_input(ctx, INPUT_WINDOW);
    if (!window) return HOB_OK;
    double *items = ARENA_NEW(ctx->scratch, double, (size_t)frames->n_covered + 1);
    if (!items) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    numbers_load_f64(window, 0, window->strides[0], (size_t)frames->n_covered, items);
    frames->window = items;
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    struct frames frames;
    TRY(describe(ctx, &frames));
    TRY(load_window(ctx, &frames));
    frames.y = ctx->outputs[0];
    return transforms_run(ctx, &(struct transforms){.n_items = frames.length, .n_transforms = frames.x.dims[0] * frames.n_frames,
                                                    .context = &frames, .load = load, .store = store});
}

const struct op_def op_stft = {
    .name = "STFT",
    .domain = "",
    .since = 17,
    .min_inputs = 2,
    .max_inputs = 4,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_FLOAT,
    .flags = OP_STRIDED_INPUTS,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
