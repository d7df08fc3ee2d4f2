/* Mod: with fmod 0 the result has the divisor's sign (Python's %), with fmod 1 the dividend's (C's fmod). ONNX wants fmod 1 for
 * floats; fmod 0 is taken as NumPy's mod. */
#include "ops/elementwise.h"

#include <math.h>
#include <stdatomic.h>

struct mod_params {
    bool is_c_like;
};

struct mod_run {
    bool is_c_like;
    atomic_bool is_by_zero;
};

static inline double python_mod(double x, double y)
{
    double rest = fmod(x, y);
    if (rest == 0) return copysign(0, y);
    return (rest < 0) != (y < 0) ? rest + y : rest;
}

#define IS_C_LIKE (((const struct mod_run *)span->params)->is_c_like)
SPAN_BINARY_SAME(mod_f32, float, IS_C_LIKE ? fmodf(x, y) : python_mod(x, y))
SPAN_BINARY_SAME(mod_f64, double, IS_C_LIKE ? fmod(x, y) : python_mod(x, y))

/* By -1 the rest is 0 for every number, but C leaves the lowest one undefined. */
#define SPAN_MOD(function, type, is_minus_one, are_signs_different)                                        \
    static void function(const struct span *span)                                                          \
    {                                                                                                      \
        struct mod_run *run = (struct mod_run *)(uintptr_t)span->params;                                   \
        const type *xs = span->in[0], *ys = span->in[1];                                                   \
        type *out = span->out;                                                                             \
        bool is_by_zero = false;                                                                           \
        for (int64_t i = 0; i < span->n; i++) {                                                            \
            const type x = xs[i * span->step[0]], y = ys[i * span->step[1]];                               \
            is_by_zero |= y == 0;                                                                          \
            const type rest = (type)(y == 0 || (is_minus_one) ? 0 : x % y);                                \
            bool is_turned = !run->is_c_like && rest && (are_signs_different);                             \
            out[i] = (type)(is_turned ? rest + y : rest);                                                  \
        }                                                                                                  \
        if (is_by_zero) atomic_store_explicit(&run->is_by_zero, true, memory_order_relaxed);               \
    }
EACH_SIGNED(SPAN_MOD, mod, y == -1, (rest < 0) != (y < 0))
EACH_UNSIGNED(SPAN_MOD, mod, false, false)

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct mod_params *params = ARENA_NEW(node->arena, struct mod_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->is_c_like = attributes_int(node->attributes, "fmod", 0) != 0;
    *ret_params = params;
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    static const struct span_table table = {{SPANS_FLOAT(mod), SPANS_SIGNED(mod), SPANS_UNSIGNED(mod)}};
    const struct mod_params *params = ctx->params;
    struct mod_run run = {.is_c_like = params->is_c_like};
    TRY(elementwise_run(ctx, &table, &run));
    if (atomic_load(&run.is_by_zero)) OP_FAIL(ctx, HOB_BAD_ARGUMENT, "input 1: found 0, expected no integer division by zero");
    return HOB_OK;
}

const struct op_def op_mod = {.name = "Mod", .domain = "", .since = 10, .min_inputs = 2, .max_inputs = 2, .min_outputs = 1,
                              .max_outputs = 1, .types = TYPES_NUMBER, .flags = OP_STRIDED_INPUTS | OP_INPLACE, .prepare = prepare,
                              .infer = elementwise_infer_broadcast, .run = run};
