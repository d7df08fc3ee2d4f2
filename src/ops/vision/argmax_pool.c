/* A plane at a time, as f64, which holds every type MaxPool takes. */
#include "ops/vision/argmax_pool.h"

#include "base/size.h"
#include "ops/numbers.h"
#include "ops/thread_scratch.h"

struct argmax_job {
    const struct window *window;
    const struct tensor *x, *y, *indices; /* y may be NULL */
    int64_t plane_in, plane_out;
    int64_t row_steps[WINDOW_MAX_RANK];   /* of a position, in the plane as it lies */
    int64_t index_steps[WINDOW_MAX_RANK]; /* and in what indices tell */
    double least;
    struct thread_scratch scratch;
};

/* The kernel items of one window that fall on an input. */
struct box {
    int64_t begin[WINDOW_MAX_RANK], end[WINDOW_MAX_RANK]; /* kernel items */
    int64_t start[WINDOW_MAX_RANK];                       /* position of kernel item 0 */
};

static bool find_box(const struct window *window, int64_t output, struct box *ret_box)
{
    bool has_items = true;
    for (int axis = window->rank - 1; axis >= 0; axis--) {
        int64_t start = output % window->outputs[axis] * window->strides[axis] - window->pads_begin[axis];
        int64_t dilation = window->dilations[axis], end = window->inputs[axis] - start;
        ret_box->start[axis] = start;
        ret_box->begin[axis] = start < 0 ? (-start + dilation - 1) / dilation : 0;
        ret_box->end[axis] = end > 0 ? (end + dilation - 1) / dilation : 0;
        if (ret_box->end[axis] > window->kernel[axis]) ret_box->end[axis] = window->kernel[axis];
        has_items = has_items && ret_box->begin[axis] < ret_box->end[axis];
        output /= window->outputs[axis];
    }
    return has_items;
}

static void find_largest(const struct argmax_job *job, const double *plane, int64_t output, double *ret_largest,
                         int64_t *ret_index)
{
    const struct window *window = job->window;
    struct box box;
    *ret_largest = job->least;
    *ret_index = -1;
    if (!find_box(window, output, &box)) return;
    int64_t k[WINDOW_MAX_RANK], last = window->rank - 1;
    for (int axis = 0; axis < window->rank; axis++) k[axis] = box.begin[axis];
    for (;;) {
        int64_t offset = 0, index = 0;
        for (int axis = 0; axis < window->rank; axis++) {
            int64_t position = box.start[axis] + k[axis] * window->dilations[axis];
            offset += position * job->row_steps[axis];
            index += position * job->index_steps[axis];
        }
        if (*ret_index < 0 || plane[offset] > *ret_largest) {
            *ret_index = index;
            if (plane[offset] > *ret_largest) *ret_largest = plane[offset];
        }
        int64_t axis = last;
        while (axis >= 0 && ++k[axis] == box.end[axis]) {
            k[axis] = box.begin[axis];
            axis--;
        }
        if (axis < 0) return;
    }
}

static void store_largest(const struct tensor *y, int64_t offset, double largest)
{
    int64_t whole = 0;
    if (numbers_is_float(y->dtype)) {
        numbers_store_f64(y, offset, 1, 1, &largest);
    } else {
        whole = (int64_t)largest;
        numbers_store_i64(y, offset, 1, 1, &whole);
    }
}

static void pool_planes(void *context, size_t begin, size_t end)
{
    struct argmax_job *job = context;
    float *piece = thread_scratch_take(&job->scratch);
    double *plane = (double *)(void *)piece;
    for (int64_t unit = (int64_t)begin; unit < (int64_t)end; unit++) {
        numbers_load_f64(job->x, unit * job->plane_in, 1, (size_t)job->plane_in, plane);
        for (int64_t o = 0; o < job->plane_out; o++) {
            double largest;
            int64_t index;
            find_largest(job, plane, o, &largest, &index);
            ((int64_t *)job->indices->data)[unit * job->plane_out + o] = index < 0 ? -1 : unit * job->plane_in + index;
            if (job->y) store_largest(job->y, unit * job->plane_out + o, largest);
        }
    }
    thread_scratch_put(&job->scratch, piece);
}

static double least_number(enum dtype dtype)
{
    return dtype == DTYPE_U8 ? 0 : dtype == DTYPE_I8 ? -128 : (double)-INFINITY;
}

hob_status argmax_pool_run(struct op_context *ctx, const struct window *window, bool is_column_major)
{
    const struct tensor *x = ctx->inputs[0];
    struct argmax_job job = {.window = window,
                             .x = x,
                             .y = op_output(ctx, 0),
                             .indices = op_output(ctx, 1),
                             .plane_in = 1,
                             .plane_out = 1,
                             .least = least_number(x->dtype)};
    for (int axis = window->rank - 1; axis >= 0; axis--) {
        job.row_steps[axis] = job.index_steps[axis] = job.plane_in;
        job.plane_in *= window->inputs[axis];
        job.plane_out *= window->outputs[axis];
    }
    for (int64_t axis = 0, step = 1; is_column_major && axis < window->rank; step *= window->inputs[axis++])
        job.index_steps[axis] = step;
    if (!tensor_n_items(job.indices)) return HOB_OK;
    TRY(thread_scratch_init(&job.scratch, ctx, 2 * (size_t)job.plane_in));
    thread_pool_run(ctx->pool, (size_t)(x->dims[0] * x->dims[1]), 1, pool_planes, &job);
    return HOB_OK;
}
