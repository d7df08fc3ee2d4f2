#include "ops/vision/window.h"

#include <string.h>

static hob_status parse_padding(const struct op_prepare *node, enum window_padding *ret_padding)
{
    static const char *const names[] = {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"};
    const char *name = attributes_string(node->attributes, "auto_pad", "NOTSET");
    if (!*name) name = "NOTSET";
    for (int i = 0; i < 4; i++) {
        if (strcmp(name, names[i])) continue;
        *ret_padding = (enum window_padding)i;
        return HOB_OK;
    }
    FAIL(node->error, HOB_BAD_GRAPH, "%s: auto_pad: found \"%s\", expected NOTSET, SAME_UPPER, SAME_LOWER or VALID",
         node->node_name, name);
}

/* The spatial rank that a list of n_items speaks of is the same for all lists. */
static hob_status agree_on_rank(const struct op_prepare *node, const char *name, size_t n_items,
                                struct window_params *params)
{
    if (n_items > WINDOW_MAX_RANK)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: %s: found %zu spatial axes, expected at most %d", node->node_name, name,
             n_items, WINDOW_MAX_RANK);
    if (params->rank && (size_t)params->rank != n_items)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: %s: found %zu spatial axes, expected %d like the other attributes",
             node->node_name, name, n_items, params->rank);
    params->rank = (int)n_items;
    return HOB_OK;
}

/* One list with `per_axis` runs of values; a list that is absent or empty leaves ret_values alone. */
static hob_status parse_list(const struct op_prepare *node, const char *name, int64_t least, int per_axis,
                             struct window_params *params, int64_t *const *ret_values, bool *ret_is_given)
{
    size_t n_items;
    const int64_t *items = attributes_ints(node->attributes, name, &n_items);
    if (ret_is_given) *ret_is_given = n_items > 0;
    if (!n_items) return HOB_OK;
    if (n_items % (size_t)per_axis)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: %s: found %zu values, expected two for each spatial axis",
             node->node_name, name, n_items);
    size_t n_axes = n_items / (size_t)per_axis;
    TRY(agree_on_rank(node, name, n_axes, params));
    for (size_t i = 0; i < n_items; i++) {
        if (items[i] < least || items[i] > INT32_MAX)
            FAIL(node->error, HOB_BAD_GRAPH, "%s: %s[%zu]: found %lld, expected %lld … %d", node->node_name, name, i,
                 (long long)items[i], (long long)least, INT32_MAX);
        ret_values[i / n_axes][i % n_axes] = items[i];
    }
    return HOB_OK;
}

/* Some exporters write the whole shape [N,C,D1,…] where the specification wants [D1,…]. */
static hob_status parse_output_shape(const struct op_prepare *node, struct window_params *params)
{
    size_t n_items;
    const int64_t *items = attributes_ints(node->attributes, "output_shape", &n_items);
    if (!n_items) return HOB_OK;
    size_t n_skipped = params->rank && n_items == (size_t)params->rank + 2 ? 2 : 0;
    TRY(agree_on_rank(node, "output_shape", n_items - n_skipped, params));
    for (int axis = 0; axis < params->rank; axis++) {
        params->output_shape[axis] = items[n_skipped + (size_t)axis];
        if (params->output_shape[axis] < 0)
            FAIL(node->error, HOB_BAD_GRAPH, "%s: output_shape: found %lld, expected at least 0", node->node_name,
                 (long long)params->output_shape[axis]);
    }
    params->has_output_shape = true;
    return HOB_OK;
}

hob_status window_parse(const struct op_prepare *node, struct window_params *ret_params)
{
    struct window_params params = {.is_ceil = attributes_int(node->attributes, "ceil_mode", 0) != 0};
    for (int axis = 0; axis < WINDOW_MAX_RANK; axis++) params.strides[axis] = params.dilations[axis] = 1;
    TRY(parse_padding(node, &params.padding));
    TRY(parse_list(node, "kernel_shape", 1, 1, &params, &(int64_t *){params.kernel}, &params.has_kernel));
    TRY(parse_list(node, "strides", 1, 1, &params, &(int64_t *){params.strides}, NULL));
    TRY(parse_list(node, "dilations", 1, 1, &params, &(int64_t *){params.dilations}, NULL));
    TRY(parse_list(node, "pads", 0, 2, &params, (int64_t *[]){params.pads_begin, params.pads_end}, NULL));
    TRY(parse_list(node, "output_padding", 0, 1, &params, &(int64_t *){params.output_padding}, NULL));
    TRY(parse_output_shape(node, &params));
    *ret_params = params;
    return HOB_OK;
}

/* Everything but pads and outputs. */
static hob_status describe(struct op_context *ctx, const struct window_params *params, int rank, const int64_t *inputs,
                           const int64_t *kernel, struct window *window)
{
    if (rank < 0 || rank > WINDOW_MAX_RANK || (params->rank && params->rank != rank))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "found %d spatial axes, expected %d as the attributes say", rank, params->rank);
    if (!kernel && !params->has_kernel && rank)
        OP_FAIL(ctx, HOB_BAD_GRAPH, "kernel_shape: found none, expected %d values", rank);
    *window = (struct window){.rank = rank};
    for (int axis = 0; axis < rank; axis++) {
        window->inputs[axis] = inputs[axis];
        window->strides[axis] = params->strides[axis];
        window->dilations[axis] = params->dilations[axis];
        window->kernel[axis] = kernel ? kernel[axis] : params->kernel[axis];
        if (window->kernel[axis] < 1 || window->kernel[axis] > INT32_MAX ||
            (params->has_kernel && window->kernel[axis] != params->kernel[axis]))
            OP_FAIL(ctx, HOB_BAD_SHAPE, "spatial axis %d: found a kernel of %lld, expected %lld", axis,
                    (long long)window->kernel[axis], (long long)(params->has_kernel ? params->kernel[axis] : 1));
        if (inputs[axis] > INT64_MAX / 4 / window->strides[axis])
            OP_FAIL(ctx, HOB_LIMIT, "spatial axis %d: found %lld positions, expected fewer", axis,
                    (long long)inputs[axis]);
    }
    return HOB_OK;
}

/* At least 0: a window narrower than its stride leaves gaps instead. */
static void split_pad(int64_t total, bool is_larger_first, int64_t *ret_begin, int64_t *ret_end)
{
    if (total < 0) total = 0;
    *ret_begin = (total + is_larger_first) / 2;
    *ret_end = total - *ret_begin;
}

static int64_t count_windows(int64_t input, int64_t stride, int64_t extent, int64_t begin, int64_t end, bool is_ceil)
{
    int64_t room = input + begin + end - extent;
    if (room < 0 && !(is_ceil && room > -stride)) return -1;
    if (!is_ceil) return room / stride + 1;
    int64_t n_windows = (room + stride - 1) / stride + 1;
    return (n_windows - 1) * stride >= input + begin ? n_windows - 1 : n_windows;
}

static hob_status resolve_axis(struct op_context *ctx, const struct window_params *params, int axis,
                               struct window *window)
{
    int64_t input = window->inputs[axis], stride = window->strides[axis], extent = window_extent(window, axis);
    int64_t *begin = &window->pads_begin[axis], *end = &window->pads_end[axis];
    bool is_same = params->padding == WINDOW_SAME_UPPER || params->padding == WINDOW_SAME_LOWER;
    if (is_same) {
        split_pad(((input + stride - 1) / stride - 1) * stride + extent - input, params->padding == WINDOW_SAME_LOWER,
                  begin, end);
    } else if (params->padding == WINDOW_PADS_GIVEN) {
        *begin = params->pads_begin[axis];
        *end = params->pads_end[axis];
    }
    if (input == 0) return HOB_OK;
    int64_t n_windows = is_same ? (input + stride - 1) / stride
                                : count_windows(input, stride, extent, *begin, *end,
                                                params->is_ceil && params->padding == WINDOW_PADS_GIVEN);
    if (n_windows < 0)
        OP_FAIL(ctx, HOB_BAD_SHAPE,
                "spatial axis %d: found %lld positions with pads %lld and %lld, expected at least %lld for a window",
                axis, (long long)input, (long long)*begin, (long long)*end, (long long)extent);
    window->outputs[axis] = n_windows;
    return HOB_OK;
}

hob_status window_resolve(struct op_context *ctx, const struct window_params *params, int rank, const int64_t *inputs,
                          const int64_t *kernel, struct window *ret_window)
{
    struct window window;
    TRY(describe(ctx, params, rank, inputs, kernel, &window));
    for (int axis = 0; axis < rank; axis++) TRY(resolve_axis(ctx, params, axis, &window));
    *ret_window = window;
    return HOB_OK;
}

static hob_status resolve_transposed_axis(struct op_context *ctx, const struct window_params *params, int axis,
                                          struct window *window)
{
    int64_t input = window->inputs[axis], stride = window->strides[axis];
    int64_t *begin = &window->pads_begin[axis], *end = &window->pads_end[axis], *output = &window->outputs[axis];
    bool is_same = params->padding == WINDOW_SAME_UPPER || params->padding == WINDOW_SAME_LOWER;
    int64_t whole = input ? (input - 1) * stride + window_extent(window, axis) + params->output_padding[axis] : 0;
    if (params->has_output_shape || is_same) {
        *output = params->has_output_shape ? params->output_shape[axis] : input * stride;
        split_pad(whole - *output, params->padding != WINDOW_SAME_UPPER, begin, end);
        return HOB_OK;
    }
    if (params->padding == WINDOW_PADS_GIVEN) {
        *begin = params->pads_begin[axis];
        *end = params->pads_end[axis];
    }
    *output = input ? whole - *begin - *end : 0;
    if (*output < 0)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "spatial axis %d: found pads %lld and %lld for %lld outputs, expected fewer", axis,
                (long long)*begin, (long long)*end, (long long)whole);
    return HOB_OK;
}

hob_status window_resolve_transposed(struct op_context *ctx, const struct window_params *params, int rank,
                                     const int64_t *inputs, const int64_t *kernel, struct window *ret_window)
{
    struct window window;
    TRY(describe(ctx, params, rank, inputs, kernel, &window));
    for (int axis = 0; axis < rank; axis++) TRY(resolve_transposed_axis(ctx, params, axis, &window));
    *ret_window = window;
    return HOB_OK;
}
