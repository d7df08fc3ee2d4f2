/* Panels: a weight [N,K] in the order the matrix kernels read it, the same for every instruction set.
 *
 * Sixteen output columns make a panel; inside it the K steps follow each other, sixteen floats a step:
 *
 *     panels[(j / 16) * K * 16 + k * 16 + j % 16] = w[j][k]        0 <= j < N
 *
 * The columns that the last panel lacks are zeros. The memory starts on a 64-byte boundary, so every step is one cache line.
 * Owns nothing, allocates nothing. Thread-safe: different panel ranges may be packed by different threads.
 *
 *     struct panel_source w = {.data = bytes, .dtype = DTYPE_F16, .n = 1536, .k = 384, .n_stride = 384, .k_stride = 1};
 *     size_t n_bytes;
 *     if (!panel_bytes(w.n, w.k, &n_bytes)) …                      too large for the machine
 *     float *panels = memory_aligned(n_bytes);
 *     panel_pack_f32(&w, 0, panel_count(w.n), panels);
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

/* Bytes of all panels of an [n,k] weight. false: they overflow. n, k >= 0. */
HOB_MUST_CHECK bool panel_bytes(int64_t n, int64_t k, size_t *ret_bytes);

/* F32 and what quant.def decodes (F16, BF16, Q8_0, Q4_0); block formats want whole blocks along k and k_stride 1. */
bool panel_can_pack(const struct panel_source *source);

/* Writes panels [begin,end) of source; `panels` is where panel 0 is (or would be). */
void panel_pack_f32(const struct panel_source *source, int64_t begin, int64_t end, float *panels);

#endif
