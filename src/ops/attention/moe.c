/* com.microsoft MoE and QMoE: a mixture of experts. Each token goes to the k experts that its router likes best; their
 * feed-forward layers' outputs are summed with the router's weights.
 *
 * Experts are walked one after the other: their tokens are gathered, so that a matrix is read once, and QMoE decodes an
 * expert's integers just before. A token sums its experts in their order, whatever other tokens there are. */
#include "base/size.h"
#include "kernels/kernels.h"
#include "ops/as_f32.h"
#include "ops/matrix/product.h"
#include "ops/quant/packed_weight.h"

enum { INPUT_X, INPUT_ROUTER };
enum activation { ACT_RELU, ACT_GELU, ACT_SILU, ACT_SWIGLU, ACT_IDENTITY };
enum fusion { FUSION_NONE, FUSION_INTERLEAVED, FUSION_HALVES }; /* how fc1 holds gate and linear part of a SwiGLU */

/* Inputs of one matrix; 0: not among them. */
struct matrix_inputs {
    int weight, scales, bias, zeros;
};

struct moe_params {
    struct matrix_inputs fc[3];
    int router_weights;
    int64_t n_chosen; /* experts a token */
    enum activation activation;
    enum fusion fusion;
    bool is_normalized;
    float alpha, beta, limit; /* of SwiGLU; limit infinite: none */
    int bits;                 /* of a weight; 0: they are floats */
    int64_t block_size;       /* 0: a scale a row */
};

static hob_status read_activation(const struct op_prepare *node, enum activation *ret_activation)
{
    static const char *const names[] = {"relu", "gelu", "silu", "swiglu", "identity"};
    const char *name = attributes_string(node->attributes, "activation_type", "relu");
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (strcmp(name, names[i])) continue;
        *ret_activation = (enum activation)i;
        return HOB_OK;
    }
    FAIL(node->error, HOB_BAD_GRAPH, "%s: activation_type: found \"%s\", expected relu, gelu, silu, swiglu or identity",
         node->node_name, name);
}

static hob_status prepare(const struct op_prepare *node, const struct moe_params *inputs, void **ret_params)
{
    struct moe_params *params = ARENA_NEW(node->arena, struct moe_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    *params = *inputs;
    int64_t fusion = attributes_int(node->attributes, "swiglu_fusion", 0);
    params->n_chosen = attributes_int(node->attributes, "k", 1);
    params->is_normalized = attributes_int(node->attributes, "normalize_routing_weights", 0) != 0;
    params->alpha = attributes_float(node->attributes, "activation_alpha", 1);
    params->beta = attributes_float(node->attributes, "activation_beta", 0);
    params->limit = attributes_float(node->attributes, "swiglu_limit", INFINITY);
    params->block_size = attributes_int(node->attributes, "block_size", 0);
    if (params->bits) params->bits = (int)attributes_int(node->attributes, "expert_weight_bits", 4);
    TRY(read_activation(node, &params->activation));
    if (params->n_chosen < 1 || fusion < 0 || fusion > 2 || params->block_size < 0)
        FAIL(node->error, HOB_BAD_GRAPH,
             "%s: found k %lld, swiglu_fusion %lld, block_size %lld, expected from 1, 0 to 2, from 0", node->node_name,
             (long long)params->n_chosen, (long long)fusion, (long long)params->block_size);
    if (params->bits && params->bits != 2 && params->bits != 4 && params->bits != 8)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: expert_weight_bits: found %d, expected 2, 4 or 8", node->node_name,
             params->bits);
    if (attributes_int(node->attributes, "use_sparse_mixer", 0))
        FAIL(node->error, HOB_UNSUPPORTED, "%s: use_sparse_mixer: found 1, expected 0", node->node_name);
    params->fusion = params->activation == ACT_SWIGLU ? (enum fusion)fusion : FUSION_NONE;
    *ret_params = params;
    return HOB_OK;
}

static hob_status prepare_moe(const struct op_prepare *node, void **ret_params)
{
    struct moe_params inputs = {.fc = {{.weight = 2, .bias = 3}, {.weight = 4, .bias = 5}, {.weight = 6, .bias = 7}}};
    return prepare(node, &inputs, ret_params);
}

static hob_status prepare_qmoe(const struct op_prepare *node, void **ret_params)
{
    struct moe_params inputs = {.fc = {{2, 3, 4, 11}, {5, 6, 7, 12}, {8, 9, 10, 13}}, .router_weights = 14, .bits = 4};
    return prepare(node, &inputs, ret_params);
}

/* ---- the experts' matrices ---- */

/* One of the three: of every expert, [E,n_rows,n_columns]; weight NULL: the node has none. */
struct matrix {
    const struct tensor *weight, *scales, *bias, *zeros;
    int64_t n_rows, n_columns;
};

struct sizes {
    int64_t n_tokens, D, E, F; /* F: width between the layers */
};

static const struct tensor *optional(const struct op_context *ctx, int i)
{
    return i ? op_input(ctx, i) : NULL;
}

static hob_status check_quantised(struct op_context *ctx, int index, const struct matrix *m, int64_t n_experts)
{
    const struct moe_params *params = ctx->params;
    int64_t n_blocks = params->block_size ? m->n_columns / params->block_size : 1;
    int64_t n_zeros = params->block_size ? packed_bytes(params->bits, n_blocks) : 0;
    bool fits = m->scales && tensor_n_items(m->scales) == n_experts * m->n_rows * n_blocks &&
                (!params->block_size || m->n_columns % params->block_size == 0);
    if (fits && m->zeros)
        fits = m->zeros->dtype == DTYPE_U8 &&
               tensor_n_items(m->zeros) ==
                   n_experts * (n_zeros ? m->n_rows * n_zeros : packed_bytes(params->bits, m->n_rows));
    if (!fits || !as_f32_takes(m->scales->dtype))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "fc%d: found scales %s, zero points %s, expected one for each block of [%lld,%lld,%lld]",
                index + 1, m->scales ? OP_SHAPE(m->scales) : "none", m->zeros ? OP_SHAPE(m->zeros) : "none",
                (long long)n_experts, (long long)m->n_rows, (long long)m->n_columns);
    return HOB_OK;
}

/* n_rows 0: as many as there are. */
static hob_status read_matrix(struct op_context *ctx, int index, const struct sizes *s, int64_t n_rows,
                              int64_t n_columns, struct matrix *ret_matrix)
{
    const struct moe_params *params = ctx->params;
    const struct matrix_inputs *inputs = &params->fc[index];
    struct matrix m = {.weight = optional(ctx, inputs->weight),
                       .scales = optional(ctx, inputs->scales),
                       .bias = optional(ctx, inputs->bias),
                       .zeros = optional(ctx, inputs->zeros),
                       .n_rows = n_rows,
                       .n_columns = n_columns};
    *ret_matrix = m;
    if (!m.weight) return HOB_OK;
    if (!n_rows && m.weight->rank == 3) m.n_rows = m.weight->dims[1];
    int64_t stored = params->bits ? packed_bytes(params->bits, n_columns) : n_columns;
    enum dtype wanted = params->bits ? DTYPE_U8 : ctx->inputs[INPUT_X]->dtype;
    if (m.weight->dtype != wanted || !tensor_has_shape(m.weight, 3, (int64_t[]){s->E, m.n_rows, stored}))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "fc%d: found %s %s, expected %s [%lld,%lld,%lld]", index + 1,
                dtype_name(m.weight->dtype), OP_SHAPE(m.weight), dtype_name(wanted), (long long)s->E,
                (long long)m.n_rows, (long long)stored);
    if (m.bias && !tensor_has_shape(m.bias, 2, (int64_t[]){s->E, m.n_rows}))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "fc%d's bias: found %s, expected [%lld,%lld]", index + 1, OP_SHAPE(m.bias),
                (long long)s->E, (long long)m.n_rows);
    if (params->bits) TRY(check_quantised(ctx, index, &m, s->E));
    *ret_matrix = m;
    return HOB_OK;
}

static hob_status read_sizes(struct op_context *ctx, struct sizes *ret_sizes, struct matrix fc[3])
{
    const struct moe_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[INPUT_X], *router = op_input(ctx, INPUT_ROUTER);
    if ((x->rank != 2 && x->rank != 3) || !router || router->rank < 2)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "found input %s and router %s, expected [T,D] or [B,T,D] and [T,E]", OP_SHAPE(x),
                router ? OP_SHAPE(router) : "none");
    struct sizes s = {.D = x->dims[x->rank - 1], .E = router->dims[router->rank - 1]};
    s.n_tokens = x->dims[0] * (x->rank == 3 ? x->dims[1] : 1);
    if (tensor_n_items(router) != s.n_tokens * s.E || params->n_chosen > s.E)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "router: found %s for %lld tokens and k %lld, expected [T,E], E at least k",
                OP_SHAPE(router), (long long)s.n_tokens, (long long)params->n_chosen);
    TRY(read_matrix(ctx, 0, &s, 0, s.D, &fc[0]));
    if (!fc[0].weight || (params->fusion && fc[0].n_rows % 2))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "fc1: found %s, expected [E,F,D], or twice F rows for a fused SwiGLU",
                fc[0].weight ? OP_SHAPE(fc[0].weight) : "none");
    s.F = fc[0].n_rows / (params->fusion ? 2 : 1);
    TRY(read_matrix(ctx, 1, &s, s.D, s.F, &fc[1]));
    TRY(read_matrix(ctx, 2, &s, s.F, s.D, &fc[2]));
    if (!fc[1].weight) OP_FAIL(ctx, HOB_BAD_GRAPH, "fc2 is missing");
    if (params->activation == ACT_SWIGLU && !params->fusion && !fc[2].weight)
        OP_FAIL(ctx, HOB_BAD_GRAPH, "fc3 is missing, which a SwiGLU that is not fused needs");
    *ret_sizes = s;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[INPUT_X];
    struct sizes s;
    struct matrix fc[3];
    TRY(op_check_dtype(ctx, INPUT_ROUTER, x->dtype));
    TRY(read_sizes(ctx, &s, fc));
    return op_set_output(ctx, 0, x->dtype, x->rank, x->dims);
}

/* ---- routing ---- */

struct routing {
    float *weights; /* [T,E]; 0: the token does not go there */
    bool *is_sent;  /* [T,E] */
};

/* The k largest, the first of equals; their weights divided by their sum when that is asked for. */
static void choose(const struct moe_params *params, int64_t n_experts, const float *scores, const float *shares,
                   float *weights, bool *is_sent)
{
    float sum = 0;
    for (int64_t i = 0; i < params->n_chosen; i++) {
        int64_t best = -1;
        for (int64_t e = 0; e < n_experts; e++)
            if (!is_sent[e] && (best < 0 || scores[e] > scores[best])) best = e;
        is_sent[best] = true;
        weights[best] = shares[best];
        sum += shares[best];
    }
    if (!params->is_normalized || sum == 0) return;
    for (int64_t e = 0; e < n_experts; e++)
        if (is_sent[e]) weights[e] /= sum;
}

static hob_status route(struct op_context *ctx, const struct sizes *s, struct routing *ret_routing)
{
    const struct moe_params *params = ctx->params;
    const float *logits, *given;
    float *shares;
    struct routing routing = {.is_sent = ARENA_NEW(ctx->scratch, bool, (size_t)(s->n_tokens * s->E))};
    if (!routing.is_sent) OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for the routes of %lld tokens", (long long)s->n_tokens);
    TRY(as_f32_vector(ctx, ctx->inputs[INPUT_ROUTER], &logits));
    TRY(as_f32_vector(ctx, optional(ctx, params->router_weights), &given));
    TRY(scratch_f32(ctx, s->n_tokens * s->E, &routing.weights));
    TRY(scratch_f32(ctx, s->E, &shares));
    for (int64_t t = 0; t < s->n_tokens; t++) {
        ctx->kernels->softmax_f32(s->E, logits + t * s->E, shares);
        choose(params, s->E, logits + t * s->E, given ? given + t * s->E : shares, routing.weights + t * s->E,
               routing.is_sent + t * s->E);
    }
    *ret_routing = routing;
    return HOB_OK;
}

/* ---- an expert ---- */

struct expert_rows {
    float *matrix;                             /* room for the largest decoded one */
    float *x, *first, *third, *inner, *second; /* rows of its tokens */
};

/* Row by row: (integer - zero point) * scale of its block. */
static void decode_rows(const struct moe_params *params, const struct matrix *m, const float *scales, int64_t expert,
                        float *ret_rows)
{
    int64_t block = params->block_size ? params->block_size : m->n_columns, n_blocks = block ? m->n_columns / block : 0;
    int64_t row_bytes = packed_bytes(params->bits, m->n_columns), middle = 1 << (params->bits - 1);
    const uint8_t *zeros = m->zeros ? m->zeros->data : NULL;
    int64_t zero_bytes = packed_bytes(params->bits, n_blocks), column_bytes = packed_bytes(params->bits, m->n_rows);
    for (int64_t row = 0; row < m->n_rows; row++) {
        int64_t at = expert * m->n_rows + row;
        const uint8_t *bytes = (const uint8_t *)m->weight->data + at * row_bytes;
        for (int64_t i = 0; i < m->n_columns; i++) {
            int64_t zero = middle;
            if (zeros && params->block_size) zero = packed_item(zeros + at * zero_bytes, params->bits, i / block);
            else if (zeros) zero = packed_item(zeros + expert * column_bytes, params->bits, row);
            ret_rows[row * m->n_columns + i] =
                (float)(packed_item(bytes, params->bits, i) - zero) * scales[at * n_blocks + i / block];
        }
    }
}

static hob_status expert_matrix(struct op_context *ctx, const struct matrix *m, int64_t expert, float *room,
                                struct tensor *ret_columns)
{
    const struct moe_params *params = ctx->params;
    struct tensor rows;
    if (params->bits) {
        const float *scales;
        TRY(as_f32_vector(ctx, m->scales, &scales));
        decode_rows(params, m, scales, expert, room);
        TRY(tensor_init(&rows, DTYPE_F32, 2, (int64_t[]){m->n_rows, m->n_columns}, room, ctx->error));
    } else {
        struct tensor one = tensor_slice(m->weight, 0, expert, 1, 1), wide;
        TRY(as_f32(ctx, &one, &wide));
        TRY(tensor_init(&rows, DTYPE_F32, 2, (int64_t[]){m->n_rows, m->n_columns}, wide.data, ctx->error));
    }
    *ret_columns = tensor_transpose(&rows, (const int[]){1, 0});
    return HOB_OK;
}

/* y [n,n_rows] = x [n,n_columns] times the expert's matrix, plus its bias. */
static hob_status apply_matrix(struct op_context *ctx, const struct matrix *m, int64_t expert, int64_t n, float *room,
                               float *x, float *y)
{
    struct tensor columns, rows, result;
    const float *bias;
    TRY(expert_matrix(ctx, m, expert, room, &columns));
    TRY(as_f32_vector(ctx, m->bias, &bias));
    TRY(tensor_init(&rows, DTYPE_F32, 2, (int64_t[]){n, m->n_columns}, x, ctx->error));
    TRY(tensor_init(&result, DTYPE_F32, 2, (int64_t[]){n, m->n_rows}, y, ctx->error));
    TRY(product_run(ctx, &rows, &columns, &result));
    for (int64_t row = 0; bias && row < n; row++)
        ctx->kernels->add_f32(m->n_rows, y + row * m->n_rows, 1, bias + expert * m->n_rows, 1, y + row * m->n_rows);
    return HOB_OK;
}

static float swiglu(const struct moe_params *params, float gate, float linear)
{
    gate = fminf(gate, params->limit);
    linear = fmaxf(fminf(linear, params->limit), -params->limit);
    return gate / (1 + expf(-params->alpha * gate)) * (linear + params->beta);
}

/* What goes into fc2, [n,F]. third NULL: there is no fc3. */
static void activate(struct op_context *ctx, int64_t n, int64_t width, const float *first, const float *third,
                     float *inner)
{
    const struct moe_params *params = ctx->params;
    for (int64_t i = 0; params->activation == ACT_SWIGLU && i < n * width; i++) {
        int64_t row = i / width, at = i % width, gate = i, linear = i;
        if (params->fusion == FUSION_INTERLEAVED) gate = 2 * i, linear = 2 * i + 1;
        if (params->fusion == FUSION_HALVES) gate = row * 2 * width + at, linear = gate + width;
        inner[i] = swiglu(params, first[gate], params->fusion ? first[linear] : third[linear]);
    }
    if (params->activation == ACT_SWIGLU) return;
    memcpy(inner, first, (size_t)(n * width) * sizeof *inner);
    if (params->activation == ACT_GELU) ctx->kernels->gelu_tanh_f32(n * width, inner, inner);
    if (params->activation == ACT_SILU) ctx->kernels->silu_f32(n * width, inner, inner);
    for (int64_t i = 0; params->activation == ACT_RELU && i < n * width; i++) inner[i] = inner[i] > 0 ? inner[i] : 0;
    if (third) ctx->kernels->mul_f32(n * width, inner, 1, third, 1, inner);
}

static hob_status run_expert(struct op_context *ctx, const struct sizes *s, const struct matrix fc[3],
                             const struct routing *routing, int64_t expert, const struct expert_rows *rows,
                             const float *x, float *y)
{
    int64_t n = 0;
    for (int64_t t = 0; t < s->n_tokens; t++)
        if (routing->is_sent[t * s->E + expert])
            memcpy(rows->x + n++ * s->D, x + t * s->D, (size_t)s->D * sizeof *x);
    if (!n) return HOB_OK;
    const float *third = fc[2].weight ? rows->third : NULL;
    TRY(apply_matrix(ctx, &fc[0], expert, n, rows->matrix, rows->x, rows->first));
    if (third) TRY(apply_matrix(ctx, &fc[2], expert, n, rows->matrix, rows->x, rows->third));
    activate(ctx, n, s->F, rows->first, third, rows->inner);
    TRY(apply_matrix(ctx, &fc[1], expert, n, rows->matrix, rows->inner, rows->second));
    n = 0;
    for (int64_t t = 0; t < s->n_tokens; t++)
        if (routing->is_sent[t * s->E + expert])
            ctx->kernels->axpy_f32(s->D, routing->weights[t * s->E + expert], rows->second + n++ * s->D, y + t * s->D);
    return HOB_OK;
}

static hob_status reserve(struct op_context *ctx, const struct sizes *s, const struct matrix fc[3],
                          struct expert_rows *rows)
{
    const struct moe_params *params = ctx->params;
    int64_t largest = s->D * (fc[0].n_rows > s->F ? fc[0].n_rows : s->F);
    TRY(scratch_f32(ctx, params->bits ? largest : 0, &rows->matrix));
    TRY(scratch_f32(ctx, s->n_tokens * s->D, &rows->x));
    TRY(scratch_f32(ctx, s->n_tokens * fc[0].n_rows, &rows->first));
    TRY(scratch_f32(ctx, s->n_tokens * s->F, &rows->third));
    TRY(scratch_f32(ctx, s->n_tokens * s->F, &rows->inner));
    return scratch_f32(ctx, s->n_tokens * s->D, &rows->second);
}

static hob_status run(struct op_context *ctx)
{
    struct sizes s;
    struct matrix fc[3];
    struct routing routing;
    struct expert_rows rows;
    const float *x;
    float *y;
    TRY(read_sizes(ctx, &s, fc));
    TRY(route(ctx, &s, &routing));
    TRY(reserve(ctx, &s, fc, &rows));
    TRY(as_f32_vector(ctx, ctx->inputs[INPUT_X], &x));
    TRY(as_f32_output(ctx, ctx->outputs[0], &y));
    memset(y, 0, (size_t)(s.n_tokens * s.D) * sizeof *y);
    for (int64_t expert = 0; expert < s.E; expert++)
        TRY(run_expert(ctx, &s, fc, &routing, expert, &rows, x, y));
    as_f32_finish(ctx, y, ctx->outputs[0]);
    return HOB_OK;
}

#define MOE(id, op_name, most_inputs, prepare_it)    \
    const struct op_def op_##id = {                  \
        .name = op_name,                             \
        .domain = "com.microsoft",                   \
        .since = 1,                                  \
        .min_inputs = 3,                             \
        .max_inputs = most_inputs,                   \
        .min_outputs = 1,                            \
        .max_outputs = 1,                            \
        .types = TYPE(F16) | TYPE(BF16) | TYPE(F32), \
        .prepare = prepare_it,                       \
        .infer = infer,                              \
        .run = run,                                  \
    };

MOE(moe, "MoE", 8, prepare_moe)
MOE(qmoe, "QMoE", 15, prepare_qmoe)
