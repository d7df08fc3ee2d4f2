/* Attention in vectors, written once: an instruction set's attention_f32.c names its vectors and the shapes of its products, then
 * includes this and calls attend_all. The idea is in kernels.h; here the keys of a tile are laid out as panels and the values as
 * rows, once for up to ATTENTION_TILE_ROWS query rows, and then a few rows at a time go through both products while their weights
 * stay in the first-level cache.
 *
 * The includer defines, before the include:
 *     vector, LANES, all(x)                        a register of floats; the same number in all lanes
 *     load, load_first(x, n), store, store_first   …_first touch n floats only, n of 1 and more
 *     add, subtract, multiply_by, multiply_add(a, b, c)    the last a * b + c in one rounding
 *     larger(a, b)                                 b where a is a NaN
 *     exponential, largest_lane, capped(x, cap)    cap * tanh(x / cap)
 *     TOGETHER, exponentials(x)                    of TOGETHER vectors, in place, of numbers that are not above 0
 *     keep_between(x, begin, end)                  -inf in the lanes outside
 *     finite_base(x)                               0 where x is -inf
 *     lane_sums, shrink_sums(sums, factor), add_weights(lane_sums, weights), store_sums, total_of(sums)    eight partial sums
 *     divide(n, x, divisor, y), widen(n, halves, floats), half_at(bytes), widen_bytes(codes)    LANES signed bytes as floats
 *     split_pairs(pairs, codes)                    32 signed bytes: the low four bits of sixteen less 8, then the high ones
 *     pack_four_steps(rows, step, panel)           items step … step + 3 of sixteen rows, a step's sixteen next to each other
 *     TILE_ROWS, PRODUCT_SHAPES(SHAPE)             SHAPE(rows, panels) for what fits the registers, of 1, 2 or 4 panels
 *
 * Rows of a product that see only some of the keys leave its registers alone for the others: a product with an unseen value, even by
 * a weight of zero, could change a result (0 x inf, -0 + 0). */
#ifndef KERNELS_ATTENTION_VECTORS_H
#define KERNELS_ATTENTION_VECTORS_H

#include "kernels/attention_tiles.h"

enum { PANEL_VECTORS = PANEL_COLUMNS / LANES, MOST_PANELS = 4 };

/* C[rows, panels * 16] = A[rows, k] x B[k, panels * 16], the scores' times `scale`. */
struct product {
    const float *a;
    int64_t a_stride;
    const float *b;
    int64_t b_step, b_group; /* to the next k, to the next panel */
    float *c;
    int64_t c_stride;
    int64_t k;
    float scale;
    /* Of the values' product: c = c * shrink + …, and row r takes the steps begins[r] … ends[r] only, which rise with r. */
    const float *shrink;
    const int64_t *begins, *ends;
};

/* n_rows and n_panels are constants wherever this is inlined; so the loops over them vanish. */
ALWAYS_INLINE void multiply_scores(const struct product *product, const int n_rows, const int n_panels)
{
    vector sums[TILE_ROWS][MOST_PANELS * PANEL_VECTORS];
    const int n_vectors = n_panels * PANEL_VECTORS;
#pragma GCC unroll 12
    for (int r = 0; r < n_rows; r++)
#pragma GCC unroll 8
        for (int v = 0; v < n_vectors; v++) sums[r][v] = all(0);
    const float *a = product->a, *b = product->b;
    const int64_t a_stride = product->a_stride, b_group = product->b_group;
    const vector scale = all(product->scale);
#pragma GCC unroll 2
    for (int64_t k = 0; k < product->k; k++, a++, b += PANEL_COLUMNS) {
        vector columns[MOST_PANELS * PANEL_VECTORS];
#pragma GCC unroll 8
        for (int v = 0; v < n_vectors; v++)
            columns[v] = load(b + v / PANEL_VECTORS * b_group + v % PANEL_VECTORS * LANES);
#pragma GCC unroll 12
        for (int r = 0; r < n_rows; r++) {
            vector item = all(a[r * a_stride]);
#pragma GCC unroll 8
            for (int v = 0; v < n_vectors; v++) sums[r][v] = multiply_add(item, columns[v], sums[r][v]);
        }
    }
#pragma GCC unroll 12
    for (int r = 0; r < n_rows; r++)
#pragma GCC unroll 8
        for (int v = 0; v < n_vectors; v++) store(product->c + r * product->c_stride + v * LANES, multiply_by(sums[r][v], scale));
}

/* Steps [k, end) of the values' product: for all rows, or, is_edge, for those that see the key. */
#define ADD_VALUES(k, end, is_edge)                                                                                \
    for (; k < (end); k++) {                                                                                       \
        const float *b = product->b + k * b_step, *a = product->a + k;                                             \
        vector columns[MOST_PANELS * PANEL_VECTORS];                                                               \
        _Pragma("GCC unroll 8") for (int v = 0; v < n_vectors; v++) columns[v] = load(b + v * LANES);              \
        _Pragma("GCC unroll 12") for (int r = 0; r < n_rows; r++)                                                  \
        {                                                                                                          \
            if ((is_edge) && (k < product->begins[r] || k >= product->ends[r])) continue;                          \
            vector item = all(a[r * a_stride]);                                                                    \
            _Pragma("GCC unroll 8") for (int v = 0; v < n_vectors; v++) sums[r][v] =                               \
                multiply_add(item, columns[v], sums[r][v]);                                                        \
        }                                                                                                          \
    }

ALWAYS_INLINE void multiply_values(const struct product *product, const int n_rows, const int n_panels)
{
    vector sums[TILE_ROWS][MOST_PANELS * PANEL_VECTORS];
    const int n_vectors = n_panels * PANEL_VECTORS;
#pragma GCC unroll 12
    for (int r = 0; r < n_rows; r++) {
        vector shrink = all(product->shrink[r]);
#pragma GCC unroll 8
        for (int v = 0; v < n_vectors; v++)
            sums[r][v] = multiply_by(load(product->c + r * product->c_stride + v * LANES), shrink);
    }
    const int64_t a_stride = product->a_stride, b_step = product->b_step;
    int64_t k = product->begins[0], all_begin = product->begins[n_rows - 1], all_end = product->ends[0];
    int64_t end = product->ends[n_rows - 1];
    ADD_VALUES(k, all_begin < end ? all_begin : end, true)
    ADD_VALUES(k, all_end, false)
    ADD_VALUES(k, end, true)
#pragma GCC unroll 12
    for (int r = 0; r < n_rows; r++)
#pragma GCC unroll 8
        for (int v = 0; v < n_vectors; v++) store(product->c + r * product->c_stride + v * LANES, sums[r][v]);
}

typedef void product_function(const struct product *product);
#define SHAPE(rows, panels)                                                       \
    static void scores_##rows##x##panels(const struct product *product)           \
    {                                                                             \
        multiply_scores(product, rows, panels);                                   \
    }                                                                             \
    static void values_##rows##x##panels(const struct product *product)           \
    {                                                                             \
        multiply_values(product, rows, panels);                                   \
    }
PRODUCT_SHAPES(SHAPE)
#undef SHAPE
#define SHAPE(rows, panels) [rows][panels] = scores_##rows##x##panels,
static product_function *const score_functions[TILE_ROWS + 1][MOST_PANELS + 1] = {PRODUCT_SHAPES(SHAPE)};
#undef SHAPE
#define SHAPE(rows, panels) [rows][panels] = values_##rows##x##panels,
static product_function *const value_functions[TILE_ROWS + 1][MOST_PANELS + 1] = {PRODUCT_SHAPES(SHAPE)};
#undef SHAPE

/* Rows for the next product: what is left is cut into equal parts rather than full ones and a small rest. */
static inline int64_t rows_together(int64_t n_rows)
{
    if (n_rows <= TILE_ROWS) return n_rows; /* before numbers are divided, which takes long */
    uint32_t rows = (uint32_t)n_rows, n_parts = (rows + TILE_ROWS - 1) / TILE_ROWS;
    return (rows + n_parts - 1) / n_parts;
}

/* Panels for the next product: as many as the registers hold with so many rows. */
static inline int64_t panels_together(int64_t n_rows, int64_t n_panels)
{
    int64_t n = MOST_PANELS;
    while (n > 1 && (n > n_panels || !score_functions[n_rows][n])) n /= 2;
    return n;
}

/* ---- keys and values of a tile ---- */

enum { BLOCK_ITEMS = 32, BLOCK_SCALE_BYTES = 2 }; /* of q8_0 and q4_0: a half and codes, see quant/ */

ALWAYS_INLINE void widen_block(const unsigned char *scale, const int8_t codes[BLOCK_ITEMS], float *floats)
{
    vector factor = all(half_at(scale));
    for (int i = 0; i < BLOCK_ITEMS; i += LANES) store(floats + i, multiply_by(widen_bytes(codes + i), factor));
}

static void widen_q8_0(int64_t n, const unsigned char *blocks, float *floats)
{
    for (int64_t i = 0; i < n; i += BLOCK_ITEMS, blocks += BLOCK_SCALE_BYTES + BLOCK_ITEMS)
        widen_block(blocks, (const int8_t *)blocks + BLOCK_SCALE_BYTES, floats + i);
}

static void widen_q4_0(int64_t n, const unsigned char *blocks, float *floats)
{
    for (int64_t i = 0; i < n; i += BLOCK_ITEMS, blocks += BLOCK_SCALE_BYTES + BLOCK_ITEMS / 2) {
        int8_t codes[BLOCK_ITEMS];
        split_pairs(blocks + BLOCK_SCALE_BYTES, codes);
        widen_block(blocks, codes, floats + i);
    }
}

static void widen_row(enum attention_items items, int64_t n, const void *row, float *floats)
{
    switch (items) {
    case ATTENTION_F32: attention_copy(n, row, floats); break;
    case ATTENTION_F16: widen(n, row, floats); break;
    case ATTENTION_Q8_0: widen_q8_0(n, row, floats); break;
    case ATTENTION_Q4_0: widen_q4_0(n, row, floats); break;
    }
}

/* Sixteen keys from `key` on as a panel; behind the last one it stands again, and nobody looks. */
static void pack_panel(struct attention_tile *tile, int64_t key, int64_t n_keys, float *panel)
{
    const struct attention_f32_args *args = tile->args;
    const float *rows[PANEL_COLUMNS];
    for (int64_t i = 0; i < PANEL_COLUMNS; i++) {
        const void *row = attention_key(args, key + (i < n_keys ? i : n_keys - 1));
        rows[i] = args->items == ATTENTION_F32 ? row : tile->widened + i * args->width;
        if (args->items != ATTENTION_F32) widen_row(args->items, args->width, row, tile->widened + i * args->width);
    }
    int64_t step = 0;
    for (; step + 4 <= args->width; step += 4) pack_four_steps(rows, step, panel + step * PANEL_COLUMNS);
    for (; step < args->width; step++)
        for (int64_t i = 0; i < PANEL_COLUMNS; i++) panel[step * PANEL_COLUMNS + i] = rows[i][step];
}

static void pack_values(struct attention_tile *tile, int64_t key, int64_t n_keys)
{
    const struct attention_f32_args *args = tile->args;
    int64_t width = args->value_width;
    for (int64_t i = 0; i < n_keys; i++) {
        float *row = tile->values + i * tile->value_stride;
        const void *source = attention_value(args, key + i);
        if (args->items == ATTENTION_F32) attention_copy(width, source, row);
        else widen_row(args->items, width, source, row);
        for (int64_t j = width; j < tile->value_stride; j++) row[j] = 0;
    }
}

/* The values of a tile of keys: one reading is not worth a copy. */
struct values {
    const float *items;
    int64_t stride;
};
static struct values find_values(struct attention_tile *tile, int64_t key, int64_t n_keys)
{
    const struct attention_f32_args *args = tile->args;
    if (args->items == ATTENTION_F32 && args->value_width == tile->value_stride && tile->n_rows <= TILE_ROWS)
        return (struct values){attention_value(args, key), args->v_row_bytes / (int64_t)sizeof(float)};
    pack_values(tile, key, n_keys);
    return (struct values){tile->values, tile->value_stride};
}

/* ---- a block of rows and a tile of keys ---- */

/* Rows [row, row + n_rows) and keys [key, key + n_keys). */
struct block {
    struct attention_tile *tile;
    struct values values;
    int64_t row, n_rows, key, n_keys;
    float most[ATTENTION_BLOCK_ROWS + LANES], shrink[ATTENTION_BLOCK_ROWS + LANES];
    int64_t begins[ATTENTION_BLOCK_ROWS], ends[ATTENTION_BLOCK_ROWS]; /* of the keys, counted from `key` */
};

static void find_scores(const struct block *block)
{
    const struct attention_tile *tile = block->tile;
    int64_t width = tile->args->width, n_panels = panel_count(block->n_keys), n_rows, n;
    struct product product = {.a_stride = width, .b_group = width * PANEL_COLUMNS, .c_stride = ATTENTION_KEY_TILE, .k = width, .scale = tile->args->scale};
    for (int64_t row = 0; row < block->n_rows; row += n_rows) {
        n_rows = rows_together(block->n_rows - row);
        int64_t panel = block->begins[row] / PANEL_COLUMNS, end = panel_count(block->ends[row + n_rows - 1]);
        end = end < n_panels ? end : n_panels;
        for (; panel < end; panel += n) {
            n = panels_together(n_rows, end - panel);
            product.a = tile->queries + (block->row + row) * width;
            product.b = tile->keys + panel * product.b_group;
            product.c = tile->weights + row * ATTENTION_KEY_TILE + panel * PANEL_COLUMNS;
            score_functions[n_rows][n](&product);
        }
    }
}

/* A function of its own: few models cap, and the registers that it takes would be missing where the others' scores are finished. */
static __attribute__((noinline)) void cap_scores(int64_t n_keys, vector cap, float *scores)
{
    for (int64_t j = 0; j < n_keys; j += LANES) store(scores + j, capped(load(scores + j), cap));
}

/* Adds the mask, and -inf where the row does not see the key; the largest of the scores. */
static vector mask_scores(const struct block *block, int64_t i, float *scores)
{
    float buffer[ATTENTION_KEY_TILE];
    const float *mask =
        attention_mask(block->tile->args, &block->tile->rows[block->row + i], block->key, block->n_keys, buffer);
    int64_t begin = block->begins[i], end = block->ends[i];
    vector most = all(-INFINITY);
    for (int64_t j = 0; j < block->n_keys; j += LANES) {
        vector x = load(scores + j);
        if (mask) x = add(x, load_first(mask + j, block->n_keys - j));
        if (begin > j || end < j + LANES) x = keep_between(x, begin - j, end - j);
        store(scores + j, x);
        most = larger(x, most);
    }
    return most;
}

/* Products to scores; the largest of the row's. */
static float finish_scores(const struct block *block, int64_t i)
{
    const struct attention_f32_args *args = block->tile->args;
    float *scores = block->tile->weights + i * ATTENTION_KEY_TILE;
    if (args->softcap != 0) cap_scores(block->n_keys, all(args->softcap), scores);
    if (args->mask || block->begins[i] > 0 || block->ends[i] < ATTENTION_KEY_TILE) return largest_lane(mask_scores(block, i, scores));
    vector most = all(-INFINITY);
#pragma GCC unroll 16
    for (int64_t j = 0; j < ATTENTION_KEY_TILE; j += LANES) most = larger(load(scores + j), most);
    return largest_lane(most);
}

/* Moves the rows' largest scores on; what exponents are taken from goes to block->most. */
static void find_shrink(struct block *block)
{
    float *rows_most = block->tile->most + block->row;
    for (int64_t i = 0; i < block->n_rows; i += LANES) {
        vector before = load_first(rows_most + i, block->n_rows - i);
        vector most = larger(load(block->most + i), before);
        vector base = finite_base(most);
        store(block->shrink + i, exponential(subtract(before, base)));
        store(block->most + i, base);
        store_first(rows_most + i, block->n_rows - i, most);
    }
}

/* Scores of n vectors to weights, and their sums; n is a constant wherever this is inlined. */
ALWAYS_INLINE lane_sums weigh(float *weights, vector most, lane_sums sums, const int n)
{
    vector x[TOGETHER];
#pragma GCC unroll 4
    for (int v = 0; v < n; v++) x[v] = subtract(load(weights + v * LANES), most);
    if (n == TOGETHER) exponentials(x);
    else x[0] = exponential(x[0]);
#pragma GCC unroll 4
    for (int v = 0; v < n; v++) {
        store(weights + v * LANES, x[v]);
        sums = add_weights(sums, x[v]);
    }
    return sums;
}

static void weigh_keys(const struct block *block)
{
    const int64_t n_keys = block->n_keys;
    for (int64_t i = 0; i < block->n_rows; i++) {
        float *weights = block->tile->weights + i * ATTENTION_KEY_TILE;
        float *sums = block->tile->sums + (block->row + i) * ATTENTION_LANES;
        vector most = all(block->most[i]);
        lane_sums lanes = shrink_sums(sums, block->shrink[i]);
        int64_t j = 0;
        for (; j + TOGETHER * LANES <= n_keys; j += TOGETHER * LANES) lanes = weigh(weights + j, most, lanes, TOGETHER);
        for (; j < n_keys; j += LANES) lanes = weigh(weights + j, most, lanes, 1);
        store_sums(sums, lanes);
    }
}

static void weigh_values(const struct block *block)
{
    const struct attention_tile *tile = block->tile;
    int64_t n_panels = tile->value_stride / PANEL_COLUMNS, n_rows, n;
    struct product product = {.a_stride = ATTENTION_KEY_TILE, .b_step = block->values.stride, .c_stride = tile->value_stride};
    for (int64_t row = 0; row < block->n_rows; row += n_rows) {
        n_rows = rows_together(block->n_rows - row);
        product.a = tile->weights + row * ATTENTION_KEY_TILE;
        product.shrink = block->shrink + row;
        product.begins = block->begins + row, product.ends = block->ends + row;
        for (int64_t panel = 0; panel < n_panels; panel += n) {
            n = panels_together(n_rows, n_panels - panel);
            product.b = block->values.items + panel * PANEL_COLUMNS;
            product.c = tile->outputs + (block->row + row) * tile->value_stride + panel * PANEL_COLUMNS;
            value_functions[n_rows][n](&product);
        }
    }
}

static void attend_block(struct block *block)
{
    for (int64_t i = 0; i < block->n_rows; i++) {
        const struct attention_row *row = &block->tile->rows[block->row + i];
        block->begins[i] = attention_clamp(row->begin - block->key, block->n_keys);
        block->ends[i] = attention_clamp(row->end - block->key, block->n_keys);
    }
    if (block->begins[0] >= block->ends[block->n_rows - 1]) return;
    find_scores(block);
    for (int64_t i = 0; i < block->n_rows; i++) block->most[i] = finish_scores(block, i);
    find_shrink(block);
    weigh_keys(block);
    weigh_values(block);
}

/* ---- all of it ---- */

static void attend_keys(struct attention_tile *tile, int64_t key)
{
    struct block block = {.tile = tile, .key = key, .n_keys = tile->end - key};
    if (block.n_keys > ATTENTION_KEY_TILE) block.n_keys = ATTENTION_KEY_TILE;
    for (int64_t i = 0; i < block.n_keys; i += PANEL_COLUMNS)
        pack_panel(tile, key + i, block.n_keys - i, tile->keys + i * tile->args->width);
    block.values = find_values(tile, key, block.n_keys);
    for (; block.row < tile->n_rows; block.row += block.n_rows) {
        block.n_rows = tile->n_rows - block.row;
        if (block.n_rows > ATTENTION_BLOCK_ROWS) block.n_rows = ATTENTION_BLOCK_ROWS;
        attend_block(&block);
    }
}

static void write_outputs(const struct attention_tile *tile)
{
    int64_t width = tile->args->value_width;
    for (int64_t i = 0; i < tile->n_rows; i++) {
        float sum = total_of(tile->sums + i * ATTENTION_LANES), *outputs = tile->outputs + i * tile->value_stride;
        if (sum == 0) memset(tile->rows[i].out, 0, (size_t)width * sizeof *outputs);
        else divide(width, outputs, sum, tile->rows[i].out);
    }
}

static void attend_all(const struct attention_f32_args *args)
{
    struct attention_tile tile;
    attention_tile_init(&tile, args);
    while (attention_tile_next(&tile)) {
        for (int64_t key = tile.begin / ATTENTION_KEY_TILE * ATTENTION_KEY_TILE; key < tile.end; key += ATTENTION_KEY_TILE)
            attend_keys(&tile, key);
        write_outputs(&tile);
    }
}

#endif
