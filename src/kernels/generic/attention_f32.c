/* Attention, a query row at a time: scores of the keys it sees, softmax, weighted sum of the values. */
#include "kernels/generic/generic.h"

static void write_scores(const struct attention_f32_args *args, int64_t head, int64_t query, int64_t n_seen, float *ret_scores)
{
    generic_gemm_strided_f32(&(struct gemm_strided_f32_args){
        .a = args->q + head * args->q_head_stride + query * args->q_stride, .a_column_stride = 1,
        .b = args->k, .b_row_stride = 1, .b_column_stride = args->k_stride,
        .c = ret_scores, .m = 1, .n = n_seen, .k = args->width});
    generic_scale_f32(n_seen, args->scale, ret_scores, ret_scores);
    if (!args->mask) return;
    const float *mask = args->mask + head * args->mask_head_stride + query * args->mask_stride;
    for (int64_t i = 0; i < n_seen; i++) ret_scores[i] += mask[i * args->mask_key_stride];
}

static void attend(const struct attention_f32_args *args, int64_t head, int64_t query)
{
    float *out = args->out + head * args->out_head_stride + query * args->out_stride;
    float *scores = args->scratch;
    int64_t limit = args->first_limit + query;
    int64_t n_seen = limit < 0 ? 0 : limit > args->n_keys ? args->n_keys : limit;
    write_scores(args, head, query, n_seen, scores);
    bool sees_nothing = true;
    for (int64_t i = 0; i < n_seen; i++) sees_nothing = sees_nothing && scores[i] == -INFINITY;
    if (sees_nothing) {
        memset(out, 0, (size_t)args->value_width * sizeof *out);
        return;
    }
    generic_softmax_f32(n_seen, scores, scores);
    generic_gemm_strided_f32(&(struct gemm_strided_f32_args){
        .a = scores, .a_column_stride = 1, .b = args->v, .b_row_stride = args->v_stride, .b_column_stride = 1,
        .c = out, .m = 1, .n = args->value_width, .k = n_seen});
}

void generic_attention_f32(const struct attention_f32_args *args)
{
    for (int64_t head = 0; head < args->n_heads; head++)
        for (int64_t query = 0; query < args->n_queries; query++) attend(args, head, query);
}
