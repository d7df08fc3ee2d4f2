/* The functions that gates of recurrent layers go through: all that ONNX names for RNN, GRU and LSTM.
 *
 * A plain value, made once from a node's attributes. Thread-safe.
 *
 *     struct gate_numbers alphas = {values, n_values}, betas = {0};
 *     struct gate gate;
 *     if (!gate_init("LeakyRelu", &alphas, &betas, &gate)) …             no function of that name
 *     gate_apply_f32(&gate, kernels, n, x);                              in place
 */
#ifndef OPS_RECURRENT_GATE_H
#define OPS_RECURRENT_GATE_H

#include "kernels/kernels.h"

enum gate_function {
    GATE_AFFINE,
    GATE_ELU,
    GATE_HARD_SIGMOID,
    GATE_LEAKY_RELU,
    GATE_RELU,
    GATE_SCALED_TANH,
    GATE_SIGMOID,
    GATE_SOFTPLUS,
    GATE_SOFTSIGN,
    GATE_TANH,
    GATE_THRESHOLDED_RELU
};

struct gate {
    enum gate_function function;
    float alpha, beta;
};

/* Attribute values that are handed out in order to the functions that have such a parameter; when they run out, the
 * function's default holds. */
struct gate_numbers {
    const float *items;
    size_t n_items;
};

/* name: letter case does not matter. Takes what it needs from the front of alphas and betas. false: no such function. */
HOB_MUST_CHECK bool gate_init(const char *name, struct gate_numbers *alphas, struct gate_numbers *betas,
                              struct gate *ret_gate);

/* x = function(x). The f32 sigmoid and tanh are the kernels'. */
void gate_apply_f32(const struct gate *gate, const struct kernels *kernels, int64_t n, float *x);
void gate_apply_f64(const struct gate *gate, const struct kernels *kernels, int64_t n, double *x);

#endif
