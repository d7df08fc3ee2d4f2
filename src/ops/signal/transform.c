#include "ops/signal/transform.h"

#include "base/size.h"
#include "ops/numbers.h"
#include "ops/thread_scratch.h"

struct job {
    const struct transforms *transforms;
    struct fourier plan;
    struct thread_scratch scratch;
};

static void run_some(void *context, size_t begin, size_t end)
{
    struct job *job = context;
    const struct transforms *transforms = job->transforms;
    float *piece = thread_scratch_take(&job->scratch);
    struct complex *items = (void *)piece, *work = items + transforms->n_items;
    for (size_t i = begin; i < end; i++) {
        transforms->load(transforms->context, (int64_t)i, items);
        if (transforms->is_inverse) fourier_run_inverse(&job->plan, items, work);
        else fourier_run(&job->plan, items, work);
        transforms->store(transforms->context, (int64_t)i, items);
    }
    thread_scratch_put(&job->scratch, piece);
}

hob_status transforms_run(struct op_context *ctx, const struct transforms *transforms)
{
    enum { FLOATS = sizeof(struct complex) / sizeof(float), WORTHWHILE_ITEMS = 1 << 11 };
    struct job job = {.transforms = transforms};
    size_t n_floats;
    if (!transforms->n_transforms) return HOB_OK;
    TRY(fourier_init(&job.plan, transforms->n_items, ctx->scratch, ctx->error));
    if (!size_mul((size_t)(transforms->n_items + fourier_work_items(&job.plan)), FLOATS, &n_floats))
        OP_FAIL(ctx, HOB_LIMIT, "a Fourier transform: found length %lld, expected less", (long long)transforms->n_items);
    TRY(thread_scratch_init(&job.scratch, ctx, n_floats));
    thread_pool_run(ctx->pool, (size_t)transforms->n_transforms, (size_t)(1 + WORTHWHILE_ITEMS / transforms->n_items),
                    run_some, &job);
    return HOB_OK;
}

void transforms_load(const struct tensor *tensor, int64_t offset, int64_t stride, int64_t n_items, struct complex *ret_items)
{
    int last = tensor->rank - 1;
    double parts[NUMBERS_RUN];
    for (int64_t done = 0; done < n_items; done += NUMBERS_RUN) {
        size_t n = n_items - done < NUMBERS_RUN ? (size_t)(n_items - done) : NUMBERS_RUN;
        int64_t at = offset + done * stride;
        numbers_load_f64(tensor, at, stride, n, parts);
        for (size_t i = 0; i < n; i++) ret_items[done + (int64_t)i] = (struct complex){parts[i], 0};
        if (tensor->dims[last] < 2) continue;
        numbers_load_f64(tensor, at + tensor->strides[last], stride, n, parts);
        for (size_t i = 0; i < n; i++) ret_items[done + (int64_t)i].im = parts[i];
    }
}

void transforms_store(const struct tensor *tensor, int64_t offset, int64_t stride, int64_t n_items,
                      const struct complex *items)
{
    int last = tensor->rank - 1;
    double parts[NUMBERS_RUN];
    for (int64_t done = 0; done < n_items; done += NUMBERS_RUN) {
        size_t n = n_items - done < NUMBERS_RUN ? (size_t)(n_items - done) : NUMBERS_RUN;
        int64_t at = offset + done * stride;
        for (size_t i = 0; i < n; i++) parts[i] = items[done + (int64_t)i].re;
        numbers_store_f64(tensor, at, stride, n, parts);
        if (tensor->dims[last] < 2) continue;
        for (size_t i = 0; i < n; i++) parts[i] = items[done + (int64_t)i].im;
        numbers_store_f64(tensor, at + tensor->strides[last], stride, n, parts);
    }
}

hob_status signal_read_integer(struct op_context *ctx, int i, int64_t fallback, int64_t *ret_integer)
{
    size_t n_values = 1;
    *ret_integer = fallback;
    if (!op_input(ctx, i)) return HOB_OK;
    TRY(op_read_ints(ctx, i, 1, ret_integer, &n_values));
    if (n_values != 1) OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found no value, expected one", i);
    return HOB_OK;
}
