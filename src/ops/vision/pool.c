/* MaxPool, AveragePool and LpPool: a window's maximum, sum of items or sum of |items|^p is the same done axis after axis
 * (separable.h), so a 13x13 window costs 26 steps an item and not 169, and any number of spatial axes is one case. What lies
 * outside the input takes no part: a window's bounds are cut to the input before the loop, which then checks nothing.
 *
 * A window without any input gives the least number for the maximum, 0 for the others. NaN items are skipped by the maximum. */
#include "kernels/kernels.h"
#include "ops/numbers.h"
#include "ops/vision/argmax_pool.h"
#include "ops/vision/separable.h"
#include "ops/vision/window.h"

enum pool_kind { POOL_MAX, POOL_AVERAGE, POOL_LP };

struct pool_params {
    struct window_params window;
    enum pool_kind kind;
    bool counts_pads;     /* AveragePool */
    bool is_column_major; /* MaxPool's indices */
    double p;             /* LpPool */
};

/* ---- one axis ---- */

struct pool_axis {
    int64_t n_in, n_out, kernel, stride, dilation, pad;
};

/* a may be negative, b is 1 or more. Most are 1 (strides, dilations), and a division costs more than a short row. */
static int64_t floor_divide(int64_t a, int64_t b)
{
    return b == 1 ? a : a / b - (a % b < 0);
}

static int64_t ceil_divide(int64_t a, int64_t b)
{
    return -floor_divide(-a, b);
}

static int64_t clamp(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

/* Kernel items [*ret_begin,*ret_end) that fall on an input for some output of [out_begin,out_end). */
static void kernel_range(const struct pool_axis *axis, int64_t out_begin, int64_t out_end, int64_t *ret_begin,
                         int64_t *ret_end)
{
    *ret_begin = clamp(ceil_divide(axis->pad - (out_end - 1) * axis->stride, axis->dilation), 0, axis->kernel);
    *ret_end = clamp(floor_divide(axis->n_in - 1 + axis->pad - out_begin * axis->stride, axis->dilation) + 1,
                     *ret_begin, axis->kernel);
}

static void pool_reads(const void *table, int64_t o, int64_t *ret_begin, int64_t *ret_end)
{
    const struct pool_axis *axis = table;
    int64_t k_begin, k_end, start = o * axis->stride - axis->pad;
    kernel_range(axis, o, o + 1, &k_begin, &k_end);
    *ret_begin = start + k_begin * axis->dilation;
    *ret_end = k_begin < k_end ? start + (k_end - 1) * axis->dilation + 1 : *ret_begin;
}

static inline float larger_f32(float a, float b)
{
    return b > a ? b : a;
}

static inline double larger_f64(double a, double b)
{
    return b > a ? b : a;
}

static inline float sum_of_f32(float a, float b)
{
    return a + b;
}

static inline double sum_of_f64(double a, double b)
{
    return a + b;
}

/* Tap by tap is the faster walk but for windows far apart, whose taps mostly fall between: those go output by output. */
static bool walks_taps(const struct pool_axis *axis, const struct separable_span *span)
{
    int64_t begin, end;
    kernel_range(axis, span->out_begin, span->out_end, &begin, &end);
    return end - begin <= 2 * axis->n_in + 16;
}

/* Neighbouring outputs of the last axis: one kernel item after the other over all of them. Of items next to each other
 * (an axis before the last): one output after the other. The loops over i are what the compiler makes vectors of. */
#define POOL_PASS(name, type, start, combine)                                                                          \
    static void name##_row(const struct pool_axis *axis, const struct separable_span *span, const type *in, type *out) \
    {                                                                                                                  \
        int64_t k_begin, k_end;                                                                                        \
        for (int64_t i = 0; i < span->out_end - span->out_begin; i++) out[i] = start;                                  \
        kernel_range(axis, span->out_begin, span->out_end, &k_begin, &k_end);                                          \
        for (int64_t k = k_begin; k < k_end; k++) {                                                                    \
            int64_t shift = k * axis->dilation - axis->pad, stride = axis->stride;                                     \
            int64_t begin = clamp(ceil_divide(-shift, stride), span->out_begin, span->out_end);                        \
            int64_t end = clamp(floor_divide(axis->n_in - 1 - shift, stride) + 1, begin, span->out_end);               \
            if (begin == end) continue;                                                                                \
            const type *from = in + (begin * stride + shift - span->in_begin);                                         \
            type *to = out + (begin - span->out_begin);                                                                \
            int64_t n = end - begin;                                                                                   \
            if (stride == 1)                                                                                           \
                for (int64_t i = 0; i < n; i++) to[i] = combine(to[i], from[i]);                                       \
            else if (stride == 2)                                                                                      \
                for (int64_t i = 0; i < n; i++) to[i] = combine(to[i], from[2 * i]);                                   \
            else                                                                                                       \
                for (int64_t i = 0; i < n; i++) to[i] = combine(to[i], from[i * stride]);                              \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    static void name(const void *table, const struct separable_span *span, const void *in, void *out)                  \
    {                                                                                                                  \
        const struct pool_axis *axis = table;                                                                          \
        if (span->inner == 1 && walks_taps(axis, span)) {                                                              \
            name##_row(axis, span, in, out);                                                                           \
            return;                                                                                                    \
        }                                                                                                              \
        int64_t n = span->inner;                                                                                       \
        type *to = out;                                                                                                \
        for (int64_t o = span->out_begin; o < span->out_end; o++, to += n) {                                           \
            int64_t k_begin, k_end;                                                                                    \
            kernel_range(axis, o, o + 1, &k_begin, &k_end);                                                            \
            for (int64_t i = 0; i < n; i++) to[i] = start;                                                             \
            for (int64_t k = k_begin; k < k_end; k++) {                                                                \
                int64_t position = o * axis->stride + k * axis->dilation - axis->pad - span->in_begin;                 \
                const type *from = (const type *)in + position * n;                                                    \
                for (int64_t i = 0; i < n; i++) to[i] = combine(to[i], from[i]);                                       \
            }                                                                                                          \
        }                                                                                                              \
    }

POOL_PASS(max_f32, float, -INFINITY, larger_f32)
POOL_PASS(max_f64, double, (double)-INFINITY, larger_f64)
POOL_PASS(sum_f32, float, 0, sum_of_f32)
POOL_PASS(sum_f64, double, 0, sum_of_f64)

/* ---- types, averages, roots ---- */

struct pool_job {
    const struct pool_params *params;
    const struct kernels *kernels;
    struct window window;
    struct pool_axis axes[WINDOW_MAX_RANK];
    const double *counts[WINDOW_MAX_RANK]; /* AveragePool: items of a window of that axis that count, at least 1 */
};

static void load_f32(const void *context, const struct tensor *x, int64_t offset, int64_t n, void *ret_items)
{
    const struct pool_job *job = context;
    if (x->dtype == DTYPE_F16) job->kernels->f32_from_f16(n, (const uint16_t *)x->data + offset, ret_items);
    else if (x->dtype == DTYPE_BF16) job->kernels->f32_from_bf16(n, (const uint16_t *)x->data + offset, ret_items);
    else numbers_load_f32(x, offset, 1, (size_t)n, ret_items);
}

/* Back to the type they came from; integers were whole and in range, but for a window without input. */
static void store_f32(const struct pool_job *job, const struct tensor *y, int64_t offset, int64_t n, const float *items)
{
    if (y->dtype == DTYPE_F16) job->kernels->f16_from_f32(n, items, (uint16_t *)y->data + offset);
    else if (y->dtype == DTYPE_BF16) job->kernels->bf16_from_f32(n, items, (uint16_t *)y->data + offset);
    else if (y->dtype == DTYPE_U8)
        for (int64_t i = 0; i < n; i++) ((uint8_t *)y->data)[offset + i] = (uint8_t)(items[i] > 0 ? items[i] : 0);
    else if (y->dtype == DTYPE_I8)
        for (int64_t i = 0; i < n; i++) ((int8_t *)y->data)[offset + i] = (int8_t)(items[i] > -128 ? items[i] : -128);
}

static void store_max(const void *context, const struct tensor *y, int64_t offset, int64_t n, void *items)
{
    store_f32(context, y, offset, n, items);
}

/* How many items an average over a row of the last axis divides by, but for the last axis itself. row: index of the row. */
static double count_outer(const struct pool_job *job, int64_t row)
{
    double count = 1;
    for (int axis = job->window.rank - 2; axis >= 0; axis--) {
        count *= job->counts[axis][row % job->window.outputs[axis]];
        row /= job->window.outputs[axis];
    }
    return count;
}

/* offset is at the start of a row, or of a part of one where there is one axis only. */
#define DIVIDE_ROWS(type)                                                                              \
    static void divide_rows_##type(const struct pool_job *job, int64_t offset, int64_t n, type *items) \
    {                                                                                                  \
        int last = job->window.rank - 1;                                                               \
        int64_t width = job->window.outputs[last];                                                     \
        for (int64_t done = 0, n_row; done < n; done += n_row, items += n_row) {                       \
            int64_t begin = (offset + done) % width;                                                   \
            n_row = width - begin < n - done ? width - begin : n - done;                               \
            double outer = count_outer(job, (offset + done) / width);                                  \
            const double *inner = job->counts[last] + begin;                                           \
            for (int64_t i = 0; i < n_row; i++) items[i] /= (type)(outer * inner[i]);                  \
        }                                                                                              \
    }
DIVIDE_ROWS(float)
DIVIDE_ROWS(double)

static void store_average(const void *context, const struct tensor *y, int64_t offset, int64_t n, void *items)
{
    const struct pool_job *job = context;
    if (y->dtype == DTYPE_F64) {
        divide_rows_double(job, offset, n, items);
        return;
    }
    divide_rows_float(job, offset, n, items);
    if (y->dtype != DTYPE_F32) store_f32(job, y, offset, n, items);
}

static void load_powers(const void *context, const struct tensor *x, int64_t offset, int64_t n, void *ret_items)
{
    const struct pool_job *job = context;
    double *items = ret_items, p = job->params->p;
    numbers_load_f64(x, offset, 1, (size_t)n, items);
    if (p == 1)
        for (int64_t i = 0; i < n; i++) items[i] = fabs(items[i]);
    else if (p == 2)
        for (int64_t i = 0; i < n; i++) items[i] *= items[i];
    else
        for (int64_t i = 0; i < n; i++) items[i] = pow(fabs(items[i]), p);
}

static void store_roots(const void *context, const struct tensor *y, int64_t offset, int64_t n, void *items)
{
    const struct pool_job *job = context;
    double *sums = items, p = job->params->p;
    if (p == 2)
        for (int64_t i = 0; i < n; i++) sums[i] = sqrt(sums[i]);
    else if (p != 1)
        for (int64_t i = 0; i < n; i++) sums[i] = pow(sums[i], 1 / p);
    numbers_store_f64(y, offset, 1, (size_t)n, sums);
}

/* ---- the operators ---- */

static hob_status pool_prepare(const struct op_prepare *node, enum pool_kind kind, void **ret_params)
{
    struct pool_params *params = ARENA_NEW(node->arena, struct pool_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    TRY(window_parse(node, &params->window));
    params->kind = kind;
    params->counts_pads = attributes_int(node->attributes, "count_include_pad", 0) != 0;
    params->is_column_major = attributes_int(node->attributes, "storage_order", 0) != 0;
    /* p is a float in LpPool-1, a whole number since. */
    const struct attribute *p = attributes_find(node->attributes, "p");
    params->p = p && p->kind == ATTRIBUTE_FLOAT ? (double)p->number : (double)attributes_int(node->attributes, "p", 2);
    if (kind == POOL_LP && !(params->p > 0))
        FAIL(node->error, HOB_BAD_GRAPH, "%s: p: found %g, expected a number above 0", node->node_name, params->p);
    *ret_params = params;
    return HOB_OK;
}

static hob_status prepare_max(const struct op_prepare *node, void **ret_params)
{
    return pool_prepare(node, POOL_MAX, ret_params);
}

static hob_status prepare_average(const struct op_prepare *node, void **ret_params)
{
    return pool_prepare(node, POOL_AVERAGE, ret_params);
}

static hob_status prepare_lp(const struct op_prepare *node, void **ret_params)
{
    return pool_prepare(node, POOL_LP, ret_params);
}

static hob_status find_window(struct op_context *ctx, struct window *ret_window)
{
    const struct pool_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    if (x->rank < 3) OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found %s, expected [N,C,D1,…]", OP_SHAPE(x));
    return window_resolve(ctx, &params->window, x->rank - 2, x->dims + 2, NULL, ret_window);
}

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    struct window window;
    TRY(find_window(ctx, &window));
    int64_t dims[TENSOR_MAX_RANK] = {x->dims[0], x->dims[1]};
    for (int axis = 0; axis < window.rank; axis++) dims[2 + axis] = window.outputs[axis];
    TRY(op_set_output(ctx, 0, x->dtype, x->rank, dims));
    return op_set_output(ctx, 1, DTYPE_I64, x->rank, dims);
}

/* Inputs, and with counts_pads pads too, under each window of an axis. What ceil_mode adds behind the pads never counts. */
static hob_status count_items(struct op_context *ctx, int axis, struct pool_job *job)
{
    const struct window *window = &job->window;
    struct pool_axis counted = job->axes[axis];
    double *counts = ARENA_NEW(ctx->scratch, double, (size_t)window->outputs[axis]);
    if (!counts) OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for %lld counts", (long long)window->outputs[axis]);
    if (job->params->counts_pads) {
        counted.n_in += window->pads_begin[axis] + window->pads_end[axis];
        counted.pad = 0;
    }
    for (int64_t o = 0; o < window->outputs[axis]; o++) {
        int64_t begin, end;
        kernel_range(&counted, o, o + 1, &begin, &end);
        counts[o] = begin < end ? (double)(end - begin) : 1;
    }
    job->counts[axis] = counts;
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    const struct pool_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    struct pool_job job = {.params = params, .kernels = ctx->kernels};
    TRY(find_window(ctx, &job.window));
    bool is_f64 = x->dtype == DTYPE_F64 || params->kind == POOL_LP, is_f32 = x->dtype == DTYPE_F32 && !is_f64;
    separable_pass *pass = params->kind == POOL_MAX ? (is_f64 ? max_f64 : max_f32) : (is_f64 ? sum_f64 : sum_f32);
    struct separable walk = {.rank = job.window.rank,
                             .n_units = x->dims[0] * x->dims[1],
                             .x = x,
                             .y = ctx->outputs[0],
                             .item_bytes = is_f64 ? sizeof(double) : sizeof(float),
                             .context = &job,
                             .is_stored_in_place = is_f32 || x->dtype == DTYPE_F64};
    for (int axis = 0; axis < job.window.rank; axis++) {
        const struct window *window = &job.window;
        job.axes[axis] = (struct pool_axis){window->inputs[axis],  window->outputs[axis],   window->kernel[axis],
                                            window->strides[axis], window->dilations[axis], window->pads_begin[axis]};
        walk.axes[axis] =
            (struct separable_axis){window->inputs[axis], window->outputs[axis], &job.axes[axis], pass, pool_reads};
        if (params->kind == POOL_AVERAGE) TRY(count_items(ctx, axis, &job));
    }
    if (params->kind == POOL_LP) {
        walk.load = load_powers;
        walk.store = store_roots;
        walk.is_stored_in_place = false;
    } else {
        if (!walk.is_stored_in_place) walk.load = load_f32;
        if (params->kind == POOL_AVERAGE) walk.store = store_average;
        else if (!walk.is_stored_in_place) walk.store = store_max;
    }
    return separable_run(ctx, &walk);
}

static hob_status run_max(struct op_context *ctx)
{
    const struct pool_params *params = ctx->params;
    if (!op_output(ctx, 1)) return run(ctx);
    struct window window;
    TRY(find_window(ctx, &window));
    return argmax_pool_run(ctx, &window, params->is_column_major);
}

const struct op_def op_max_pool = {
    .name = "MaxPool",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 2,
    .types = TYPES_FLOAT | TYPE(I8) | TYPE(U8),
    .prepare = prepare_max,
    .infer = infer,
    .run = run_max,
};

const struct op_def op_average_pool = {
    .name = "AveragePool",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_FLOAT,
    .prepare = prepare_average,
    .infer = infer,
    .run = run,
};

const struct op_def op_lp_pool = {
    .name = "LpPool",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_FLOAT,
    .prepare = prepare_lp,
    .infer = infer,
    .run = run,
};
