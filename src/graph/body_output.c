#include "graph/body_output.h"

#include <string.h>

enum { MAX_NESTING = 16 };

/* One block for the bytes of all strings that are about to go. */
static hob_status keep_strings(struct op_context *ctx, const struct arena *overflow, struct tensor *copy)
{
    struct tensor_string *strings = copy->data;
    int64_t n_strings = tensor_n_items(copy);
    size_t n_bytes = 0;
    for (int64_t i = 0; i < n_strings; i++)
        if (arena_has(overflow, strings[i].bytes)) n_bytes += strings[i].n_bytes;
    void *block;
    TRY(ctx->allocate(ctx, n_bytes + 1, &block));
    char *next = block;
    for (int64_t i = 0; i < n_strings; i++) {
        if (!arena_has(overflow, strings[i].bytes)) continue;
        if (strings[i].n_bytes) memcpy(next, strings[i].bytes, strings[i].n_bytes);
        strings[i].bytes = next;
        next += strings[i].n_bytes;
    }
    return HOB_OK;
}

typedef hob_status allocator(struct op_context *ctx, size_t size_bytes, void **ret_bytes);

static hob_status copy_value(struct op_context *ctx, const struct tensor *output, const struct arena *overflow, int depth,
                             allocator *allocate, struct tensor *ret_copy)
{
    struct tensor copy = *output;
    if (depth > MAX_NESTING) OP_FAIL(ctx, HOB_LIMIT, "sequences nested deeper than %d", MAX_NESTING);
    copy.is_view = false;
    tensor_set_contiguous(&copy);
    TRY(allocate(ctx, tensor_n_bytes(output), &copy.data));
    tensor_copy_contiguous(output, copy.data);
    if (copy.dtype == DTYPE_STRING) TRY(keep_strings(ctx, overflow, &copy));
    struct tensor *elements = copy.data;
    for (int64_t i = 0; copy.dtype == DTYPE_SEQUENCE && i < copy.dims[0]; i++)
        if (arena_has(overflow, elements[i].data))
            TRY(copy_value(ctx, &elements[i], overflow, depth + 1, ctx->allocate, &elements[i]));
    *ret_copy = copy;
    return HOB_OK;
}

hob_status body_output_copy(struct op_context *ctx, const struct tensor *output, const struct arena *overflow,
                            hob_status (*allocate)(struct op_context *ctx, size_t size_bytes, void **ret_bytes),
                            struct tensor *ret_copy)
{
    return copy_value(ctx, output, overflow, 0, allocate, ret_copy);
}
