/* What the instruction sets' attention shares: a tile of query rows, its scratch, and which rows see which keys.
 *
 * A row of a tile is a head at a query, all heads of a query before the next query, so that one reading of the keys serves the
 * whole group of heads, and the ranges of keys that rows see begin and end in rising order.
 *
 *     struct attention_tile tile;
 *     attention_tile_init(&tile, args);
 *     while (attention_tile_next(&tile)) …                     rows, queries and the keys begin … end of them are set
 */
#ifndef KERNELS_ATTENTION_TILES_H
#define KERNELS_ATTENTION_TILES_H

#include "kernels/kernels.h"

/* Rows whose weights are in scratch at one time: few enough to stay in the first-level cache between two products. */
enum { ATTENTION_BLOCK_ROWS = 24, ATTENTION_LANES = 8 };
enum { ATTENTION_FIXED_FLOATS = ATTENTION_BLOCK_ROWS * ATTENTION_KEY_TILE + ATTENTION_TILE_ROWS * (ATTENTION_LANES + 1) + 64 };

struct attention_row {
    const float *mask; /* NULL: none */
    float *out;
    int64_t begin, end; /* keys it sees */
};

struct attention_tile {
    const struct attention_f32_args *args;
    int64_t query, head; /* of the first row behind this tile */
    int64_t n_left;      /* rows from there on */
    int64_t n_rows;
    int64_t begin, end;   /* keys that some row sees */
    int64_t value_stride; /* value_width, rounded up to whole panels */
    float *queries;       /* [ATTENTION_TILE_ROWS, width] */
    float *outputs;       /* [ATTENTION_TILE_ROWS, value_stride] */
    float *sums;          /* [ATTENTION_TILE_ROWS, ATTENTION_LANES] */
    float *most;          /* [ATTENTION_TILE_ROWS] */
    float *keys;          /* panels of sixteen keys, [width, 16] each */
    float *values;        /* [ATTENTION_KEY_TILE, value_stride] */
    float *weights;       /* [ATTENTION_BLOCK_ROWS, ATTENTION_KEY_TILE] */
    float *widened;       /* [16, width]: keys that were no f32 */
    struct attention_row rows[ATTENTION_TILE_ROWS];
};

static inline int64_t attention_tile_at(const struct attention_f32_args *args, int64_t key)
{
    return args->tiles ? args->tiles[key / ATTENTION_KEY_TILE] : key / ATTENTION_KEY_TILE;
}

/* Where a key's row of k, or of v, begins. */
static inline const void *attention_key(const struct attention_f32_args *args, int64_t key)
{
    return (const char *)args->k + attention_tile_at(args, key) * args->k_tile_bytes + key % ATTENTION_KEY_TILE * args->k_row_bytes;
}

static inline const void *attention_value(const struct attention_f32_args *args, int64_t key)
{
    return (const char *)args->v + attention_tile_at(args, key) * args->v_tile_bytes + key % ATTENTION_KEY_TILE * args->v_row_bytes;
}

static inline int64_t attention_value_stride(int64_t value_width)
{
    return panel_count(value_width) * PANEL_COLUMNS;
}

/* Lays out scratch; what is read in whole vectors stands first, where it is aligned. */
static inline void attention_tile_init(struct attention_tile *tile, const struct attention_f32_args *args)
{
    tile->args = args;
    tile->query = tile->head = tile->n_rows = 0;
    tile->n_left = args->n_queries * args->n_heads;
    tile->value_stride = attention_value_stride(args->value_width);
    tile->keys = args->scratch;
    tile->values = tile->keys + ATTENTION_KEY_TILE * args->width;
    tile->outputs = tile->values + ATTENTION_KEY_TILE * tile->value_stride;
    tile->weights = tile->outputs + ATTENTION_TILE_ROWS * tile->value_stride;
    tile->sums = tile->weights + ATTENTION_BLOCK_ROWS * ATTENTION_KEY_TILE;
    tile->most = tile->sums + ATTENTION_TILE_ROWS * ATTENTION_LANES;
    tile->widened = tile->most + ATTENTION_TILE_ROWS;
    tile->queries = tile->widened + PANEL_COLUMNS * args->width;
}

static inline struct attention_row attention_row_at(const struct attention_f32_args *args, int64_t query, int64_t head)
{
    int64_t limit = args->first_limit + query, first = args->is_windowed ? args->first_key + query : 0;
    return (struct attention_row){
        .mask = args->mask ? args->mask + head * args->mask_head_stride + query * args->mask_stride : NULL,
        .out = args->out + head * args->out_head_stride + query * args->out_stride,
        .begin = first < 0 ? 0 : first,
        .end = limit < 0 ? 0 : limit > args->n_keys ? args->n_keys : limit,
    };
}

/* A row is a few vectors long: calling memcpy takes longer than copying it. */
static inline void attention_copy(int64_t n, const float *x, float *ret_y)
{
    enum { FLOATS = 16 };
    for (; n >= FLOATS; n -= FLOATS, x += FLOATS, ret_y += FLOATS) memcpy(ret_y, x, FLOATS * sizeof *ret_y);
    if (n) memcpy(ret_y, x, (size_t)n * sizeof *ret_y);
}

/* false: all rows are done. */
static inline bool attention_tile_next(struct attention_tile *tile)
{
    const struct attention_f32_args *args = tile->args;
    tile->n_rows = tile->n_left < ATTENTION_TILE_ROWS ? tile->n_left : ATTENTION_TILE_ROWS;
    if (tile->n_rows <= 0) return false;
    tile->n_left -= tile->n_rows;
    for (int64_t i = 0; i < tile->n_rows; i++) {
        const float *q = args->q + tile->head * args->q_head_stride + tile->query * args->q_stride;
        tile->rows[i] = attention_row_at(args, tile->query, tile->head);
        attention_copy(args->width, q, tile->queries + i * args->width);
        tile->most[i] = -INFINITY;
        if (++tile->head == args->n_heads) tile->head = 0, tile->query++;
    }
    memset(tile->sums, 0, (size_t)(tile->n_rows * ATTENTION_LANES) * sizeof(float));
    memset(tile->outputs, 0, (size_t)(tile->n_rows * tile->value_stride) * sizeof(float));
    tile->begin = tile->rows[0].begin;
    tile->end = tile->rows[tile->n_rows - 1].end;
    return true;
}

/* The mask's numbers of n keys from `key` on: in place where they lie next to each other, else in buffer. */
static inline const float *attention_mask(const struct attention_f32_args *args, const struct attention_row *row, int64_t key,
                                          int64_t n, float buffer[ATTENTION_KEY_TILE])
{
    if (!row->mask || args->mask_key_stride == 1) return row->mask ? row->mask + key : NULL;
    for (int64_t i = 0; i < n; i++) buffer[i] = row->mask[(key + i) * args->mask_key_stride];
    return buffer;
}

static inline int64_t attention_clamp(int64_t n, int64_t most)
{
    return n < 0 ? 0 : n > most ? most : n;
}

#endif
