/* Panels: a weight [N,K] in the order the matrix kernels read it, the same for every instruction set, so that a pack moves
 * between machines.
 *
 * Sixteen output columns make a panel, and panels follow each other without gaps. The memory starts on a 64-byte boundary and a
 * panel's size is a multiple of 64. The columns that the last panel lacks are zeros (codes and parameters too).
 *
 * float32, float16, bfloat16: the K steps follow each other, sixteen items a step:
 *     panels[(j / 16) * K * 16 + k * 16 + j % 16] = w[j][k]        0 <= j < N
 *
 * Block formats: for every block of K a fixed number of parameter bytes, those of all blocks first (rounded up to 64), then the
 * codes. c is the column in the panel, t = k % 4; "group g" is the four steps 4g … 4g+3 of a block of 32: 64 bytes at c * 4 + t,
 * what a dot product of four bytes a lane reads at once.
 *     q4_0  parameters: d as f16 [16].                 codes: 4 lines of 64 bytes; byte c * 4 + t of line i holds group i in
 *                                                      its low nibble and group i + 4 in its high one; 0 … 15, zero point 8
 *     q4_1  d [16], then m [16], f16.                  codes as q4_0, no zero point: item = d * code + m
 *     q5_0  as q4_0, zero point 16; behind the 4 lines one of high bits: bit c * 4 + t of its g-th 8 bytes (little endian) is
 *           bit 4 of group g's code
 *     q5_1  d [16], m [16]; codes as q5_0, no zero point
 *     q8_0  d [16]; 8 lines, line g is group g, the code + 128 as a byte (so that one operand of a dot product is unsigned)
 *     q4_k  blocks of 256. Parameters: first those of the blocks of 256: d [16], dmin [16], f16; behind all of these (a multiple
 *           of 64), for each 32 items scale [16], min [16], bytes. Codes as q4_0. item = d * scale * code - dmin * min
 *     q6_k  blocks of 256. Parameters: d [16] f16 for each 256, behind all of these (rounded up to 64) scale [16], int8, for each 16
 *           items. Codes for each 32 items: 4 lines of the low 4 bits as q4_0, then 2 lines of high bits: bits 2i and 2i + 1 of byte
 *           c * 4 + t of line h are bits 4 and 5 of group 4h + i. item = d * scale * (code - 32)
 *
 * int8 (a scale a column, which is not part of the panel): 64 bytes with the sum of each column's codes, int32 [16]; then groups of
 * four steps, byte c * 4 + t, signed; K is filled up to a multiple of 4 with zeros.
 *
 * Owns nothing, allocates nothing. Thread-safe: different panel ranges may be packed by different threads.
 *
 *     struct panel_source w = {.data = bytes, .dtype = DTYPE_F16, .n = 1536, .k = 384, .n_stride = 384, .k_stride = 1};
 *     size_t n_bytes;
 *     if (!panel_bytes(DTYPE_F32, w.n, w.k, &n_bytes)) …           too large for the machine
 *     float *panels = memory_aligned(n_bytes);
 *     panel_pack(&w, DTYPE_F32, 0, panel_count(w.n), panels);
 */
#ifndef KERNELS_PANEL_H
#define KERNELS_PANEL_H

#include "tensor/tensor.h"

enum { PANEL_COLUMNS = 16, PANEL_ALIGNMENT = 64 };

/* A weight as a model file or another tensor holds it. A [K,N] matrix is the same thing with the strides exchanged. */
struct panel_source {
    const void *data;           /* F32: aligned to 4 bytes; others: any address */
    enum dtype dtype;           /* one that panel_can_pack takes */
    int64_t n, k;               /* output columns, input width */
    int64_t n_stride, k_stride; /* in items. Block formats: k_stride is 1 and n_stride a multiple of the block's items */
};

static inline int64_t panel_count(int64_t n)
{
    return (n + PANEL_COLUMNS - 1) / PANEL_COLUMNS;
}

/* A row of the table of panel formats: what a block of block_items steps takes in one panel. */
struct panel_format {
    enum dtype dtype;
    int block_items;     /* K must be a multiple of it, but for int8, which fills up */
    int head_bytes;      /* once a panel, before the parameters */
    int parameter_bytes; /* a block: of the first kind … */
    int detail_bytes;    /* … and of those that lie behind them (K-quants) */
    int code_bytes;      /* a block */
};

/* NULL: there are no panels of that type. */
const struct panel_format *panel_format_find(enum dtype dtype);

/* Where the parts of one panel of this format begin, and its size, all in bytes; multiples of 64. */
struct panel_shape {
    size_t parameters, details, codes, n_bytes;
};
/* false: k does not fit the format, or the sizes overflow. k >= 0. */
HOB_MUST_CHECK bool panel_shape_of(const struct panel_format *format, int64_t k, struct panel_shape *ret_shape);

/* Bytes of all panels of an [n,k] weight of that type. false: there are no such panels, or they overflow. n, k >= 0. */
HOB_MUST_CHECK bool panel_bytes(enum dtype dtype, int64_t n, int64_t k, size_t *ret_bytes);

/* Whether panel_pack makes panels of panel_dtype of this weight: F32, and what quant.def decodes (block formats in whole blocks along
 * k, with k_stride 1), into its own type as it is, into F32 exactly, and into any other type that quant.def encodes. No int8. */
bool panel_can_pack(const struct panel_source *source, enum dtype panel_dtype);

/* Items [begin, begin + n_items) of row `row` as f32; of a block format whole blocks. */
void panel_source_read(const struct panel_source *source, int64_t row, int64_t begin, int64_t n_items, float *ret_items);

/* Writes panels [begin,end) of source; `panels` is where panel 0 is (or would be). The bytes depend on the weight only: what lies
 * between the parts of a panel is zeros. */
void panel_pack(const struct panel_source *source, enum dtype panel_dtype, int64_t begin, int64_t end, void *panels);

/* Row `row` of the [n,k] weight that the panels hold, exactly as quant.def decodes the row they were made of. Not int8. */
void panel_unpack_row(const void *panels, enum dtype panel_dtype, int64_t k, int64_t row, float *ret_items);

/* int8 panels of a weight of int8 or, each item less 128, of uint8, any strides: panels [begin,end) of source; `panels` is where panel 0 is
 * (or would be). */
void panel_pack_i8(const struct panel_source *source, int64_t begin, int64_t end, void *panels);
/* int8 panels of a weight that there are f32 panels for: each column's codes round(w / scale), scale = its largest magnitude / 127, ties to even. A
 * column of zeros, or one with an infinity or a NaN, has codes 0 (and scale 0, or NaN). ret_scales: [n], of the columns of the whole weight. */
void panel_quantize_i8(const struct panel_source *source, int64_t begin, int64_t end, void *panels, float *ret_scales);

#endif
