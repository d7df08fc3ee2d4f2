#include "ops/moving.h"

#include "ops/numbers.h"

hob_status moving_check(struct op_context *ctx, int i)
{
    const struct tensor *x = i < ctx->n_inputs ? ctx->inputs[i] : NULL;
    if (!x || (dtype_block_items(x->dtype) == 1 && x->layout == LAYOUT_STRIDED)) return HOB_OK;
    OP_FAIL(ctx, HOB_BAD_TYPE, "input %d: %s is not a type this operator takes", i, dtype_name(x->dtype));
}

hob_status moving_infer_reshaped(struct op_context *ctx, int rank, const int64_t *dims)
{
    struct tensor view;
    const struct tensor *x = ctx->inputs[0];
    TRY(moving_check(ctx, 0));
    if (!tensor_reshape(x, rank, dims, &view)) return op_set_output(ctx, 0, x->dtype, rank, dims);
    op_set_view(ctx, 0, &view);
    return HOB_OK;
}

hob_status moving_run_copy(struct op_context *ctx)
{
    tensor_copy_contiguous(ctx->inputs[0], ctx->outputs[0]->data);
    return HOB_OK;
}

hob_status moving_run_nothing(struct op_context *ctx)
{
    (void)ctx;
    return HOB_OK;
}

static void copy_row(char *out, int64_t out_step, const char *in, int64_t in_step, int64_t n_items, size_t item_bytes)
{
    if (out_step == 1 && in_step == 1) {
        memcpy(out, in, (size_t)n_items * item_bytes);
        return;
    }
    for (int64_t i = 0; i < n_items; i++)
        moving_copy_element(out + i * out_step * (int64_t)item_bytes, in + i * in_step * (int64_t)item_bytes, item_bytes);
}

/* Dims of both sides that lie evenly are merged, then rows are copied. */
void moving_copy_strided(const struct tensor *source, const struct tensor *destination)
{
    int64_t dims[TENSOR_MAX_RANK + 1], in[TENSOR_MAX_RANK + 1], out[TENSOR_MAX_RANK + 1];
    int64_t n_rows = tensor_n_items(source), index[TENSOR_MAX_RANK] = {0};
    int rank = 0;
    if (!n_rows) return;
    for (int d = 0; d < source->rank; d++) {
        int64_t dim = source->dims[d], in_step = source->strides[d], out_step = destination->strides[d];
        if (dim == 1) continue;
        if (rank && in[rank - 1] == in_step * dim && out[rank - 1] == out_step * dim) dim *= dims[--rank];
        dims[rank] = dim, in[rank] = in_step, out[rank++] = out_step;
    }
    if (!rank) dims[rank] = 1, in[rank] = 1, out[rank++] = 1;
    int last = rank - 1;
    for (n_rows /= dims[last]; n_rows; n_rows--) {
        int64_t from = 0, to = 0;
        for (int d = 0; d < last; d++) from += index[d] * in[d], to += index[d] * out[d];
        copy_row(moving_element_at(destination, to), out[last], moving_element_at(source, from), in[last], dims[last],
                 dtype_block_bytes(source->dtype));
        for (int d = last - 1; d >= 0 && ++index[d] == dims[d]; d--) index[d] = 0;
    }
}

hob_status moving_load_indices(struct op_context *ctx, int i, int64_t **ret_indices)
{
    const struct tensor *x = ctx->inputs[i];
    if (x->dtype != DTYPE_I64 && x->dtype != DTYPE_I32)
        OP_FAIL(ctx, HOB_BAD_TYPE, "input %d: found %s, expected int64 or int32", i, dtype_name(x->dtype));
    size_t n_items = (size_t)tensor_n_items(x);
    if (x->dtype == DTYPE_I64 && n_items && tensor_is_contiguous(x)) {
        *ret_indices = x->data;
        return HOB_OK;
    }
    int64_t *indices = ARENA_NEW(ctx->scratch, int64_t, n_items);
    void *packed = arena_alloc(ctx->scratch, tensor_n_bytes(x) + 1, 64);
    if (!indices || !packed) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    tensor_copy_contiguous(x, packed);
    const struct tensor flat = {.data = packed, .dtype = x->dtype};
    numbers_load_i64(&flat, 0, 1, n_items, indices);
    *ret_indices = indices;
    return HOB_OK;
}

hob_status moving_normalize_index(struct op_context *ctx, int64_t index, int64_t dim, int64_t *ret_index)
{
    if (index < -dim || index >= dim)
        OP_FAIL(ctx, HOB_BAD_ARGUMENT, "indices: found %lld, expected a value in [%lld,%lld]", (long long)index,
                (long long)-dim, (long long)dim - 1);
    *ret_index = index < 0 ? index + dim : index;
    return HOB_OK;
}

/* ---- mapped copies ---- */

struct mapped_copy {
    const struct tensor *source, *output;
    const int64_t *const *maps;
    const void *fill;
    size_t item_bytes;
};

static void fill_items(const struct mapped_copy *copy, char *out, int64_t n_items)
{
    for (int64_t i = 0; i < n_items; i++) memcpy(out + (size_t)i * copy->item_bytes, copy->fill, copy->item_bytes);
}

/* The last axis: runs of neighbours are copied whole. */
static void copy_mapped_row(const struct mapped_copy *copy, const char *in, char *out, int axis)
{
    const int64_t *map = copy->maps[axis], n = copy->output->dims[axis], stride = copy->source->strides[axis];
    const int64_t item_bytes = (int64_t)copy->item_bytes;
    for (int64_t i = 0, n_run; i < n; i += n_run) {
        n_run = 1;
        if (map[i] == MAP_FILL) {
            memcpy(out + i * item_bytes, copy->fill, copy->item_bytes);
            continue;
        }
        while (stride == 1 && i + n_run < n && map[i + n_run] == map[i] + n_run) n_run++;
        memcpy(out + i * item_bytes, in + map[i] * stride * item_bytes, (size_t)n_run * copy->item_bytes);
    }
}

static void copy_mapped_axis(const struct mapped_copy *copy, const char *in, char *out, int axis)
{
    const struct tensor *output = copy->output;
    if (axis == output->rank - 1) {
        copy_mapped_row(copy, in, out, axis);
        return;
    }
    const int64_t item_bytes = (int64_t)copy->item_bytes;
    for (int64_t i = 0; i < output->dims[axis]; i++, out += output->strides[axis] * item_bytes) {
        int64_t from = copy->maps[axis][i];
        if (from == MAP_FILL) fill_items(copy, out, output->strides[axis]);
        else copy_mapped_axis(copy, in + from * copy->source->strides[axis] * item_bytes, out, axis + 1);
    }
}

void moving_copy_mapped(const struct tensor *source, const int64_t *const *maps, const void *fill,
                        const struct tensor *output)
{
    if (!tensor_n_items(output)) return;
    struct mapped_copy copy = {source, output, maps, fill, dtype_block_bytes(source->dtype)};
    if (output->rank) copy_mapped_axis(&copy, source->data, output->data, 0);
    else memcpy(output->data, source->data, copy.item_bytes);
}
