/* CastMap, DictVectorizer, ZipMap: their inputs or outputs are maps, which are no tensors and which this library does not have. A model
 * that uses one is refused when it is opened, with the way out. */
#include "ops/op.h"

static hob_status refuse_input(const struct op_prepare *node, void **ret_params)
{
    (void)ret_params;
    FAIL(node->error, HOB_UNSUPPORTED, "%s: the input is a map; only tensors, sequences and optionals are supported",
         node->node_name);
}

static hob_status refuse_output(const struct op_prepare *node, void **ret_params)
{
    (void)ret_params;
    FAIL(node->error, HOB_UNSUPPORTED,
         "%s: the output is a sequence of maps; only tensors, sequences of tensors and optionals are supported (export "
         "the model without "
         "ZipMap: its input holds the same numbers)",
         node->node_name);
}

static hob_status infer_nothing(struct op_context *ctx)
{
    OP_FAIL(ctx, HOB_UNSUPPORTED, "maps are not supported");
}

#define MAP_OP(symbol, Name, op_prepare)                            \
    const struct op_def op_ml_##symbol = {.name = Name,             \
                                          .domain = "ai.onnx.ml",   \
                                          .since = 1,               \
                                          .min_inputs = 1,          \
                                          .max_inputs = 1,          \
                                          .min_outputs = 1,         \
                                          .max_outputs = 1,         \
                                          .flags = OP_NOT_FOLDABLE, \
                                          .prepare = op_prepare,    \
                                          .infer = infer_nothing,   \
                                          .run = infer_nothing}
MAP_OP(cast_map, "CastMap", refuse_input);
MAP_OP(dict_vectorizer, "DictVectorizer", refuse_input);
MAP_OP(zip_map, "ZipMap", refuse_output);
