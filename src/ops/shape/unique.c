/* Unique: the different slices of an axis, or the different elements without one. Slices are compared element by element as
 * numbers or as bytes of strings; NaN equals NaN and is largest, as NumPy sorts it. */
#include "ops/axes.h"
#include "ops/lookup.h"
#include "ops/moving.h"
#include "ops/numbers.h"

#include <stdlib.h>

struct unique_params {
    bool has_axis, is_sorted;
    int64_t axis;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct unique_params *params = ARENA_NEW(node->arena, struct unique_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->has_axis = attributes_find(node->attributes, "axis") != NULL;
    params->axis = attributes_int(node->attributes, "axis", 0);
    params->is_sorted = attributes_int(node->attributes, "sorted", 1) != 0;
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    return op_unknown(ctx, 0);
}

/* The input as rows to compare: [n_rows, width], contiguous. */
struct rows {
    struct tensor flat;
    int64_t n_rows, width;
};

static int compare_reals(double a, double b)
{
    if (a != a || b != b) return (a != a) - (b != b);
    return (a > b) - (a < b);
}

/* Real part first. */
static int compare_complex(const struct tensor *flat, int64_t i, int64_t j)
{
    struct tensor parts = {.data = flat->data, .dtype = flat->dtype == DTYPE_C64 ? DTYPE_F32 : DTYPE_F64};
    double a[2], b[2];
    numbers_load_f64(&parts, 2 * i, 1, 2, a);
    numbers_load_f64(&parts, 2 * j, 1, 2, b);
    int order = compare_reals(a[0], b[0]);
    return order ? order : compare_reals(a[1], b[1]);
}

static int compare_items(const struct tensor *flat, int64_t i, int64_t j)
{
    if (flat->dtype == DTYPE_STRING)
        return lookup_compare_texts((const struct tensor_string *)flat->data + i, (const struct tensor_string *)flat->data + j);
    if (op_types_have(TYPES_COMPLEX, flat->dtype)) return compare_complex(flat, i, j);
    if (numbers_is_float(flat->dtype)) {
        double a, b;
        numbers_load_f64(flat, i, 1, 1, &a);
        numbers_load_f64(flat, j, 1, 1, &b);
        return compare_reals(a, b);
    }
    int64_t a, b;
    numbers_load_i64(flat, i, 1, 1, &a);
    numbers_load_i64(flat, j, 1, 1, &b);
    if (flat->dtype == DTYPE_U64) return ((uint64_t)a > (uint64_t)b) - ((uint64_t)a < (uint64_t)b);
    return (a > b) - (a < b);
}

static int compare_rows(const struct rows *rows, int64_t i, int64_t j)
{
    int order = 0;
    for (int64_t k = 0; !order && k < rows->width; k++)
        order = compare_items(&rows->flat, i * rows->width + k, j * rows->width + k);
    return order;
}

/* Equal rows stand in the order of the input. */
static int compare_for_sort(const void *a, const void *b, void *context)
{
    int64_t i = *(const int64_t *)a, j = *(const int64_t *)b;
    int order = compare_rows(context, i, j);
    return order ? order : (i > j) - (i < j);
}

/* Distinct rows: first[g] is where group g first occurs, group_of[i] the group of row i. */
struct groups {
    int64_t n_groups;
    int64_t *first, *counts, *group_of;
};

static void number_sorted(const struct rows *rows, const int64_t *order, struct groups *groups)
{
    for (int64_t k = 0; k < rows->n_rows; k++) {
        if (!k || compare_rows(rows, order[k - 1], order[k])) groups->first[groups->n_groups++] = order[k];
        groups->counts[groups->n_groups - 1]++;
        groups->group_of[order[k]] = groups->n_groups - 1;
    }
}

/* Renumbers the groups in the order of their first rows. renumbered: room for n_groups; order is used up. */
static void number_by_occurrence(const struct rows *rows, int64_t *order, struct groups *groups, int64_t *renumbered)
{
    int64_t n_seen = 0;
    memcpy(order, groups->counts, (size_t)groups->n_groups * sizeof *order);
    for (int64_t g = 0; g < groups->n_groups; g++) renumbered[g] = -1;
    for (int64_t i = 0; i < rows->n_rows; i++) {
        int64_t old = groups->group_of[i];
        if (renumbered[old] < 0) {
            groups->first[n_seen] = i;
            groups->counts[n_seen] = order[old];
            renumbered[old] = n_seen++;
        }
        groups->group_of[i] = renumbered[old];
    }
}

static hob_status find_groups(struct op_context *ctx, struct rows *rows, struct groups *ret_groups)
{
    const struct unique_params *params = ctx->params;
    size_t n = (size_t)rows->n_rows;
    int64_t *order = ARENA_NEW(ctx->scratch, int64_t, n), *renumbered = ARENA_NEW(ctx->scratch, int64_t, n);
    struct groups groups = {.first = ARENA_NEW(ctx->scratch, int64_t, n), .counts = ARENA_NEW(ctx->scratch, int64_t, n),
                            .group_of = ARENA_NEW(ctx->scratch, int64_t, n)};
    if (!order || !renumbered || !groups.first || !groups.counts || !groups.group_of)
        OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < n; i++) order[i] = (int64_t)i;
    qsort_r(order, n, sizeof *order, compare_for_sort, rows);
    number_sorted(rows, order, &groups);
    if (!params->is_sorted) number_by_occurrence(rows, order, &groups, renumbered);
    *ret_groups = groups;
    return HOB_OK;
}

/* The axis first, the rest as it stands. */
static hob_status make_rows(struct op_context *ctx, const struct tensor *x, int axis, struct rows *ret_rows)
{
    int order[TENSOR_MAX_RANK] = {axis};
    for (int d = 0, to = 1; d < x->rank; d++)
        if (d != axis) order[to++] = d;
    struct tensor turned = tensor_transpose(x, order);
    struct rows rows = {.flat = {.dtype = x->dtype}, .n_rows = x->dims[axis]};
    rows.width = rows.n_rows ? tensor_n_items(x) / rows.n_rows : 0;
    rows.flat.data = arena_alloc(ctx->scratch, tensor_n_bytes(x) + 1, 64);
    if (!rows.flat.data) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    tensor_copy_contiguous(&turned, rows.flat.data);
    *ret_rows = rows;
    return HOB_OK;
}

static hob_status write_rows(struct op_context *ctx, const struct tensor *x, int axis, const struct groups *groups)
{
    int64_t dims[TENSOR_MAX_RANK];
    memcpy(dims, x->dims, sizeof dims);
    dims[axis] = groups->n_groups;
    TRY(op_allocate_output(ctx, 0, x->dtype, x->rank, dims));
    if (!ctx->outputs[0]) return HOB_OK;
    for (int64_t g = 0; g < groups->n_groups; g++) {
        struct tensor from = tensor_slice(x, axis, groups->first[g], 1, 1), to = tensor_slice(ctx->outputs[0], axis, g, 1, 1);
        moving_copy_strided(&from, &to);
    }
    return HOB_OK;
}

static hob_status write_numbers(struct op_context *ctx, int i, const int64_t *numbers, int64_t n_numbers)
{
    TRY(op_allocate_output(ctx, i, DTYPE_I64, 1, &n_numbers));
    if (i < ctx->n_outputs && ctx->outputs[i] && n_numbers)
        memcpy(ctx->outputs[i]->data, numbers, (size_t)n_numbers * sizeof *numbers);
    return HOB_OK;
}

/* Input 0 is contiguous (no OP_STRIDED_INPUTS): flat, it is a vector. */
static hob_status run(struct op_context *ctx)
{
    const struct unique_params *params = ctx->params;
    struct tensor x = *ctx->inputs[0];
    struct rows rows;
    struct groups groups;
    int axis = 0;
    if (params->has_axis) TRY(axis_normalize(ctx, params->axis, &axis));
    else x = (struct tensor){.data = x.data, .dtype = x.dtype, .rank = 1, .dims = {tensor_n_items(&x)}, .strides = {1}};
    TRY(make_rows(ctx, &x, axis, &rows));
    TRY(find_groups(ctx, &rows, &groups));
    TRY(write_rows(ctx, &x, axis, &groups));
    TRY(write_numbers(ctx, 1, groups.first, groups.n_groups));
    TRY(write_numbers(ctx, 2, groups.group_of, rows.n_rows));
    return write_numbers(ctx, 3, groups.counts, groups.n_groups);
}

const struct op_def op_unique = {.name = "Unique", .domain = "", .since = 11, .min_inputs = 1, .max_inputs = 1,
                                 .min_outputs = 1, .max_outputs = 4, .types = TYPES_NUMBER | TYPES_COMPLEX | TYPE(BOOL) | TYPE(STRING), .flags = OP_ALLOCATES, .prepare = prepare,
                                 .infer = infer, .run = run};
