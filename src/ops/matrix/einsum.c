/* Einsum: operands are joined from left to right, two at a time, each pair as a batch of matrix products: indices that both have and
 * that are still wanted are the batch, those that both have and nobody wants any more are summed over, the others are rows and
 * columns. What only one has and nobody wants is summed before. Repeated indices of an operand are its diagonal: a view.
 *
 * f16 and bf16 are computed as f32, integers as wrapping i64, and stored once at the end. */
#include "ops/as_f32.h"
#include "ops/matrix/einsum_equation.h"
#include "ops/matrix/product.h"
#include "ops/moving.h"
#include "ops/numbers.h"
#include "ops/reduction.h"

typedef uint64_t index_set; /* a bit an index */

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct einsum_equation *equation = ARENA_NEW(node->arena, struct einsum_equation, 1);
    if (!equation) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    const char *text = attributes_string(node->attributes, "equation", NULL);
    if (!text) FAIL(node->error, HOB_BAD_GRAPH, "%s: attribute equation is missing", node->node_name);
    TRY(einsum_read(node, text, equation));
    *ret_params = equation;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    struct einsum_operand output;
    int64_t sizes[EINSUM_INDICES];
    TRY(einsum_resolve(ctx, ctx->params, NULL, &output, sizes));
    return op_set_output(ctx, 0, output.tensor.dtype, output.tensor.rank, output.tensor.dims);
}

/* ---- operands ---- */

static index_set bit(int index)
{
    return (index_set)1 << index;
}

static index_set indices_of(const struct einsum_operand *operand)
{
    index_set set = 0;
    for (int axis = 0; axis < operand->tensor.rank; axis++) set |= bit(operand->indices[axis]);
    return set;
}

static void drop_axis(struct einsum_operand *operand, int axis)
{
    struct tensor *tensor = &operand->tensor;
    tensor->rank--;
    for (int i = axis; i < tensor->rank; i++) {
        tensor->dims[i] = tensor->dims[i + 1];
        tensor->strides[i] = tensor->strides[i + 1];
        operand->indices[i] = operand->indices[i + 1];
    }
}

/* Axes of the same index become one that walks along all of them. */
static hob_status take_diagonals(struct op_context *ctx, struct einsum_operand *operand)
{
    struct tensor *tensor = &operand->tensor;
    for (int axis = 0; axis < tensor->rank; axis++)
        for (int other = tensor->rank - 1; other > axis; other--) {
            if (operand->indices[other] != operand->indices[axis]) continue;
            if (tensor->dims[other] != tensor->dims[axis])
                OP_FAIL(ctx, HOB_BAD_SHAPE, "found axes of %lld and %lld for one index of an operand, expected equal ones",
                        (long long)tensor->dims[axis], (long long)tensor->dims[other]);
            tensor->strides[axis] += tensor->strides[other];
            drop_axis(operand, other);
        }
    return HOB_OK;
}

/* f32, f64 or i64: what the sums are made in. */
static enum dtype working_type(enum dtype dtype)
{
    return dtype == DTYPE_F64 ? DTYPE_F64 : numbers_is_float(dtype) ? DTYPE_F32 : DTYPE_I64;
}

static hob_status new_tensor(struct op_context *ctx, enum dtype dtype, int rank, const int64_t *dims, struct tensor *ret_tensor)
{
    TRY(tensor_init(ret_tensor, dtype, rank, dims, NULL, ctx->error));
    ret_tensor->data = arena_alloc(ctx->scratch, tensor_n_bytes(ret_tensor) + 1, 64);
    if (!ret_tensor->data) OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for %zu bytes of scratch", tensor_n_bytes(ret_tensor));
    return HOB_OK;
}

/* One contiguous line of numbers into another of another type. */
static void convert(const struct tensor *from, const struct tensor *to)
{
    int64_t n_items = tensor_n_items(from);
    double reals[NUMBERS_RUN];
    int64_t integers[NUMBERS_RUN];
    for (int64_t done = 0; done < n_items; done += NUMBERS_RUN) {
        size_t n = n_items - done < NUMBERS_RUN ? (size_t)(n_items - done) : NUMBERS_RUN;
        if (numbers_is_float(from->dtype)) {
            numbers_load_f64(from, done, 1, n, reals);
            numbers_store_f64(to, done, 1, n, reals);
        } else {
            numbers_load_i64(from, done, 1, n, integers);
            numbers_store_i64(to, done, 1, n, integers);
        }
    }
}

static hob_status contiguous(struct op_context *ctx, const struct tensor *x, struct tensor *ret_copy)
{
    TRY(new_tensor(ctx, x->dtype, x->rank, x->dims, ret_copy));
    tensor_copy_contiguous(x, ret_copy->data);
    return HOB_OK;
}

static hob_status as_working_type(struct op_context *ctx, struct tensor *x)
{
    enum dtype dtype = working_type(x->dtype);
    struct tensor plain = *x, wide;
    if (x->dtype == dtype) return HOB_OK;
    if (!tensor_is_contiguous(x)) TRY(contiguous(ctx, x, &plain));
    TRY(new_tensor(ctx, dtype, x->rank, x->dims, &wide));
    convert(&plain, &wide);
    *x = wide;
    return HOB_OK;
}

/* ---- sums of one operand ---- */

struct sum_job {
    const struct reduction *reduction;
    const struct tensor *x, *y;
};

static void sum_tile(const struct sum_job *job, const struct reduction_tile *tile)
{
    double sums[NUMBERS_RUN] = {0}, reals[NUMBERS_RUN];
    int64_t totals[NUMBERS_RUN] = {0}, integers[NUMBERS_RUN];
    bool is_float = numbers_is_float(job->x->dtype);
    for (int64_t k = 0; k < job->reduction->n_folded; k++) {
        int64_t offset = tile->offset + reduction_offset(job->reduction, k);
        if (is_float) numbers_load_f64(job->x, offset, tile->stride, tile->n_items, reals);
        else numbers_load_i64(job->x, offset, tile->stride, tile->n_items, integers);
        for (size_t i = 0; i < tile->n_items; i++) {
            if (is_float) sums[i] += reals[i];
            else totals[i] = (int64_t)((uint64_t)totals[i] + (uint64_t)integers[i]);
        }
    }
    if (is_float) numbers_store_f64(job->y, tile->first_output, 1, tile->n_items, sums);
    else numbers_store_i64(job->y, tile->first_output, 1, tile->n_items, totals);
}

static void sum_tiles(void *context, size_t begin, size_t end)
{
    const struct sum_job *job = context;
    for (size_t i = begin; i < end; i++) {
        struct reduction_tile tile = reduction_tile(job->reduction, (int64_t)i);
        sum_tile(job, &tile);
    }
}

/* Sums over every index that is not in `kept`. */
static hob_status sum_out(struct op_context *ctx, struct einsum_operand *operand, index_set kept)
{
    bool is_folded[TENSOR_MAX_RANK] = {false};
    int64_t dims[TENSOR_MAX_RANK];
    struct reduction reduction;
    struct tensor y;
    int rank = 0;
    if (!(indices_of(operand) & ~kept)) return HOB_OK;
    for (int axis = 0; axis < operand->tensor.rank; axis++) {
        is_folded[axis] = !(kept & bit(operand->indices[axis]));
        if (!is_folded[axis]) dims[rank++] = operand->tensor.dims[axis];
    }
    TRY(new_tensor(ctx, operand->tensor.dtype, rank, dims, &y));
    reduction_init(&reduction, &operand->tensor, is_folded);
    struct sum_job job = {.reduction = &reduction, .x = &operand->tensor, .y = &y};
    thread_pool_run(ctx->pool, (size_t)reduction.n_tiles, reduction_least_tiles(&reduction), sum_tiles, &job);
    for (int axis = operand->tensor.rank - 1; axis >= 0; axis--)
        if (is_folded[axis]) drop_axis(operand, axis);
    operand->tensor = y;
    return HOB_OK;
}

/* ---- products of two ---- */

/* Indices in the order in which they shall stand. */
struct order {
    int n;
    int indices[2 * TENSOR_MAX_RANK];
};

/* Those of set: as `first` has them, then as `second` has them. */
static void add_in_order(struct order *order, index_set set, const struct einsum_operand *first, const struct einsum_operand *second)
{
    const struct einsum_operand *const sources[] = {first, second};
    for (int s = 0; s < 2; s++)
        for (int axis = 0; axis < sources[s]->tensor.rank; axis++) {
            int index = sources[s]->indices[axis];
            if (!(set & bit(index))) continue;
            set &= ~bit(index);
            order->indices[order->n++] = index;
        }
}

static int64_t items_of(const struct order *order, const int64_t *sizes)
{
    int64_t n_items = 1;
    for (int i = 0; i < order->n; i++) n_items *= sizes[order->indices[i]];
    return n_items;
}

/* The operand as [batch, rows, columns] of the groups' indices; an axis of 1 is repeated up to its index's size. */
static hob_status as_matrices(struct op_context *ctx, const struct einsum_operand *operand, const struct order *const *groups,
                              const int64_t *sizes, struct tensor *ret_matrices)
{
    struct tensor view = operand->tensor, plain;
    int64_t dims[3];
    int rank = 0;
    for (int g = 0; g < 3; g++) {
        dims[g] = items_of(groups[g], sizes);
        for (int i = 0; i < groups[g]->n; i++) {
            int axis = 0;
            while (operand->indices[axis] != groups[g]->indices[i]) axis++;
            view.dims[rank] = sizes[groups[g]->indices[i]];
            view.strides[rank++] = operand->tensor.dims[axis] == 1 ? 0 : operand->tensor.strides[axis];
        }
    }
    if (tensor_reshape(&view, 3, dims, ret_matrices)) return HOB_OK;
    TRY(contiguous(ctx, &view, &plain));
    return tensor_init(ret_matrices, view.dtype, 3, dims, plain.data, ctx->error);
}

/* The sizes that the two give their indices: an index that a later operand widens is still 1 here. */
static void sizes_of_pair(const struct einsum_operand *a, const struct einsum_operand *b, int64_t sizes[EINSUM_INDICES])
{
    const struct einsum_operand *const pair[] = {a, b};
    for (int i = 0; i < EINSUM_INDICES; i++) sizes[i] = 1;
    for (int p = 0; p < 2; p++)
        for (int axis = 0; axis < pair[p]->tensor.rank; axis++)
            if (pair[p]->tensor.dims[axis] != 1) sizes[pair[p]->indices[axis]] = pair[p]->tensor.dims[axis];
}

static bool is_output_order(const struct order *const *groups, const struct einsum_operand *output, const int64_t *sizes)
{
    int axis = 0;
    for (int g = 0; g < 3; g++)
        for (int i = 0; i < groups[g]->n; i++, axis++)
            if (axis >= output->tensor.rank || output->indices[axis] != groups[g]->indices[i] ||
                output->tensor.dims[axis] != sizes[groups[g]->indices[i]])
                return false;
    return axis == output->tensor.rank;
}

/* The one whose own index comes first in the output gives the rows. */
static bool is_turned(const struct einsum_operand *a, const struct einsum_operand *b, const struct einsum_operand *output)
{
    index_set of_a = indices_of(a), of_b = indices_of(b);
    for (int axis = 0; axis < output->tensor.rank; axis++) {
        index_set index = bit(output->indices[axis]);
        if (!(of_a & of_b & index) && ((of_a | of_b) & index)) return of_b & index;
    }
    return false;
}

/* a = the product of a and b summed over what is not kept. Straight into the output's memory where the indices come out in its order;
 * output->tensor.data NULL: it is not the last product, or the types differ. */
static hob_status join(struct op_context *ctx, struct einsum_operand *a, struct einsum_operand *b, index_set kept,
                       const struct einsum_operand *output)
{
    TRY(sum_out(ctx, a, kept | indices_of(b)));
    TRY(sum_out(ctx, b, kept | indices_of(a)));
    if (is_turned(a, b, output)) {
        struct einsum_operand other = *a;
        *a = *b;
        *b = other;
    }
    index_set of_a = indices_of(a), of_b = indices_of(b);
    struct order batch = {0}, rows = {0}, columns = {0}, summed = {0};
    add_in_order(&batch, of_a & of_b & kept, output, a);
    add_in_order(&summed, of_a & of_b & ~kept, a, b);
    add_in_order(&rows, of_a & ~of_b, output, a);
    add_in_order(&columns, of_b & ~of_a, output, b);
    int64_t sizes[EINSUM_INDICES], dims[TENSOR_MAX_RANK];
    int rank = batch.n + rows.n + columns.n, axis = 0;
    if (rank > TENSOR_MAX_RANK) OP_FAIL(ctx, HOB_LIMIT, "found %d indices after a product, expected at most %d", rank, TENSOR_MAX_RANK);
    sizes_of_pair(a, b, sizes);
    const struct order *const groups[] = {&batch, &rows, &columns};
    struct einsum_operand result = {0};
    for (int g = 0; g < 3; g++)
        for (int i = 0; i < groups[g]->n; i++, axis++) {
            result.indices[axis] = groups[g]->indices[i];
            dims[axis] = sizes[groups[g]->indices[i]];
        }
    struct tensor left, right, product;
    TRY(as_matrices(ctx, a, (const struct order *const[]){&batch, &rows, &summed}, sizes, &left));
    TRY(as_matrices(ctx, b, (const struct order *const[]){&batch, &summed, &columns}, sizes, &right));
    if (output->tensor.data && is_output_order(groups, output, sizes)) result.tensor = output->tensor;
    else TRY(new_tensor(ctx, a->tensor.dtype, rank, dims, &result.tensor));
    TRY(tensor_init(&product, result.tensor.dtype, 3, (int64_t[]){left.dims[0], left.dims[1], right.dims[2]}, result.tensor.data,
                    ctx->error));
    TRY(product_run(ctx, &left, &right, &product));
    *a = result;
    return HOB_OK;
}

/* ---- all of them ---- */

/* What is left has the output's indices, in some order and perhaps not yet as wide. */
static hob_status store(struct op_context *ctx, const struct einsum_operand *result, const struct einsum_operand *output)
{
    struct tensor view = output->tensor, plain;
    if (result->tensor.data == output->tensor.data) return HOB_OK;
    view.data = result->tensor.data;
    view.dtype = result->tensor.dtype;
    for (int axis = 0; axis < output->tensor.rank; axis++) {
        int from = 0;
        while (result->indices[from] != output->indices[axis]) from++;
        view.strides[axis] = result->tensor.dims[from] == 1 ? 0 : result->tensor.strides[from];
    }
    if (view.dtype == output->tensor.dtype) {
        tensor_copy_contiguous(&view, output->tensor.data);
        return HOB_OK;
    }
    TRY(contiguous(ctx, &view, &plain));
    convert(&plain, &output->tensor);
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    const struct einsum_equation *equation = ctx->params;
    int n = equation->n_terms;
    int64_t sizes[EINSUM_INDICES];
    struct einsum_operand *operands = ARENA_NEW(ctx->scratch, struct einsum_operand, (size_t)n), output, target;
    index_set *wanted = ARENA_NEW(ctx->scratch, index_set, (size_t)n + 1); /* by the output and the operands from there on */
    if (!operands || !wanted) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    TRY(einsum_resolve(ctx, equation, operands, &output, sizes));
    output.tensor.data = ctx->outputs[0]->data;
    wanted[n] = indices_of(&output);
    for (int i = n - 1; i >= 0; i--) wanted[i] = wanted[i + 1] | indices_of(&operands[i]);
    for (int i = 0; i < n; i++) {
        TRY(take_diagonals(ctx, &operands[i]));
        TRY(as_working_type(ctx, &operands[i].tensor));
        target = output;
        if (i != n - 1 || output.tensor.dtype != operands[0].tensor.dtype) target.tensor.data = NULL;
        if (i) TRY(join(ctx, &operands[0], &operands[i], wanted[i + 1], &target));
    }
    TRY(sum_out(ctx, &operands[0], wanted[n]));
    return store(ctx, &operands[0], &output);
}

const struct op_def op_einsum = {
    .name = "Einsum",
    .domain = "",
    .since = 12,
    .min_inputs = 1,
    .max_inputs = -1,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_NUMBER,
    .flags = OP_STRIDED_INPUTS,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
