#include "ops/vision/separable.h"

#include "base/size.h"
#include "ops/thread_scratch.h"

/* About how many items a pass leaves behind: a quarter of a megabyte of floats. */
enum { BAND_ITEMS = 1 << 16 };

struct bands {
    const struct separable *job;
    int64_t band, n_bands;     /* outputs of axis 0 in a band; bands of a unit */
    int64_t unit_in, unit_out; /* items */
    int64_t row_in, row_out;   /* items of a position of axis 0 */
    size_t buffer_floats;      /* of each of the two buffers of a thread */
    struct thread_scratch scratch;
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The inputs of axis 0 that outputs [begin,end) read; at least one position, so that pointers stay inside. */
static void band_reads(const struct separable *job, int64_t begin, int64_t end, int64_t *ret_begin, int64_t *ret_end)
{
    const struct separable_axis *axis = &job->axes[0];
    int64_t first = axis->n_in, last = 0;
    for (int64_t o = begin; o < end; o++) {
        int64_t reads_begin, reads_end;
        axis->reads(axis->table, o, &reads_begin, &reads_end);
        if (reads_begin >= reads_end) continue;
        first = least(first, reads_begin);
        last = most(last, reads_end);
    }
    *ret_begin = first < last ? first : 0;
    *ret_end = first < last ? last : 0;
}

/* The largest number of items that lie between two passes of a band that reads and makes at most n_rows positions of axis 0. */
static bool largest_stage(const struct separable *job, int64_t n_rows, int64_t *ret_items)
{
    int64_t largest = 0;
    for (int done = job->rank; done >= 1; done--) { /* axes from `done` on have their outputs */
        int64_t items = n_rows;
        for (int axis = 1; axis < job->rank; axis++)
            if (!int64_mul(items, axis >= done ? job->axes[axis].n_out : job->axes[axis].n_in, &items)) return false;
        largest = most(largest, items);
    }
    *ret_items = largest;
    return true;
}

static hob_status plan_bands(struct op_context *ctx, const struct separable *job, struct bands *bands)
{
    const struct separable_axis *first = &job->axes[0];
    int64_t row_in = 1, row_out = 1, n_rows = 0, items, stage;
    for (int axis = 1; axis < job->rank; axis++) {
        row_in *= job->axes[axis].n_in;
        row_out *= job->axes[axis].n_out;
    }
    *bands = (struct bands){.job = job,
                            .unit_in = row_in * first->n_in,
                            .unit_out = row_out * first->n_out,
                            .row_in = row_in,
                            .row_out = row_out};
    /* A band of rows in and of rows out should fit. */
    int64_t rows_wanted = most(1, BAND_ITEMS / most(1, most(row_in, row_out)));
    bands->band =
        most(1, (int64_t)((double)rows_wanted * (double)first->n_out / (double)most(first->n_in, first->n_out)));
    bands->band = least(bands->band, first->n_out);
    bands->n_bands = (first->n_out + bands->band - 1) / bands->band;
    for (int64_t begin = 0; begin < first->n_out; begin += bands->band) {
        int64_t reads_begin, reads_end;
        band_reads(job, begin, least(begin + bands->band, first->n_out), &reads_begin, &reads_end);
        n_rows = most(most(n_rows, bands->band), reads_end - reads_begin);
    }
    if (!largest_stage(job, n_rows, &stage) || !int64_mul(stage, (int64_t)job->item_bytes / 4, &items))
        OP_FAIL(ctx, HOB_LIMIT, "found %lld rows to work on at once, expected fewer", (long long)n_rows);
    bands->buffer_floats = size_align((size_t)items, 16);
    return thread_scratch_init(&bands->scratch, ctx, 2 * bands->buffer_floats);
}

/* One axis of a band whose axes behind it are done: n_outer blocks. */
static void run_pass(const struct separable *job, int axis, int64_t n_outer, const struct separable_span *span,
                     int64_t n_in, const char *in, char *out)
{
    const struct separable_axis *one = &job->axes[axis];
    int64_t in_bytes = n_in * span->inner * (int64_t)job->item_bytes;
    int64_t out_bytes = (span->out_end - span->out_begin) * span->inner * (int64_t)job->item_bytes;
    for (int64_t i = 0; i < n_outer; i++) one->pass(one->table, span, in + i * in_bytes, out + i * out_bytes);
}

/* The axis whose pass is done last. That is axis 0, whose passes work on rows, unless it shrinks: done first, it leaves fewer rows
 * for the others. */
static int last_axis(const struct separable *job)
{
    int last = 0;
    for (int axis = job->rank - 1; axis > 0 && job->axes[0].n_out < job->axes[0].n_in; axis--)
        if (job->axes[axis].pass) last = axis;
    return last;
}

/* items: n_rows positions of axis 0 from in_begin. Leaves the results in `results`. */
static void run_axes(const struct bands *bands, int64_t out_begin, int64_t out_end, int64_t in_begin, int64_t n_rows,
                     const void *items, char *const buffers[2], void *results)
{
    const struct separable *job = bands->job;
    struct separable_span rows = {out_begin, out_end, in_begin, bands->row_in};
    int next = items == buffers[0], last = last_axis(job);
    if (last) {
        run_pass(job, 0, 1, &rows, n_rows, items, buffers[next]);
        items = buffers[next];
        next = !next;
        n_rows = out_end - out_begin;
    }
    int64_t n_outer = n_rows, inner = 1;
    for (int axis = 1; axis < job->rank; axis++) n_outer *= job->axes[axis].n_in;
    for (int axis = job->rank - 1; axis > 0; axis--) {
        const struct separable_axis *one = &job->axes[axis];
        n_outer /= one->n_in;
        if (one->pass) {
            const struct separable_span span = {.out_end = one->n_out, .inner = inner};
            char *to = axis == last ? results : buffers[next];
            run_pass(job, axis, n_outer, &span, one->n_in, items, to);
            items = to;
            next = !next;
        }
        inner *= one->n_out;
    }
    rows.inner = inner;
    if (!last) run_pass(job, 0, 1, &rows, n_rows, items, results);
}

static void run_band(const struct bands *bands, int64_t unit, int64_t out_begin, char *const buffers[2])
{
    const struct separable *job = bands->job;
    int64_t item_bytes = (int64_t)job->item_bytes, in_begin, in_end;
    int64_t out_end = least(out_begin + bands->band, job->axes[0].n_out);
    band_reads(job, out_begin, out_end, &in_begin, &in_end);
    int64_t in_offset = unit * bands->unit_in + in_begin * bands->row_in, n_rows = in_end - in_begin;
    int64_t out_offset = unit * bands->unit_out + out_begin * bands->row_out,
            n_out = (out_end - out_begin) * bands->row_out;
    const void *items = (const char *)job->x->data + in_offset * item_bytes;
    if (job->load) {
        job->load(job->context, job->x, in_offset, n_rows * bands->row_in, buffers[0]);
        items = buffers[0];
    }
    bool is_in_place = !job->store || job->is_stored_in_place;
    if (is_in_place) {
        char *place = (char *)job->y->data + out_offset * item_bytes;
        run_axes(bands, out_begin, out_end, in_begin, n_rows, items, buffers, place);
        if (job->store) job->store(job->context, job->y, out_offset, n_out, place);
        return;
    }
    /* The last pass reads one buffer, or x itself: the other is free. */
    int n_passes = job->load ? 1 : 0;
    for (int axis = 1; axis < job->rank; axis++) n_passes += job->axes[axis].pass != NULL;
    char *results = buffers[n_passes & 1];
    run_axes(bands, out_begin, out_end, in_begin, n_rows, items, buffers, results);
    job->store(job->context, job->y, out_offset, n_out, results);
}

static void run_bands(void *context, size_t begin, size_t end)
{
    struct bands *bands = context;
    float *piece = thread_scratch_take(&bands->scratch);
    char *const buffers[2] = {(char *)piece, (char *)(piece + bands->buffer_floats)};
    for (int64_t i = (int64_t)begin; i < (int64_t)end; i++)
        run_band(bands, i / bands->n_bands, i % bands->n_bands * bands->band, buffers);
    thread_scratch_put(&bands->scratch, piece);
}

hob_status separable_run(struct op_context *ctx, const struct separable *job)
{
    struct bands bands;
    if (!tensor_n_items(job->y)) return HOB_OK;
    TRY(plan_bands(ctx, job, &bands));
    size_t least_bands = (size_t)(1 + (1 << 13) / (bands.band * bands.row_out + 1));
    thread_pool_run(ctx->pool, (size_t)(job->n_units * bands.n_bands), least_bands, run_bands, &bands);
    return HOB_OK;
}
