/* Attention, a query row at a time, tile of keys after tile of keys. */
#include "kernels/attention_tiles.h"
#include "kernels/generic/functions_f32.h"
#include "kernels/generic/generic.h"
#include "kernels/generic/lanes.h"
#include "quant/quant.h"

/* What a query row carries from tile to tile, beside its outputs. */
struct row {
    const float *q, *mask; /* mask NULL: none */
    float *out;
    int64_t begin, end; /* keys it sees */
    float most;
    struct lanes lanes;
};

static struct row find_row(const struct attention_f32_args *args, int64_t head, int64_t query)
{
    int64_t limit = args->first_limit + query, first = args->is_windowed ? args->first_key + query : 0;
    return (struct row){
        .q = args->q + head * args->q_head_stride + query * args->q_stride,
        .mask = args->mask ? args->mask + head * args->mask_head_stride + query * args->mask_stride : NULL,
        .out = args->out + head * args->out_head_stride + query * args->out_stride,
        .begin = first < 0 ? 0 : first,
        .end = limit > args->n_keys ? args->n_keys : limit,
        .most = -INFINITY,
    };
}

/* A row of keys or values as floats: in place, or in buffer. */
static const float *find_floats(enum attention_items items, int64_t n, const void *row, float *buffer)
{
    static const enum dtype dtypes[] = {[ATTENTION_F16] = DTYPE_F16, [ATTENTION_Q8_0] = DTYPE_Q8_0, [ATTENTION_Q4_0] = DTYPE_Q4_0};
    if (items == ATTENTION_F32) return row;
    quant_find(dtypes[items])->decode(n, row, buffer);
    return buffer;
}

static float find_score(const struct attention_f32_args *args, const struct row *row, int64_t key)
{
    float sum = 0;
    const float *k = find_floats(args->items, args->width, attention_key(args, key), args->scratch);
    for (int64_t i = 0; i < args->width; i++) sum = fmaf(row->q[i], k[i], sum);
    sum *= args->scale;
    if (args->softcap != 0) sum = args->softcap * tanh_item(sum / args->softcap);
    return row->mask ? sum + row->mask[key * args->mask_key_stride] : sum;
}

/* Those of keys begin..end of one tile; the row's largest grows with them. */
static void find_scores(const struct attention_f32_args *args, struct row *row, int64_t begin, int64_t end, float *ret_scores)
{
    for (int64_t key = begin; key < end; key++) {
        float score = find_score(args, row, key);
        if (score > row->most) row->most = score;
        ret_scores[key - begin] = score;
    }
}

/* Keys begin..end of one tile. */
static void add_tile(const struct attention_f32_args *args, struct row *row, int64_t begin, int64_t end)
{
    float scores[ATTENTION_KEY_TILE], before = row->most;
    find_scores(args, row, begin, end, scores);
    float most = row->most == -INFINITY ? 0 : row->most, shrink = exp_item(before - most);
    for (int i = 0; i < N_LANES; i++) row->lanes.sums[i] *= shrink;
    for (int64_t i = 0; i < args->value_width; i++) row->out[i] *= shrink;
    for (int64_t key = begin; key < end; key++) {
        float weight = exp_item(scores[key - begin] - most);
        row->lanes.sums[key % N_LANES] += weight;
        const float *v = find_floats(args->items, args->value_width, attention_value(args, key), args->scratch);
        for (int64_t i = 0; i < args->value_width; i++) row->out[i] = fmaf(weight, v[i], row->out[i]);
    }
}

static void attend(const struct attention_f32_args *args, struct row *row)
{
    memset(row->out, 0, (size_t)args->value_width * sizeof *row->out);
    for (int64_t key = row->begin, end; key < row->end; key = end) {
        end = (key / ATTENTION_KEY_TILE + 1) * ATTENTION_KEY_TILE;
        if (end > row->end) end = row->end;
        add_tile(args, row, key, end);
    }
    float sum = lanes_total(&row->lanes);
    for (int64_t i = 0; i < args->value_width; i++) row->out[i] = sum == 0 ? 0 : row->out[i] / sum;
}

void generic_attention_f32(const struct attention_f32_args *args)
{
    for (int64_t head = 0; head < args->n_heads; head++)
        for (int64_t query = 0; query < args->n_queries; query++) {
            struct row row = find_row(args, head, query);
            attend(args, &row);
        }
}
