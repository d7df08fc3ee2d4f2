/* com.microsoft's GatherBlockQuantized: slices of a quantised table (uint4, int4, or uint8 that holds integers of 2, 4 or 8 bits,
 * packed along the last axis), given as numbers: (q - zero) * scale, a scale and a zero point for each block along an axis.
 * Without zero points they are 0, for uint8 the middle of the range. Inputs: data, indices, scales, zero points. */
#include "ops/moving.h"
#include "ops/numbers.h"
#include "ops/quant/packed_weight.h"

enum { DATA, INDICES, SCALES, ZEROS };

struct gather_params {
    int64_t gather_axis, quantize_axis, block;
    int bits;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct gather_params *params = ARENA_NEW(node->arena, struct gather_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->gather_axis = attributes_int(node->attributes, "gather_axis", 0);
    params->quantize_axis = attributes_int(node->attributes, "quantize_axis", 1);
    params->block = attributes_int(node->attributes, "block_size", 128);
    int64_t bits = attributes_int(node->attributes, "bits", 4);
    if (params->block < 16 || params->block & (params->block - 1))
        FAIL(node->error, HOB_BAD_GRAPH, "%s: block_size: found %lld, expected a power of 2 from 16 on", node->node_name,
             (long long)params->block);
    if (bits != 2 && bits != 4 && bits != 8)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: bits: found %lld, expected 2, 4 or 8", node->node_name, (long long)bits);
    params->bits = (int)bits;
    *ret_params = params;
    return HOB_OK;
}

/* The table as its elements lie: dims count integers, not bytes. */
struct table {
    int rank, gather_axis, quantize_axis, bits; /* bits 0: a byte each */
    int64_t dims[TENSOR_MAX_RANK];
    int64_t n_blocks; /* along quantize_axis */
};

static bool blocks_fit(const struct table *table, const struct tensor *x, bool is_packed)
{
    if (x->rank != table->rank) return false;
    for (int axis = 0; axis < table->rank; axis++) {
        int64_t expected = axis == table->quantize_axis ? table->n_blocks : table->dims[axis];
        if (is_packed && axis == table->rank - 1) expected = packed_bytes(table->bits, expected);
        if (x->dims[axis] != expected) return false;
    }
    return true;
}

static hob_status describe(struct op_context *ctx, struct table *ret_table)
{
    const struct gather_params *params = ctx->params;
    const struct tensor *data = ctx->inputs[DATA], *scales = ctx->inputs[SCALES], *zeros = op_input(ctx, ZEROS);
    struct table table = {.rank = data->rank};
    if (!shape_normalize_axis(params->gather_axis, data->rank, &table.gather_axis) ||
        !shape_normalize_axis(params->quantize_axis, data->rank, &table.quantize_axis))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "gather_axis and quantize_axis: found %lld and %lld, expected axes of %s",
                (long long)params->gather_axis, (long long)params->quantize_axis, OP_SHAPE(data));
    memcpy(table.dims, data->dims, sizeof table.dims);
    if (data->dtype == DTYPE_U8) {
        table.bits = params->bits;
        if (__builtin_mul_overflow(table.dims[table.rank - 1], 8 / params->bits, &table.dims[table.rank - 1]))
            OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found %s, too large", OP_SHAPE(data));
        if (params->bits < 8 && table.gather_axis == table.rank - 1 && table.rank > 1)
            OP_FAIL(ctx, HOB_BAD_GRAPH, "gather_axis: found the axis that is packed, expected another");
    }
    int64_t along = table.dims[table.quantize_axis];
    table.n_blocks = along / params->block + (along % params->block != 0);
    if (!blocks_fit(&table, scales, false))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "scales: found %s for %s in blocks of %lld along axis %d", OP_SHAPE(scales),
                OP_SHAPE(data), (long long)params->block, table.quantize_axis);
    if (zeros && !blocks_fit(&table, zeros, table.bits != 0))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "zero points: found %s for scales %s", OP_SHAPE(zeros), OP_SHAPE(scales));
    *ret_table = table;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *indices = ctx->inputs[INDICES], *scales = ctx->inputs[SCALES];
    struct table table;
    if (!numbers_is_float(scales->dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "scales: found %s, expected a float type", dtype_name(scales->dtype));
    TRY(op_check_dtype(ctx, ZEROS, ctx->inputs[DATA]->dtype));
    TRY(describe(ctx, &table));
    int64_t dims[2 * TENSOR_MAX_RANK];
    int rank = 0;
    for (int i = 0; i < table.gather_axis; i++) dims[rank++] = table.dims[i];
    for (int i = 0; i < indices->rank; i++) dims[rank++] = indices->dims[i];
    for (int i = table.gather_axis + 1; i < table.rank; i++) dims[rank++] = table.dims[i];
    if (rank > TENSOR_MAX_RANK) OP_FAIL(ctx, HOB_BAD_SHAPE, "found rank %d, expected at most %d", rank, TENSOR_MAX_RANK);
    return op_set_output(ctx, 0, scales->dtype, rank, dims);
}

struct job {
    const struct op_context *ctx;
    struct table table;
    int64_t block, outer_step, inner; /* elements of the axes from gather_axis on, and behind it */
    int64_t n_indices;
    const int64_t *indices;
};

/* The element of scales (or zero points) for element `at` of the table; both are row-major. */
static int64_t block_of(const struct job *job, int64_t at)
{
    const struct table *table = &job->table;
    int64_t index = 0, step = 1;
    for (int axis = table->rank - 1; axis >= 0; axis--) {
        int64_t i = at % table->dims[axis];
        bool is_blocked = axis == table->quantize_axis;
        index += (is_blocked ? i / job->block : i) * step;
        step *= is_blocked ? table->n_blocks : table->dims[axis];
        at /= table->dims[axis];
    }
    return index;
}

/* Zero points are packed along the last axis too, each row from a byte on. */
static float packed_zero(const struct job *job, const struct tensor *zeros, int64_t block)
{
    const struct table *table = &job->table;
    const bool is_last = table->quantize_axis == table->rank - 1;
    const int64_t width = is_last ? table->n_blocks : table->dims[table->rank - 1];
    const uint8_t *row = (const uint8_t *)zeros->data + block / width * packed_bytes(table->bits, width);
    return (float)packed_item(row, table->bits, block % width);
}

static float zero_of(const struct job *job, int64_t block)
{
    const struct tensor *zeros = op_input(job->ctx, ZEROS);
    float zero = job->table.bits ? (float)(1 << (job->table.bits - 1)) : 0;
    if (!zeros) return zero;
    if (job->table.bits) return packed_zero(job, zeros, block);
    numbers_load_f32(zeros, block, 1, 1, &zero);
    return zero;
}

/* n elements from `at` on, next to each other, to output elements from `to` on; they are decoded a block at a time where the
 * blocks lie along the last axis. */
static void decode(const struct job *job, int64_t at, int64_t n, int64_t to)
{
    const struct tensor *data = job->ctx->inputs[DATA];
    int64_t known_block = -1;
    float scale = 0, zero = 0, number;
    for (int64_t i = 0; i < n; i++) {
        const int64_t block = block_of(job, at + i);
        if (block != known_block) {
            numbers_load_f32(job->ctx->inputs[SCALES], block, 1, 1, &scale);
            zero = zero_of(job, block);
            known_block = block;
        }
        if (job->table.bits) number = (float)packed_item(data->data, job->table.bits, at + i);
        else numbers_load_f32(data, at + i, 1, 1, &number);
        number = (number - zero) * scale;
        numbers_store_f32(job->ctx->outputs[0], to + i, 1, 1, &number);
    }
}

static void decode_slices(void *context, size_t begin, size_t end)
{
    const struct job *job = context;
    for (int64_t i = (int64_t)begin; i < (int64_t)end; i++) {
        const int64_t outer = i / job->n_indices, index = job->indices[i % job->n_indices];
        decode(job, outer * job->outer_step + index * job->inner, job->inner, i * job->inner);
    }
}

static hob_status run(struct op_context *ctx)
{
    const struct gather_params *params = ctx->params;
    struct job job = {.ctx = ctx, .block = params->block, .inner = 1, .n_indices = tensor_n_items(ctx->inputs[INDICES])};
    int64_t *given, *indices = ARENA_NEW(ctx->scratch, int64_t, (size_t)job.n_indices);
    if (!indices) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    TRY(describe(ctx, &job.table));
    TRY(moving_load_indices(ctx, INDICES, &given));
    const int64_t dim = job.table.dims[job.table.gather_axis];
    for (int64_t i = 0; i < job.n_indices; i++) TRY(moving_normalize_index(ctx, given[i], dim, &indices[i]));
    int64_t n_outer = 1;
    for (int axis = 0; axis < job.table.gather_axis; axis++) n_outer *= job.table.dims[axis];
    for (int axis = job.table.gather_axis + 1; axis < job.table.rank; axis++) job.inner *= job.table.dims[axis];
    job.outer_step = dim * job.inner;
    job.indices = indices;
    if (job.inner)
        thread_pool_run(ctx->pool, (size_t)(n_outer * job.n_indices), (size_t)(1 + 1024 / job.inner), decode_slices, &job);
    return HOB_OK;
}

const struct op_def op_gather_block_quantized = {
    .name = "GatherBlockQuantized",
    .domain = "com.microsoft",
    .since = 1,
    .min_inputs = 3,
    .max_inputs = 4,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPE(U8) | TYPE(U4) | TYPE(I4),
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
