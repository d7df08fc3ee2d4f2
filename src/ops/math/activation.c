/* Activations: functions of one number, most with a parameter or two. The formulas are those of ONNX's operator schemas, written
 * so that large inputs neither overflow nor lose their sign. */
#include "ops/elementwise.h"

#include <math.h>
#include <string.h>

struct activation_params {
    float alpha, beta, gamma;
};
#define PARAM(name) (((const struct activation_params *)span->params)->name)

/* Attribute names and defaults; a NULL name has no attribute and keeps its default. */
static hob_status prepare_params(const struct op_prepare *node, struct activation_params defaults, void **ret_params)
{
    struct activation_params *params = ARENA_NEW(node->arena, struct activation_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->alpha = attributes_float(node->attributes, "alpha", defaults.alpha);
    params->beta = attributes_float(node->attributes, "beta", defaults.beta);
    params->gamma = attributes_float(node->attributes, "gamma", defaults.gamma);
    *ret_params = params;
    return HOB_OK;
}

#define ACTIVATION_DEF(symbol, Name, first_opset, op_types, op_prepare)                                    \
    const struct op_def op_##symbol = {                                                                    \
        .name = Name, .domain = "", .since = first_opset, .min_inputs = 1, .max_inputs = 1,                \
        .min_outputs = 1, .max_outputs = 1, .types = op_types, .flags = OP_STRIDED_INPUTS | OP_INPLACE,     \
        .prepare = op_prepare, .infer = elementwise_infer_same, .run = run_##symbol}

/* expression_f32 and expression_f64 of x. */
#define ACTIVATION(symbol, Name, first_opset, defaults, expression_f32, expression_f64)                    \
    SPAN_UNARY_SAME(symbol##_f32, float, expression_f32)                                                   \
    SPAN_UNARY_SAME(symbol##_f64, double, expression_f64)                                                  \
    static hob_status prepare_##symbol(const struct op_prepare *node, void **ret_params)                   \
    {                                                                                                      \
        return prepare_params(node, (struct activation_params)defaults, ret_params);                       \
    }                                                                                                      \
    static hob_status run_##symbol(struct op_context *ctx)                                                 \
    {                                                                                                      \
        static const struct span_table table = {{SPANS_FLOAT(symbol)}};                                    \
        return elementwise_run(ctx, &table, ctx->params);                                                  \
    }                                                                                                      \
    ACTIVATION_DEF(symbol, Name, first_opset, TYPES_FLOAT, prepare_##symbol)
#define DEFAULTS(...) {__VA_ARGS__}

/* max(0, x) + min(0, alpha * (e^(x/alpha) - 1)): one of the two is 0. */
#define CELU(x, expm1) ((x) < 0 ? PARAM(alpha) * expm1((x) / PARAM(alpha)) : (x))
#define ELU(x, expm1) ((x) < 0 ? PARAM(alpha) * expm1(x) : (x))
#define HARD_SIGMOID(x) ((x) * PARAM(alpha) + PARAM(beta))
#define CLAMP_TO_ONE(x) ((x) < 0 ? 0 : (x) > 1 ? 1 : (x))
#define SELU(x, expm1) (PARAM(gamma) * ((x) > 0 ? (x) : PARAM(alpha) * expm1(x)))
/* log(1 + e^x) without overflow: the larger of x and 0 is taken out of the logarithm. */
#define SOFTPLUS(x, log1p, exp, fabs) (((x) > 0 ? (x) : 0) + log1p(exp(-fabs(x))))

ACTIVATION(celu, "Celu", 12, DEFAULTS(.alpha = 1), CELU(x, expm1f), CELU(x, expm1));
ACTIVATION(elu, "Elu", 1, DEFAULTS(.alpha = 1), ELU(x, expm1f), ELU(x, expm1));
ACTIVATION(hard_sigmoid, "HardSigmoid", 1, DEFAULTS(.alpha = 0.2f, .beta = 0.5f), CLAMP_TO_ONE(HARD_SIGMOID(x)),
           CLAMP_TO_ONE(HARD_SIGMOID(x)));
ACTIVATION(hard_swish, "HardSwish", 14, DEFAULTS(.alpha = 1.0f / 6, .beta = 0.5f), x *CLAMP_TO_ONE(x / 6 + 0.5f),
           x *CLAMP_TO_ONE(x / 6 + 0.5));
ACTIVATION(leaky_relu, "LeakyRelu", 1, DEFAULTS(.alpha = 0.01f), x < 0 ? PARAM(alpha) * x : x, x < 0 ? PARAM(alpha) * x : x);
ACTIVATION(mish, "Mish", 18, DEFAULTS(0), x *tanhf(SOFTPLUS(x, log1pf, expf, fabsf)), x *tanh(SOFTPLUS(x, log1p, exp, fabs)));
/* Opset 6 gave the defaults more digits. */
ACTIVATION(selu, "Selu", 1,
           DEFAULTS(.alpha = node->opset < 6 ? 1.6732f : 1.67326319217681884765625f,
                    .gamma = node->opset < 6 ? 1.0507f : 1.05070102214813232421875f), SELU(x, expm1f),
           SELU(x, expm1));
ACTIVATION(softplus, "Softplus", 1, DEFAULTS(0), SOFTPLUS(x, log1pf, expf, fabsf), SOFTPLUS(x, log1p, exp, fabs));
ACTIVATION(softsign, "Softsign", 1, DEFAULTS(0), x / (1 + fabsf(x)), x / (1 + fabs(x)));
ACTIVATION(swish, "Swish", 24, DEFAULTS(.alpha = 1), x / (1 + expf(-PARAM(alpha) * x)), x / (1 + exp(-(double)PARAM(alpha) * x)));
ACTIVATION(thresholded_relu, "ThresholdedRelu", 10, DEFAULTS(.alpha = 1), x > PARAM(alpha) ? x : 0, x > PARAM(alpha) ? x : 0);

/* ---- Relu, on integers too ---- */

EACH_FLOAT(SPAN_UNARY_SAME, relu, x < 0 ? 0 : x)
EACH_SIGNED(SPAN_UNARY_SAME, relu, x < 0 ? 0 : x)
static hob_status run_relu(struct op_context *ctx)
{
    static const struct span_table table = {{SPANS_FLOAT(relu), SPANS_SIGNED(relu)}};
    return elementwise_run(ctx, &table, NULL);
}
ACTIVATION_DEF(relu, "Relu", 1, TYPES_FLOAT | TYPES_SIGNED, NULL);

/* ---- PRelu: the slope is a second, broadcast operand ---- */

EACH_FLOAT(SPAN_BINARY_SAME, prelu, x < 0 ? x * y : x)
EACH_SIGNED(SPAN_BINARY_SAME, prelu, x < 0 ? (uint64_t)x * (uint64_t)y : (uint64_t)x)
EACH_UNSIGNED(SPAN_UNARY_SAME, prelu, x)
static hob_status run_prelu(struct op_context *ctx)
{
    static const struct span_table table = {{SPANS_FLOAT(prelu), SPANS_SIGNED(prelu), SPANS_UNSIGNED(prelu)}};
    return elementwise_run(ctx, &table, NULL);
}
const struct op_def op_prelu = {.name = "PRelu", .domain = "", .since = 7, .min_inputs = 2, .max_inputs = 2,
                                .min_outputs = 1, .max_outputs = 1, .types = TYPES_NUMBER, .flags = OP_STRIDED_INPUTS | OP_INPLACE,
                                .infer = elementwise_infer_broadcast, .run = run_prelu};

/* ---- Gelu ---- */

#define GELU(x) (0.5 * (x) * (1 + erf((x) * 0.70710678118654752440)))
#define GELU_TANH(x) (0.5 * (x) * (1 + tanh(0.79788456080286535588 * ((x) + 0.044715 * (x) * (x) * (x)))))
SPAN_VECTOR(gelu_f32, gelu_f32)
SPAN_VECTOR(gelu_tanh_f32, gelu_tanh_f32)
SPAN_UNARY_SAME(gelu_f64, double, GELU(x))
SPAN_UNARY_SAME(gelu_tanh_f64, double, GELU_TANH(x))
static const struct span_table gelu = {{SPANS_FLOAT(gelu)}};
static const struct span_table gelu_tanh = {{SPANS_FLOAT(gelu_tanh)}};

static hob_status prepare_gelu(const struct op_prepare *node, void **ret_params)
{
    const char *approximate = attributes_string(node->attributes, "approximate", "none");
    bool is_tanh = !strcmp(approximate, "tanh");
    if (!is_tanh && strcmp(approximate, "none"))
        FAIL(node->error, HOB_BAD_GRAPH, "%s: approximate: found \"%s\", expected none or tanh", node->node_name, approximate);
    const struct span_table **params = ARENA_NEW(node->arena, const struct span_table *, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    *params = is_tanh ? &gelu_tanh : &gelu;
    *ret_params = params;
    return HOB_OK;
}

static hob_status run_gelu(struct op_context *ctx)
{
    return elementwise_run(ctx, *(const struct span_table *const *)ctx->params, NULL);
}
ACTIVATION_DEF(gelu, "Gelu", 20, TYPES_FLOAT, prepare_gelu);
