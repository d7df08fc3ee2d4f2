#include "ops/recurrent/gate.h"

#include <math.h>
#include <strings.h>

static const struct gate_row {
    const char *name;
    bool has_alpha, has_beta;
    float alpha, beta; /* defaults */
} rows[] = {
    [GATE_AFFINE] = {"Affine", true, true, 1, 0},
    [GATE_ELU] = {"Elu", true, false, 1, 0},
    [GATE_HARD_SIGMOID] = {"HardSigmoid", true, true, 0.2f, 0.5f},
    [GATE_LEAKY_RELU] = {"LeakyRelu", true, false, 0.01f, 0},
    [GATE_RELU] = {"Relu", false, false, 0, 0},
    [GATE_SCALED_TANH] = {"ScaledTanh", true, true, 1, 1},
    [GATE_SIGMOID] = {"Sigmoid", false, false, 0, 0},
    [GATE_SOFTPLUS] = {"Softplus", false, false, 0, 0},
    [GATE_SOFTSIGN] = {"Softsign", false, false, 0, 0},
    [GATE_TANH] = {"Tanh", false, false, 0, 0},
    [GATE_THRESHOLDED_RELU] = {"ThresholdedRelu", true, false, 1, 0},
};

static float take(struct gate_numbers *numbers, float fallback)
{
    if (!numbers->n_items) return fallback;
    numbers->n_items--;
    return *numbers->items++;
}

bool gate_init(const char *name, struct gate_numbers *alphas, struct gate_numbers *betas, struct gate *ret_gate)
{
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        if (strcasecmp(name, rows[i].name)) continue;
        *ret_gate = (struct gate){.function = (enum gate_function)i, .alpha = rows[i].alpha, .beta = rows[i].beta};
        if (rows[i].has_alpha) ret_gate->alpha = take(alphas, rows[i].alpha);
        if (rows[i].has_beta) ret_gate->beta = take(betas, rows[i].beta);
        return true;
    }
    return false;
}

#define EACH(expression)                                                                                   \
    for (int64_t i = 0; i < n; i++) {                                                                      \
        const REAL v = x[i];                                                                               \
        x[i] = (expression);                                                                               \
    }                                                                                                      \
    return;
/* log(1 + e^v) without overflow: the larger of v and 0 is taken out of the logarithm. */
#define APPLY(suffix)                                                                                      \
    {                                                                                                      \
        const REAL alpha = (REAL)gate->alpha, beta = (REAL)gate->beta;                                     \
        switch (gate->function) {                                                                          \
        case GATE_AFFINE: EACH(alpha * v + beta)                                                           \
        case GATE_ELU: EACH(v < 0 ? alpha * expm1##suffix(v) : v)                                          \
        case GATE_HARD_SIGMOID: EACH(fmin##suffix(fmax##suffix(alpha * v + beta, 0), 1))                   \
        case GATE_LEAKY_RELU: EACH(v < 0 ? alpha * v : v)                                                  \
        case GATE_RELU: EACH(v < 0 ? 0 : v)                                                                \
        case GATE_SCALED_TANH: EACH(alpha * tanh##suffix(beta * v))                                        \
        case GATE_SIGMOID: EACH(1 / (1 + exp##suffix(-v)))                                                 \
        case GATE_SOFTPLUS: EACH((v > 0 ? v : 0) + log1p##suffix(exp##suffix(-fabs##suffix(v))))           \
        case GATE_SOFTSIGN: EACH(v / (1 + fabs##suffix(v)))                                                \
        case GATE_TANH: EACH(tanh##suffix(v))                                                              \
        case GATE_THRESHOLDED_RELU: EACH(v >= alpha ? v : 0)                                               \
        }                                                                                                  \
    }

void gate_apply_f32(const struct gate *gate, const struct kernels *kernels, int64_t n, float *x)
{
    if (gate->function == GATE_SIGMOID) {
        kernels->sigmoid_f32(n, x, x);
        return;
    }
    if (gate->function == GATE_TANH) {
        kernels->tanh_f32(n, x, x);
        return;
    }
#define REAL float
    APPLY(f)
#undef REAL
}

void gate_apply_f64(const struct gate *gate, const struct kernels *kernels, int64_t n, double *x)
{
    (void)kernels;
#define REAL double
    APPLY()
#undef REAL
}
