/* The order of work in products with block formats, and the copying before and after the arithmetic. A strip of activations stays
 * in the second-level cache while all panels run over it; where K is too long for a strip the sums rest in c in between. */
#include "kernels/gemm_q8.h"

#include "base/error.h"

#include <string.h>

static int64_t at_most(int64_t n, int64_t limit)
{
    return n < limit ? n : limit;
}

/* What the zero points take away, and the totals: sums of codes, as they are and times d_a. */
static void load_sums_of_row(struct strip *strip, enum block_kind kind, const struct gemm_q8_args *args, int64_t from, int64_t to)
{
    const int32_t zero_point = block_zero_point(kind), *sums = args->a_sums + from;
    const bool has_m = block_has_m(kind);
    for (int64_t b = 0; b < strip->n_blocks; b++, to += strip->n_rows) {
        strip->scales[to] = args->a_scales[from + b];
        strip->totals[to] = has_m ? args->a_scales[from + b] * (float)sums[b] : (float)sums[b];
        strip->starts[0][to] = -zero_point * sums[b];
        if (kind != BLOCK_Q6_K) continue;
        for (int half = 0; half < 2; half++) strip->starts[half][to] = -zero_point * args->a_half_sums[2 * (from + b) + half];
    }
}

static void load_codes_of_row(struct strip *strip, const int8_t *from, bool is_flipped, int64_t to)
{
    int8_t *codes = strip->codes + to * PANEL_STEPS;
    const int8_t flip = is_flipped ? INT8_MIN : 0;
    for (int64_t b = 0; b < strip->n_blocks; b++, codes += strip->n_rows * PANEL_STEPS)
        for (int i = 0; i < PANEL_STEPS; i++) codes[i] = from[b * PANEL_STEPS + i] ^ flip;
}

static void load_strip(struct strip *strip, const struct gemm_q8_way *way, const struct gemm_q8_args *args, int64_t row, int64_t block)
{
    int64_t n_blocks = args->k / PANEL_STEPS;
    strip->first_row = row;
    strip->n_rows = at_most(args->m - row, STRIP_ROWS);
    strip->first_block = block;
    strip->n_blocks = at_most(n_blocks - block, STRIP_PLACES / strip->n_rows / BLOCKS_OF_256 * BLOCKS_OF_256);
    strip->rows_a_block = strip->n_blocks > 0 ? (strip->n_rows + strip->n_blocks - 1) / strip->n_blocks : 0;
    for (int64_t r = 0; r < strip->n_rows; r++) {
        int64_t from = (row + r) * n_blocks + block, to = strip_at(strip, 0, r);
        load_codes_of_row(strip, args->a + from * PANEL_STEPS, way->flips_many && strip->n_rows > FEW_ROWS, to);
        load_sums_of_row(strip, way->kind, args, from, to);
    }
}

static float *row_of_c(const struct front *front, int64_t panel, int64_t row)
{
    return front->args->c + (front->strip->first_row + row) * front->args->c_stride + (front->panel + panel) * PANEL_COLUMNS;
}

static size_t row_bytes(const struct front *front, int64_t panel)
{
    int64_t n_columns = at_most(front->args->n - (front->panel + panel) * PANEL_COLUMNS, PANEL_COLUMNS);
    return (size_t)n_columns * sizeof(float);
}

static void load_sums(struct front *front)
{
    memset(front->sums, 0, (size_t)(front->n_panels * front->strip->n_rows * PANEL_COLUMNS) * sizeof *front->sums);
    if (front->strip->first_block == 0) return;
    for (int64_t p = 0; p < front->n_panels; p++)
        for (int64_t row = 0; row < front->strip->n_rows; row++)
            memcpy(front_sums(front, p, row), row_of_c(front, p, row), row_bytes(front, p));
}

static void add_bias(struct front *front, int64_t panel)
{
    float bias[PANEL_COLUMNS] = {0}, *sums = front_sums(front, panel, 0);
    memcpy(bias, front->args->bias + (front->panel + panel) * PANEL_COLUMNS, row_bytes(front, panel));
    const int64_t n_rows = front->strip->n_rows;
    for (int64_t row = 0; row < n_rows; row++, sums += PANEL_COLUMNS)
        for (int j = 0; j < PANEL_COLUMNS; j++) sums[j] += bias[j];
}

static void store_panel(struct front *front, int64_t panel)
{
    const float *sums = front_sums(front, panel, 0);
    float *c = row_of_c(front, panel, 0);
    const int64_t n_rows = front->strip->n_rows, c_stride = front->args->c_stride;
    const size_t n_bytes = row_bytes(front, panel), whole = PANEL_COLUMNS * sizeof *c;
    for (int64_t row = 0; row < n_rows; row++, c += c_stride, sums += PANEL_COLUMNS) {
        if (n_bytes == whole)
            memcpy(c, sums, whole); /* a constant: no call */
        else
            memcpy(c, sums, n_bytes);
    }
}

static void store_sums(struct front *front)
{
    const struct strip *strip = front->strip;
    bool is_last = (strip->first_block + strip->n_blocks) * PANEL_STEPS == front->args->k;
    for (int64_t p = 0; p < front->n_panels; p++) {
        if (is_last && front->args->bias) add_bias(front, p);
        store_panel(front, p);
    }
}

static void multiply_strip(const struct gemm_q8_way *way, const struct gemm_q8_args *args, const struct panel_shape *shape,
                           const struct strip *strip)
{
    struct front front = {.args = args, .strip = strip, .panel = args->panel_begin, .panel_bytes = (int64_t)shape->n_bytes};
    int64_t n_together = strip->n_rows <= FEW_ROWS ? way->n_panels_of_few : way->n_panels;
    for (; front.panel < args->panel_end; front.panel += front.n_panels) {
        const uint8_t *panels = (const uint8_t *)args->panels + (size_t)front.panel * shape->n_bytes;
        front.n_panels = at_most(args->panel_end - front.panel, n_together);
        for (int64_t p = 0; p < front.n_panels; p++)
            front.walks[p] = block_walk_start(way->kind, shape, panels + (size_t)p * shape->n_bytes, strip->first_block);
        load_sums(&front);
        way->multiply(&front);
        store_sums(&front);
    }
}

void gemm_q8(const struct gemm_q8_way *way, const struct gemm_q8_args *args)
{
    struct panel_shape shape;
    struct strip strip;
    bool is_shape = panel_shape_of(panel_format_find(block_dtype(way->kind)), args->k, &shape);
    HOB_ASSERT(is_shape);
    for (int64_t row = 0; row < args->m; row += strip.n_rows) {
        int64_t block = 0;
        do { /* once even where k is 0 */
            load_strip(&strip, way, args, row, block);
            multiply_strip(way, args, &shape, &strip);
            block += strip.n_blocks;
        } while (block * PANEL_STEPS < args->k);
    }
}
