#include "ops/quant/dynamic_range.h"

#include <math.h>

/* Items are handed out in pieces; the range of all is the range of the pieces' ranges. */
enum { PIECE_ITEMS = 1 << 13, MOST_RANGES = 64 };

struct quantized dynamic_range(float least, float most)
{
    struct quantized q = {.scale = (most - least) / 255};
    if (q.scale == 0) q.scale = 1;
    q.zero = rintf(fminf(fmaxf(-least / q.scale, 0), 255));
    return q;
}

struct job {
    const struct kernels *kernels;
    const float *items;
    int64_t n, piece_items;
    float least[MOST_RANGES], most[MOST_RANGES];
    struct quantized q;
    uint8_t *codes;
};

static int64_t piece_length(const struct job *job, int64_t begin)
{
    return job->n - begin < job->piece_items ? job->n - begin : job->piece_items;
}

static void find_ranges(void *context, size_t begin, size_t end)
{
    struct job *job = context;
    for (size_t piece = begin; piece < end; piece++) {
        int64_t first = (int64_t)piece * job->piece_items;
        job->kernels->range_f32(piece_length(job, first), job->items + first, &job->least[piece], &job->most[piece]);
    }
}

static void write_codes(void *context, size_t begin, size_t end)
{
    struct job *job = context;
    for (size_t piece = begin; piece < end; piece++) {
        int64_t first = (int64_t)piece * job->piece_items;
        job->kernels->quantize_u8(piece_length(job, first), job->q.scale, (int32_t)job->q.zero, job->items + first,
                                  job->codes + first);
    }
}

struct quantized dynamic_range_quantize(struct op_context *ctx, int64_t n, const float *items, uint8_t *ret_codes)
{
    struct job job = {
        .kernels = ctx->kernels, .items = items, .n = n, .piece_items = n / MOST_RANGES + 1, .codes = ret_codes};
    if (job.piece_items < PIECE_ITEMS) job.piece_items = PIECE_ITEMS;
    size_t n_pieces = (size_t)((n + job.piece_items - 1) / job.piece_items);
    float least = 0, most = 0;
    thread_pool_run(ctx->pool, n_pieces, 1, find_ranges, &job);
    for (size_t piece = 0; piece < n_pieces; piece++) {
        least = fminf(least, job.least[piece]);
        most = fmaxf(most, job.most[piece]);
    }
    job.q = dynamic_range(least, most);
    thread_pool_run(ctx->pool, n_pieces, 1, write_codes, &job);
    return job.q;
}
