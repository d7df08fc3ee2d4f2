/* Attention in tiles of query rows: a row of a tile is a head at a query, all heads of a query before the next query, so that
 * one pass over the keys serves the whole group of heads. The rows' scores lie in scratch, never the whole matrix.
 *
 * The rows of a tile see different numbers of keys. What all of them see is multiplied together; the few values behind that are
 * added to each row on its own, because a product with a masked-out value, even by zero, could change a result (0 x inf,
 * -0 + 0). */
#if defined(__x86_64__)
#include "kernels/x86_avx2/tile.h"
#include "kernels/x86_avx2/x86_avx2.h"

struct attention_tile {
    const struct attention_f32_args *args;
    int64_t first_row, n_rows;   /* row: query * n_heads + head */
    int64_t score_stride;
    float *queries;              /* [n_rows, width] */
    float *scores;               /* [n_rows, score_stride] */
    float *outputs;              /* [n_rows, value_width] */
};

static int64_t keys_seen(const struct attention_f32_args *args, int64_t query)
{
    int64_t limit = args->first_limit + query;
    return limit < 0 ? 0 : limit > args->n_keys ? args->n_keys : limit;
}

static int64_t query_of(const struct attention_tile *tile, int64_t i)
{
    return (tile->first_row + i) / tile->args->n_heads;
}

static int64_t head_of(const struct attention_tile *tile, int64_t i)
{
    return (tile->first_row + i) % tile->args->n_heads;
}

static void gather_queries(const struct attention_tile *tile)
{
    const struct attention_f32_args *args = tile->args;
    for (int64_t i = 0; i < tile->n_rows; i++)
        memcpy(tile->queries + i * args->width,
               args->q + head_of(tile, i) * args->q_head_stride + query_of(tile, i) * args->q_stride,
               (size_t)args->width * sizeof(float));
}

static void write_scores(const struct attention_tile *tile, int64_t n_seen)
{
    const struct attention_f32_args *args = tile->args;
    x86_avx2_gemm_strided_f32(&(struct gemm_strided_f32_args){
        .a = tile->queries, .a_row_stride = args->width, .a_column_stride = 1,
        .b = args->k, .b_row_stride = 1, .b_column_stride = args->k_stride,
        .c = tile->scores, .c_stride = tile->score_stride,
        .m = tile->n_rows, .n = n_seen, .k = args->width});
}

static void add_mask(const struct attention_tile *tile, int64_t i, int64_t n_seen, float *scores)
{
    const struct attention_f32_args *args = tile->args;
    const float *mask = args->mask + head_of(tile, i) * args->mask_head_stride + query_of(tile, i) * args->mask_stride;
    if (args->mask_key_stride == 1 || args->mask_key_stride == 0)
        x86_avx2_add_f32(n_seen, scores, 1, mask, (int)args->mask_key_stride, scores);
    else
        for (int64_t j = 0; j < n_seen; j++) scores[j] += mask[j * args->mask_key_stride];
}

static bool is_hidden(int64_t n_seen, const float *scores)
{
    if (x86_avx2_max_f32(n_seen, scores) != -INFINITY) return false;
    for (int64_t j = 0; j < n_seen; j++)
        if (scores[j] != -INFINITY) return false; /* a NaN, which max skips */
    return true;
}

/* Scores of row i to weights that sum to one. false: every key is hidden from it. */
static bool turn_into_weights(const struct attention_tile *tile, int64_t i)
{
    const struct attention_f32_args *args = tile->args;
    float *scores = tile->scores + i * tile->score_stride;
    int64_t n_seen = keys_seen(args, query_of(tile, i));
    x86_avx2_scale_f32(n_seen, args->scale, scores, scores);
    if (args->mask) add_mask(tile, i, n_seen, scores);
    if (is_hidden(n_seen, scores)) return false;
    x86_avx2_softmax_f32(n_seen, scores, scores);
    return true;
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
        int64_t n_common = keys_seen(tile->args, query_of(tile, i));
        add_values(tile, i, n_rows, 0, n_common);
        for (int64_t j = i; j < i + n_rows; j++) {
            int64_t n_seen = keys_seen(tile->args, query_of(tile, j));
            if (n_seen > n_common) add_values(tile, j, 1, n_common, n_seen);
        }
    }
}

static void scatter_outputs(const struct attention_tile *tile, const bool *has_weights)
{
    const struct attention_f32_args *args = tile->args;
    for (int64_t i = 0; i < tile->n_rows; i++) {
        float *out = args->out + head_of(tile, i) * args->out_head_stride + query_of(tile, i) * args->out_stride;
        size_t n_bytes = (size_t)args->value_width * sizeof *out;
        if (has_weights[i])
            memcpy(out, tile->outputs + i * args->value_width, n_bytes);
        else
            memset(out, 0, n_bytes);
    }
}

static void attend(const struct attention_tile *tile)
{
    bool has_weights[ATTENTION_TILE_ROWS];
    gather_queries(tile);
    write_scores(tile, keys_seen(tile->args, query_of(tile, tile->n_rows - 1)));
    for (int64_t i = 0; i < tile->n_rows; i++) has_weights[i] = turn_into_weights(tile, i);
    weigh_values(tile);
    scatter_outputs(tile, has_weights);
}

void x86_avx2_attention_f32(const struct attention_f32_args *args)
{
    struct attention_tile tile = {.args = args, .score_stride = (args->n_keys + 7) / 8 * 8};
    tile.scores = args->scratch;
    tile.queries = tile.scores + ATTENTION_TILE_ROWS * tile.score_stride;
    tile.outputs = tile.queries + ATTENTION_TILE_ROWS * args->width;
    int64_t n_rows = args->n_heads * args->n_queries;
    for (; tile.first_row < n_rows; tile.first_row += ATTENTION_TILE_ROWS) {
        int64_t n_left = n_rows - tile.first_row;
        tile.n_rows = n_left < ATTENTION_TILE_ROWS ? n_left : ATTENTION_TILE_ROWS;
        attend(&tile);
    }
}
#endif
