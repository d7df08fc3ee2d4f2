#include "ops/thread_scratch.h"

#include "base/size.h"
#include "ops/as_f32.h"

hob_status thread_scratch_init(struct thread_scratch *ret_scratch, struct op_context *ctx, size_t n_floats)
{
    size_t n_pieces = thread_pool_n_threads(ctx->pool), total;
    HOB_ASSERT(n_pieces <= THREAD_SCRATCH_MAX_PIECES);
    if (n_floats > SIZE_MAX / 2 || !size_mul(size_align(n_floats, 16), n_pieces, &total) || total > INT64_MAX)
        OP_FAIL(ctx, HOB_LIMIT, "scratch: found %zu floats a thread, expected fewer", n_floats);
    TRY(scratch_f32(ctx, (int64_t)total, &ret_scratch->floats));
    ret_scratch->piece_floats = size_align(n_floats, 16);
    ret_scratch->n_pieces = n_pieces;
    for (size_t i = 0; i < n_pieces; i++) atomic_init(&ret_scratch->is_taken[i], false);
    return HOB_OK;
}

float *thread_scratch_take(struct thread_scratch *scratch)
{
    for (size_t i = 0;; i = (i + 1) % scratch->n_pieces)
        if (!atomic_exchange_explicit(&scratch->is_taken[i], true, memory_order_acquire))
            return scratch->floats + i * scratch->piece_floats;
}

void thread_scratch_put(struct thread_scratch *scratch, const float *piece)
{
    size_t i = scratch->piece_floats ? (size_t)(piece - scratch->floats) / scratch->piece_floats : 0;
    atomic_store_explicit(&scratch->is_taken[i], false, memory_order_release);
}
