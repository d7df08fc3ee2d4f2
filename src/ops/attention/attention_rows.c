#include "ops/attention/attention_rows.h"

#include "kernels/kernels.h"
#include "ops/numbers.h"
#include "ops/thread_scratch.h"

struct rows_job {
    const struct kernels *kernels;
    const struct attention *attention;
    int64_t group; /* query heads that share a KV head */
    struct thread_scratch scratch;
};

/* One query row: where its numbers lie, and the keys it works on. */
struct row {
    int64_t b, h, kv_head, t;
    struct key_range seen; /* the keys that count */
    struct key_range all;  /* the keys with a score: seen, or every one when scores are written out */
};

static struct row find_row(const struct rows_job *job, int64_t index)
{
    const struct attention *at = job->attention;
    int64_t n_heads = at->q.dims[1], n_queries = at->q.dims[2];
    struct row row = {.b = index / (n_heads * n_queries), .h = index / n_queries % n_heads, .t = index % n_queries};
    row.kv_head = row.h / job->group;
    row.seen = attention_range(at, row.b, row.t);
    row.all = at->scores.data ? (struct key_range){0, at->k.dims[2]} : row.seen;
    return row;
}

/* In elements, of item [b, head, i, 0]. */
static int64_t offset_of(const struct tensor *x, int64_t b, int64_t head, int64_t i)
{
    return b * x->strides[0] + head * x->strides[1] + i * x->strides[2];
}

/* ---- f32 ---- */

/* Writes what the scores are at this stage; from the mask on, keys that are not seen get another number. */
static void write_scores(const struct attention *at, const struct row *row, enum attention_stage stage,
                         const float *scores)
{
    if (!at->scores.data || at->scores_stage != stage) return;
    float *target = (float *)at->scores.data + offset_of(&at->scores, row->b, row->h, row->t);
    float unseen = stage == ATTENTION_MASKED ? -INFINITY : 0;
    for (int64_t key = 0; key < row->all.end; key++) {
        bool counts = stage < ATTENTION_MASKED || (key >= row->seen.begin && key < row->seen.end);
        target[key] = counts ? scores[key] : unseen;
    }
}

static void add_mask(const struct attention *at, const struct row *row, float *scores)
{
    if (!at->mask.data) return;
    const float *mask = (const float *)at->mask.data + offset_of(&at->mask, row->b, row->h, row->t);
    for (int64_t key = row->seen.begin; key < row->seen.end; key++)
        scores[key - row->all.begin] += mask[key * at->mask.strides[3]];
}

static void make_scores(const struct rows_job *job, const struct row *row, float *scores)
{
    const struct attention *at = job->attention;
    const struct kernels *kernels = job->kernels;
    int64_t n_keys = row->all.end - row->all.begin;
    kernels->gemm_strided_f32(&(struct gemm_strided_f32_args){
        .a = (const float *)at->q.data + offset_of(&at->q, row->b, row->h, row->t),
        .a_column_stride = 1,
        .b = (const float *)at->k.data + offset_of(&at->k, row->b, row->kv_head, row->all.begin),
        .b_row_stride = 1,
        .b_column_stride = at->k.strides[2],
        .c = scores,
        .m = 1,
        .n = n_keys,
        .k = at->q.dims[3]});
    kernels->scale_f32(n_keys, at->scale, scores, scores);
    write_scores(at, row, ATTENTION_PRODUCT, scores);
    if (at->softcap != 0) {
        kernels->div_f32(n_keys, scores, 1, &at->softcap, 0, scores);
        kernels->tanh_f32(n_keys, scores, scores);
        kernels->scale_f32(n_keys, at->softcap, scores, scores);
    }
    write_scores(at, row, ATTENTION_CAPPED, scores);
    add_mask(at, row, scores);
    write_scores(at, row, ATTENTION_MASKED, scores);
    write_scores(at, row, ATTENTION_SEEN, scores);
}

static void round_to(enum dtype dtype, int64_t n, float *items)
{
    for (int64_t i = 0; i < n; i++) {
        if (dtype == DTYPE_F16) items[i] = number_from_f16(number_to_f16(items[i]));
        if (dtype == DTYPE_BF16) items[i] = number_from_bf16(number_to_bf16(items[i]));
    }
}

static void softmax_as_f64(int64_t n, float *scores)
{
    double most = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++) most = fmax(most, (double)scores[i]);
    for (int64_t i = 0; i < n; i++) sum += exp((double)scores[i] - most);
    for (int64_t i = 0; i < n; i++) scores[i] = (float)(exp((double)scores[i] - most) / sum);
}

/* The sink takes its share as one more key, whose value is nothing. */
static void softmax_with_sink(const struct kernels *kernels, int64_t n, float sink, float *scores)
{
    float most = -fmaxf(kernels->max_f32(n, scores), sink);
    kernels->add_f32(n, scores, 1, &most, 0, scores);
    kernels->exp_f32(n, scores, scores);
    float sum = kernels->sum_f32(n, scores) + expf(sink + most);
    kernels->div_f32(n, scores, 1, &sum, 0, scores);
}

static void softmax(const struct rows_job *job, const struct row *row, float *scores)
{
    const struct attention *at = job->attention;
    int64_t n = row->seen.end - row->seen.begin;
    round_to(at->softmax_type, n, scores);
    if (at->sinks) softmax_with_sink(job->kernels, n, at->sinks[row->h], scores);
    else if (at->softmax_type == DTYPE_F64) softmax_as_f64(n, scores);
    else job->kernels->softmax_f32(n, scores, scores);
    round_to(at->softmax_type, n, scores);
}

static void attend_row(const struct rows_job *job, const struct row *row, float *scratch)
{
    const struct attention *at = job->attention;
    float *out = (float *)at->out.data + offset_of(&at->out, row->b, row->h, row->t);
    float *seen = scratch + (row->seen.begin - row->all.begin);
    int64_t n_seen = row->seen.end - row->seen.begin;
    make_scores(job, row, scratch);
    bool sees_nothing = true;
    for (int64_t i = 0; i < n_seen; i++) sees_nothing = sees_nothing && seen[i] == -INFINITY;
    if (sees_nothing) memset(seen, 0, (size_t)n_seen * sizeof *seen);
    else softmax(job, row, seen);
    write_scores(at, row, ATTENTION_PROBABILITIES, scratch);
    memset(out, 0, (size_t)at->v.dims[3] * sizeof *out);
    if (sees_nothing) return;
    job->kernels->gemm_strided_f32(&(struct gemm_strided_f32_args){
        .a = seen,
        .a_column_stride = 1,
        .b = (const float *)at->v.data + offset_of(&at->v, row->b, row->kv_head, row->seen.begin),
        .b_row_stride = at->v.strides[2],
        .b_column_stride = 1,
        .c = out,
        .m = 1,
        .n = at->v.dims[3],
        .k = n_seen});
}

/* ---- f64: the same steps in plain loops ---- */

static void write_scores_f64(const struct attention *at, const struct row *row, enum attention_stage stage,
                             const double *scores)
{
    if (!at->scores.data || at->scores_stage != stage) return;
    double *target = (double *)at->scores.data + offset_of(&at->scores, row->b, row->h, row->t);
    double unseen = stage == ATTENTION_MASKED ? -(double)INFINITY : 0;
    for (int64_t key = 0; key < row->all.end; key++) {
        bool counts = stage < ATTENTION_MASKED || (key >= row->seen.begin && key < row->seen.end);
        target[key] = counts ? scores[key] : unseen;
    }
}

static void make_scores_f64(const struct attention *at, const struct row *row, double *scores)
{
    const double *q = (const double *)at->q.data + offset_of(&at->q, row->b, row->h, row->t);
    const double *mask =
        at->mask.data ? (const double *)at->mask.data + offset_of(&at->mask, row->b, row->h, row->t) : NULL;
    int64_t n_keys = row->all.end - row->all.begin;
    for (int64_t i = 0; i < n_keys; i++) {
        const double *k = (const double *)at->k.data + offset_of(&at->k, row->b, row->kv_head, row->all.begin + i);
        double sum = 0;
        for (int64_t d = 0; d < at->q.dims[3]; d++) sum += q[d] * k[d];
        scores[i] = sum * (double)at->scale;
    }
    write_scores_f64(at, row, ATTENTION_PRODUCT, scores);
    double cap = (double)at->softcap;
    for (int64_t i = 0; cap != 0 && i < n_keys; i++) scores[i] = cap * tanh(scores[i] / cap);
    write_scores_f64(at, row, ATTENTION_CAPPED, scores);
    for (int64_t key = row->seen.begin; mask && key < row->seen.end; key++)
        scores[key - row->all.begin] += mask[key * at->mask.strides[3]];
    write_scores_f64(at, row, ATTENTION_MASKED, scores);
    write_scores_f64(at, row, ATTENTION_SEEN, scores);
}

/* Probabilities in place; all 0 when nothing is seen. */
static void softmax_f64(const struct attention *at, const struct row *row, int64_t n, double *scores)
{
    double most = -(double)INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++) most = fmax(most, scores[i]);
    bool sees_nothing = true;
    for (int64_t i = 0; i < n; i++) sees_nothing = sees_nothing && scores[i] == -(double)INFINITY;
    if (at->sinks) most = fmax(most, (double)at->sinks[row->h]);
    for (int64_t i = 0; i < n; i++) {
        scores[i] = sees_nothing ? 0 : exp(scores[i] - most);
        sum += scores[i];
    }
    if (at->sinks) sum += exp((double)at->sinks[row->h] - most);
    for (int64_t i = 0; !sees_nothing && i < n; i++) scores[i] /= sum;
}

static void attend_row_f64(const struct attention *at, const struct row *row, double *scratch)
{
    double *out = (double *)at->out.data + offset_of(&at->out, row->b, row->h, row->t);
    double *seen = scratch + (row->seen.begin - row->all.begin);
    int64_t n_seen = row->seen.end - row->seen.begin, width = at->v.dims[3];
    make_scores_f64(at, row, scratch);
    softmax_f64(at, row, n_seen, seen);
    write_scores_f64(at, row, ATTENTION_PROBABILITIES, scratch);
    memset(out, 0, (size_t)width * sizeof *out);
    for (int64_t i = 0; i < n_seen; i++) {
        const double *v = (const double *)at->v.data + offset_of(&at->v, row->b, row->kv_head, row->seen.begin + i);
        for (int64_t d = 0; d < width; d++) out[d] += seen[i] * v[d];
    }
}

/* ---- all rows ---- */

static void attend_rows(void *context, size_t begin, size_t end)
{
    struct rows_job *job = context;
    float *scratch = thread_scratch_take(&job->scratch);
    for (size_t i = begin; i < end; i++) {
        struct row row = find_row(job, (int64_t)i);
        if (job->attention->q.dtype == DTYPE_F64) attend_row_f64(job->attention, &row, (double *)(void *)scratch);
        else attend_row(job, &row, scratch);
    }
    thread_scratch_put(&job->scratch, scratch);
}

hob_status attention_rows_run(struct op_context *ctx, const struct attention *attention)
{
    const struct attention *at = attention;
    struct rows_job job = {.kernels = ctx->kernels, .attention = at, .group = at->q.dims[1] / at->k.dims[1]};
    size_t n_floats;
    if (!size_mul((size_t)at->k.dims[2] + 1, dtype_block_bytes(at->q.dtype) / sizeof(float), &n_floats))
        OP_FAIL(ctx, HOB_LIMIT, "scratch for %lld keys is too large", (long long)at->k.dims[2]);
    TRY(thread_scratch_init(&job.scratch, ctx, n_floats));
    thread_pool_run(ctx->pool, (size_t)(at->q.dims[0] * at->q.dims[1] * at->q.dims[2]), 1, attend_rows, &job);
    return HOB_OK;
}
