/* StringConcat: each string of the first operand followed by that of the second, broadcast. */
#include "base/size.h"
#include "ops/elementwise.h"
#include "ops/text/string_items.h"

#include <string.h>

/* Input i as a list that goes along with the output's. */
static hob_status load_broadcast(struct op_context *ctx, int i, const struct tensor_string **ret_items)
{
    const struct tensor *out = ctx->outputs[0];
    struct tensor spread = tensor_broadcast(ctx->inputs[i], out->rank, out->dims);
    return string_items_load(ctx, &spread, ret_items);
}

static hob_status run(struct op_context *ctx)
{
    size_t n_items = (size_t)tensor_n_items(ctx->outputs[0]), n_bytes = 0;
    struct tensor_string *out = ctx->outputs[0]->data;
    const struct tensor_string *heads, *tails;
    char *bytes;
    TRY(load_broadcast(ctx, 0, &heads));
    TRY(load_broadcast(ctx, 1, &tails));
    for (size_t i = 0; i < n_items; i++)
        if (!size_add(n_bytes, heads[i].n_bytes, &n_bytes) || !size_add(n_bytes, tails[i].n_bytes, &n_bytes))
            OP_FAIL(ctx, HOB_LIMIT, "found strings of too many bytes");
    TRY(string_items_room(ctx, n_bytes, &bytes));
    for (size_t i = 0; i < n_items; i++) {
        size_t n_head = heads[i].n_bytes, n_tail = tails[i].n_bytes;
        if (n_head) memcpy(bytes, heads[i].bytes, n_head);
        if (n_tail) memcpy(bytes + n_head, tails[i].bytes, n_tail);
        out[i] = (struct tensor_string){bytes, n_head + n_tail};
        bytes += n_head + n_tail;
    }
    return HOB_OK;
}

const struct op_def op_string_concat = {.name = "StringConcat",
                                        .domain = "",
                                        .since = 20,
                                        .min_inputs = 2,
                                        .max_inputs = 2,
                                        .min_outputs = 1,
                                        .max_outputs = 1,
                                        .types = TYPE(STRING),
                                        .flags = OP_STRIDED_INPUTS,
                                        .infer = elementwise_infer_broadcast,
                                        .run = run};
