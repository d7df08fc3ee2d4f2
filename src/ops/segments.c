#include "ops/segments.h"

hob_status segments_check(struct op_context *ctx, int input)
{
    const struct tensor *segments = op_input(ctx, input);
    TRY(op_check_dtype(ctx, input, DTYPE_I64));
    if (segments && (segments->rank != 1 || segments->dims[0] < 1))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "segments: found %s, expected [n+1]", OP_SHAPE(segments));
    return HOB_OK;
}

static hob_status check_border(struct op_context *ctx, const int64_t *borders, int64_t i, int64_t n, int64_t n_rows)
{
    int64_t least = i ? borders[i - 1] : 0, most = i ? n_rows : 0;
    if (i == n) least = n_rows;
    if (borders[i] >= least && borders[i] <= most) return HOB_OK;
    OP_FAIL(ctx, HOB_BAD_ARGUMENT, "segments: found %lld at %lld, expected numbers rising from 0 to %lld",
            (long long)borders[i], (long long)i, (long long)n_rows);
}

hob_status segments_read(struct op_context *ctx, int input, int64_t n_rows, struct segments *ret_segments)
{
    const struct tensor *segments = op_input(ctx, input);
    const int64_t n = segments ? segments->dims[0] - 1 : 1;
    int64_t *borders = ARENA_NEW(ctx->scratch, int64_t, (size_t)n + 1);
    if (!borders) OP_FAIL(ctx, HOB_NO_MEMORY, "segments: out of memory");
    for (int64_t i = 0; i <= n; i++) {
        borders[i] = segments ? tensor_get_int(segments, i) : i * n_rows;
        TRY(check_border(ctx, borders, i, n, n_rows));
    }
    *ret_segments = (struct segments){borders, n};
    return HOB_OK;
}
