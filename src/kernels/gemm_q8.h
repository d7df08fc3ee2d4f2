/* What the vector versions of gemm_q4_0 … gemm_q6_k share: everything but the arithmetic.
 *
 * First what tells the block formats apart, as constants once a function is inlined, and a walk over a panel's blocks; panel.h
 * describes their bytes. Then strips: some rows of the activations, copied so that what meets one block of weights lies together,
 * whatever the distance between rows, with all that depends on the row alone computed once for all panels. Then fronts: some
 * neighbouring panels that run over a strip, block by block, with their sums in a place of their own, since the rows of c may be
 * an unlucky power of two apart.
 *
 * Owns nothing: strips and fronts are on the stack of gemm_q8 (90 KB). Thread-safe.
 *
 *     static void front_q4_0(struct front *front)
 *     {
 *         for (int64_t block = 0; block < front->strip->n_blocks; block++)
 *             for (int64_t p = 0; p < front->n_panels; p++) {
 *                 … front->walks[p].codes, front->strip->codes + strip_at(front->strip, block, row) * PANEL_STEPS,
 *                   front_sums(front, p, row) …
 *                 block_walk_next(BLOCK_Q4_0, &front->walks[p]);
 *             }
 *     }
 *     gemm_q8(&(struct gemm_q8_way){.kind = BLOCK_Q4_0, .multiply = front_q4_0, …}, args);
 */
#ifndef KERNELS_GEMM_Q8_H
#define KERNELS_GEMM_Q8_H

#include "kernels/kernels.h"
#include "kernels/panel_block.h"

enum block_kind { BLOCK_Q4_0, BLOCK_Q4_1, BLOCK_Q5_0, BLOCK_Q5_1, BLOCK_Q8_0, BLOCK_Q4_K, BLOCK_Q6_K };

/* Steps of four: a "group" of panel.h. Each is a line of 64 bytes once it is unpacked. */
enum { BLOCK_GROUPS = 8, LINE_BYTES = 64, BLOCKS_OF_256 = 256 / PANEL_STEPS };

static inline enum dtype block_dtype(enum block_kind kind)
{
    static const enum dtype dtypes[] = {
        [BLOCK_Q4_0] = DTYPE_Q4_0, [BLOCK_Q4_1] = DTYPE_Q4_1, [BLOCK_Q5_0] = DTYPE_Q5_0, [BLOCK_Q5_1] = DTYPE_Q5_1,
        [BLOCK_Q8_0] = DTYPE_Q8_0, [BLOCK_Q4_K] = DTYPE_Q4_K, [BLOCK_Q6_K] = DTYPE_Q6_K,
    };
    return dtypes[kind];
}

static inline int block_zero_point(const enum block_kind kind)
{
    return kind == BLOCK_Q4_0 ? 8 : kind == BLOCK_Q5_0 ? 16 : kind == BLOCK_Q6_K ? 32 : kind == BLOCK_Q8_0 ? 128 : 0;
}

static inline bool block_has_fifth_bit(const enum block_kind kind)
{
    return kind == BLOCK_Q5_0 || kind == BLOCK_Q5_1;
}

static inline bool block_has_m(const enum block_kind kind)
{
    return kind == BLOCK_Q4_1 || kind == BLOCK_Q5_1;
}

/* Blocks of 256 with integers to scale each part of 32 (or 16), the "details". */
static inline bool block_is_deep(const enum block_kind kind)
{
    return kind == BLOCK_Q4_K || kind == BLOCK_Q6_K;
}

/* Of 32 steps. */
static inline int block_code_bytes(const enum block_kind kind)
{
    if (kind == BLOCK_Q8_0) return 8 * LINE_BYTES;
    if (kind == BLOCK_Q6_K) return 6 * LINE_BYTES;
    return block_has_fifth_bit(kind) ? 5 * LINE_BYTES : 4 * LINE_BYTES;
}

/* Of 32 steps, or of 256 where the format is deep. */
static inline int block_parameter_bytes(const enum block_kind kind)
{
    return block_has_m(kind) || kind == BLOCK_Q4_K ? 64 : 32;
}

enum { BLOCK_DETAIL_BYTES = 2 * PANEL_COLUMNS };

/* Where the bytes of 32 steps are. */
struct block_walk {
    const uint8_t *parameters, *details, *codes;
    int64_t index;
};

static inline struct block_walk block_walk_start(const enum block_kind kind, const struct panel_shape *shape,
                                                 const uint8_t *panel, int64_t index)
{
    int64_t n_parameters = block_is_deep(kind) ? index / BLOCKS_OF_256 : index;
    return (struct block_walk){.parameters = panel + shape->parameters + n_parameters * block_parameter_bytes(kind),
                               .details = panel + shape->details + index * BLOCK_DETAIL_BYTES,
                               .codes = panel + shape->codes + index * block_code_bytes(kind),
                               .index = index};
}

static inline void block_walk_next(const enum block_kind kind, struct block_walk *walk)
{
    walk->index++;
    walk->codes += block_code_bytes(kind);
    walk->details += BLOCK_DETAIL_BYTES;
    if (!block_is_deep(kind) || walk->index % BLOCKS_OF_256 == 0) walk->parameters += block_parameter_bytes(kind);
}

/* The same blocks in a panel so many bytes further on. */
static inline struct block_walk block_walk_in(struct block_walk walk, int64_t n_bytes)
{
    walk.parameters += n_bytes, walk.details += n_bytes, walk.codes += n_bytes;
    return walk;
}

/* A strip has at most STRIP_ROWS rows, and fewer rows are longer: STRIP_PLACES rows of 32 steps in all. */
enum { STRIP_ROWS = 48, STRIP_PLACES = STRIP_ROWS * 32 };

struct strip {
    int64_t first_row, n_rows;
    int64_t first_block, n_blocks; /* of K; blocks of 256 are not cut */
    int64_t rows_a_block;          /* so many to look at with each block reach all */
    /* At strip_at(block, row): */
    _Alignas(64) int8_t codes[STRIP_PLACES * PANEL_STEPS];
    float scales[STRIP_PLACES];      /* d_a */
    int32_t starts[2][STRIP_PLACES]; /* minus the zero point times the sum of codes; q6_k: of each half */
    float totals[STRIP_PLACES];      /* q4_1, q5_1: d_a times the sum of codes; q4_k: the sum */
};

/* `block` counts from the strip's first. */
static inline int64_t strip_at(const struct strip *strip, int64_t block, int64_t row)
{
    return block * strip->n_rows + row;
}

/* FEW_ROWS rows or fewer are work for the memory rather than the processor. */
enum { FRONT_MOST_PANELS = 4, FEW_ROWS = 4 };

struct front {
    const struct gemm_q8_args *args;
    const struct strip *strip;
    int64_t panel, n_panels; /* 1 … FRONT_MOST_PANELS */
    int64_t panel_bytes;
    struct block_walk walks[FRONT_MOST_PANELS];
    _Alignas(64) float sums[2 * STRIP_ROWS * PANEL_COLUMNS]; /* more than two panels have few rows */
};

/* The sixteen sums of a row. */
static inline float *front_sums(struct front *front, int64_t panel, int64_t row)
{
    return front->sums + (panel * front->strip->n_rows + row) * PANEL_COLUMNS;
}

/* Asks for the lines of c that the sums will go to: some rows with each block, so that all are near when the last one is done. */
static inline void front_prefetch_c(const struct front *front, int64_t block)
{
    const struct strip *strip = front->strip;
    int64_t row = block * strip->rows_a_block, end = row + strip->rows_a_block;
    if (end > strip->n_rows) end = strip->n_rows;
    for (; row < end; row++) {
        const float *c = front->args->c + (strip->first_row + row) * front->args->c_stride + front->panel * PANEL_COLUMNS;
        for (int64_t p = 0; p < front->n_panels; p++) __builtin_prefetch(c + p * PANEL_COLUMNS);
    }
}

/* So far ahead weights are asked for. */
enum { AHEAD_BYTES = 4096 };

/* Asks for the weights of a block n_bytes ahead, behind the end of the panel too: the next one begins there. */
static inline void block_walk_prefetch(const enum block_kind kind, const struct block_walk *walk, int64_t n_bytes)
{
    for (int i = 0; i < block_code_bytes(kind); i += LINE_BYTES) __builtin_prefetch(walk->codes + n_bytes + i);
}

/* Where several panels are read side by side, the weights that follow a panel's last are those of the next front. */
static inline int64_t front_bytes_ahead(const enum block_kind kind, const struct front *front, int64_t n_panels, int64_t block)
{
    bool is_next = block + AHEAD_BYTES / block_code_bytes(kind) >= front->strip->n_blocks;
    return AHEAD_BYTES + (is_next ? (n_panels - 1) * front->panel_bytes : 0);
}

/* How an instruction set does the product of one format. */
struct gemm_q8_way {
    enum block_kind kind;
    int n_panels, n_panels_of_few; /* of a front; at most 2, and FRONT_MOST_PANELS */
    bool flips_many;               /* codes of more than FEW_ROWS rows stand in the strip as bytes + 128 */
    void (*multiply)(struct front *front); /* adds all blocks of the strip to the sums */
};

void gemm_q8(const struct gemm_q8_way *way, const struct gemm_q8_args *args);

#endif
