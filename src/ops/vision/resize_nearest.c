/* The axes behind the last one with a map are moved as whole blocks. A row is the output along that axis; a row that shows the same
 * input as the row before is copied from there, which for the usual enlargement is every second one. */
#include "ops/vision/resize_nearest.h"

#include "ops/moving.h"

struct nearest_job {
    const struct tensor *x, *y;
    const int64_t *const *maps;
    const void *fill;
    int axis;                   /* the row's */
    size_t item_bytes;          /* of an element */
    int64_t n_block;            /* elements of a block */
    bool has_fill, is_doubling; /* of the row's map */
};

/* The element that row begins with, before the row's own axis is looked up; MAP_FILL: nothing but fill. */
static int64_t find_source(const struct nearest_job *job, int64_t row)
{
    int64_t offset = 0;
    for (int axis = job->axis - 1; axis >= 0; axis--) {
        int64_t i = row % job->y->dims[axis], from = job->maps[axis] ? job->maps[axis][i] : i;
        if (from == MAP_FILL) return MAP_FILL;
        offset += from * job->x->strides[axis];
        row /= job->y->dims[axis];
    }
    return offset;
}

static void fill_items(const struct nearest_job *job, char *to, int64_t n_items)
{
    for (int64_t i = 0; i < n_items; i++) memcpy(to + (size_t)i * job->item_bytes, job->fill, job->item_bytes);
}

#define COPY_ITEMS(type)                                                             \
    {                                                                                \
        const type *in = (const type *)(const void *)from;                           \
        type *out = (type *)(void *)to;                                              \
        if (job->is_doubling)                                                        \
            for (int64_t i = 0; i < n / 2; i++) out[2 * i] = out[2 * i + 1] = in[i]; \
        else                                                                         \
            for (int64_t i = 0; i < n; i++) out[i] = in[map[i]];                     \
        return;                                                                      \
    }

static void copy_row(const struct nearest_job *job, const char *from, char *to)
{
    const int64_t *map = job->maps[job->axis], n = job->y->dims[job->axis];
    if (job->n_block == 1 && !job->has_fill) {
        if (job->item_bytes == 4) COPY_ITEMS(uint32_t)
        if (job->item_bytes == 1) COPY_ITEMS(uint8_t)
        if (job->item_bytes == 2) COPY_ITEMS(uint16_t)
        if (job->item_bytes == 8) COPY_ITEMS(uint64_t)
    }
    size_t block_bytes = (size_t)job->n_block * job->item_bytes;
    for (int64_t i = 0; i < n; i++, to += block_bytes) {
        if (map[i] == MAP_FILL) fill_items(job, to, job->n_block);
        else memcpy(to, from + (size_t)map[i] * block_bytes, block_bytes);
    }
}

static void copy_rows(void *context, size_t begin, size_t end)
{
    const struct nearest_job *job = context;
    int64_t n_row = job->y->dims[job->axis] * job->n_block, before = -2;
    size_t row_bytes = (size_t)n_row * job->item_bytes;
    for (size_t row = begin; row < end; row++) {
        char *to = (char *)job->y->data + row * row_bytes;
        int64_t source = find_source(job, (int64_t)row);
        if (source == before) memcpy(to, to - row_bytes, row_bytes);
        else if (source == MAP_FILL) fill_items(job, to, n_row);
        else copy_row(job, (const char *)job->x->data + (size_t)source * job->item_bytes, to);
        before = source;
    }
}

void resize_nearest(struct op_context *ctx, const struct tensor *x, const int64_t *const *maps, const void *fill,
                    const struct tensor *y)
{
    struct nearest_job job = {.x = x,
                              .y = y,
                              .maps = maps,
                              .fill = fill,
                              .axis = y->rank - 1,
                              .item_bytes = dtype_block_bytes(x->dtype),
                              .n_block = 1};
    if (!tensor_n_items(y)) return;
    while (job.axis >= 0 && !maps[job.axis]) job.n_block *= y->dims[job.axis--];
    if (job.axis < 0) {
        memcpy(y->data, x->data, tensor_n_bytes(y));
        return;
    }
    const int64_t *map = maps[job.axis], n = y->dims[job.axis];
    job.is_doubling = n % 2 == 0;
    for (int64_t i = 0; i < n; i++) {
        if (map[i] == MAP_FILL) job.has_fill = true;
        if (map[i] != i / 2) job.is_doubling = false;
    }
    int64_t n_rows = tensor_n_items(y) / (n * job.n_block);
    thread_pool_run(ctx->pool, (size_t)n_rows, (size_t)(1 + (1 << 13) / (n * job.n_block)), copy_rows, &job);
}
