/* Computed in double precision and rounded once, so that a table is the same on every machine. */
#include "models/distance_bias.h"

#include "base/error.h"
#include "ops/numbers.h"

#include <inttypes.h>
#include <math.h>

enum { MAX_TABLE_ITEMS = 1 << 26, FARTHEST_BUCKET = 128 };

/* [H, 2R-1], zeros: the caller writes row + distance for distances 1-R … R-1, row being the middle of a head's. */
static hob_status new_table(struct draft *d, struct tensor *ret_table, hob_error *error)
{
    int64_t dims[2] = {d->n_heads, 2 * d->n_context - 1};
    if (dims[1] > MAX_TABLE_ITEMS / dims[0])
        FAIL(error, HOB_LIMIT, "%s: found %" PRId64 " positions and %" PRId64 " heads, too many for scores by distance",
             d->source->where, d->n_context, d->n_heads);
    TRY(tensor_init(ret_table, DTYPE_F32, 2, dims, NULL, error));
    ret_table->data = arena_alloc(&d->builder.graph->arena, tensor_n_bytes(ret_table), 64);
    if (!ret_table->data) FAIL(error, HOB_NO_MEMORY, "%s: scores by distance: out of memory", d->source->where);
    return HOB_OK;
}

static float *middle_of(const struct draft *d, const struct tensor *table, int64_t head)
{
    return (float *)table->data + head * table->dims[1] + d->n_context - 1;
}

/* ---- ALiBi ---- */

static double alibi_slope(int64_t head, int64_t n_heads)
{
    int64_t n_first = 1; /* the largest power of two up to n_heads */
    while (n_first * 2 <= n_heads) n_first *= 2;
    if (head < n_first) return exp2(-8.0 * (double)(head + 1) / (double)n_first);
    return exp2(-4.0 * (double)(2 * (head - n_first) + 1) / (double)n_first);
}

hob_status distance_bias_alibi(struct draft *d, uint32_t *ret_bias, hob_error *error)
{
    struct tensor table;
    TRY(new_table(d, &table, error));
    for (int64_t head = 0; head < d->n_heads; head++) {
        double slope = alibi_slope(head, d->n_heads);
        float *row = middle_of(d, &table, head);
        for (int64_t i = 0; i < d->n_context; i++) row[i] = row[-i] = (float)(-slope * (double)i);
    }
    *ret_bias = builder_constant(&d->builder, "", &table);
    return HOB_OK;
}

/* ---- buckets ---- */

/* distance: position of the key minus that of the query. */
static int64_t find_bucket(int64_t distance, int64_t n_buckets)
{
    int64_t n_side = n_buckets / 2, n_near = n_side / 2, far = distance < 0 ? -distance : distance;
    int64_t first = distance > 0 ? n_side : 0;
    if (far < n_near) return first + far;
    double growth = log((double)far / (double)n_near) / log((double)FARTHEST_BUCKET / (double)n_near);
    int64_t bucket = n_near + (int64_t)(growth * (double)(n_side - n_near));
    return first + (bucket < n_side ? bucket : n_side - 1);
}

static hob_status find_scores(struct draft *d, int64_t n_buckets, const struct tensor **ret_scores, hob_error *error)
{
    char name[SOURCE_NAME_BYTES];
    const struct tensor *scores = model_source_tensor(d->source, TENSOR_RELATIVE_BIAS, PART_WEIGHT, 0, name);
    if (!scores) FAIL(error, HOB_NOT_FOUND, "%s: %s: missing", d->source->file->path, name);
    if (!tensor_has_shape(scores, 2, (const int64_t[]){n_buckets, d->n_heads}) || !numbers_is_float(scores->dtype))
        FAIL(error, HOB_BAD_SHAPE, "%s: %s: found %s of rank %d, expected floating point [%" PRId64 ",%" PRId64 "]",
             d->source->file->path, name, dtype_name(scores->dtype), scores->rank, n_buckets, d->n_heads);
    *ret_scores = scores;
    return HOB_OK;
}

hob_status distance_bias_buckets(struct draft *d, int64_t n_buckets, uint32_t *ret_bias, hob_error *error)
{
    struct tensor table;
    const struct tensor *scores;
    if (n_buckets < 4 || n_buckets % 4 || n_buckets / 4 >= FARTHEST_BUCKET)
        FAIL(error, HOB_UNSUPPORTED, "%s: found %" PRId64 " buckets of distances, expected a multiple of 4 up to %d",
             d->source->where, n_buckets, 4 * FARTHEST_BUCKET - 4);
    TRY(find_scores(d, n_buckets, &scores, error));
    TRY(new_table(d, &table, error));
    for (int64_t distance = 1 - d->n_context; distance < d->n_context; distance++) {
        int64_t bucket = find_bucket(distance, n_buckets);
        for (int64_t head = 0; head < d->n_heads; head++)
            numbers_load_f32(scores, bucket * d->n_heads + head, 1, 1, middle_of(d, &table, head) + distance);
    }
    *ret_bias = builder_constant(&d->builder, "", &table);
    return HOB_OK;
}
