#include "ops/sequence/elements.h"

hob_status sequence_check(struct op_context *ctx, int i)
{
    const struct tensor *x = ctx->inputs[i];
    if (x->dtype != DTYPE_SEQUENCE || x->rank != 1)
        OP_FAIL(ctx, HOB_BAD_TYPE, "input %d: found %s, expected a sequence", i, dtype_name(x->dtype));
    return x->dims[0] && !x->data ? op_unknown(ctx, i) : HOB_OK;
}

hob_status sequence_place(struct op_context *ctx, int i, int64_t n_elements, int64_t n_places, int64_t fallback,
                          int64_t *ret_place)
{
    int64_t place = fallback;
    size_t n_values = 1;
    if (op_input(ctx, i)) TRY(op_read_ints(ctx, i, 1, &place, &n_values));
    if (n_values != 1) OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found no position, expected one", i);
    int64_t from_front = place < 0 ? place + n_elements : place;
    if (from_front < 0 || from_front >= n_places)
        OP_FAIL(ctx, HOB_BAD_ARGUMENT, "position: found %lld, expected %lld to %lld in a sequence of %lld", (long long)place,
                (long long)-n_elements, (long long)n_places - 1, (long long)n_elements);
    *ret_place = from_front;
    return HOB_OK;
}

hob_status sequence_allocate(struct op_context *ctx, int i, int64_t n_elements, struct tensor **ret_elements)
{
    if (op_output(ctx, i)) {
        TRY(op_allocate_output(ctx, i, DTYPE_SEQUENCE, 1, &n_elements));
        *ret_elements = ctx->outputs[i]->data;
        return HOB_OK;
    }
    struct tensor *elements = ARENA_NEW(ctx->scratch, struct tensor, (size_t)n_elements);
    if (!elements) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    *ret_elements = elements;
    return HOB_OK;
}

hob_status sequence_keep(struct op_context *ctx, const struct tensor *tensor, struct tensor *ret_element)
{
    struct tensor element = *tensor;
    tensor_set_contiguous(&element);
    element.is_view = false;
    TRY(ctx->allocate(ctx, tensor_n_bytes(tensor), &element.data));
    tensor_copy_contiguous(tensor, element.data);
    *ret_element = element;
    return HOB_OK;
}
