/* Which sequence comes when, and with how many others. */
#include "ops/recurrent/recurrent.h"

#include "base/thread_pool.h"

struct recurrent_shape recurrent_shape(const struct op_context *ctx)
{
    const struct recurrent_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[RECURRENT_X], *r = ctx->inputs[RECURRENT_R];
    return (struct recurrent_shape){.n_steps = x->dims[params->is_batch_first ? 1 : 0],
                                    .n_sequences = x->dims[params->is_batch_first ? 0 : 1],
                                    .n_inputs = x->dims[2],
                                    .n_hidden = r->dims[2]};
}

static hob_status read_lengths(struct op_context *ctx, const struct recurrent_shape *shape, int64_t *lengths,
                               bool *ret_is_sorted)
{
    const struct tensor *given = op_input(ctx, RECURRENT_LENGTHS);
    *ret_is_sorted = true;
    for (int64_t b = 0; b < shape->n_sequences; b++) {
        lengths[b] = given ? tensor_get_int(given, b) : shape->n_steps;
        if (lengths[b] < 0 || lengths[b] > shape->n_steps)
            OP_FAIL(ctx, HOB_BAD_ARGUMENT, "sequence_lens[%lld]: found %lld, expected 0 to %lld steps", (long long)b,
                    (long long)lengths[b], (long long)shape->n_steps);
        if (b && lengths[b] > lengths[b - 1]) *ret_is_sorted = false;
    }
    return HOB_OK;
}

/* A counting sort: stable, and linear in T + B. */
static hob_status sort_by_length(struct op_context *ctx, const struct recurrent_shape *shape, const int64_t *lengths,
                                 struct recurrent_order *order)
{
    int64_t *starts = ARENA_NEW(ctx->scratch, int64_t, (size_t)shape->n_steps + 2), at = 0;
    if (!starts) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    for (int64_t b = 0; b < shape->n_sequences; b++) starts[lengths[b]]++;
    for (int64_t length = shape->n_steps; length >= 0; length--) {
        int64_t count = starts[length];
        starts[length] = at;
        at += count;
    }
    for (int64_t b = 0; b < shape->n_sequences; b++) {
        int64_t place = starts[lengths[b]]++;
        order->sequences[place] = b;
        order->lengths[place] = lengths[b];
    }
    return HOB_OK;
}

hob_status recurrent_sort(struct op_context *ctx, const struct recurrent_shape *shape,
                          struct recurrent_order *ret_order)
{
    size_t n = (size_t)shape->n_sequences + 1;
    struct recurrent_order order = {.sequences = ARENA_NEW(ctx->scratch, int64_t, n),
                                    .lengths = ARENA_NEW(ctx->scratch, int64_t, n)};
    int64_t *lengths = ARENA_NEW(ctx->scratch, int64_t, n);
    if (!order.sequences || !order.lengths || !lengths) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    bool is_sorted;
    TRY(read_lengths(ctx, shape, lengths, &is_sorted));
    if (is_sorted) {
        order.lengths = lengths;
        for (int64_t b = 0; b < shape->n_sequences; b++) order.sequences[b] = b;
    } else {
        TRY(sort_by_length(ctx, shape, lengths, &order));
    }
    *ret_order = order;
    return HOB_OK;
}

int64_t recurrent_block(const struct op_context *ctx, const struct recurrent_shape *shape)
{
    enum { LEAST = 6 }; /* rows that a tile of the matrix kernels reads a weight for */
    const struct recurrent_params *params = ctx->params;
    int64_t n_threads = (int64_t)thread_pool_n_threads(ctx->pool);
    int64_t blocks = (n_threads + params->n_directions - 1) / params->n_directions;
    int64_t block = (shape->n_sequences + blocks - 1) / blocks;
    block = (block + LEAST - 1) / LEAST * LEAST;
    return block < shape->n_sequences ? block : shape->n_sequences ? shape->n_sequences : 1;
}
