/* com.microsoft.GroupQueryAttention, which carries its cache as a past it copies to a present, becomes what other decoders are made of, so
 * that attach_kv_cache finds the pairs and keeps them in the session, appended in place:
 *
 *     offset = Shape(past_k)[2];   k = RotaryEmbedding(heads of k, offset);   q likewise
 *     present_k = Concat(past_k, k);   present_v = Concat(past_v, heads of v)
 *     y = hob.Attention(q, present_k, present_v)
 *
 * For generation only: there a past holds just the positions that were seen, which is what seqlens_k and total_sequence_length say. Nodes with
 * more than that (norms of heads, sinks, a bias, given positions, scores shown, quantised caches) stay as they are, and so do those whose
 * pairs could not be attached. */
#include "base/error.h"
#include "graph/builder.h"
#include "graph/pass.h"
#include "graph/pattern.h"

#include <math.h>
#include <string.h>

enum { Q, K, V, PAST_K, PAST_V, COS = 7, SIN = 8, FIRST_EXTRA };
enum { OUT_Y, OUT_K, OUT_V, N_OUTPUTS };
enum { HEADS_AXIS = 1, POSITIONS_AXIS = 2, WIDTH_AXIS = 3, CACHE_RANK = 4 };

struct group_query {
    uint32_t inputs[FIRST_EXTRA]; /* VALUE_NONE: not given */
    uint32_t outputs[N_OUTPUTS];
    int64_t n_heads, n_kv_heads, width, n_turned, window; /* n_turned 0: no rotary embedding */
    float scale, softcap;
    bool is_interleaved;
};

static uint32_t value_at(const uint32_t *values, uint32_t n_values, uint32_t i)
{
    return i < n_values ? values[i] : VALUE_NONE;
}

/* ---- whether ---- */

/* As attach_kv_cache wants it: an input whose positions grow, of one text. */
static bool is_past(const struct graph *graph, uint32_t value, int64_t n_heads)
{
    if (value == VALUE_NONE) return false;
    const struct value *past = &graph->values[value];
    return past->is_input && past->is_declared && past->dtype == DTYPE_F32 && past->rank == CACHE_RANK &&
           (past->dims[0] == 1 || past->dims[0] == DIM_UNKNOWN) && past->dims[HEADS_AXIS] == n_heads &&
           past->dims[POSITIONS_AXIS] == DIM_UNKNOWN && past->dims[WIDTH_AXIS] > 0;
}

static bool has_cache(const struct graph *graph, const struct group_query *gqa)
{
    return is_past(graph, gqa->inputs[PAST_K], gqa->n_kv_heads) && is_past(graph, gqa->inputs[PAST_V], gqa->n_kv_heads) &&
           gqa->inputs[PAST_K] != gqa->inputs[PAST_V] && graph->values[gqa->outputs[OUT_K]].is_output &&
           graph->values[gqa->outputs[OUT_V]].is_output;
}

static bool read_rotary(const struct graph *graph, const struct attributes *attributes, struct group_query *gqa)
{
    gqa->n_turned = 0;
    if (!attributes_int(attributes, "do_rotary", 0)) return true;
    if (gqa->inputs[COS] == VALUE_NONE || gqa->inputs[SIN] == VALUE_NONE) return false;
    const struct tensor *cos = pattern_constant(graph, gqa->inputs[COS]), *sin = pattern_constant(graph, gqa->inputs[SIN]);
    if (!cos || !sin || cos->rank != 2 || !tensor_same_shape(cos, sin)) return false;
    gqa->n_turned = cos->dims[1] > gqa->width / 2 ? 0 : 2 * cos->dims[1];
    return gqa->n_turned > 0;
}

static bool is_plain(const struct attributes *attributes)
{
    return attributes_int(attributes, "causal", 1) && !attributes_int(attributes, "qk_output", 0) &&
           attributes_int(attributes, "smooth_softmax", 0) != 1 && !strcmp(attributes_string(attributes, "k_quant_type", "NONE"), "NONE") &&
           !strcmp(attributes_string(attributes, "v_quant_type", "NONE"), "NONE");
}

static bool match(const struct graph *graph, const struct node *node, struct group_query *ret_gqa)
{
    const struct attributes *attributes = &node->attributes;
    struct group_query gqa;
    if (!node_is(node, "com.microsoft", "GroupQueryAttention") || node->n_outputs < N_OUTPUTS || !is_plain(attributes)) return false;
    for (uint32_t i = FIRST_EXTRA; i < node->n_inputs; i++)
        if (node->inputs[i] != VALUE_NONE) return false;
    for (uint32_t i = N_OUTPUTS; i < node->n_outputs; i++)
        if (node->outputs[i] != VALUE_NONE) return false;
    for (uint32_t i = 0; i < FIRST_EXTRA; i++) gqa.inputs[i] = value_at(node->inputs, node->n_inputs, i);
    for (uint32_t i = 0; i < N_OUTPUTS; i++)
        if ((gqa.outputs[i] = node->outputs[i]) == VALUE_NONE) return false;
    gqa.n_heads = attributes_int(attributes, "num_heads", 0), gqa.n_kv_heads = attributes_int(attributes, "kv_num_heads", 0);
    gqa.window = attributes_int(attributes, "local_window_size", -1);
    gqa.scale = attributes_float(attributes, "scale", 0), gqa.softcap = attributes_float(attributes, "softcap", 0);
    gqa.is_interleaved = attributes_int(attributes, "rotary_interleaved", 0) != 0;
    bool is_size = gqa.n_kv_heads > 0 && gqa.n_heads >= gqa.n_kv_heads && gqa.n_heads <= INT32_MAX && gqa.window <= INT32_MAX;
    if (!is_size || !isfinite(gqa.scale) || !isfinite(gqa.softcap)) return false;
    if ((gqa.inputs[K] == VALUE_NONE) != (gqa.inputs[V] == VALUE_NONE) || !has_cache(graph, &gqa)) return false;
    gqa.width = graph->values[gqa.inputs[PAST_K]].dims[WIDTH_AXIS];
    if (gqa.width > INT32_MAX || (gqa.inputs[K] == VALUE_NONE && graph->values[gqa.inputs[PAST_V]].dims[WIDTH_AXIS] != gqa.width)) return false;
    if (!read_rotary(graph, attributes, &gqa)) return false;
    *ret_gqa = gqa;
    return true;
}

/* ---- the nodes ---- */

/* Columns of one input: those of the query heads, then of the keys', then of the values'. */
static void split_columns(struct builder *b, struct group_query *gqa)
{
    if (gqa->inputs[K] != VALUE_NONE) return;
    const int64_t sizes[] = {gqa->n_heads * gqa->width, gqa->n_kv_heads * gqa->width, gqa->n_kv_heads * gqa->width};
    struct attribute axis = attribute_int("axis", -1);
    uint32_t outputs[3];
    builder_op_n(b, "Split", (uint32_t[]){gqa->inputs[Q], builder_ints(b, sizes, 3)}, 2, &axis, 1, 3, outputs);
    for (int i = 0; i < 3; i++) gqa->inputs[Q + i] = outputs[i];
}

/* [B,T,H*K] as [B,H,T,K]. */
static uint32_t show_heads(struct builder *b, uint32_t x, int64_t n_heads)
{
    struct attribute order = attribute_ints("perm", (int64_t[]){0, 2, 1, 3}, 4);
    uint32_t shape = builder_ints(b, (int64_t[]){0, 0, n_heads, -1}, 4);
    uint32_t heads = builder_op(b, "Reshape", (uint32_t[]){x, shape}, 2, NULL, 0);
    return builder_op(b, "Transpose", &heads, 1, &order, 1);
}

static uint32_t turn(struct builder *b, const struct group_query *gqa, uint32_t heads, uint32_t offset)
{
    if (!gqa->n_turned) return heads;
    const struct attribute attributes[] = {attribute_int("interleaved", gqa->is_interleaved),
                                           attribute_int("rotary_embedding_dim", gqa->n_turned)};
    return builder_op(b, "com.microsoft.RotaryEmbedding", (uint32_t[]){heads, offset, gqa->inputs[COS], gqa->inputs[SIN]}, 4, attributes, 2);
}

static void append(struct builder *b, uint32_t past, uint32_t heads, uint32_t present)
{
    struct attribute axis = attribute_int("axis", POSITIONS_AXIS);
    builder_op_into(b, "", "Concat", (uint32_t[]){past, heads}, 2, &axis, 1, &present, 1);
}

static uint32_t attend(struct builder *b, const struct group_query *gqa, uint32_t q)
{
    const struct attribute attributes[] = {attribute_int("is_causal", 1), attribute_float("scale", gqa->scale),
                                           attribute_float("softcap", gqa->softcap > 0 ? gqa->softcap : 0),
                                           attribute_int("left_window", gqa->window > 0 ? gqa->window : 0)};
    return builder_op(b, "hob.Attention", (uint32_t[]){q, gqa->outputs[OUT_K], gqa->outputs[OUT_V]}, 3, attributes, 4);
}

static hob_status rewrite(struct graph *graph, uint32_t index, struct group_query *gqa, struct pass_context *context)
{
    struct builder b;
    struct attribute start = attribute_int("start", POSITIONS_AXIS), end = attribute_int("end", POSITIONS_AXIS + 1);
    struct attribute order = attribute_ints("perm", (int64_t[]){0, 2, 1, 3}, 4);
    graph_remove_node(graph, index);
    builder_init(&b, graph);
    split_columns(&b, gqa);
    uint32_t offset = builder_op(&b, "Shape", &gqa->inputs[PAST_K], 1, (struct attribute[]){start, end}, 2);
    uint32_t q = turn(&b, gqa, show_heads(&b, gqa->inputs[Q], gqa->n_heads), offset);
    append(&b, gqa->inputs[PAST_K], turn(&b, gqa, show_heads(&b, gqa->inputs[K], gqa->n_kv_heads), offset), gqa->outputs[OUT_K]);
    append(&b, gqa->inputs[PAST_V], show_heads(&b, gqa->inputs[V], gqa->n_kv_heads), gqa->outputs[OUT_V]);
    uint32_t y = attend(&b, gqa, q);
    y = builder_op(&b, "Transpose", &y, 1, &order, 1);
    uint32_t flat = builder_ints(&b, (int64_t[]){0, 0, -1}, 3);
    builder_op_into(&b, "", "Reshape", (uint32_t[]){y, flat}, 2, NULL, 0, &gqa->outputs[OUT_Y], 1);
    context->n_changes++;
    return builder_finish(&b, context->error);
}

static hob_status apply(struct graph *graph, struct pass_context *context)
{
    if (!context->options->is_for_generation) return HOB_OK;
    const uint32_t n_nodes = graph->n_nodes; /* new ones stand behind */
    for (uint32_t i = 0; i < n_nodes; i++) {
        struct group_query gqa;
        if (match(graph, &graph->nodes[i], &gqa)) TRY(rewrite(graph, i, &gqa, context));
    }
    return HOB_OK;
}

const struct pass_def pass_open_group_query = {
    .name = "open_group_query", .summary = "takes GroupQueryAttention apart, so that its cache is appended in place",
    .makes = "com.microsoft.RotaryEmbedding hob.Attention",
    .apply = apply};
