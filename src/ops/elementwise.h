/* What element-wise operators share: NumPy broadcasting, the walk over strided inputs, 16-bit floats, threads.
 *
 * An operator is a table of span functions, one a type. A span is a run of output elements, next to each other in memory, and
 * of input elements with a fixed step each (0 for a broadcast operand, any other step for a strided one). The walk hands out
 * spans as long as the strides allow; a span function must give each element the same bytes however the run was cut.
 *
 * f16 and bf16 need no functions of their own: they are widened a tile at a time, computed as f32 and rounded once. Tables of
 * operators that only move or compare bits have entries for them, which come first.
 *
 * Thread-safe. Nothing is allocated.
 *
 *     SPAN_UNARY(negate_f32, float, float, -x)
 *     static const struct span_table negate = {{[DTYPE_F32] = negate_f32}};
 *     static hob_status run(struct op_context *ctx) { return elementwise_run(ctx, &negate, NULL); }
 */
#ifndef OPS_ELEMENTWISE_H
#define OPS_ELEMENTWISE_H

#include "kernels/kernels.h"
#include "ops/op.h"

enum { SPAN_MAX_INPUTS = 3 };

struct span {
    int64_t n;
    void *out;
    const void *in[SPAN_MAX_INPUTS];
    int64_t step[SPAN_MAX_INPUTS]; /* in elements */
    const void *params;
    const struct kernels *kernels;
};
typedef void span_function(const struct span *span);

/* By the type of input 0; NULL: the operator does not take that type. */
struct span_table {
    span_function *by_type[DTYPE_BF16 + 1];
};

/* Rows of a table that every integer type shares when only the bits count. */
#define SPANS_SIGNED(name)                                                                                 \
    [DTYPE_I8] = name##_i8, [DTYPE_I16] = name##_i16, [DTYPE_I32] = name##_i32, [DTYPE_I64] = name##_i64
#define SPANS_UNSIGNED(name)                                                                               \
    [DTYPE_U8] = name##_u8, [DTYPE_U16] = name##_u16, [DTYPE_U32] = name##_u32, [DTYPE_U64] = name##_u64
#define SPANS_WRAPPING(name)                                                                               \
    SPANS_UNSIGNED(name), [DTYPE_I8] = name##_u8, [DTYPE_I16] = name##_u16, [DTYPE_I32] = name##_u32,      \
                          [DTYPE_I64] = name##_u64
#define SPANS_FLOAT(name) [DTYPE_F32] = name##_f32, [DTYPE_F64] = name##_f64

/* FUNCTION(name_type, type, …) for each type of a group. */
#define EACH_SIGNED(FUNCTION, name, ...)                                                                   \
    FUNCTION(name##_i8, int8_t, __VA_ARGS__)                                                               \
    FUNCTION(name##_i16, int16_t, __VA_ARGS__)                                                             \
    FUNCTION(name##_i32, int32_t, __VA_ARGS__)                                                             \
    FUNCTION(name##_i64, int64_t, __VA_ARGS__)
#define EACH_UNSIGNED(FUNCTION, name, ...)                                                                 \
    FUNCTION(name##_u8, uint8_t, __VA_ARGS__)                                                              \
    FUNCTION(name##_u16, uint16_t, __VA_ARGS__)                                                            \
    FUNCTION(name##_u32, uint32_t, __VA_ARGS__)                                                            \
    FUNCTION(name##_u64, uint64_t, __VA_ARGS__)
#define EACH_FLOAT(FUNCTION, name, ...)                                                                    \
    FUNCTION(name##_f32, float, __VA_ARGS__)                                                               \
    FUNCTION(name##_f64, double, __VA_ARGS__)

/* A span function whose element is `expression` of x (type In), or of x and y. The usual steps have loops of their own, for
 * the compiler to vectorise. */
#define SPAN_UNARY(function, In, Out, expression)                                                          \
    static void function(const struct span *span)                                                          \
    {                                                                                                      \
        const In *xs = span->in[0];                                                                        \
        Out *out = span->out;                                                                              \
        const int64_t n = span->n, x_step = span->step[0];                                                 \
        if (x_step == 1)                                                                                   \
            for (int64_t i = 0; i < n; i++) {                                                              \
                const In x = xs[i];                                                                        \
                out[i] = (Out)(expression);                                                                \
            }                                                                                              \
        else                                                                                               \
            for (int64_t i = 0; i < n; i++) {                                                              \
                const In x = xs[i * x_step];                                                               \
                out[i] = (Out)(expression);                                                                \
            }                                                                                              \
    }
#define SPAN_BINARY_LOOP(In, Out, x_index, y_index, expression)                                            \
    for (int64_t i = 0; i < n; i++) {                                                                      \
        const In x = xs[x_index], y = ys[y_index];                                                         \
        out[i] = (Out)(expression);                                                                        \
    }
#define SPAN_BINARY(function, In, Out, expression)                                                         \
    static void function(const struct span *span)                                                          \
    {                                                                                                      \
        const In *xs = span->in[0], *ys = span->in[1];                                                     \
        Out *out = span->out;                                                                              \
        const int64_t n = span->n, x_step = span->step[0], y_step = span->step[1];                         \
        if (x_step == 1 && y_step == 1) SPAN_BINARY_LOOP(In, Out, i, i, expression)                        \
        else if (x_step == 1 && y_step == 0) SPAN_BINARY_LOOP(In, Out, i, 0, expression)                   \
        else SPAN_BINARY_LOOP(In, Out, i * x_step, i * y_step, expression)                                 \
    }
/* f32 by the kernel table's function of one vector; a strided operand, rare, is packed a piece at a time. */
#define SPAN_VECTOR(function, kernel)                                                                         \
    static void function(const struct span *span)                                                        \
    {                                                                                                      \
        const float *x = span->in[0];                                                                      \
        float *out = span->out, packed[64];                                                                \
        if (span->step[0] == 1) {                                                                          \
            span->kernels->kernel(span->n, x, out);                                                        \
            return;                                                                                        \
        }                                                                                                  \
        for (int64_t done = 0; done < span->n; done += 64) {                                               \
            int64_t n = span->n - done < 64 ? span->n - done : 64;                                         \
            for (int64_t i = 0; i < n; i++) packed[i] = x[(done + i) * span->step[0]];                     \
            span->kernels->kernel(n, packed, out + done);                                                  \
        }                                                                                                  \
    }
/* Input and output of one type; argument order fits the EACH_ macros. */
#define SPAN_UNARY_SAME(function, type, expression) SPAN_UNARY(function, type, type, expression)
#define SPAN_BINARY_SAME(function, type, expression) SPAN_BINARY(function, type, type, expression)
/* Output bool. */
#define SPAN_UNARY_BOOL(function, type, expression) SPAN_UNARY(function, type, uint8_t, expression)
#define SPAN_BINARY_BOOL(function, type, expression) SPAN_BINARY(function, type, uint8_t, expression)

/* ---- infer ---- */
/* Output 0 has input 0's type and shape. */
HOB_MUST_CHECK hob_status elementwise_infer_same(struct op_context *ctx);
/* Output 0 is the broadcast of all inputs, which have one type. The second form gives bool. */
HOB_MUST_CHECK hob_status elementwise_infer_broadcast(struct op_context *ctx);
HOB_MUST_CHECK hob_status elementwise_infer_compare(struct op_context *ctx);
/* Shape of all inputs (some may be absent) broadcast against each other. Fails: HOB_BAD_SHAPE. */
HOB_MUST_CHECK hob_status elementwise_shape(struct op_context *ctx, int *ret_rank, int64_t *ret_dims);

/* ---- run ---- */
/* All inputs (none absent, at most SPAN_MAX_INPUTS) into output 0, by the table's function for input 0's type.
 * Fails: HOB_BAD_TYPE when the table has none. */
HOB_MUST_CHECK hob_status elementwise_run(struct op_context *ctx, const struct span_table *table, const void *params);

/* One walk, for operators that choose inputs and function themselves. */
struct elementwise_walk {
    span_function *function;
    const void *params;
    int n_inputs;
    const struct tensor *inputs[SPAN_MAX_INPUTS]; /* any strides; broadcast to out's shape by the walk */
    const struct tensor *out;                     /* contiguous; may be the very memory of a contiguous input of its shape and size */
    bool is_widened;                       /* f16 and bf16 operands are handed over as f32 */
};
/* The table's function for type, and whether 16-bit floats must be widened for it. false: there is none. */
bool elementwise_find(const struct span_table *table, enum dtype dtype, struct elementwise_walk *walk);
void elementwise_apply(struct op_context *ctx, const struct elementwise_walk *walk);

#endif
