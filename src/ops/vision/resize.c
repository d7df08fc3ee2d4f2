/* Resize and Upsample: attributes of all opsets, the output's dims, and the choice between moving elements (nearest: any type) and
 * weighing them axis after axis (linear, cubic: numbers).
 *   Upsample 1   factors of height and width as attributes; 7 attribute scales; 9 input scales. What was left of it is Resize-10
 *   Resize 10    inputs x, scales; like Upsample it samples "asymmetric" and rounds down
 *   Resize 11    inputs x, roi, scales, sizes and the modes; 18 antialias, axes, keep_aspect_ratio_policy; 19 half_pixel_symmetric
 *
 * With scales, dims are floor(dim * scale) with tf_crop_and_resize too: ONNX's shape inference and reference leave the roi out there. */
#include "kernels/kernels.h"
#include "ops/axes.h"
#include "ops/moving.h"
#include "ops/numbers.h"
#include "ops/vision/resize_axis.h"
#include "ops/vision/resize_nearest.h"

enum resize_policy { POLICY_STRETCH, POLICY_NOT_LARGER, POLICY_NOT_SMALLER };

struct resize_params {
    struct resize_sampling sampling;
    enum resize_policy policy;
    struct axes axes;
    int roi_input, scales_input, sizes_input; /* -1: none */
    size_t n_scales;                          /* of the attribute; then there are no inputs but x */
    const float *scales;
};

/* The index of an attribute's text among names. */
static hob_status parse_name(const struct op_prepare *node, const char *attribute, const char *fallback,
                             const char *const *names, int *ret_index)
{
    const char *name = attributes_string(node->attributes, attribute, fallback);
    for (int i = 0; names[i]; i++) {
        if (strcmp(name, names[i])) continue;
        *ret_index = i;
        return HOB_OK;
    }
    FAIL(node->error, HOB_BAD_GRAPH, "%s: %s: found \"%s\", which is not one of the operator's", node->node_name,
         attribute, name);
}

static hob_status parse_sampling(const struct op_prepare *node, struct resize_sampling *ret_sampling)
{
    static const char *const modes[] = {"nearest", "linear", "cubic", "bilinear", NULL};
    static const char *const coordinates[] = {
        "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel",   "align_corners",
        "asymmetric", "tf_crop_and_resize",   "tf_half_pixel_for_nn", NULL};
    static const char *const roundings[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil", NULL};
    bool is_old = node->opset < 11;
    int mode, coordinate, rounding;
    TRY(parse_name(node, "mode", "nearest", modes, &mode));
    TRY(parse_name(node, "coordinate_transformation_mode", is_old ? "asymmetric" : "half_pixel", coordinates,
                   &coordinate));
    TRY(parse_name(node, "nearest_mode", is_old ? "floor" : "round_prefer_floor", roundings, &rounding));
    *ret_sampling = (struct resize_sampling){
        .mode = mode == 3 ? RESIZE_LINEAR : (enum resize_mode)mode,
        .coordinates = (enum resize_coordinates)coordinate,
        .rounding = (enum resize_rounding)rounding,
        .is_antialiased = attributes_int(node->attributes, "antialias", 0) != 0,
        .excludes_outside = attributes_int(node->attributes, "exclude_outside", 0) != 0,
        .cubic_a = (double)attributes_float(node->attributes, "cubic_coeff_a", -0.75f),
        .outside_value = (double)attributes_float(node->attributes, "extrapolation_value", 0),
    };
    if (ret_sampling->is_antialiased && mode == RESIZE_NEAREST)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: antialias: found 1 with mode nearest, expected mode linear or cubic",
             node->node_name);
    return HOB_OK;
}

static hob_status prepare_resize(const struct op_prepare *node, void **ret_params)
{
    static const char *const policies[] = {"stretch", "not_larger", "not_smaller", NULL};
    struct resize_params *params = ARENA_NEW(node->arena, struct resize_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    TRY(parse_sampling(node, &params->sampling));
    TRY(axes_prepare(node, "axes", &params->axes));
    int policy;
    TRY(parse_name(node, "keep_aspect_ratio_policy", "stretch", policies, &policy));
    params->policy = (enum resize_policy)policy;
    params->roi_input = node->opset < 11 ? -1 : 1;
    params->scales_input = node->opset < 11 ? 1 : 2;
    params->sizes_input = node->opset < 11 ? -1 : 3;
    *ret_params = params;
    return HOB_OK;
}

/* Upsample is what Resize-10 is, in whatever opset a file still has it. */
static hob_status prepare_upsample(const struct op_prepare *node, void **ret_params)
{
    struct op_prepare old = *node;
    if (old.opset > 10) old.opset = 10;
    TRY(prepare_resize(&old, ret_params));
    struct resize_params *params = *ret_params;
    params->scales = attributes_floats(node->attributes, "scales", &params->n_scales);
    if (node->opset < 7 && !params->n_scales) {
        float *scales = ARENA_NEW(node->arena, float, 4);
        if (!scales) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
        scales[0] = scales[1] = 1;
        scales[2] = attributes_float(node->attributes, "height_scale", 0);
        scales[3] = attributes_float(node->attributes, "width_scale", 0);
        params->scales = scales;
        params->n_scales = 4;
    }
    if (node->n_inputs < 2 && !params->n_scales)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: scales: found neither an attribute nor an input", node->node_name);
    return HOB_OK;
}

/* ---- dims ---- */

struct resize_plan {
    int n_named; /* axes that roi, scales and sizes speak of, in their order */
    int named[TENSOR_MAX_RANK];
    struct resize_axis axes[TENSOR_MAX_RANK];
};

static hob_status start_plan(struct op_context *ctx, struct resize_plan *plan)
{
    const struct resize_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    bool is_named[TENSOR_MAX_RANK] = {0};
    plan->n_named = params->axes.is_given ? params->axes.n_items : x->rank;
    for (int i = 0; i < plan->n_named; i++) {
        if (params->axes.is_given) TRY(axis_normalize(ctx, params->axes.items[i], &plan->named[i]));
        else plan->named[i] = i;
        if (is_named[plan->named[i]]) OP_FAIL(ctx, HOB_BAD_GRAPH, "axes: found axis %d twice", plan->named[i]);
        is_named[plan->named[i]] = true;
    }
    for (int axis = 0; axis < x->rank; axis++)
        plan->axes[axis] = (struct resize_axis){
            .n_in = x->dims[axis], .n_out = x->dims[axis], .scale = 1, .length = (double)x->dims[axis], .roi_end = 1};
    return HOB_OK;
}

/* Whether input i is there and not empty. */
static bool has_values(const struct op_context *ctx, int i)
{
    const struct tensor *input = i < 0 ? NULL : op_input(ctx, i);
    return input && tensor_n_items(input) > 0;
}

static hob_status read_numbers(struct op_context *ctx, int i, int n_expected, double *ret_numbers)
{
    const struct tensor *input = ctx->inputs[i];
    if (!numbers_is_float(input->dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input %d: found %s, expected a float type", i, dtype_name(input->dtype));
    if (input->rank != 1 || input->dims[0] != n_expected)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found %s, expected [%d]", i, OP_SHAPE(input), n_expected);
    if (!input->data) return op_unknown(ctx, i);
    numbers_load_f64(input, 0, 1, (size_t)n_expected, ret_numbers);
    return HOB_OK;
}

static hob_status plan_scale(struct op_context *ctx, double scale, struct resize_axis *axis)
{
    if (!(scale > 0 && scale < 0x1p62))
        OP_FAIL(ctx, HOB_BAD_ARGUMENT, "scales: found %g, expected numbers above 0", scale);
    axis->scale = scale;
    axis->length = (double)axis->n_in * scale;
    if (axis->length >= 0x1p62)
        OP_FAIL(ctx, HOB_LIMIT, "found a dim of %lld times %g, expected less", (long long)axis->n_in, scale);
    axis->n_out = (int64_t)axis->length;
    return HOB_OK;
}

static hob_status plan_scales(struct op_context *ctx, struct resize_plan *plan)
{
    const struct resize_params *params = ctx->params;
    double scales[TENSOR_MAX_RANK];
    if (params->n_scales) {
        if (params->n_scales != (size_t)plan->n_named)
            OP_FAIL(ctx, HOB_BAD_SHAPE, "scales: found %zu values, expected %d", params->n_scales, plan->n_named);
        for (int i = 0; i < plan->n_named; i++) scales[i] = (double)params->scales[i];
    } else {
        TRY(read_numbers(ctx, params->scales_input, plan->n_named, scales));
    }
    for (int i = 0; i < plan->n_named; i++) TRY(plan_scale(ctx, scales[i], &plan->axes[plan->named[i]]));
    return HOB_OK;
}

/* One scale for all, the smallest or the largest that the sizes ask for; dims are rounded, halves up. */
static hob_status keep_aspect_ratio(struct op_context *ctx, enum resize_policy policy, struct resize_plan *plan)
{
    double scale = policy == POLICY_NOT_LARGER ? (double)INFINITY : 0;
    for (int i = 0; i < plan->n_named; i++) {
        double one = plan->axes[plan->named[i]].scale;
        scale = policy == POLICY_NOT_LARGER ? fmin(scale, one) : fmax(scale, one);
    }
    for (int i = 0; i < plan->n_named; i++) {
        struct resize_axis *axis = &plan->axes[plan->named[i]];
        if (axis->n_in) TRY(plan_scale(ctx, scale, axis));
        axis->n_out = (int64_t)(axis->length + 0.5);
    }
    return HOB_OK;
}

static hob_status plan_sizes(struct op_context *ctx, struct resize_plan *plan)
{
    const struct resize_params *params = ctx->params;
    int64_t sizes[TENSOR_MAX_RANK];
    size_t n_sizes;
    TRY(op_read_ints(ctx, params->sizes_input, TENSOR_MAX_RANK, sizes, &n_sizes));
    if (n_sizes != (size_t)plan->n_named)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "sizes: found %zu values, expected %d", n_sizes, plan->n_named);
    for (int i = 0; i < plan->n_named; i++) {
        struct resize_axis *axis = &plan->axes[plan->named[i]];
        if (sizes[i] < 0 || (params->policy != POLICY_STRETCH && !sizes[i]))
            OP_FAIL(ctx, HOB_BAD_ARGUMENT, "sizes: found %lld, expected more", (long long)sizes[i]);
        axis->n_out = sizes[i];
        axis->length = (double)sizes[i];
        axis->scale = axis->n_in ? axis->length / (double)axis->n_in : 1;
    }
    return params->policy == POLICY_STRETCH ? HOB_OK : keep_aspect_ratio(ctx, params->policy, plan);
}

static hob_status plan_roi(struct op_context *ctx, struct resize_plan *plan)
{
    const struct resize_params *params = ctx->params;
    double roi[2 * TENSOR_MAX_RANK];
    if (params->sampling.coordinates != RESIZE_TF_CROP_AND_RESIZE) return HOB_OK;
    if (!has_values(ctx, params->roi_input))
        OP_FAIL(ctx, HOB_BAD_GRAPH, "roi: found none, expected one with tf_crop_and_resize");
    TRY(read_numbers(ctx, params->roi_input, 2 * plan->n_named, roi));
    for (int i = 0; i < plan->n_named; i++) {
        plan->axes[plan->named[i]].roi_begin = roi[i];
        plan->axes[plan->named[i]].roi_end = roi[plan->n_named + i];
    }
    return HOB_OK;
}

static hob_status make_plan(struct op_context *ctx, struct resize_plan *plan)
{
    const struct resize_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    TRY(start_plan(ctx, plan));
    bool has_scales = params->n_scales || has_values(ctx, params->scales_input),
         has_sizes = has_values(ctx, params->sizes_input);
    if (has_scales == has_sizes && x->rank)
        OP_FAIL(ctx, HOB_BAD_GRAPH, "found %s, expected one of them",
                has_scales ? "both scales and sizes" : "neither scales nor sizes");
    if (has_scales) TRY(plan_scales(ctx, plan));
    else if (has_sizes) TRY(plan_sizes(ctx, plan));
    TRY(plan_roi(ctx, plan));
    for (int axis = 0; axis < x->rank; axis++)
        if (!x->dims[axis] && plan->axes[axis].n_out)
            OP_FAIL(ctx, HOB_BAD_SHAPE, "axis %d: found a dim of 0, of which %lld cannot be made", axis,
                    (long long)plan->axes[axis].n_out);
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct resize_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    struct resize_plan plan;
    int64_t dims[TENSOR_MAX_RANK];
    TRY(moving_check(ctx, 0));
    if (params->sampling.mode != RESIZE_NEAREST && !op_types_have(TYPES_NUMBER, x->dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 0: found %s, expected numbers to interpolate", dtype_name(x->dtype));
    TRY(make_plan(ctx, &plan));
    for (int axis = 0; axis < x->rank; axis++) dims[axis] = plan.axes[axis].n_out;
    return op_set_output(ctx, 0, x->dtype, x->rank, dims);
}

/* ---- nearest ---- */

/* What tf_crop_and_resize shows outside, as an element; types that are no numbers have zeros. */
static void make_fill(enum dtype dtype, double value, unsigned char storage[16])
{
    const struct tensor element = {.data = storage, .dtype = dtype};
    int64_t whole = value >= (double)INT64_MIN && value < -(double)INT64_MIN ? (int64_t)value : 0;
    if (numbers_is_float(dtype)) numbers_store_f64(&element, 0, 1, 1, &value);
    else if (numbers_is_integer(dtype)) numbers_store_i64(&element, 0, 1, 1, &whole);
}

static hob_status run_nearest(struct op_context *ctx, const struct resize_plan *plan)
{
    const struct resize_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0], *y = ctx->outputs[0];
    int64_t *maps[TENSOR_MAX_RANK] = {0};
    _Alignas(16) unsigned char fill[16] = {0};
    for (int axis = 0; axis < x->rank; axis++)
        if (!resize_axis_is_identity(&params->sampling, &plan->axes[axis]))
            TRY(resize_map_make(ctx, &params->sampling, &plan->axes[axis], &maps[axis]));
    make_fill(x->dtype, params->sampling.outside_value, fill);
    resize_nearest(ctx, x, (const int64_t *const *)maps, fill, y);
    return HOB_OK;
}

/* ---- linear, cubic ---- */

static void load_f32(const void *context, const struct tensor *x, int64_t offset, int64_t n, void *ret_items)
{
    const struct kernels *kernels = context;
    if (x->dtype == DTYPE_F16) kernels->f32_from_f16(n, (const uint16_t *)x->data + offset, ret_items);
    else if (x->dtype == DTYPE_BF16) kernels->f32_from_bf16(n, (const uint16_t *)x->data + offset, ret_items);
    else numbers_load_f32(x, offset, 1, (size_t)n, ret_items);
}

static void load_f64(const void *context, const struct tensor *x, int64_t offset, int64_t n, void *ret_items)
{
    (void)context;
    numbers_load_f64(x, offset, 1, (size_t)n, ret_items);
}

/* Nearest whole number, ties to even: the addition itself rounds. For |x| < 2^22, and a vector of them at a time. */
static inline float round_f32(float x)
{
    return (x + 0x1.8p23f) - 0x1.8p23f;
}

static void store_f32(const void *context, const struct tensor *y, int64_t offset, int64_t n, void *items)
{
    const struct kernels *kernels = context;
    const float *x = items;
    uint8_t *bytes = (uint8_t *)y->data + offset;
    if (y->dtype == DTYPE_F16) kernels->f16_from_f32(n, x, (uint16_t *)y->data + offset);
    else if (y->dtype == DTYPE_BF16) kernels->bf16_from_f32(n, x, (uint16_t *)y->data + offset);
    else if (y->dtype == DTYPE_U8)
        for (int64_t i = 0; i < n; i++) bytes[i] = (uint8_t)round_f32(x[i] > 0 ? x[i] < 255 ? x[i] : 255 : 0);
    else
        for (int64_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)(int8_t)round_f32(x[i] > -128 ? x[i] < 127 ? x[i] : 127 : -128);
}

/* Rounded, ties to even, and kept in the type's range. */
static int64_t saturate(enum dtype dtype, double x)
{
    bool is_signed = op_types_have(TYPES_SIGNED, dtype);
    int bits = (int)dtype_block_bytes(dtype) * 8;
    double most = ldexp(1, is_signed ? bits - 1 : bits), least = is_signed ? -most : 0;
    x = rint(x);
    if (x >= most) return is_signed ? (int64_t)(UINT64_MAX >> (65 - bits)) : (int64_t)(UINT64_MAX >> (64 - bits));
    if (!(x > least)) return is_signed ? (int64_t)(UINT64_MAX << (bits - 1)) : 0;
    return is_signed ? (int64_t)x : (int64_t)(uint64_t)x;
}

static void store_f64(const void *context, const struct tensor *y, int64_t offset, int64_t n, void *items)
{
    (void)context;
    const double *x = items;
    for (int64_t i = 0; i < n; i++) {
        int64_t whole = saturate(y->dtype, x[i]);
        numbers_store_i64(y, offset + i, 1, 1, &whole);
    }
}

static hob_status run_weighted(struct op_context *ctx, const struct resize_plan *plan)
{
    const struct resize_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0], *y = ctx->outputs[0];
    /* f32 holds bytes and halves exactly; wider integers need more. */
    bool is_f64 = !op_types_have(TYPE(F32) | TYPE(F16) | TYPE(BF16) | TYPE(I8) | TYPE(U8), x->dtype);
    bool is_as_it_is = x->dtype == DTYPE_F32 || x->dtype == DTYPE_F64;
    struct separable walk = {
        .n_units = 1, .x = x, .y = y, .item_bytes = is_f64 ? sizeof(double) : sizeof(float), .context = ctx->kernels};
    struct resize_taps taps[TENSOR_MAX_RANK];
    for (int axis = 0; axis < x->rank; axis++) {
        const struct resize_axis *one = &plan->axes[axis];
        bool is_kept = resize_axis_is_identity(&params->sampling, one);
        if (is_kept && !walk.rank) {
            walk.n_units *= one->n_in;
            continue;
        }
        struct separable_axis *walked = &walk.axes[walk.rank++];
        *walked = (struct separable_axis){.n_in = one->n_in, .n_out = one->n_out};
        if (is_kept) continue;
        TRY(resize_taps_make(ctx, &params->sampling, one, is_f64, &taps[axis]));
        walked->table = &taps[axis];
        walked->pass = is_f64 ? resize_pass_f64 : resize_pass_f32;
        walked->reads = resize_reads;
    }
    if (!walk.rank) {
        memcpy(y->data, x->data, tensor_n_bytes(y));
        return HOB_OK;
    }
    if (!is_as_it_is) {
        walk.load = is_f64 ? load_f64 : load_f32;
        walk.store = is_f64 ? store_f64 : store_f32;
    }
    return separable_run(ctx, &walk);
}

static hob_status run(struct op_context *ctx)
{
    const struct resize_params *params = ctx->params;
    struct resize_plan plan;
    TRY(make_plan(ctx, &plan));
    if (!tensor_n_items(ctx->outputs[0])) return HOB_OK;
    return params->sampling.mode == RESIZE_NEAREST ? run_nearest(ctx, &plan) : run_weighted(ctx, &plan);
}

const struct op_def op_resize = {
    .name = "Resize",
    .domain = "",
    .since = 10,
    .min_inputs = 1,
    .max_inputs = 4,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_WHOLE,
    .prepare = prepare_resize,
    .infer = infer,
    .run = run,
};

const struct op_def op_upsample = {
    .name = "Upsample",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_WHOLE,
    .prepare = prepare_upsample,
    .infer = infer,
    .run = run,
};
