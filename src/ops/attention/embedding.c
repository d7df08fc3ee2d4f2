/* hob.Embedding: rows of a table by index, as f32, whatever type the model's file keeps them in: only the rows that are read
 * are decoded.
 *
 * table [V,D] in f32 or a format of quant.def, whole blocks a row, or in panels (kernels/panel.h) where it is a product's weight too;
 * ids i64 or i32 of any shape; output [..,D]. */
#include "kernels/panel.h"
#include "ops/axes.h"
#include "ops/op.h"
#include "quant/quant.h"

static bool takes(const struct tensor *table)
{
    if (table->dtype == DTYPE_F32) return true;
    if (table->layout == LAYOUT_PANELS && !panel_format_find(table->dtype)) return false;
    return quant_find(table->dtype) != NULL;
}

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *table = ctx->inputs[0], *ids = ctx->inputs[1];
    if (!takes(table))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 0: found %s, expected float32 or a weight format", dtype_name(table->dtype));
    if (ids->dtype != DTYPE_I64 && ids->dtype != DTYPE_I32)
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 1: found %s, expected int64 or int32", dtype_name(ids->dtype));
    if (table->rank != 2 || ids->rank >= TENSOR_MAX_RANK)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found rank %d, expected 2", table->rank);
    int64_t dims[TENSOR_MAX_RANK];
    for (int d = 0; d < ids->rank; d++) dims[d] = ids->dims[d];
    dims[ids->rank] = table->dims[1];
    return op_set_output(ctx, 0, DTYPE_F32, ids->rank + 1, dims);
}

static void read_row(const struct tensor *table, int64_t id, float *ret_row)
{
    const struct quant_def *quant = quant_find(table->dtype);
    int64_t width = table->dims[1];
    size_t row_bytes = (size_t)(width / (int64_t)dtype_block_items(table->dtype)) * dtype_block_bytes(table->dtype);
    const char *row = (const char *)table->data + (size_t)id * row_bytes;
    if (table->layout == LAYOUT_PANELS) panel_unpack_row(table->data, table->dtype, width, id, ret_row);
    else if (quant) quant->decode(width, row, ret_row);
    else memcpy(ret_row, row, row_bytes);
}

static hob_status run(struct op_context *ctx)
{
    const struct tensor *table = ctx->inputs[0], *ids = ctx->inputs[1];
    int64_t n_ids = tensor_n_items(ids), width = table->dims[1];
    for (int64_t i = 0; i < n_ids; i++) {
        int64_t id = tensor_get_int(ids, i);
        if (id < 0 || id >= table->dims[0])
            OP_FAIL(ctx, HOB_BAD_ARGUMENT, "index %lld: found %lld, expected 0 to %lld", (long long)i, (long long)id,
                    (long long)table->dims[0] - 1);
        read_row(table, id, (float *)ctx->outputs[0]->data + i * width);
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
