/* What RNN, GRU and LSTM share: attributes, shapes and the walk over directions, batch and time.
 *
 * A layer with D directions, B sequences of up to T steps, I inputs and H hidden numbers; G gates of H numbers each:
 * x [T,B,I], w [D,G*H,I], r [D,G*H,H], bias [D,2*G*H], h and c [D,B,H], y [T,D,B,H]; with layout 1 x is [B,T,I], h and c
 * [B,D,H], y [B,T,D,H].
 *
 * Numbers: each sequence's result is made by itself; what the bytes are depends neither on the other sequences, nor on how
 * long they are, nor on threads. */
#ifndef OPS_RECURRENT_H
#define OPS_RECURRENT_H

#include "ops/op.h"
#include "ops/recurrent/gate.h"

enum { RECURRENT_MAX_DIRECTIONS = 2, RECURRENT_MAX_FUNCTIONS = 3 };

enum recurrent_kind { RECURRENT_RNN, RECURRENT_GRU, RECURRENT_LSTM };

struct recurrent_params {
    enum recurrent_kind kind;
    int n_gates, n_directions;
    bool is_reverse[RECURRENT_MAX_DIRECTIONS];
    struct gate functions[RECURRENT_MAX_DIRECTIONS][RECURRENT_MAX_FUNCTIONS]; /* f, g, h */
    float clip;                                                              /* infinity: none */
    bool is_batch_first;                                                     /* layout 1 */
    bool is_linear_before_reset;                                             /* GRU */
    bool couples_input_forget;                                               /* LSTM */
    int64_t hidden_size;                                                     /* 0: not stated */
};

struct recurrent_shape {
    int64_t n_steps, n_sequences, n_inputs, n_hidden; /* T B I H */
};

/* Inputs of a node, in ONNX's order; c and peepholes are LSTM's. */
enum recurrent_input {
    RECURRENT_X,
    RECURRENT_W,
    RECURRENT_R,
    RECURRENT_BIAS,
    RECURRENT_LENGTHS,
    RECURRENT_H,
    RECURRENT_C,
    RECURRENT_PEEPHOLES
};

/* The longest sequence first, so that those still going on are always the first ones. */
struct recurrent_order {
    int64_t *sequences, *lengths; /* B of each; lengths in the order of sequences */
};

struct recurrent_shape recurrent_shape(const struct op_context *ctx);
/* Row of x (T*B rows of I) of a step of a sequence; y's row [.., H] of a direction; h's row. */
static inline int64_t recurrent_x_row(const struct recurrent_params *params, const struct recurrent_shape *shape,
                                      int64_t step, int64_t sequence)
{
    return params->is_batch_first ? sequence * shape->n_steps + step : step * shape->n_sequences + sequence;
}

static inline int64_t recurrent_y_row(const struct recurrent_params *params, const struct recurrent_shape *shape,
                                      int64_t step, int64_t sequence, int64_t direction)
{
    return params->is_batch_first
               ? (sequence * shape->n_steps + step) * params->n_directions + direction
               : (step * params->n_directions + direction) * shape->n_sequences + sequence;
}

static inline int64_t recurrent_h_row(const struct recurrent_params *params, const struct recurrent_shape *shape,
                                      int64_t sequence, int64_t direction)
{
    return params->is_batch_first ? sequence * params->n_directions + direction
                                  : direction * shape->n_sequences + sequence;
}

/* Sorts the sequences by length; fails when one is not in [0,T]. */
HOB_MUST_CHECK hob_status recurrent_sort(struct op_context *ctx, const struct recurrent_shape *shape,
                                         struct recurrent_order *ret_order);
/* How many sequences a thread takes at a time: 1 … B. */
int64_t recurrent_block(const struct op_context *ctx, const struct recurrent_shape *shape);

/* run, for f16, bf16 and f32, and for f64. */
HOB_MUST_CHECK hob_status recurrent_run_f32(struct op_context *ctx);
HOB_MUST_CHECK hob_status recurrent_run_f64(struct op_context *ctx);

#endif
