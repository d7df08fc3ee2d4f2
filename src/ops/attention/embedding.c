/* hob.Embedding: rows of a table by index, as f32, whatever type the model's file keeps them in: only the rows that are read
 * are decoded.
 *
 * table [V,D] in f32 or a format of quant.def, whole blocks a row; ids i64 or i32 of any shape; output [..,D]. */
#include "ops/axes.h"
#include "ops/op.h"
#include "quant/quant.h"

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *table = ctx->inputs[0], *ids = ctx->inputs[1];
    if (table->dtype != DTYPE_F32 && !quant_find(table->dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 0: found %s, expected float32 or a weight format", dtype_name(table->dtype));
    if (ids->dtype != DTYPE_I64 && ids->dtype != DTYPE_I32)
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 1: found %s, expected int64 or int32", dtype_name(ids->dtype));
    if (table->rank != 2 || table->layout != LAYOUT_STRIDED || ids->rank >= TENSOR_MAX_RANK)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found rank %d, expected 2", table->rank);
    int64_t dims[TENSOR_MAX_RANK];
    for (int d = 0; d < ids->rank; d++) dims[d] = ids->dims[d];
    dims[ids->rank] = table->dims[1];
    return op_set_output(ctx, 0, DTYPE_F32, ids->rank + 1, dims);
}

static hob_status run(struct op_context *ctx)
{
    const struct tensor *table = ctx->inputs[0], *ids = ctx->inputs[1];
    const struct quant_def *quant = quant_find(table->dtype);
    int64_t n_ids = tensor_n_items(ids), width = table->dims[1];
    size_t row_bytes = (size_t)(width / (int64_t)dtype_block_items(table->dtype)) * dtype_block_bytes(table->dtype);
    float *row = ctx->outputs[0]->data;
    for (int64_t i = 0; i < n_ids; i++, row += width) {
        int64_t id = tensor_get_int(ids, i);
        if (id < 0 || id >= table->dims[0])
            OP_FAIL(ctx, HOB_BAD_ARGUMENT, "index %lld: found %lld, expected 0 to %lld", (long long)i, (long long)id,
                    (long long)table->dims[0] - 1);
        const char *source = (const char *)table->data + (size_t)id * row_bytes;
        if (quant) quant->decode(width, source, row);
        else memcpy(row, source, row_bytes);
    }
    return HOB_OK;
}

const struct op_def op_embedding = {
    .name = "Embedding",
    .domain = "hob",
    .since = 1,
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .flags = OP_PACKED_INPUTS,
    .infer = infer,
    .run = run,
};
