#include "ops/attention/rotary.h"

#include "kernels/kernels.h"

struct rotary_job {
    const struct kernels *kernels;
    const struct rotary *rotary;
    const struct tensor *x, *y;
};

static void rotate_positions(void *context, size_t begin, size_t end)
{
    const struct rotary_job *job = context;
    const struct rotary *rotary = job->rotary;
    const struct tensor *x = job->x, *y = job->y;
    for (int64_t i = (int64_t)begin; i < (int64_t)end; i++) {
        int64_t b = i / x->dims[2], t = i % x->dims[2], row = rotary->positions[i] * (rotary->n_dims / 2);
        job->kernels->rope_f32(
            &(struct rope_f32_args){.x = (const float *)x->data + b * x->strides[0] + t * x->strides[2],
                                    .y = (float *)y->data + b * y->strides[0] + t * y->strides[2],
                                    .x_stride = x->strides[1],
                                    .y_stride = y->strides[1],
                                    .cos = rotary->cos + row,
                                    .sin = rotary->sin + row,
                                    .n_rows = x->dims[1],
                                    .width = x->dims[3],
                                    .n_dims = rotary->n_dims,
                                    .interleaved = rotary->is_interleaved});
    }
}

void rotary_run(struct op_context *ctx, const struct rotary *rotary, const struct tensor *x, const struct tensor *y)
{
    struct rotary_job job = {.kernels = ctx->kernels, .rotary = rotary, .x = x, .y = y};
    thread_pool_run(ctx->pool, (size_t)(x->dims[0] * x->dims[2]), 4, rotate_positions, &job);
}
