/* Operators that make tensors out of attributes, shapes or a few numbers: Constant, ConstantOfShape, Shape, Size, Range, EyeLike. */
#include "ops/math/cast.h"
#include "ops/moving.h"
#include "ops/numbers.h"

#include <math.h>

/* ---- Constant: the attribute's own memory, never copied ---- */

static bool find_list(const struct attributes *attributes, struct tensor *ret_tensor)
{
    static const struct {
        const char *name;
        enum attribute_kind kind;
        enum dtype dtype;
        bool is_list;
    } kinds[] = {{"value_float", ATTRIBUTE_FLOAT, DTYPE_F32, false},     {"value_floats", ATTRIBUTE_FLOATS, DTYPE_F32, true},
                 {"value_int", ATTRIBUTE_INT, DTYPE_I64, false},         {"value_ints", ATTRIBUTE_INTS, DTYPE_I64, true},
                 {"value_string", ATTRIBUTE_STRING, DTYPE_STRING, false}, {"value_strings", ATTRIBUTE_STRINGS, DTYPE_STRING, true}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const struct attribute *found = attributes_find(attributes, kinds[i].name);
        if (!found || found->kind != kinds[i].kind) continue;
        const void *items = kinds[i].is_list ? (const void *)found->integers : (const void *)&found->integer;
        *ret_tensor = (struct tensor){.data = (void *)(uintptr_t)items, .dtype = kinds[i].dtype, .rank = kinds[i].is_list,
                                      .dims = {(int64_t)found->n_items}};
        tensor_set_contiguous(ret_tensor);
        return true;
    }
    return false;
}

static hob_status prepare_constant(const struct op_prepare *node, void **ret_params)
{
    struct tensor *constant = ARENA_NEW(node->arena, struct tensor, 1);
    if (!constant) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    const struct attribute *value = attributes_find(node->attributes, "value");
    if (!value) value = attributes_find(node->attributes, "sparse_value"); /* made dense when it was read */
    if (value && value->kind == ATTRIBUTE_TENSOR) *constant = *value->tensor;
    else if (!find_list(node->attributes, constant))
        FAIL(node->error, HOB_BAD_GRAPH, "%s (Constant): found no attribute with a value", node->node_name);
    *ret_params = constant;
    return HOB_OK;
}

static hob_status infer_constant(struct op_context *ctx)
{
    op_set_view(ctx, 0, ctx->params);
    return HOB_OK;
}

const struct op_def op_constant = {.name = "Constant", .domain = "", .since = 1, .min_inputs = 0, .max_inputs = 0,
                                   .min_outputs = 1, .max_outputs = 1, .flags = OP_STRIDED_INPUTS,
                                   .prepare = prepare_constant, .infer = infer_constant, .run = moving_run_nothing};

/* ---- ConstantOfShape: one element seen everywhere ---- */

static hob_status prepare_constant_of_shape(const struct op_prepare *node, void **ret_params)
{
    static const float zero;
    struct tensor *element = ARENA_NEW(node->arena, struct tensor, 1);
    if (!element) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    *element = (struct tensor){.data = (void *)(uintptr_t)&zero, .dtype = DTYPE_F32};
    const struct attribute *value = attributes_find(node->attributes, "value");
    if (value && value->kind == ATTRIBUTE_TENSOR) {
        if (tensor_n_items(value->tensor) != 1 || dtype_block_items(value->tensor->dtype) != 1)
            FAIL(node->error, HOB_BAD_GRAPH, "%s: value: found %lld elements of %s, expected 1", node->node_name,
                 (long long)tensor_n_items(value->tensor), dtype_name(value->tensor->dtype));
        *element = (struct tensor){.data = value->tensor->data, .dtype = value->tensor->dtype};
    }
    *ret_params = element;
    return HOB_OK;
}

static hob_status infer_constant_of_shape(struct op_context *ctx)
{
    const struct tensor *element = ctx->params;
    int64_t dims[TENSOR_MAX_RANK];
    size_t rank;
    struct tensor checked;
    TRY(op_read_ints(ctx, 0, TENSOR_MAX_RANK, dims, &rank));
    TRY(tensor_init(&checked, element->dtype, (int)rank, dims, NULL, ctx->error));
    struct tensor view = tensor_broadcast(element, (int)rank, dims);
    op_set_view(ctx, 0, &view);
    return HOB_OK;
}

const struct op_def op_constant_of_shape = {.name = "ConstantOfShape", .domain = "", .since = 9, .min_inputs = 1,
                                            .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,
                                            .types = TYPE(I64) | TYPE(I32), .flags = OP_STRIDED_INPUTS, .prepare = prepare_constant_of_shape,
                                            .infer = infer_constant_of_shape, .run = moving_run_nothing};

/* ---- Shape, Size ---- */

struct shape_params {
    int64_t start, end;
};

static hob_status prepare_shape(const struct op_prepare *node, void **ret_params)
{
    struct shape_params *params = ARENA_NEW(node->arena, struct shape_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->start = attributes_int(node->attributes, "start", 0);
    params->end = attributes_int(node->attributes, "end", INT64_MAX);
    *ret_params = params;
    return HOB_OK;
}

static int64_t clamp_axis(int64_t axis, int64_t rank)
{
    if (axis < 0) axis += rank;
    return axis < 0 ? 0 : axis > rank ? rank : axis;
}

/* A view of the dims in the input's struct tensor, which lives as long as the run: so shapes are known while planning, before
 * there is any data. */
static hob_status infer_shape(struct op_context *ctx)
{
    const struct shape_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    int64_t start = clamp_axis(params->start, x->rank), end = clamp_axis(params->end, x->rank);
    struct tensor view = {.data = (void *)(uintptr_t)&x->dims[start], .dtype = DTYPE_I64, .rank = 1,
                          .dims = {end > start ? end - start : 0}, .strides = {1}};
    op_set_view(ctx, 0, &view);
    return HOB_OK;
}

const struct op_def op_shape = {.name = "Shape", .domain = "", .since = 1, .min_inputs = 1, .max_inputs = 1,
                                .min_outputs = 1, .max_outputs = 1, .types = TYPES_ALL, .flags = OP_STRIDED_INPUTS,
                                .prepare = prepare_shape, .infer = infer_shape, .run = moving_run_nothing};

static hob_status infer_size(struct op_context *ctx)
{
    return op_set_output(ctx, 0, DTYPE_I64, 0, NULL);
}

static hob_status run_size(struct op_context *ctx)
{
    *(int64_t *)ctx->outputs[0]->data = tensor_n_items(ctx->inputs[0]);
    return HOB_OK;
}

const struct op_def op_size = {.name = "Size", .domain = "", .since = 1, .min_inputs = 1, .max_inputs = 1, .min_outputs = 1,
                               .max_outputs = 1, .types = TYPES_ALL, .flags = OP_STRIDED_INPUTS, .infer = infer_size,
                               .run = run_size};

/* ---- Range ---- */

static hob_status check_range_input(struct op_context *ctx, int i)
{
    TRY(op_check_dtype(ctx, i, ctx->inputs[0]->dtype));
    if (tensor_n_items(ctx->inputs[i]) != 1)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found shape %s, expected a scalar", i, OP_SHAPE(ctx->inputs[i]));
    return ctx->inputs[i]->data ? HOB_OK : op_unknown(ctx, i);
}

static hob_status count_integers(struct op_context *ctx, int64_t *ret_n_items)
{
    int64_t start = tensor_get_int(ctx->inputs[0], 0), limit = tensor_get_int(ctx->inputs[1], 0);
    int64_t delta = tensor_get_int(ctx->inputs[2], 0);
    if (!delta) OP_FAIL(ctx, HOB_BAD_ARGUMENT, "delta: found 0, expected another number");
    *ret_n_items = 0;
    bool is_upward = delta > 0;
    if (is_upward ? start >= limit : start <= limit) return HOB_OK;
    uint64_t span = is_upward ? (uint64_t)limit - (uint64_t)start : (uint64_t)start - (uint64_t)limit;
    uint64_t step = is_upward ? (uint64_t)delta : 0 - (uint64_t)delta, n_items = (span - 1) / step + 1;
    if (n_items > INT64_MAX) OP_FAIL(ctx, HOB_BAD_SHAPE, "found a range of more than 2^63 numbers");
    *ret_n_items = (int64_t)n_items;
    return HOB_OK;
}

static hob_status count_reals(struct op_context *ctx, int64_t *ret_n_items)
{
    double numbers[3];
    for (int i = 0; i < 3; i++) numbers_load_f64(ctx->inputs[i], 0, 1, 1, &numbers[i]);
    double n_items = ceil((numbers[1] - numbers[0]) / numbers[2]);
    if (!(fabs(n_items) < 0x1p62))
        OP_FAIL(ctx, HOB_BAD_ARGUMENT, "found start %g, limit %g, delta %g, expected a finite range", numbers[0], numbers[1],
                numbers[2]);
    *ret_n_items = n_items > 0 ? (int64_t)n_items : 0;
    return HOB_OK;
}

static hob_status infer_range(struct op_context *ctx)
{
    enum dtype dtype = ctx->inputs[0]->dtype;
    bool is_integer = dtype == DTYPE_I64 || dtype == DTYPE_I32 || dtype == DTYPE_I16;
    for (int i = 0; i < 3; i++) TRY(check_range_input(ctx, i));
    int64_t n_items;
    TRY(is_integer ? count_integers(ctx, &n_items) : count_reals(ctx, &n_items));
    return op_set_output(ctx, 0, dtype, 1, &n_items);
}

static void fill_reals(const struct op_context *ctx)
{
    const struct tensor *out = ctx->outputs[0];
    double start, delta, item;
    numbers_load_f64(ctx->inputs[0], 0, 1, 1, &start);
    numbers_load_f64(ctx->inputs[2], 0, 1, 1, &delta);
    for (int64_t i = 0; i < out->dims[0]; i++) {
        item = start + (double)i * delta;
        numbers_store_f64(out, i, 1, 1, &item);
    }
}

static void fill_integers(const struct op_context *ctx)
{
    const struct tensor *out = ctx->outputs[0];
    uint64_t delta = (uint64_t)tensor_get_int(ctx->inputs[2], 0), item = (uint64_t)tensor_get_int(ctx->inputs[0], 0);
    for (int64_t i = 0; i < out->dims[0]; i++, item += delta) {
        int64_t number = (int64_t)item;
        numbers_store_i64(out, i, 1, 1, &number);
    }
}

static hob_status run_range(struct op_context *ctx)
{
    if (dtype_is_float(ctx->outputs[0]->dtype)) fill_reals(ctx);
    else fill_integers(ctx);
    return HOB_OK;
}

const struct op_def op_range = {.name = "Range", .domain = "", .since = 11, .min_inputs = 3, .max_inputs = 3,
                                .min_outputs = 1, .max_outputs = 1, .types = TYPES_FLOAT | TYPE(I16) | TYPE(I32) | TYPE(I64), .flags = OP_STRIDED_INPUTS, .infer = infer_range,
                                .run = run_range};

/* ---- EyeLike ---- */

struct eye_params {
    enum dtype dtype; /* DTYPE_NONE: the input's */
    int64_t k;
};

static hob_status prepare_eye(const struct op_prepare *node, void **ret_params)
{
    struct eye_params *params = ARENA_NEW(node->arena, struct eye_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    int64_t dtype = attributes_int(node->attributes, "dtype", DTYPE_NONE);
    if (dtype < 0 || dtype >= DTYPE_END || (dtype && !cast_is_number((enum dtype)dtype)))
        FAIL(node->error, HOB_BAD_GRAPH, "%s: dtype: found %lld, expected a type of numbers", node->node_name, (long long)dtype);
    params->dtype = (enum dtype)dtype;
    params->k = attributes_int(node->attributes, "k", 0);
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer_eye(struct op_context *ctx)
{
    const struct eye_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    enum dtype dtype = params->dtype ? params->dtype : x->dtype;
    if (x->rank != 2) OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found shape %s, expected a matrix", OP_SHAPE(x));
    if (!cast_is_number(dtype)) OP_FAIL(ctx, HOB_BAD_TYPE, "input 0: found %s, expected numbers", dtype_name(dtype));
    return op_set_output(ctx, 0, dtype, 2, x->dims);
}

static hob_status run_eye(struct op_context *ctx)
{
    const struct eye_params *params = ctx->params;
    const struct tensor *out = ctx->outputs[0];
    static const float real_one = 1;
    static const int64_t integer_one = 1;
    if (!tensor_n_items(out)) return HOB_OK; /* however many rows of nothing there are */
    memset(out->data, 0, tensor_n_bytes(out));
    for (int64_t row = 0; row < out->dims[0]; row++) {
        int64_t column;
        if (__builtin_add_overflow(row, params->k, &column) || column < 0 || column >= out->dims[1]) continue;
        int64_t offset = row * out->dims[1] + column;
        if (dtype_is_float(out->dtype)) numbers_store_f32(out, offset, 1, 1, &real_one);
        else numbers_store_i64(out, offset, 1, 1, &integer_one);
    }
    return HOB_OK;
}

const struct op_def op_eye_like = {.name = "EyeLike", .domain = "", .since = 9, .min_inputs = 1, .max_inputs = 1,
                                   .min_outputs = 1, .max_outputs = 1, .types = TYPES_NUMBER | TYPE(BOOL), .flags = OP_STRIDED_INPUTS,
                                   .prepare = prepare_eye, .infer = infer_eye, .run = run_eye};
