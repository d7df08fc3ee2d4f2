/* LinearAttention of ai.onnx (opset 27) and com.microsoft: each KV head carries a state [K,Kv] that every position decays,
 * corrects and adds to, and that queries read. The recurrence runs position by position, in f32, a head at a time: bytes do not
 * depend on how a text is cut into calls as long as the state is f32.
 * Source: Yang et al. 2024 (gated delta networks); ONNX LinearAttention-27. */
#include "base/size.h"
#include "kernels/kernels.h"
#include "ops/as_f32.h"
#include "ops/thread_scratch.h"

enum { INPUT_Q, INPUT_K, INPUT_V, INPUT_PAST, INPUT_DECAY, INPUT_BETA };

struct linear_params {
    int64_t n_heads, n_kv_heads;
    float scale; /* 0: 1 / sqrt(K) */
    bool is_gated, is_delta;
};

static hob_status read_rule(const struct op_prepare *node, struct linear_params *params)
{
    static const struct {
        const char *name;
        bool is_gated, is_delta;
    } rules[] = {{"linear", false, false}, {"gated", true, false}, {"delta", false, true}, {"gated_delta", true, true}};
    const char *rule = attributes_string(node->attributes, "update_rule", "gated_delta");
    for (size_t i = 0; i < ARRAY_LENGTH(rules); i++) {
        if (strcmp(rule, rules[i].name)) continue;
        params->is_gated = rules[i].is_gated;
        params->is_delta = rules[i].is_delta;
        return HOB_OK;
    }
    FAIL(node->error, HOB_BAD_GRAPH, "%s: update_rule: found \"%s\", expected linear, gated, delta or gated_delta",
         node->node_name, rule);
}

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct linear_params *params = ARENA_NEW(node->arena, struct linear_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->n_heads = attributes_int(node->attributes, "q_num_heads", 0);
    params->n_kv_heads = attributes_int(node->attributes, "kv_num_heads", 0);
    params->scale = attributes_float(node->attributes, "scale", 0);
    if (params->n_heads < 1 || params->n_kv_heads < 1 || params->n_heads % params->n_kv_heads)
        FAIL(node->error, HOB_BAD_GRAPH,
             "%s: found q_num_heads %lld and kv_num_heads %lld, expected the first to be a multiple of the second",
             node->node_name, (long long)params->n_heads, (long long)params->n_kv_heads);
    TRY(read_rule(node, params));
    *ret_params = params;
    return HOB_OK;
}

/* Sizes by the house's letters; gates: numbers of decay a KV head, rates: KV heads that have a beta of their own. */
struct sizes {
    int64_t B, T, H, Hkv, K, Kv, n_gates, n_rates;
};

static hob_status read_sizes(struct op_context *ctx, struct sizes *ret_sizes)
{
    const struct linear_params *params = ctx->params;
    const struct tensor *q = ctx->inputs[INPUT_Q], *k = ctx->inputs[INPUT_K], *v = ctx->inputs[INPUT_V];
    struct sizes s = {.H = params->n_heads, .Hkv = params->n_kv_heads};
    bool fits = q->rank == 3 && k->rank == 3 && v->rank == 3 && q->dims[2] % s.H == 0 && v->dims[2] % s.Hkv == 0;
    for (int i = 0; fits && i < 2; i++) fits = q->dims[i] == k->dims[i] && q->dims[i] == v->dims[i];
    if (fits) {
        s.B = q->dims[0], s.T = q->dims[1], s.K = q->dims[2] / s.H, s.Kv = v->dims[2] / s.Hkv;
        fits = k->dims[2] == s.Hkv * s.K;
    }
    if (!fits)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "found query %s, key %s, value %s, expected [B,T,H*K], [B,T,Hkv*K], [B,T,Hkv*Kv]",
                OP_SHAPE(q), OP_SHAPE(k), OP_SHAPE(v));
    *ret_sizes = s;
    return HOB_OK;
}

/* decay or beta: there exactly when the rule wants it, [B,T,narrow or wide]. */
static hob_status check_gate(struct op_context *ctx, int i, bool is_wanted, const struct sizes *s, int64_t narrow,
                             int64_t wide)
{
    const struct tensor *gate = op_input(ctx, i);
    if (!gate != !is_wanted)
        OP_FAIL(ctx, HOB_BAD_GRAPH, "found %s input %d, expected %s by the update rule", gate ? "an" : "no", i,
                is_wanted ? "one" : "none");
    if (!gate) return HOB_OK;
    TRY(op_check_dtype(ctx, i, ctx->inputs[INPUT_Q]->dtype));
    bool fits = tensor_has_shape(gate, 3, (int64_t[]){s->B, s->T, narrow}) ||
                tensor_has_shape(gate, 3, (int64_t[]){s->B, s->T, wide});
    if (!fits)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found %s, expected [%lld,%lld,%lld or %lld]", i, OP_SHAPE(gate),
                (long long)s->B, (long long)s->T, (long long)narrow, (long long)wide);
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct linear_params *params = ctx->params;
    const struct tensor *past = op_input(ctx, INPUT_PAST);
    enum dtype dtype = ctx->inputs[INPUT_Q]->dtype;
    struct sizes s;
    TRY(op_check_dtype(ctx, INPUT_K, dtype));
    TRY(op_check_dtype(ctx, INPUT_V, dtype));
    TRY(read_sizes(ctx, &s));
    TRY(check_gate(ctx, INPUT_DECAY, params->is_gated, &s, s.Hkv, s.Hkv * s.K));
    TRY(check_gate(ctx, INPUT_BETA, params->is_delta, &s, 1, s.Hkv));
    int64_t state[4] = {s.B, s.Hkv, s.K, s.Kv};
    if (past && (!as_f32_takes(past->dtype) || !tensor_has_shape(past, 4, state)))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "past_state: found %s %s, expected floats [%lld,%lld,%lld,%lld]",
                dtype_name(past->dtype), OP_SHAPE(past), (long long)s.B, (long long)s.Hkv, (long long)s.K,
                (long long)s.Kv);
    int64_t width;
    if (!int64_mul(s.H, s.Kv, &width)) OP_FAIL(ctx, HOB_LIMIT, "found %lld heads, expected fewer", (long long)s.H);
    TRY(op_set_output(ctx, 0, dtype, 3, (int64_t[]){s.B, s.T, width}));
    return op_set_output(ctx, 1, past ? past->dtype : dtype, 4, state);
}

struct linear_job {
    const struct kernels *kernels;
    const float *q, *k, *v, *past, *decay, *beta; /* the last three may be NULL */
    float *y, *states;                            /* states [B,Hkv,K,Kv] */
    struct sizes s;
    float scale;
    struct thread_scratch scratch; /* a row of values a thread */
};

/* state *= exp(decay): one number a head, or one for each row of the state. */
static void decay_state(const struct linear_job *job, int64_t position, int64_t head, float *state)
{
    const struct sizes *s = &job->s;
    if (!job->decay) return;
    const float *decay = job->decay + (position * s->Hkv + head) * s->n_gates;
    for (int64_t i = 0; i < s->K; i++) {
        float factor = expf(decay[s->n_gates == 1 ? 0 : i]);
        job->kernels->scale_f32(s->Kv, factor, state + i * s->Kv, state + i * s->Kv);
    }
}

/* What is written for this key: the value, or beta times what the state does not hold of it yet. */
static void correct_value(const struct linear_job *job, int64_t position, int64_t head, const float *key,
                          const float *state, float *value)
{
    const struct sizes *s = &job->s;
    memcpy(value, job->v + (position * s->Hkv + head) * s->Kv, (size_t)s->Kv * sizeof *value);
    if (!job->beta) return;
    for (int64_t i = 0; i < s->K; i++) job->kernels->axpy_f32(s->Kv, -key[i], state + i * s->Kv, value);
    float beta = job->beta[position * s->n_rates + (s->n_rates == 1 ? 0 : head)];
    job->kernels->scale_f32(s->Kv, beta, value, value);
}

static void read_state(const struct linear_job *job, int64_t position, int64_t head, const float *state)
{
    const struct sizes *s = &job->s;
    const float *q = job->q + (position * s->H + head) * s->K;
    float *y = job->y + (position * s->H + head) * s->Kv;
    memset(y, 0, (size_t)s->Kv * sizeof *y);
    for (int64_t i = 0; i < s->K; i++) job->kernels->axpy_f32(s->Kv, q[i], state + i * s->Kv, y);
    job->kernels->scale_f32(s->Kv, job->scale, y, y);
}

static void run_head(const struct linear_job *job, int64_t b, int64_t head, float *value)
{
    const struct sizes *s = &job->s;
    int64_t group = s->H / s->Hkv, n_state = s->K * s->Kv;
    float *state = job->states + (b * s->Hkv + head) * n_state;
    if (job->past) memcpy(state, job->past + (b * s->Hkv + head) * n_state, (size_t)n_state * sizeof *state);
    else memset(state, 0, (size_t)n_state * sizeof *state);
    for (int64_t position = b * s->T; position < (b + 1) * s->T; position++) {
        const float *key = job->k + (position * s->Hkv + head) * s->K;
        decay_state(job, position, head, state);
        correct_value(job, position, head, key, state, value);
        for (int64_t i = 0; i < s->K; i++) job->kernels->axpy_f32(s->Kv, key[i], value, state + i * s->Kv);
        for (int64_t i = 0; i < group; i++) read_state(job, position, head * group + i, state);
    }
}

static void run_heads(void *context, size_t begin, size_t end)
{
    struct linear_job *job = context;
    float *value = thread_scratch_take(&job->scratch);
    for (int64_t i = (int64_t)begin; i < (int64_t)end; i++) run_head(job, i / job->s.Hkv, i % job->s.Hkv, value);
    thread_scratch_put(&job->scratch, value);
}

static hob_status run(struct op_context *ctx)
{
    const struct linear_params *params = ctx->params;
    const struct tensor *decay = op_input(ctx, INPUT_DECAY), *beta = op_input(ctx, INPUT_BETA);
    struct linear_job job = {.kernels = ctx->kernels};
    TRY(read_sizes(ctx, &job.s));
    job.s.n_gates = decay ? decay->dims[2] / job.s.Hkv : 1;
    job.s.n_rates = beta ? beta->dims[2] : 1;
    job.scale = params->scale != 0 ? params->scale : (float)(1 / sqrt((double)job.s.K));
    if (!op_output(ctx, 0)) OP_FAIL(ctx, HOB_BAD_GRAPH, "output 0 is missing");
    TRY(as_f32_vector(ctx, ctx->inputs[INPUT_Q], &job.q));
    TRY(as_f32_vector(ctx, ctx->inputs[INPUT_K], &job.k));
    TRY(as_f32_vector(ctx, ctx->inputs[INPUT_V], &job.v));
    TRY(as_f32_vector(ctx, op_input(ctx, INPUT_PAST), &job.past));
    TRY(as_f32_vector(ctx, decay, &job.decay));
    TRY(as_f32_vector(ctx, beta, &job.beta));
    TRY(as_f32_output(ctx, ctx->outputs[0], &job.y));
    TRY(as_f32_output(ctx, op_output(ctx, 1), &job.states));
    if (!job.states) TRY(scratch_f32(ctx, job.s.B * job.s.Hkv * job.s.K * job.s.Kv, &job.states));
    TRY(thread_scratch_init(&job.scratch, ctx, (size_t)job.s.Kv));
    thread_pool_run(ctx->pool, (size_t)(job.s.B * job.s.Hkv), 1, run_heads, &job);
    as_f32_finish(ctx, job.y, ctx->outputs[0]);
    as_f32_finish(ctx, job.states, op_output(ctx, 1));
    return HOB_OK;
}

#define LINEAR_ATTENTION(id, op_domain, first_opset) \
    const struct op_def op_##id = {                  \
        .name = "LinearAttention",                   \
        .domain = op_domain,                         \
        .since = first_opset,                        \
        .min_inputs = 3,                             \
        .max_inputs = 6,                             \
        .min_outputs = 1,                            \
        .max_outputs = 2,                            \
        .types = TYPE(F16) | TYPE(BF16) | TYPE(F32), \
        .prepare = prepare,                          \
        .infer = infer,                              \
        .run = run,                                  \
    };

LINEAR_ATTENTION(linear_attention, "", 27)
LINEAR_ATTENTION(ms_linear_attention, "com.microsoft", 1)
