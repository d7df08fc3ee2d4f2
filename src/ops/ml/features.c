/* Operators of ai.onnx.ml that prepare features: ArrayFeatureExtractor, Binarizer, FeatureVectorizer, Imputer, Normalizer, Scaler. */
#include "ops/ml/rows.h"
#include "ops/moving.h"
#include "ops/numbers.h"

#include <math.h>

#define FEATURE_OP(symbol, Name, op_types, op_max_inputs, op_prepare, op_infer, op_run) \
    const struct op_def op_ml_##symbol = {.name = Name,                                 \
                                          .domain = "ai.onnx.ml",                       \
                                          .since = 1,                                   \
                                          .min_inputs = 1,                              \
                                          .max_inputs = op_max_inputs,                  \
                                          .min_outputs = 1,                             \
                                          .max_outputs = 1,                             \
                                          .types = op_types,                            \
                                          .prepare = op_prepare,                        \
                                          .infer = op_infer,                            \
                                          .run = op_run}

static hob_status infer_same(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    return op_set_output(ctx, 0, x->dtype, x->rank, x->dims);
}

static hob_status infer_same_f32(struct op_context *ctx)
{
    return op_set_output(ctx, 0, DTYPE_F32, ctx->inputs[0]->rank, ctx->inputs[0]->dims);
}

/* The length of a row; of a scalar 1. */
static int64_t last_dim(const struct tensor *x)
{
    return x->rank ? x->dims[x->rank - 1] : 1;
}

/* ---- ArrayFeatureExtractor: columns by number ---- */

static hob_status infer_extractor(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0], *indices = ctx->inputs[1];
    int64_t dims[TENSOR_MAX_RANK] = {1};
    if (!indices) OP_FAIL(ctx, HOB_BAD_GRAPH, "input 1 is missing");
    TRY(op_check_dtype(ctx, 1, DTYPE_I64));
    if (!x->rank) OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found a scalar, expected at least one axis");
    int rank = x->rank == 1 ? 2 : x->rank;
    for (int d = 0; d < x->rank - 1; d++) dims[d] = x->dims[d];
    dims[rank - 1] = tensor_n_items(indices);
    return op_set_output(ctx, 0, x->dtype, rank, dims);
}

static hob_status run_extractor(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0], *out = ctx->outputs[0];
    int64_t *indices, n_indices = tensor_n_items(ctx->inputs[1]), width = last_dim(x), n_items = tensor_n_items(out);
    size_t item_bytes = dtype_block_bytes(x->dtype);
    TRY(moving_load_indices(ctx, 1, &indices));
    for (int64_t i = 0; i < n_indices; i++)
        if (indices[i] < 0 || indices[i] >= width)
            OP_FAIL(ctx, HOB_BAD_ARGUMENT, "input 1: found %lld, expected 0 to %lld", (long long)indices[i],
                    (long long)width - 1);
    for (int64_t i = 0; i < n_items; i++)
        moving_copy_element(moving_element_at(out, i),
                            moving_element_at(x, i / n_indices * width + indices[i % n_indices]), item_bytes);
    return HOB_OK;
}

const struct op_def op_ml_array_feature_extractor = {.name = "ArrayFeatureExtractor",
                                                     .domain = "ai.onnx.ml",
                                                     .since = 1,
                                                     .min_inputs = 2,
                                                     .max_inputs = 2,
                                                     .min_outputs = 1,
                                                     .max_outputs = 1,
                                                     .types = TYPES_ML_NUMBER | TYPE(STRING),
                                                     .infer = infer_extractor,
                                                     .run = run_extractor};

/* ---- Binarizer ---- */

struct binarizer_params {
    double threshold;
};

static hob_status prepare_binarizer(const struct op_prepare *node, void **ret_params)
{
    struct binarizer_params *params = ARENA_NEW(node->arena, struct binarizer_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->threshold = (double)attributes_float(node->attributes, "threshold", 0);
    *ret_params = params;
    return HOB_OK;
}

/* Element i as a number of y's type, which is a float or an integer. */
static void store_small(const struct tensor *y, int64_t i, int64_t number)
{
    double real = (double)number;
    if (numbers_is_float(y->dtype)) numbers_store_f64(y, i, 1, 1, &real);
    else numbers_store_i64(y, i, 1, 1, &number);
}

static hob_status run_binarizer(struct op_context *ctx)
{
    const struct binarizer_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    for (int64_t i = 0; i < tensor_n_items(x); i++) {
        double item;
        numbers_load_f64(x, i, 1, 1, &item);
        store_small(ctx->outputs[0], i, item > params->threshold);
    }
    return HOB_OK;
}
FEATURE_OP(binarizer, "Binarizer", TYPES_ML_NUMBER, 1, prepare_binarizer, infer_same, run_binarizer);

/* ---- FeatureVectorizer: columns of the inputs side by side, as many of each as inputdimensions says ---- */

struct vectorizer_params {
    size_t n_widths; /* 0: each input's own */
    const int64_t *widths;
};

static hob_status prepare_vectorizer(const struct op_prepare *node, void **ret_params)
{
    struct vectorizer_params *params = ARENA_NEW(node->arena, struct vectorizer_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->widths = attributes_ints(node->attributes, "inputdimensions", &params->n_widths);
    if (params->n_widths && params->n_widths != (size_t)node->n_inputs)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: inputdimensions: found %zu, expected %d as there are inputs",
             node->node_name, params->n_widths, node->n_inputs);
    for (size_t i = 0; i < params->n_widths; i++)
        if (params->widths[i] < 0)
            FAIL(node->error, HOB_BAD_GRAPH, "%s: inputdimensions: found %lld, expected 0 or more", node->node_name,
                 (long long)params->widths[i]);
    *ret_params = params;
    return HOB_OK;
}

static int64_t vector_width(const struct op_context *ctx, int i)
{
    const struct vectorizer_params *params = ctx->params;
    return params->n_widths ? params->widths[i] : last_dim(ctx->inputs[i]);
}

static hob_status infer_vectorizer(struct op_context *ctx)
{
    int64_t dims[2] = {0, 0};
    for (int i = 0; i < ctx->n_inputs; i++) {
        const struct tensor *x = ctx->inputs[i];
        if (!x) OP_FAIL(ctx, HOB_BAD_GRAPH, "input %d is missing", i);
        TRY(op_check_dtype(ctx, i, ctx->inputs[0]->dtype));
        int64_t n_rows = x->rank == 2 ? x->dims[0] : 1;
        if (!i) dims[0] = n_rows;
        if ((x->rank != 1 && x->rank != 2) || n_rows != dims[0])
            OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found shape %s, expected %lld rows", i, OP_SHAPE(x),
                    (long long)dims[0]);
        if (__builtin_add_overflow(dims[1], vector_width(ctx, i), &dims[1]))
            OP_FAIL(ctx, HOB_BAD_SHAPE, "the sum of the inputs' widths overflows");
    }
    return op_set_output(ctx, 0, DTYPE_F32, 2, dims);
}

static hob_status run_vectorizer(struct op_context *ctx)
{
    const struct tensor *out = ctx->outputs[0];
    int64_t first = 0, width = out->dims[1];
    if (tensor_n_items(out)) memset(out->data, 0, tensor_n_bytes(out));
    for (int i = 0; i < ctx->n_inputs; i++) {
        int64_t wanted = vector_width(ctx, i), own = last_dim(ctx->inputs[i]), n = wanted < own ? wanted : own;
        for (int64_t row = 0; row < out->dims[0]; row++)
            numbers_load_f32(ctx->inputs[i], row * own, 1, (size_t)n, (float *)out->data + row * width + first);
        first += wanted;
    }
    return HOB_OK;
}
FEATURE_OP(feature_vectorizer, "FeatureVectorizer", TYPES_ML_NUMBER, -1, prepare_vectorizer, infer_vectorizer,
           run_vectorizer);

/* ---- Imputer: replaces one number, or NaN, by another ---- */

struct imputer_params {
    size_t n_reals, n_integers;
    const float *reals;
    const int64_t *integers;
    float replaced_real;
    int64_t replaced_integer;
};

static hob_status prepare_imputer(const struct op_prepare *node, void **ret_params)
{
    struct imputer_params *params = ARENA_NEW(node->arena, struct imputer_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->reals = attributes_floats(node->attributes, "imputed_value_floats", &params->n_reals);
    params->integers = attributes_ints(node->attributes, "imputed_value_int64s", &params->n_integers);
    params->replaced_real = attributes_float(node->attributes, "replaced_value_float", 0);
    params->replaced_integer = attributes_int(node->attributes, "replaced_value_int64", 0);
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer_imputer(struct op_context *ctx)
{
    const struct imputer_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    bool is_real = numbers_is_float(x->dtype);
    size_t n_values = is_real ? params->n_reals : params->n_integers;
    if (n_values != 1 && (!n_values || (int64_t)n_values != last_dim(x)))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "%s: found %zu values for shape %s, expected 1 or one for each feature",
                is_real ? "imputed_value_floats" : "imputed_value_int64s", n_values, OP_SHAPE(x));
    return infer_same(ctx);
}

static void impute_real(const struct imputer_params *params, const struct tensor *x, const struct tensor *y, int64_t i,
                        int64_t feature)
{
    double item, replaced = (double)params->replaced_real;
    numbers_load_f64(x, i, 1, 1, &item);
    if (item == replaced || (isnan(item) && isnan(replaced)))
        item = (double)params->reals[params->n_reals == 1 ? 0 : feature];
    numbers_store_f64(y, i, 1, 1, &item);
}

static void impute_integer(const struct imputer_params *params, const struct tensor *x, const struct tensor *y,
                           int64_t i, int64_t feature)
{
    int64_t item;
    numbers_load_i64(x, i, 1, 1, &item);
    if (item == params->replaced_integer) item = params->integers[params->n_integers == 1 ? 0 : feature];
    numbers_store_i64(y, i, 1, 1, &item);
}

static hob_status run_imputer(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    for (int64_t i = 0; i < tensor_n_items(x); i++)
        (numbers_is_float(x->dtype) ? impute_real : impute_integer)(ctx->params, x, ctx->outputs[0], i,
                                                                    i % last_dim(x));
    return HOB_OK;
}
FEATURE_OP(imputer, "Imputer", TYPES_ML_NUMBER, 1, prepare_imputer, infer_imputer, run_imputer);

/* ---- Normalizer: rows divided by their largest number, the sum of their sizes or their length ---- */

enum norm { NORM_MAX, NORM_L1, NORM_L2 };

struct normalizer_params {
    enum norm norm;
};

static hob_status prepare_normalizer(const struct op_prepare *node, void **ret_params)
{
    static const char *const names[] = {"MAX", "L1", "L2"};
    struct normalizer_params *params = ARENA_NEW(node->arena, struct normalizer_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    const char *norm = attributes_string(node->attributes, "norm", "MAX");
    int found = -1;
    for (int i = 0; i < 3; i++)
        if (!strcmp(norm, names[i])) found = i;
    if (found < 0)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: norm: found \"%s\", expected MAX, L1 or L2", node->node_name, norm);
    params->norm = (enum norm)found;
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer_normalizer(struct op_context *ctx)
{
    struct rows rows;
    TRY(rows_shape(ctx, &rows));
    return infer_same_f32(ctx);
}

static double row_norm(enum norm norm, int64_t n, const double *row)
{
    double sum = norm == NORM_MAX && n ? row[0] : 0;
    for (int64_t i = 0; i < n; i++)
        sum = norm == NORM_MAX ? fmax(sum, row[i]) : sum + (norm == NORM_L1 ? fabs(row[i]) : row[i] * row[i]);
    return norm == NORM_L2 ? sqrt(sum) : sum;
}

static hob_status run_normalizer(struct op_context *ctx)
{
    const struct normalizer_params *params = ctx->params;
    struct rows rows;
    TRY(rows_shape(ctx, &rows));
    double *row = ARENA_NEW(ctx->scratch, double, (size_t)rows.width);
    if (!row) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    for (int64_t r = 0; r < rows.n_rows; r++) {
        rows_load(ctx->inputs[0], rows.width, r, row);
        double norm = row_norm(params->norm, rows.width, row);
        if (norm != 0)
            for (int64_t i = 0; i < rows.width; i++) row[i] /= norm;
        numbers_store_f64(ctx->outputs[0], r * rows.width, 1, (size_t)rows.width, row);
    }
    return HOB_OK;
}
FEATURE_OP(normalizer, "Normalizer", TYPES_ML_NUMBER, 1, prepare_normalizer, infer_normalizer, run_normalizer);

/* ---- Scaler: (x - offset) * scale ---- */

struct scaler_params {
    size_t n_offsets, n_scales; /* 0: none; 1: for all features */
    const float *offsets, *scales;
};

static hob_status prepare_scaler(const struct op_prepare *node, void **ret_params)
{
    struct scaler_params *params = ARENA_NEW(node->arena, struct scaler_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->offsets = attributes_floats(node->attributes, "offset", &params->n_offsets);
    params->scales = attributes_floats(node->attributes, "scale", &params->n_scales);
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer_scaler(struct op_context *ctx)
{
    const struct scaler_params *params = ctx->params;
    size_t width = (size_t)last_dim(ctx->inputs[0]);
    if ((params->n_offsets > 1 && params->n_offsets != width) || (params->n_scales > 1 && params->n_scales != width))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "found %zu offsets and %zu scales for shape %s, expected 1 or one for each feature",
                params->n_offsets, params->n_scales, OP_SHAPE(ctx->inputs[0]));
    return infer_same_f32(ctx);
}

static double pick(const float *list, size_t n_items, int64_t feature, double fallback)
{
    return n_items ? (double)list[n_items == 1 ? 0 : feature] : fallback;
}

static hob_status run_scaler(struct op_context *ctx)
{
    const struct scaler_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    float *out = ctx->outputs[0]->data;
    int64_t width = last_dim(x);
    for (int64_t i = 0; i < tensor_n_items(x); i++) {
        double item;
        numbers_load_f64(x, i, 1, 1, &item);
        out[i] = (float)((item - pick(params->offsets, params->n_offsets, i % width, 0)) *
                         pick(params->scales, params->n_scales, i % width, 1));
    }
    return HOB_OK;
}
FEATURE_OP(scaler, "Scaler", TYPES_ML_NUMBER, 1, prepare_scaler, infer_scaler, run_scaler);
