/* Kernels: the loops that take the time, one table of function pointers for each instruction set.
 *
 * Kernels own nothing, allocate nothing, know no tensors and cannot fail: sizes and pointers are the caller's business. They
 * are thread-safe as long as outputs do not overlap. Sizes are in floats (or items), never bytes; strides are in floats and
 * may be 0 or negative where they are called strides. A size of 0 does nothing. "In place" means the very same pointer;
 * other overlaps are not allowed.
 *
 * Numbers are a contract. All tables give the same bytes (NaN payloads aside), and a result never depends on how the work
 * was cut into calls:
 *   - chain: an output of a matrix product is 0, then one fused multiply-add for each k in rising order, then + bias.
 *   - lanes: sums over a row use eight partial sums, item i goes to partial i % 8 in rising order; they start at +0, missing
 *     items of the last eight count as +0, and the total is ((s0+s4)+(s2+s6)) + ((s1+s5)+(s3+s7)).
 *   - functions of one item depend on that item only, not on its place.
 *
 *     const struct kernels *kernels = kernels_select();
 *     kernels->gemm_f32(&(struct gemm_f32_args){.a = x, .a_stride = K, .panels = w, .bias = bias, .c = y, .c_stride = N,
 *                                               .m = T, .n = N, .k = K, .panel_begin = begin, .panel_end = end});
 */
#ifndef KERNELS_KERNELS_H
#define KERNELS_KERNELS_H

#include "base/size.h"
#include "hob/status.h"
#include "kernels/panel.h"

/* gemm_f32: C[M,N] = A[M,K] x panels (+ bias), for the columns of panels [panel_begin,panel_end).
 * Split work over panels (best: weights are read once) or over rows (move a and c, shrink m). c must not overlap a. */
struct gemm_f32_args {
    const float *a;                 /* [m,k], items of a row next to each other */
    int64_t a_stride;               /* from row to row */
    const float *panels;            /* panel.h; panel 0 of the whole weight, aligned to 64 bytes */
    const float *bias;              /* [n] or NULL */
    float *c;                       /* [m,n]; column 0 whatever panel_begin is; items of a row next to each other */
    int64_t c_stride;
    int64_t m, n, k;                /* n: columns of the whole weight */
    int64_t panel_begin, panel_end; /* 0 and panel_count(n) for all */
};

/* gemm_f16, gemm_bf16: as gemm_f32 on the same weights widened to f32, which is exact: the same bytes. */
struct gemm_half_args {
    const float *a;                 /* [m,k], items of a row next to each other */
    int64_t a_stride;               /* from row to row */
    const uint16_t *panels;         /* panel.h; panel 0 of the whole weight, aligned to 64 bytes */
    const float *bias;              /* [n] or NULL */
    float *c;                       /* [m,n]; column 0 whatever panel_begin is; items of a row next to each other */
    int64_t c_stride;
    int64_t m, n, k;                /* n: columns of the whole weight */
    int64_t panel_begin, panel_end; /* 0 and panel_count(n) for all */
};

/* quantize_rows_q8: rows of activations as the products with block formats take them: for each 32 items a scale d = a / 127, a the
 * largest magnitude among them, and codes round(x * (127 / a)), ties to even; 0 where 127 / a is infinite. A block with an infinity or a NaN
 * has codes 0 and the scale NaN. Sums of the codes come along, since the weights' zero points meet them. */
struct quantize_rows_q8_args {
    const float *x;        /* [n_rows, k], items of a row next to each other */
    int64_t x_stride;      /* from row to row */
    int8_t *codes;         /* [n_rows, k], aligned to 32 bytes; -127 … 127 */
    float *scales;         /* [n_rows, k / 32] */
    int32_t *sums;         /* [n_rows, k / 32] */
    int32_t *half_sums;    /* [n_rows, k / 16], of 16 items each; NULL: nobody wants them (only q6_k does) */
    int64_t n_rows, k;     /* k: a multiple of 32 */
};

/* gemm_q4_0 … gemm_q6_k: C[M,N] = A[M,K] x panels (+ bias), A in codes of 8 bits, the weights in panels of a block format
 * (panel.h), for the columns of panels [panel_begin,panel_end). An output is 0, then for each 32 steps of k in rising order
 *     fma((float)s, d * d_a, output)                s the exact integer sum of code products, weights' zero point subtracted;
 *                                                   q4_k: times the scale; q6_k: s0 * scale0 + s1 * scale1 of the two halves
 *     q4_1, q5_1: then fma(m, d_a * (float)sum, output);   q4_k: then fma((float)(min * sum), -(dmin * d_a), output)
 * and then + bias; d is the weight block's scale, d_a the activations', sum the activations' sum of codes. Products of scales are
 * rounded before they are used. So the bytes depend neither on M nor on how the columns are split, and are every table's. */
struct gemm_q8_args {
    const int8_t *a;                /* as quantize_rows_q8 gives them: [m,k] */
    const float *a_scales;          /* [m, k / 32] */
    const int32_t *a_sums;          /* [m, k / 32] */
    const int32_t *a_half_sums;     /* [m, k / 16]; only q6_k looks at them */
    const void *panels;             /* panel 0 of the whole weight, aligned to 64 bytes */
    const float *bias;              /* [n] or NULL */
    float *c;                       /* [m,n]; column 0 whatever panel_begin is; items of a row next to each other */
    int64_t c_stride;
    int64_t m, n, k;                /* n: columns of the whole weight */
    int64_t panel_begin, panel_end; /* 0 and panel_count(n) for all */
};

/* range_f32: the smallest and the largest of 0 and n items; NaN items are skipped.
 * quantize_u8: codes min(max(round(x / scale), -zero), 255 - zero) + zero, the quotient rounded to f32 first, then to a whole number, ties to
 * even; NaN becomes 0. zero: 0 … 255. As ONNX's QuantizeLinear. */

/* gemm_u8i8: C[M,N] = (A[M,K] - a_zeros) x (W[K,N] - w_zeros) of bytes, the weights in int8 panels (panel.h), for the columns of panels
 * [panel_begin,panel_end). Sums are exact modulo 2^32, so their order does not matter. With c they become numbers:
 *     c[i][j] = (float)sum * (a_scales[i] * w_scales[j]) + bias[j]      each step rounded, bias left out where there is none
 * and with sums alone they are what is wanted. Neither may overlap a. */
struct gemm_u8i8_args {
    const uint8_t *a;               /* [m,k], items of a row next to each other; a row can be read, whatever it holds there, up to a multiple of 4 items */
    int64_t a_stride;
    const int32_t *a_zeros;         /* [m], 0 … 255 */
    const int32_t *a_sums;          /* [m]: of a row's items, each less its zero point; looked at where there are w_zeros */
    const void *panels;             /* panel 0 of the whole weight, aligned to 64 bytes */
    const int32_t *w_zeros;         /* [n] or NULL: 0 */
    const float *a_scales;          /* [m] */
    const float *w_scales;          /* [n] */
    const float *bias;              /* [n] or NULL */
    float *c;                       /* [m,n]; column 0 whatever panel_begin is; items of a row next to each other; NULL: */
    int32_t *sums;                  /* [m,n] */
    int64_t c_stride;               /* of c or sums */
    int64_t m, n, k;                /* n: columns of the whole weight */
    int64_t panel_begin, panel_end; /* 0 and panel_count(n) for all */
};

/* gemm_strided_f32: C[M,N] = A[M,K] x B[K,N] of two activations, one product a call (a batch is a loop of calls).
 * Any strides for a and b; fast when b is contiguous along N (b_column_stride 1) or along K (b_row_stride 1: q x k
 * transposed). To split work, move a and c (rows) or b and c (columns). c must not overlap a or b. */
struct gemm_strided_f32_args {
    const float *a, *b;
    float *c;                                 /* items of a row next to each other */
    int64_t a_row_stride, a_column_stride;    /* along M, along K */
    int64_t b_row_stride, b_column_stride;    /* along K, along N */
    int64_t c_stride;                         /* from row to row */
    int64_t m, n, k;
    bool is_accumulating;                     /* the chain goes on from what c holds, instead of starting at 0 */
};

/* gemm_i8: C[M,N] = A[M,K] x (B[K,N] - b_zero) in integers, modulo 2^32: exact, whatever the order, as long as the result fits.
 * A is widened and its zero point is gone already; B is bytes as they are stored. Split work over rows (move a and c) or
 * columns (move b, b_zero and c). */
struct gemm_i8_args {
    const int16_t *a;       /* [m,k], each -255 … 255, next to each other; where k is odd, item k is there and 0 */
    int64_t a_stride;       /* from row to row, even */
    const uint8_t *b;       /* [k,n] of uint8, or of int8 where is_b_signed; items of a row next to each other */
    int64_t b_stride;       /* from row to row */
    const int16_t *b_zero;  /* [n] */
    int32_t *c;             /* [m,n]; items of a row next to each other */
    int64_t c_stride;
    int64_t m, n, k;
    bool is_b_signed;
};

/* panel_from_nbits: sixteen rows of small integers, as com.microsoft's MatMulNBits holds them, become one panel (panel.h):
 *   panel[k * 16 + j] = (q[j][k] - zeros[j][k / block]) * scales[j][k / block]     j < n_rows; 0 for the rows that lack.
 * Row j begins row_bytes * j behind rows; item k is in byte k * bits / 8, low bits first; rows hold whole blocks, the last of
 * which may have items beyond k that are not used. */
struct nbits_args {
    const uint8_t *rows;
    int64_t row_bytes;           /* a multiple of 4, below 2^28 */
    const float *scales, *zeros; /* [n_rows, n_blocks] */
    int64_t n_blocks;
    int64_t k, block;           /* block: items, a multiple of 16 */
    int n_rows, bits;           /* 1 … 16; 2, 4 or 8 */
    float *panel;               /* [k, 16] */
};

/* attention_f32: out = softmax(q x kT * scale + mask) x v for the query heads that share one KV head, without the matrix of
 * scores: keys are taken in tiles of ATTENTION_KEY_TILE, cut at multiples of it counted from key 0, and a row carries the largest
 * score so far, its sum and its outputs from tile to tile. For a row and the keys of a tile that it sees:
 *   score     what gemm_strided_f32, scale_f32, where softcap is not 0 softcap * tanh_f32(score / softcap), and add_f32 (the mask) give
 *   most      the larger of the row's (-inf before the first tile) and max_f32 of the scores; 0 stands for it while it is -inf
 *   shrink    exp_f32(most before - most), by which the row's outputs and its eight partial sums are multiplied
 *   weight    exp_f32(score - most); that of key j goes to partial sum j % 8, and fma(weight, value, output) in rising order of keys
 * and behind the last tile output / sum, the sum's total as for lanes. So the bytes of a row depend neither on the other rows nor
 * on the keys it does not see nor on how T was cut; a query that sees no key, or only keys with a score of -inf, gives zeros.
 * Query row t (0-based, this call) sees keys 0 … first_limit + t - 1, at most n_keys of them; n_keys as first_limit means
 * no limit; where is_windowed, none before first_key + t.
 * A step over n_queries of T is a move of q, out and mask, and first_limit and first_key + the rows skipped; a packed batch is a
 * call for each sentence. Items of a q, k, v or out row lie next to each other. Items that are no f32 are widened exactly (quant/).
 * Keys that lie in one piece are tiles behind each other: k_tile_bytes is ATTENTION_KEY_TILE * k_row_bytes. A cache in blocks is a
 * table of tiles; the last may be filled in part. */
enum attention_items {
    ATTENTION_F32,
    ATTENTION_F16,
    ATTENTION_Q8_0, /* rows are whole blocks */
    ATTENTION_Q4_0
};
struct attention_f32_args {
    const float *q;                       /* [n_heads, n_queries, width] */
    int64_t q_head_stride, q_stride;
    const void *k;                        /* [n_keys, width] of `items` */
    int64_t k_row_bytes;                  /* from key to key within a tile */
    const void *v;                        /* [n_keys, value_width], like k */
    int64_t v_row_bytes;
    const uint32_t *tiles;                /* tile i of k lies tiles[i] * k_tile_bytes behind k, and of v alike; NULL: i * … */
    int64_t k_tile_bytes, v_tile_bytes;
    enum attention_items items;
    float *out;                           /* [n_heads, n_queries, value_width] */
    int64_t out_head_stride, out_stride;
    const float *mask;                    /* [n_heads, n_queries, n_keys], added to the scaled scores; NULL: none */
    int64_t mask_head_stride, mask_stride, mask_key_stride;
    int64_t n_heads, n_queries, n_keys, width, value_width;
    int64_t first_limit;                  /* keys that query row 0 sees; causal: n_keys - n_queries + 1 for all of T */
    int64_t first_key;                    /* looked at where is_windowed */
    bool is_windowed;
    float scale, softcap;                 /* softcap 0: none */
    float *scratch;                       /* attention_scratch_floats of them, aligned to 64 bytes; one for each thread */
};

/* Keys whose weights are computed together, and query rows that share the reading of keys: a range of fewer rows reads them more
 * often. */
enum { ATTENTION_KEY_TILE = 64, ATTENTION_TILE_ROWS = 128 };

/* The same for every number of keys. false: they overflow. All sizes >= 0. */
HOB_MUST_CHECK bool attention_scratch_floats(int64_t width, int64_t value_width, size_t *ret_floats);

/* patches_f32: what the windows of a convolution cover, as panels (panel.h's order, a column for each output pixel), so that
 * gemm_f32 of the weights [M, n_channels * taps] and these panels is the convolution. Step c * taps + t of a column is the
 * input of channel c under tap t (row-major), at o * stride + t * dilation + origin on each axis, and 0 where that lies outside. The columns
 * that the last panel lacks are zeros. */
enum { PATCHES_MAX_RANK = 6 };
struct patches_f32_args {
    const float *x;               /* [n_channels, inputs…]; a channel's items in row-major order without gaps */
    int64_t channel_stride;
    int64_t n_channels;
    int rank;                     /* spatial axes, 1 … PATCHES_MAX_RANK */
    int64_t inputs[PATCHES_MAX_RANK], outputs[PATCHES_MAX_RANK], taps[PATCHES_MAX_RANK];
    int64_t strides[PATCHES_MAX_RANK], dilations[PATCHES_MAX_RANK];
    int64_t origins[PATCHES_MAX_RANK]; /* minus the pad */
    int64_t pixel_begin, n_pixels; /* a range of the outputs, row-major */
    float *panels;                /* panel_count(n_pixels) * n_channels * taps * PANEL_COLUMNS; aligned to 64 bytes */
};

/* depthwise_f32: rows [row_begin,row_end) of one channel's plane: for each output 0, then one fused multiply-add for each tap in
 * row-major order, inputs outside the plane as 0. Strides, dilations and origins: [0] down, [1] along a row, as in patches_f32. */
struct depthwise_f32_args {
    const float *x;               /* [height, width] */
    int64_t height, width;
    const float *weights;         /* [taps[0], taps[1]] */
    int64_t taps[2], strides[2], dilations[2], origins[2];
    float *y;                     /* [.., out_width]; row 0 whatever row_begin is */
    int64_t out_width, row_begin, row_end;
    float *scratch;               /* depthwise_scratch_floats of them, aligned to 64 bytes; one for each thread */
};

/* What depthwise_f32 needs for args without the pointers and rows. false: it overflows. */
HOB_MUST_CHECK bool depthwise_scratch_floats(const struct depthwise_f32_args *args, size_t *ret_floats);

/* finish_f32: what a layer does to its sums, in place: y = act(y + bias + before) * scale + shift + after, each step rounded, those
 * that are not given left out. act(x) of alpha a and beta b:
 *   RELU max(x, 0); LEAKY_RELU x < 0 ? a x : x; CLIP min(max(x, a), b); SIGMOID, SILU, TANH, GELU as the functions below;
 *   HARD_SIGMOID min(max(fma(x, a, b), 0), 1); HARD_SWISH x * HARD_SIGMOID(x). A NaN stays one. */
#define FINISH_ACTIVATIONS(EACH)                                                                                          \
    EACH(NONE) EACH(RELU) EACH(LEAKY_RELU) EACH(CLIP) EACH(SIGMOID) EACH(HARD_SIGMOID) EACH(HARD_SWISH) EACH(SILU) EACH(TANH) \
    EACH(GELU)
enum finish_activation {
#define FINISH(name) FINISH_##name,
    FINISH_ACTIVATIONS(FINISH)
#undef FINISH
};
struct finish_f32_args {
    float *y;                     /* [n_rows, n_columns] */
    int64_t y_stride, n_rows, n_columns;
    const float *bias;            /* [n_rows] or NULL */
    const float *before, *after;  /* like y, or NULL */
    int64_t before_stride, after_stride;
    enum finish_activation activation;
    float alpha, beta;
    float scale, shift;           /* looked at when is_scaled */
    bool is_scaled;
};

/* softmax_f32: y = exp(x - max) / sum; log_softmax_f32: y = x - max - log(sum). max is exact, sum is by lanes. In place
 * allowed. A NaN, a +inf or nothing but -inf makes the row NaN. */

/* layer_norm_f32: y = (x - mean) * inv_std * weight + bias, inv_std = 1 / sqrt(mean of (x - mean)^2 + epsilon), two passes.
 * rms_norm_f32: y = x * inv_std * weight, inv_std = 1 / sqrt(mean of x^2 + epsilon); bias and ret_mean are not looked at.
 * In place allowed. width >= 1. */
struct norm_f32_args {
    const float *x;       /* [n_rows, width] */
    float *y;             /* [n_rows, width] */
    int64_t x_stride, y_stride;
    const float *weight;  /* [width]; NULL: 1 */
    const float *bias;    /* [width]; NULL: 0 */
    float *ret_mean;      /* [n_rows] or NULL */
    float *ret_inv_std;   /* [n_rows] or NULL */
    int64_t n_rows, width;
    float epsilon;
};

/* rope_f32: turns the first n_dims of each row; the rest is copied. The rows (heads of one position) share cos and sin.
 *   (a,b) -> (a*cos - b*sin, b*cos + a*sin) for pairs (x[i], x[i + n_dims/2]), or (x[2i], x[2i+1]) when interleaved.
 * Products are rounded before they are added, as PyTorch does. In place allowed. */
struct rope_f32_args {
    const float *x;         /* [n_rows, width] */
    float *y;               /* [n_rows, width] */
    int64_t x_stride, y_stride;
    const float *cos, *sin; /* [n_dims / 2] */
    int64_t n_rows, width, n_dims; /* n_dims even, <= width */
    bool interleaved;
};

/* sum_f32, sum_squares_f32 (fused), dot_f32 (fused): by lanes.
 * max_f32: NaN items are skipped; -inf when there are none left; a zero is +0.
 * argmax_f32: index of the first largest item; NaN items are skipped; 0 when there are none left.
 *
 * Functions of one vector (in place allowed). Largest error against the exact value, in units in the last place of the
 * result, over all floats; where the result is exact at a special value it is so here (exp(-inf) = 0, tanh(inf) = 1,
 * log(0) = -inf, log(-1) = NaN, …), and NaN gives NaN:
 *   exp 1.1, log 1, tanh 1.5, erf 1.2, sigmoid 2.5, sqrt and reciprocal 0.5.
 *   silu(x) = x * sigmoid(x) 3.5 for x > -87; below, the absolute error is under 1e-36.
 *   gelu(x) = x/2 * (1 + erf(x / sqrt 2)): absolute error under 2e-7 * |x|.
 *   gelu_tanh(x) = x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3))): absolute error under 2e-7 * |x|.
 *   silu, gelu and gelu_tanh of -inf are -0, the limit.
 *   swiglu: silu_f32(gate) * up. ret_y may be gate or up.
 *
 * add_f32, sub_f32, mul_f32, div_f32: y[i] = a[i * a_step] op b[i * b_step]; a step is 1, or 0 for one number. ret_y may be
 * a or b where its step is 1.
 * scale_f32: y = alpha * x, in place allowed. axpy_f32: y = fma(alpha, x, y).
 *
 * f16_from_f32, bf16_from_f32: to nearest, ties to even; NaN stays NaN (quiet); too large gives inf. The other way is exact. */

struct kernels {
    const char *name; /* the folder: "generic", "x86_avx2" */
#define KERNEL(returns, name, parameters) returns (*name) parameters;
#include "kernels/kernels.def"
#undef KERNEL
};

/* The best table that this machine can run, or the one that the environment variable HOB_KERNELS names, if it can run it.
 * Chosen once, at the first call; never NULL; lives for ever. Thread-safe. */
const struct kernels *kernels_select(void);

/* Fails where HOB_KERNELS names no table that this machine can run: HOB_BAD_ARGUMENT. Whoever opens a model asks, for kernels_select
 * cannot fail. Thread-safe. */
HOB_MUST_CHECK hob_status kernels_check_choice(hob_error *error);

/* NULL: there is no such table, or this machine cannot run it. */
const struct kernels *kernels_by_name(const char *name);

/* Tables this machine can run, worst (generic) first; NULL behind the last. */
const struct kernels *kernels_at(size_t index);

#endif
