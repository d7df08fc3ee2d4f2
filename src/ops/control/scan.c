/* Scan: a body walks along an axis of its scanned inputs, carrying states; body: (states…, elements…) -> (states…, elements…).
 *
 * Opset 8 does so for each sequence of a batch by itself (axis 0; the scanned axis is 1), with lengths of their own; what lies
 * behind a sequence's end is zeros. Since opset 9 there is no batch, and axes and directions are free. */
#include "ops/control/body.h"
#include "ops/moving.h"

struct scan_params {
    int body, n_states, n_scanned, n_stacked; /* n_scanned: inputs; n_stacked: outputs */
    bool is_batched;
    const int64_t *input_axes, *input_directions, *output_axes, *output_directions; /* NULL: all 0 */
};

static hob_status read_list(const struct op_prepare *node, const char *name, int n_expected, const int64_t **ret_items)
{
    size_t n_items;
    *ret_items = attributes_ints(node->attributes, name, &n_items);
    if (*ret_items && n_items != (size_t)n_expected)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: %s: found %zu items, expected %d", node->node_name, name, n_items, n_expected);
    return HOB_OK;
}

static hob_status read_directions(const struct op_prepare *node, const char *name, int n_expected, const int64_t **ret_items)
{
    TRY(read_list(node, name, n_expected, ret_items));
    for (int i = 0; *ret_items && i < n_expected; i++)
        if ((*ret_items)[i] != 0 && (*ret_items)[i] != 1)
            FAIL(node->error, HOB_BAD_GRAPH, "%s: %s: found %lld, expected 0 or 1", node->node_name, name, (long long)(*ret_items)[i]);
    return HOB_OK;
}

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct scan_params *params = ARENA_NEW(node->arena, struct scan_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->is_batched = node->opset < 9;
    int64_t n_scanned = attributes_int(node->attributes, "num_scan_inputs", 0);
    int n_given = node->n_inputs - (params->is_batched ? 1 : 0);
    TRY(body_require(node, "body", &params->body));
    if (n_scanned < 1 || n_scanned > n_given || node->n_outputs < n_given - (int)n_scanned)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: num_scan_inputs: found %lld, expected 1 to %d, and an output for each state",
             node->node_name, (long long)n_scanned, n_given);
    params->n_scanned = (int)n_scanned;
    params->n_states = n_given - params->n_scanned;
    params->n_stacked = node->n_outputs - params->n_states;
    *ret_params = params;
    if (params->is_batched) return read_directions(node, "directions", params->n_scanned, &params->input_directions);
    TRY(read_list(node, "scan_input_axes", params->n_scanned, &params->input_axes));
    TRY(read_list(node, "scan_output_axes", params->n_stacked, &params->output_axes));
    TRY(read_directions(node, "scan_input_directions", params->n_scanned, &params->input_directions));
    return read_directions(node, "scan_output_directions", params->n_stacked, &params->output_directions);
}

struct scan {
    const struct scan_params *params;
    const struct tensor *const *given; /* the node's states and scanned inputs */
    const struct tensor **inputs;      /* of the body: point at values */
    struct tensor *values, *results;   /* states and elements that go into the body; what comes out */
    int *axes;                         /* of the scanned inputs */
    int64_t n_sequences, n_steps;
    bool *is_allocated;                /* an output each */
};

/* Position `at` of an axis, which is gone. */
static struct tensor take(const struct tensor *x, int axis, int64_t at)
{
    struct tensor part = tensor_slice(x, axis, at, 1, 1);
    part.rank--;
    for (int i = axis; i < part.rank; i++) {
        part.dims[i] = part.dims[i + 1];
        part.strides[i] = part.strides[i + 1];
    }
    return part;
}

static hob_status check_scanned(struct op_context *ctx, struct scan *scan, int i)
{
    const struct scan_params *params = scan->params;
    const struct tensor *x = scan->given[params->n_states + i];
    int64_t wanted = params->is_batched ? 1 : params->input_axes ? params->input_axes[i] : 0;
    if (!shape_normalize_axis(wanted, x->rank, &scan->axes[i]))
        OP_FAIL(ctx, HOB_BAD_ARGUMENT, "scanned input %d: found axis %lld, expected one of %s", i, (long long)wanted, OP_SHAPE(x));
    int64_t n_steps = x->dims[scan->axes[i]], n_sequences = params->is_batched ? x->dims[0] : 1;
    if (!i) {
        scan->n_steps = n_steps;
        scan->n_sequences = n_sequences;
    }
    if (n_steps != scan->n_steps || n_sequences != scan->n_sequences)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "scanned input %d: found %s, expected %lld steps as the first has", i, OP_SHAPE(x),
                (long long)scan->n_steps);
    return HOB_OK;
}

static hob_status start(struct op_context *ctx, struct scan *scan)
{
    const struct scan_params *params = scan->params = ctx->params;
    size_t n = (size_t)params->n_states + (size_t)params->n_scanned;
    scan->given = ctx->inputs + (params->is_batched ? 1 : 0);
    scan->inputs = ARENA_NEW(ctx->scratch, const struct tensor *, n);
    scan->values = ARENA_NEW(ctx->scratch, struct tensor, n);
    scan->results = ARENA_NEW(ctx->scratch, struct tensor, (size_t)ctx->n_outputs);
    scan->axes = ARENA_NEW(ctx->scratch, int, (size_t)params->n_scanned);
    scan->is_allocated = ARENA_NEW(ctx->scratch, bool, (size_t)ctx->n_outputs);
    if (!scan->inputs || !scan->values || !scan->results || !scan->axes || !scan->is_allocated)
        OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < n; i++) {
        if (!scan->given[i]) OP_FAIL(ctx, HOB_BAD_GRAPH, "state or scanned input %zu is missing", i);
        scan->inputs[i] = &scan->values[i];
    }
    for (int i = 0; i < params->n_scanned; i++) TRY(check_scanned(ctx, scan, i));
    for (int i = 0; params->is_batched && i < params->n_states; i++)
        if (!scan->given[i]->rank || scan->given[i]->dims[0] != scan->n_sequences)
            OP_FAIL(ctx, HOB_BAD_SHAPE, "state %d: found %s, expected %lld sequences", i, OP_SHAPE(scan->given[i]),
                    (long long)scan->n_sequences);
    return HOB_OK;
}

/* The axis of a stacked output that counts steps, when an element has this many; behind the batch's. */
static hob_status step_axis(struct op_context *ctx, const struct scan *scan, int i, int element_rank, int *ret_axis)
{
    const struct scan_params *params = scan->params;
    int64_t wanted = params->output_axes ? params->output_axes[i] : 0;
    if (!shape_normalize_axis(wanted, element_rank + 1, ret_axis))
        OP_FAIL(ctx, HOB_BAD_ARGUMENT, "scan_output_axes: found %lld, expected one of the output's %d axes", (long long)wanted,
                element_rank + 1);
    if (params->is_batched) ++*ret_axis;
    return HOB_OK;
}

/* Of an element of every step and sequence. */
static hob_status stacked_dims(struct op_context *ctx, const struct scan *scan, int i, const struct tensor *element, int *ret_rank,
                               int64_t dims[TENSOR_MAX_RANK])
{
    int axis, output = scan->params->n_states + i, n_lead = scan->params->is_batched ? 1 : 0, rank = element->rank + 1 + n_lead, from = 0;
    if (element->dtype == DTYPE_SEQUENCE || element->dtype == DTYPE_NONE || rank > TENSOR_MAX_RANK)
        OP_FAIL(ctx, HOB_BAD_TYPE, "output %d: found %s %s in the body, expected a tensor of at most %d axes", output,
                dtype_name(element->dtype), OP_SHAPE(element), TENSOR_MAX_RANK - 1 - n_lead);
    TRY(step_axis(ctx, scan, i, element->rank, &axis));
    for (int d = 0; d < rank; d++) dims[d] = d < n_lead ? scan->n_sequences : d == axis ? scan->n_steps : element->dims[from++];
    *ret_rank = rank;
    return HOB_OK;
}

/* While planning: what the body makes of the first elements, if that is known and leaves the states' shapes as they were. */
static hob_status infer(struct op_context *ctx)
{
    struct scan scan = {0};
    if (!ctx->infer_subgraph) return body_infer_nothing(ctx);
    TRY(start(ctx, &scan));
    const struct scan_params *params = scan.params;
    for (int i = 0; i < params->n_states + params->n_scanned; i++) {
        bool is_state = i < params->n_states;
        struct tensor part = *scan.given[i];
        part.data = NULL; /* of one step, not of all: nothing may follow from it */
        if (!is_state) part = take(&part, scan.axes[i - params->n_states], 0);
        scan.values[i] = params->is_batched ? take(&part, 0, 0) : part;
    }
    TRY(ctx->infer_subgraph(ctx, params->body, params->n_states + params->n_scanned, scan.inputs, ctx->n_outputs, scan.results));
    for (int i = 0; i < ctx->n_outputs; i++) {
        const struct tensor *result = &scan.results[i];
        int rank;
        int64_t dims[TENSOR_MAX_RANK];
        bool is_state = i < params->n_states;
        if (result->dtype == DTYPE_NONE || (is_state && !tensor_same_shape(result, &scan.values[i]))) return body_infer_nothing(ctx);
        if (is_state) TRY(op_set_output(ctx, i, result->dtype, scan.given[i]->rank, scan.given[i]->dims));
        else TRY(stacked_dims(ctx, &scan, i - params->n_states, result, &rank, dims));
        if (!is_state) TRY(op_set_output(ctx, i, result->dtype, rank, dims));
    }
    return HOB_OK;
}

/* In a batch, zeros where nothing will come. */
static hob_status allocate_stacked(struct op_context *ctx, const struct scan *scan, int i, const struct tensor *element)
{
    int rank, output = scan->params->n_states + i;
    int64_t dims[TENSOR_MAX_RANK];
    TRY(stacked_dims(ctx, scan, i, element, &rank, dims));
    TRY(op_allocate_output(ctx, output, element->dtype, rank, dims));
    if (scan->params->is_batched) memset(ctx->outputs[output]->data, 0, tensor_n_bytes(ctx->outputs[output]));
    scan->is_allocated[output] = true;
    return HOB_OK;
}

static hob_status store_element(struct op_context *ctx, const struct scan *scan, int i, int64_t sequence, int64_t step,
                                const struct tensor *element)
{
    const struct scan_params *params = scan->params;
    int axis, output = params->n_states + i;
    if (!ctx->outputs[output]) return HOB_OK;
    if (!scan->is_allocated[output]) TRY(allocate_stacked(ctx, scan, i, element));
    TRY(step_axis(ctx, scan, i, element->rank, &axis));
    bool is_reverse = params->output_directions && params->output_directions[i];
    struct tensor all = *ctx->outputs[output], place;
    if (axis >= all.rank) axis = all.rank - 1; /* a later element of another rank: refused below */
    place = take(&all, axis, is_reverse ? scan->n_steps - 1 - step : step);
    if (params->is_batched) place = take(&place, 0, sequence);
    if (element->dtype != place.dtype || !tensor_same_shape(element, &place))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "output %d: found %s %s in step %lld, expected %s %s as in the first", output,
                dtype_name(element->dtype), OP_SHAPE(element), (long long)step, dtype_name(place.dtype), OP_SHAPE(&place));
    moving_copy_strided(element, &place);
    return HOB_OK;
}

static void set_elements(const struct scan *scan, int64_t sequence, int64_t n_steps, int64_t step)
{
    const struct scan_params *params = scan->params;
    for (int i = 0; i < params->n_scanned; i++) {
        bool is_reverse = params->input_directions && params->input_directions[i];
        struct tensor *element = &scan->values[params->n_states + i];
        *element = take(scan->given[params->n_states + i], scan->axes[i], is_reverse ? n_steps - 1 - step : step);
        if (params->is_batched) *element = take(element, 0, sequence);
    }
}

/* A batch's final states are stacked; a single sequence's are given as they are. */
static hob_status give_state(struct op_context *ctx, const struct scan *scan, int i, int64_t sequence, bool is_new)
{
    const struct tensor *state = &scan->values[i];
    if (!scan->params->is_batched && is_new) body_set_output(ctx, i, state);
    else if (!scan->params->is_batched) return body_copy_output(ctx, i, state);
    if (!scan->params->is_batched || !ctx->outputs[i]) return HOB_OK;
    if (!scan->is_allocated[i]) {
        int64_t dims[TENSOR_MAX_RANK + 1] = {scan->n_sequences};
        for (int d = 0; d < state->rank; d++) dims[d + 1] = state->dims[d];
        TRY(op_allocate_output(ctx, i, state->dtype, state->rank + 1, dims));
        scan->is_allocated[i] = true;
    }
    struct tensor place = take(ctx->outputs[i], 0, sequence);
    if (state->dtype != place.dtype || !tensor_same_shape(state, &place))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "state %d: found %s, expected %s as in the first sequence", i, OP_SHAPE(state), OP_SHAPE(&place));
    moving_copy_strided(state, &place);
    return HOB_OK;
}

static hob_status run_sequence(struct op_context *ctx, const struct scan *scan, int64_t sequence, int64_t n_steps)
{
    const struct scan_params *params = scan->params;
    for (int i = 0; i < params->n_states; i++)
        scan->values[i] = params->is_batched ? take(scan->given[i], 0, sequence) : *scan->given[i];
    for (int64_t step = 0; step < n_steps; step++) {
        set_elements(scan, sequence, n_steps, step);
        TRY(ctx->run_iteration(ctx, params->body, params->n_states + params->n_scanned, scan->inputs, ctx->n_outputs,
                               ctx->n_outputs, scan->results));
        for (int i = 0; i < params->n_states; i++) scan->values[i] = scan->results[i];
        for (int i = 0; i < params->n_stacked; i++)
            TRY(store_element(ctx, scan, i, sequence, step, &scan->results[params->n_states + i]));
    }
    for (int i = 0; i < params->n_states; i++) TRY(give_state(ctx, scan, i, sequence, n_steps > 0));
    return HOB_OK;
}

static hob_status read_steps(struct op_context *ctx, const struct scan *scan, int64_t sequence, int64_t *ret_n_steps)
{
    const struct tensor *lengths = scan->params->is_batched ? op_input(ctx, 0) : NULL;
    *ret_n_steps = scan->n_steps;
    if (!lengths) return HOB_OK;
    TRY(op_check_dtype(ctx, 0, DTYPE_I64));
    if (!tensor_has_shape(lengths, 1, &scan->n_sequences))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "sequence_lens: found %s, expected [%lld]", OP_SHAPE(lengths), (long long)scan->n_sequences);
    *ret_n_steps = tensor_get_int(lengths, sequence);
    if (*ret_n_steps < 0 || *ret_n_steps > scan->n_steps)
        OP_FAIL(ctx, HOB_BAD_ARGUMENT, "sequence_lens: found %lld, expected 0 to %lld steps", (long long)*ret_n_steps,
                (long long)scan->n_steps);
    return HOB_OK;
}

/* No step came: the shapes of what the body would have given. */
static hob_status give_empty(struct op_context *ctx, const struct scan *scan)
{
    const struct scan_params *params = scan->params;
    for (int i = 0; i < params->n_scanned; i++) {
        const struct tensor *x = scan->given[params->n_states + i];
        struct tensor element = *x;
        element.rank = 0;
        for (int d = 0; d < x->rank; d++)
            if (d != scan->axes[i] && !(params->is_batched && d == 0)) element.dims[element.rank++] = x->dims[d];
        tensor_set_contiguous(&element);
        scan->values[params->n_states + i] = element;
    }
    for (int i = params->n_states; i < ctx->n_outputs; i++) {
        struct tensor element;
        if (!ctx->outputs[i] || scan->is_allocated[i]) continue;
        TRY(ctx->subgraph_shape(ctx, params->body, params->n_states + params->n_scanned, scan->inputs, i, &element));
        TRY(allocate_stacked(ctx, scan, i - params->n_states, &element));
    }
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    struct scan scan = {0};
    TRY(start(ctx, &scan));
    for (int64_t sequence = 0; sequence < scan.n_sequences; sequence++) {
        int64_t n_steps;
        TRY(read_steps(ctx, &scan, sequence, &n_steps));
        TRY(run_sequence(ctx, &scan, sequence, n_steps));
    }
    for (int i = 0; !scan.n_sequences && i < scan.params->n_states; i++) { /* an empty batch */
        TRY(body_copy_output(ctx, i, scan.given[i]));
        scan.values[i] = take(scan.given[i], 0, 0); /* for its shape: the body knows no batch */
    }
    return give_empty(ctx, &scan);
}

const struct op_def op_scan_8 = {
    .name = "Scan",
    .domain = "",
    .since = 8,
    .until = 8,
    .min_inputs = 0, /* the first is optional */
    .max_inputs = -1,
    .min_outputs = 1,
    .max_outputs = -1,
    .types = TYPE(I64),
    .flags = OP_ALLOCATES | OP_STRIDED_INPUTS | OP_NOT_FOLDABLE,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};

const struct op_def op_scan = {
    .name = "Scan",
    .domain = "",
    .since = 9,
    .min_inputs = 1,
    .max_inputs = -1,
    .min_outputs = 1,
    .max_outputs = -1,
    .flags = OP_ALLOCATES | OP_STRIDED_INPUTS | OP_NOT_FOLDABLE,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
