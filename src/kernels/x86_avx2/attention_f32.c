/* Attention in tiles of query rows: a row of a tile is a head at a query, all heads of a query before the next query, so that
 * one pass over the keys serves the whole group of heads. The rows' scores lie in scratch, never the whole matrix.
 *
 * The rows of a tile see different numbers of keys. What all of them see is multiplied together; the few values behind that are
 * added to each row on its own, because a product with a masked-out value, even by zero, could change a result (0 x inf,
 * -0 + 0). */
#if defined(__x86_64__)
#include "kernels/x86_avx2/softmax_f32.h"
#include "kernels/x86_avx2/tile.h"
#include "kernels/x86_avx2/vector.h"
#include "kernels/x86_avx2/x86_avx2.h"

struct row {
    const float *q, *mask;  /* mask NULL: none */
    float *out;
    int64_t n_seen;         /* keys */
    bool is_hidden_from;    /* every key has a score of -inf */
};

struct attention_tile {
    const struct attention_f32_args *args;
    struct row rows[ATTENTION_TILE_ROWS];
    int64_t n_rows;
    int64_t score_stride;
    float *queries; /* [n_rows, width] */
    float *scores;  /* [n_rows, score_stride] */
    float *outputs; /* [n_rows, value_width] */
};

static struct row row_at(const struct attention_f32_args *args, int64_t query, int64_t head)
{
    int64_t limit = args->first_limit + query;
    return (struct row){
        .q = args->q + head * args->q_head_stride + query * args->q_stride,
        .mask = args->mask ? args->mask + head * args->mask_head_stride + query * args->mask_stride : NULL,
        .out = args->out + head * args->out_head_stride + query * args->out_stride,
        .n_seen = limit < 0 ? 0 : limit > args->n_keys ? args->n_keys : limit,
    };
}

static void write_scores(const struct attention_tile *tile)
{
    const struct attention_f32_args *args = tile->args;
    for (int64_t i = 0; i < tile->n_rows; i++)
        memcpy(tile->queries + i * args->width, tile->rows[i].q, (size_t)args->width * sizeof(float));
    x86_avx2_gemm_strided_f32(&(struct gemm_strided_f32_args){
        .a = tile->queries, .a_row_stride = args->width, .a_column_stride = 1,
        .b = args->k, .b_row_stride = 1, .b_column_stride = args->k_stride,
        .c = tile->scores, .c_stride = tile->score_stride,
        .m = tile->n_rows, .n = tile->rows[tile->n_rows - 1].n_seen, .k = args->width});
}

/* Eight of the scores, scaled and masked. mask_step 0 or 1. */
ALWAYS_INLINE __m256 scale_and_mask8(__m256 scores, float scale, const float *mask, int64_t mask_step, int64_t i, int64_t n)
{
    __m256 scaled = _mm256_mul_ps(scores, all(scale));
    if (!mask) return scaled;
    if (mask_step == 0) return _mm256_add_ps(scaled, all(*mask));
    return _mm256_add_ps(scaled, n - i >= LANES ? _mm256_loadu_ps(mask + i) : load_first(mask + i, n - i));
}

/* scores = scores * scale + mask; the largest of them, as max_f32 gives it. */
static float scale_and_mask(int64_t n, float scale, const float *mask, int64_t mask_step, float *scores)
{
    __m256 largest = all(-INFINITY);
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        __m256 finished = scale_and_mask8(_mm256_loadu_ps(scores + i), scale, mask, mask_step, i, n);
        _mm256_storeu_ps(scores + i, finished);
        largest = _mm256_max_ps(finished, largest);
    }
    if (i < n) {
        __m256 finished = scale_and_mask8(load_first(scores + i, n - i), scale, mask, mask_step, i, n);
        store_first(scores + i, n - i, finished);
        finished = _mm256_blendv_ps(all(-INFINITY), finished, _mm256_castsi256_ps(first_lanes(n - i)));
        largest = _mm256_max_ps(finished, largest);
    }
    return largest_lane(largest) + 0.0f;
}

static float finish_scores(const struct attention_f32_args *args, const struct row *row, float *scores)
{
    if (!row->mask || args->mask_key_stride == 0 || args->mask_key_stride == 1)
        return scale_and_mask(row->n_seen, args->scale, row->mask, args->mask_key_stride, scores);
    x86_avx2_scale_f32(row->n_seen, args->scale, scores, scores);
    for (int64_t i = 0; i < row->n_seen; i++) scores[i] += row->mask[i * args->mask_key_stride];
    return x86_avx2_max_f32(row->n_seen, scores);
}

/* max_f32 skips NaNs, which do not hide a row. */
static bool has_only_minus_infinity(int64_t n, const float *scores)
{
    for (int64_t i = 0; i < n; i++)
        if (scores[i] != -INFINITY) return false;
    return true;
}

/* Scores to weights that sum to one. */
static void weigh_keys(struct attention_tile *tile)
{
    for (int64_t i = 0; i < tile->n_rows; i++) {
        struct row *row = &tile->rows[i];
        float *scores = tile->scores + i * tile->score_stride;
        float largest = finish_scores(tile->args, row, scores);
        row->is_hidden_from = largest == -INFINITY && has_only_minus_infinity(row->n_seen, scores);
        if (!row->is_hidden_from) softmax_below(row->n_seen, scores, largest, scores);
    }
}

/* Rows [i, i + n_rows) get the values of keys [begin, end), behind those of [0, begin). */
static void add_values(const struct attention_tile *tile, int64_t i, int64_t n_rows, int64_t begin, int64_t end)
{
    const struct attention_f32_args *args = tile->args;
    x86_avx2_gemm_strided_f32(&(struct gemm_strided_f32_args){
        .a = tile->scores + i * tile->score_stride + begin, .a_row_stride = tile->score_stride, .a_column_stride = 1,
        .b = args->v + begin * args->v_stride, .b_row_stride = args->v_stride, .b_column_stride = 1,
        .c = tile->outputs + i * args->value_width, .c_stride = args->value_width,
        .m = n_rows, .n = args->value_width, .k = end - begin, .is_accumulating = begin > 0});
}

static void weigh_values(const struct attention_tile *tile)
{
    for (int64_t i = 0; i < tile->n_rows; i += TILE_ROWS) {
        int64_t n_rows = tile->n_rows - i < TILE_ROWS ? tile->n_rows - i : TILE_ROWS;
        int64_t n_common = tile->rows[i].n_seen;
        add_values(tile, i, n_rows, 0, n_common);
        for (int64_t j = i; j < i + n_rows; j++)
            if (tile->rows[j].n_seen > n_common) add_values(tile, j, 1, n_common, tile->rows[j].n_seen);
    }
}

static void write_outputs(const struct attention_tile *tile)
{
    int64_t width = tile->args->value_width;
    for (int64_t i = 0; i < tile->n_rows; i++) {
        const struct row *row = &tile->rows[i];
        if (row->is_hidden_from)
            memset(row->out, 0, (size_t)width * sizeof *row->out);
        else
            memcpy(row->out, tile->outputs + i * width, (size_t)width * sizeof *row->out);
    }
}

static void attend(struct attention_tile *tile)
{
    write_scores(tile);
    weigh_keys(tile);
    weigh_values(tile);
    write_outputs(tile);
    tile->n_rows = 0;
}

void x86_avx2_attention_f32(const struct attention_f32_args *args)
{
    struct attention_tile tile;
    tile.args = args;
    tile.n_rows = 0;
    tile.score_stride = (args->n_keys + LANES - 1) / LANES * LANES;
    tile.scores = args->scratch;
    tile.queries = tile.scores + ATTENTION_TILE_ROWS * tile.score_stride;
    tile.outputs = tile.queries + ATTENTION_TILE_ROWS * args->width;
    for (int64_t query = 0; query < args->n_queries; query++)
        for (int64_t head = 0; head < args->n_heads; head++) {
            tile.rows[tile.n_rows++] = row_at(args, query, head);
            if (tile.n_rows == ATTENTION_TILE_ROWS) attend(&tile);
        }
    if (tile.n_rows > 0) attend(&tile);
}
#endif
