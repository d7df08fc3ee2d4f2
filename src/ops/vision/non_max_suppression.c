/* NonMaxSuppression: of each class of each item, the best-scored boxes that do not overlap a better one too much. Scores are taken
 * from a heap, best first, equal ones by index, so that a small limit never sorts thousands of boxes. Classes are worked on in
 * parallel, each into its own list; the lists are laid one behind the other at the end. f32 throughout, like the specification's
 * reference: whether a box falls at the threshold must not depend on extra digits. */
#include "base/size.h"
#include "ops/op.h"

struct nms_params {
    bool are_centers;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct nms_params *params = ARENA_NEW(node->arena, struct nms_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->are_centers = attributes_int(node->attributes, "center_point_box", 0) != 0;
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    return op_unknown(ctx, 0);
}

struct box {
    float y_begin, x_begin, y_end, x_end, area;
};

struct candidate {
    float score;
    int64_t index;
};

struct nms_job {
    const struct tensor *scores; /* [n_batches,n_classes,n_boxes] */
    int64_t n_boxes, n_classes;
    int64_t limit; /* of boxes per class; at most n_boxes */
    float overlap_threshold, score_threshold;
    bool has_score_threshold;
    const struct box *boxes;        /* [n_batches,n_boxes] */
    struct candidate *heaps;        /* [n_batches * n_classes,n_boxes] */
    int64_t *selected, *n_selected; /* [n_batches * n_classes,limit]; [n_batches * n_classes] */
};

/* ---- heap ---- */

static bool is_better(const struct candidate *a, const struct candidate *b)
{
    return a->score > b->score || (a->score == b->score && a->index < b->index);
}

static void sift_down(struct candidate *heap, int64_t n, int64_t i)
{
    struct candidate moving = heap[i];
    for (int64_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && is_better(&heap[child + 1], &heap[child])) child++;
        if (!is_better(&heap[child], &moving)) break;
        heap[i] = heap[child];
    }
    heap[i] = moving;
}

/* NaN is no score. */
static int64_t make_heap(const struct nms_job *job, int64_t list, struct candidate *heap)
{
    const float *scores = (const float *)job->scores->data + list * job->n_boxes;
    int64_t n = 0;
    for (int64_t i = 0; i < job->n_boxes; i++)
        if (job->has_score_threshold ? scores[i] > job->score_threshold : !isnan(scores[i]))
            heap[n++] = (struct candidate){scores[i], i};
    for (int64_t i = n / 2 - 1; i >= 0; i--) sift_down(heap, n, i);
    return n;
}

/* ---- boxes ---- */

static struct box read_box(const float *b, bool is_center)
{
    struct box box;
    if (is_center) {
        box = (struct box){b[1] - b[3] / 2, b[0] - b[2] / 2, b[1] + b[3] / 2, b[0] + b[2] / 2, 0};
    } else { /* any two opposite corners */
        box = (struct box){b[0] < b[2] ? b[0] : b[2], b[1] < b[3] ? b[1] : b[3], b[0] < b[2] ? b[2] : b[0],
                           b[1] < b[3] ? b[3] : b[1], 0};
    }
    box.area = (box.x_end - box.x_begin) * (box.y_end - box.y_begin);
    return box;
}

static bool overlap(const struct box *a, const struct box *b, float threshold)
{
    float x_begin = a->x_begin > b->x_begin ? a->x_begin : b->x_begin,
          x_end = a->x_end < b->x_end ? a->x_end : b->x_end;
    float y_begin = a->y_begin > b->y_begin ? a->y_begin : b->y_begin,
          y_end = a->y_end < b->y_end ? a->y_end : b->y_end;
    if (!(x_end > x_begin) || !(y_end > y_begin)) return false;
    float shared = (x_end - x_begin) * (y_end - y_begin), both = a->area + b->area - shared;
    if (!(shared > 0) || !(a->area > 0) || !(b->area > 0) || !(both > 0)) return false;
    return shared / both > threshold;
}

static void select_boxes(void *context, size_t begin, size_t end)
{
    const struct nms_job *job = context;
    for (int64_t list = (int64_t)begin; list < (int64_t)end; list++) {
        struct candidate *heap = job->heaps + list * job->n_boxes;
        const struct box *boxes = job->boxes + list / job->n_classes * job->n_boxes;
        int64_t *selected = job->selected + list * job->limit, n_selected = 0;
        int64_t n_left = job->limit ? make_heap(job, list, heap) : 0;
        while (n_left && n_selected < job->limit) {
            int64_t best = heap[0].index, i = 0;
            heap[0] = heap[--n_left];
            if (n_left) sift_down(heap, n_left, 0);
            while (i < n_selected && !overlap(&boxes[best], &boxes[selected[i]], job->overlap_threshold)) i++;
            if (i == n_selected) selected[n_selected++] = best;
        }
        job->n_selected[list] = n_selected;
    }
}

/* ---- the operator ---- */

/* A scalar, or a list of one or none; false leaves the caller's default. */
static hob_status read_threshold(struct op_context *ctx, int i, float *ret_threshold, bool *ret_is_given)
{
    const struct tensor *input = op_input(ctx, i);
    *ret_is_given = input && tensor_n_items(input) > 0;
    if (!*ret_is_given) return HOB_OK;
    TRY(op_check_dtype(ctx, i, DTYPE_F32));
    *ret_threshold = *(const float *)input->data;
    return HOB_OK;
}

static hob_status read_inputs(struct op_context *ctx, struct nms_job *job)
{
    const struct tensor *boxes = ctx->inputs[0], *scores = ctx->inputs[1];
    bool is_given;
    TRY(op_check_dtype(ctx, 1, DTYPE_F32));
    if (boxes->rank != 3 || boxes->dims[2] != 4)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found %s, expected [N,boxes,4]", OP_SHAPE(boxes));
    if (scores->rank != 3 || scores->dims[0] != boxes->dims[0] || scores->dims[2] != boxes->dims[1])
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 1: found %s, expected [%lld,classes,%lld]", OP_SHAPE(scores),
                (long long)boxes->dims[0], (long long)boxes->dims[1]);
    *job = (struct nms_job){.scores = scores, .n_boxes = boxes->dims[1], .n_classes = scores->dims[1]};
    if (op_input(ctx, 2)) {
        int64_t limit = 0;
        size_t n_values;
        TRY(op_read_ints(ctx, 2, 1, &limit, &n_values));
        job->limit = limit < 0 ? 0 : limit > job->n_boxes ? job->n_boxes : limit;
    }
    TRY(read_threshold(ctx, 3, &job->overlap_threshold, &is_given));
    return read_threshold(ctx, 4, &job->score_threshold, &job->has_score_threshold);
}

static hob_status make_room(struct op_context *ctx, int64_t n_lists, struct nms_job *job)
{
    const struct nms_params *params = ctx->params;
    const struct tensor *boxes = ctx->inputs[0];
    int64_t n_boxes = boxes->dims[0] * job->n_boxes;
    struct box *read = ARENA_NEW(ctx->scratch, struct box, (size_t)n_boxes);
    job->heaps = ARENA_NEW(ctx->scratch, struct candidate, (size_t)tensor_n_items(job->scores));
    job->selected = ARENA_NEW(ctx->scratch, int64_t, (size_t)(n_lists * job->limit));
    job->n_selected = ARENA_NEW(ctx->scratch, int64_t, (size_t)n_lists);
    if (!read || !job->heaps || !job->selected || !job->n_selected)
        OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for %lld boxes", (long long)n_boxes);
    for (int64_t i = 0; i < n_boxes; i++) read[i] = read_box((const float *)boxes->data + 4 * i, params->are_centers);
    job->boxes = read;
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    struct nms_job job;
    TRY(read_inputs(ctx, &job));
    int64_t n_lists = job.scores->dims[0] * job.n_classes, n_selected = 0;
    TRY(make_room(ctx, n_lists, &job));
    thread_pool_run(ctx->pool, (size_t)n_lists, 1, select_boxes, &job);
    for (int64_t list = 0; list < n_lists; list++) n_selected += job.n_selected[list];
    TRY(op_allocate_output(ctx, 0, DTYPE_I64, 2, (int64_t[]){n_selected, 3}));
    int64_t *to = ctx->outputs[0]->data;
    for (int64_t list = 0; list < n_lists; list++) {
        for (int64_t i = 0; i < job.n_selected[list]; i++, to += 3) {
            to[0] = list / job.n_classes;
            to[1] = list % job.n_classes;
            to[2] = job.selected[list * job.limit + i];
        }
    }
    return HOB_OK;
}

const struct op_def op_non_max_suppression = {
    .name = "NonMaxSuppression",
    .domain = "",
    .since = 10,
    .min_inputs = 2,
    .max_inputs = 5,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPE(F32),
    .flags = OP_ALLOCATES,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
