/* TreeEnsembleClassifier, TreeEnsembleRegressor (ai.onnx.ml 1 and 3; still found in models of 5, where they are deprecated): one list of
 * nodes, leaves among them, which (tree, node) pairs name; and a list of votes at the leaves.
 *
 * What the specification leaves out is ONNX Runtime's rule for one label, or for two of which one gets all the votes: the sum s of the votes
 * above 0.5 (weights all positive) or above 0 (mixed) means the second label, and the scores are 1 - s and s, or -s and s. With votes
 * for both labels the larger sum wins, as the specification says (ONNX Runtime 1.30 looks at the second sum only). */
#include "ops/lookup.h"
#include "ops/ml/labels.h"
#include "ops/ml/post_transform.h"
#include "ops/ml/rows.h"
#include "ops/ml/trees.h"

#include <stdio.h>
#include <string.h>

struct forest_params {
    struct trees *trees;
    enum post_transform transform;
    const double *base_values;
    size_t n_base_values;
    /* classifier */
    struct labels labels;
    bool has_one_class_voted, are_all_positive;
    int64_t voted_class; /* of has_one_class_voted */
};

/* ---- prepare: nodes ---- */

struct forest_lists {
    size_t n_nodes, n_votes;
    const int64_t *tree_ids, *node_ids, *features, *true_ids, *false_ids, *is_nan_true;
    const double *splits;
    const struct tensor_string *modes;
    const int64_t *vote_trees, *vote_nodes, *vote_targets;
    const double *vote_weights;
    uint64_t *names; /* of the nodes, see name_of */
    struct lookup by_name;
    bool *is_leaf;
};

static hob_status bad_list(const struct op_prepare *node, const char *prefix, const char *name, size_t n_found,
                           size_t n_expected)
{
    FAIL(node->error, HOB_BAD_GRAPH, "%s: %s%s: found %zu items, expected %zu", node->node_name, prefix, name, n_found,
         n_expected);
}

static hob_status read_ints(const struct op_prepare *node, const char *prefix, const char *name, size_t n_expected,
                            const int64_t **ret_ints)
{
    char full_name[64];
    size_t n_found;
    snprintf(full_name, sizeof full_name, "%s%s", prefix, name);
    *ret_ints = attributes_ints(node->attributes, full_name, &n_found);
    return n_found == n_expected ? HOB_OK : bad_list(node, prefix, name, n_found, n_expected);
}

static hob_status read_nodes(const struct op_prepare *node, struct forest_lists *lists)
{
    size_t n_nan, n_splits;
    const struct attribute *modes = attributes_find(node->attributes, "nodes_modes");
    attributes_ints(node->attributes, "nodes_treeids", &lists->n_nodes);
    TRY(read_ints(node, "nodes_", "treeids", lists->n_nodes, &lists->tree_ids));
    TRY(read_ints(node, "nodes_", "nodeids", lists->n_nodes, &lists->node_ids));
    TRY(read_ints(node, "nodes_", "featureids", lists->n_nodes, &lists->features));
    TRY(read_ints(node, "nodes_", "truenodeids", lists->n_nodes, &lists->true_ids));
    TRY(read_ints(node, "nodes_", "falsenodeids", lists->n_nodes, &lists->false_ids));
    TRY(rows_read_reals(node, "nodes_values", "nodes_values_as_tensor", &lists->splits, &n_splits));
    if (n_splits != lists->n_nodes) return bad_list(node, "nodes_", "values", n_splits, lists->n_nodes);
    lists->is_nan_true = attributes_ints(node->attributes, "nodes_missing_value_tracks_true", &n_nan);
    if (n_nan && n_nan != lists->n_nodes)
        return bad_list(node, "nodes_", "missing_value_tracks_true", n_nan, lists->n_nodes);
    if (!modes || modes->kind != ATTRIBUTE_STRINGS || modes->n_items != lists->n_nodes)
        return bad_list(node, "nodes_", "modes", modes ? modes->n_items : 0, lists->n_nodes);
    lists->modes = modes->strings;
    return HOB_OK;
}

/* prefix class_ or target_ */
static hob_status read_votes(const struct op_prepare *node, const char *prefix, struct forest_lists *lists)
{
    char name[64], tensor_name[64];
    size_t n_weights;
    snprintf(name, sizeof name, "%sweights", prefix);
    snprintf(tensor_name, sizeof tensor_name, "%sweights_as_tensor", prefix);
    TRY(rows_read_reals(node, name, tensor_name, &lists->vote_weights, &n_weights));
    lists->n_votes = n_weights;
    TRY(read_ints(node, prefix, "ids", n_weights, &lists->vote_targets));
    TRY(read_ints(node, prefix, "treeids", n_weights, &lists->vote_trees));
    return read_ints(node, prefix, "nodeids", n_weights, &lists->vote_nodes);
}

/* A (tree, node) pair as one key; UINT64_MAX, which no node has, when a number is out of range. */
static uint64_t name_of(int64_t tree_id, int64_t node_id)
{
    if (tree_id < 0 || tree_id > INT32_MAX || node_id < 0 || node_id > INT32_MAX) return UINT64_MAX;
    return (uint64_t)tree_id << 32 | (uint64_t)node_id;
}

static hob_status name_nodes(const struct op_prepare *node, struct forest_lists *lists)
{
    lists->names = ARENA_NEW(node->arena, uint64_t, lists->n_nodes);
    lists->is_leaf = ARENA_NEW(node->arena, bool, lists->n_nodes);
    if (!lists->names || !lists->is_leaf) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    for (size_t i = 0; i < lists->n_nodes; i++) {
        lists->names[i] = name_of(lists->tree_ids[i], lists->node_ids[i]);
        if (lists->names[i] == UINT64_MAX)
            FAIL(node->error, HOB_BAD_GRAPH, "%s: node %zu: found tree %lld, node %lld, expected 0 to 2^31-1",
                 node->node_name, i, (long long)lists->tree_ids[i], (long long)lists->node_ids[i]);
    }
    if (!lookup_init_numbers(&lists->by_name, node->arena, lists->names, lists->n_nodes))
        FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    if (lists->by_name.n_places != lists->n_nodes)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: found a node of the same tree and number twice", node->node_name);
    return HOB_OK;
}

static hob_status read_mode(const struct op_prepare *node, const struct tensor_string *name, uint8_t *ret_mode,
                            bool *ret_is_leaf)
{
    static const char *const names[] = {[TREE_LEQ] = "BRANCH_LEQ", [TREE_LT] = "BRANCH_LT", [TREE_GTE] = "BRANCH_GTE",
                                        [TREE_GT] = "BRANCH_GT",   [TREE_EQ] = "BRANCH_EQ", [TREE_NEQ] = "BRANCH_NEQ"};
    *ret_is_leaf = name->n_bytes == 4 && !memcmp(name->bytes, "LEAF", 4);
    *ret_mode = TREE_LEQ;
    if (*ret_is_leaf) return HOB_OK;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (name->n_bytes != strlen(names[i]) || memcmp(name->bytes, names[i], name->n_bytes)) continue;
        *ret_mode = (uint8_t)i;
        return HOB_OK;
    }
    FAIL(node->error, HOB_BAD_GRAPH, "%s: nodes_modes: found \"%.*s\", expected LEAF or a BRANCH_…", node->node_name,
         name->n_bytes < 64 ? (int)name->n_bytes : 64, name->n_bytes ? name->bytes : "");
}

/* Leaves keep their places in the list of nodes: leaf i is node i. A child that is not there becomes what trees_check refuses. */
static int32_t reference(const struct forest_lists *lists, size_t i, int64_t child_id)
{
    int64_t child = lookup_find_number(&lists->by_name, name_of(lists->tree_ids[i], child_id));
    if (child < 0) return INT32_MAX;
    return lists->is_leaf[child] ? ~(int32_t)child : (int32_t)child;
}

static hob_status fill_nodes(const struct op_prepare *node, struct forest_lists *lists, struct trees *trees)
{
    for (size_t i = 0; i < lists->n_nodes; i++)
        TRY(read_mode(node, &lists->modes[i], &trees->nodes[i].mode, &lists->is_leaf[i]));
    for (size_t i = 0; i < lists->n_nodes; i++) {
        struct tree_node *to = &trees->nodes[i];
        if (lists->is_leaf[i]) {
            *to = (struct tree_node){.children = {~(int32_t)i, ~(int32_t)i}};
            continue;
        }
        to->split = lists->splits[i];
        to->feature = lists->features[i] < 0 || lists->features[i] > INT32_MAX ? -1 : (int32_t)lists->features[i];
        to->children[1] = reference(lists, i, lists->true_ids[i]);
        to->children[0] = reference(lists, i, lists->false_ids[i]);
        to->is_nan_true = lists->is_nan_true && lists->is_nan_true[i];
    }
    return HOB_OK;
}

/* A leaf compares nothing, but must not keep the ensemble from being uniform. */
static void make_leaves_alike(const struct forest_lists *lists, struct trees *trees)
{
    uint8_t mode = TREE_LEQ;
    for (size_t i = 0; i < lists->n_nodes; i++)
        if (!lists->is_leaf[i]) mode = trees->nodes[i].mode;
    for (size_t i = 0; i < lists->n_nodes; i++)
        if (lists->is_leaf[i]) trees->nodes[i].mode = mode;
}

/* A tree's root is its first node that is nobody's child. Trees are taken in the order in which the nodes name them. */
static hob_status find_roots(const struct op_prepare *node, const struct forest_lists *lists, struct trees *trees)
{
    bool *is_child = ARENA_NEW(node->arena, bool, lists->n_nodes);
    int64_t *has_root =
        ARENA_NEW(node->arena, int64_t, lists->n_nodes); /* by the lookup's place of the tree's number */
    uint64_t *tree_keys = ARENA_NEW(node->arena, uint64_t, lists->n_nodes);
    struct lookup by_tree;
    if (!is_child || !has_root || !tree_keys) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    for (size_t i = 0; i < lists->n_nodes; i++) {
        tree_keys[i] = (uint64_t)lists->tree_ids[i];
        const int32_t children[] = {trees->nodes[i].children[0], trees->nodes[i].children[1]};
        for (int k = 0; k < 2 && !lists->is_leaf[i]; k++)
            if (children[k] != INT32_MAX) is_child[children[k] < 0 ? ~children[k] : children[k]] = true;
    }
    if (!lookup_init_numbers(&by_tree, node->arena, tree_keys, lists->n_nodes))
        FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    trees->n_trees = 0;
    for (size_t i = 0; i < lists->n_nodes; i++) {
        int64_t tree = lookup_find_number(&by_tree, tree_keys[i]);
        if (is_child[i] || has_root[tree]) continue;
        has_root[tree] = 1;
        trees->roots[trees->n_trees++] = lists->is_leaf[i] ? ~(int32_t)i : (int32_t)i;
    }
    if (trees->n_trees != (int64_t)by_tree.n_places)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: found a tree whose nodes are all children of others", node->node_name);
    return HOB_OK;
}

/* Votes sorted by their leaves, in their order within each. */
static hob_status fill_votes(const struct op_prepare *node, const struct forest_lists *lists, struct trees *trees)
{
    int64_t *leaves = ARENA_NEW(node->arena, int64_t, lists->n_votes),
            *next = ARENA_NEW(node->arena, int64_t, lists->n_nodes);
    if (!leaves || !next) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    for (size_t v = 0; v < lists->n_votes; v++) {
        leaves[v] = lookup_find_number(&lists->by_name, name_of(lists->vote_trees[v], lists->vote_nodes[v]));
        if (leaves[v] < 0)
            FAIL(node->error, HOB_BAD_GRAPH, "%s: found a vote of tree %lld, node %lld, which is not there",
                 node->node_name, (long long)lists->vote_trees[v], (long long)lists->vote_nodes[v]);
        trees->first_votes[leaves[v] + 1]++;
    }
    for (size_t i = 0; i < lists->n_nodes; i++) {
        next[i] = trees->first_votes[i];
        trees->first_votes[i + 1] += trees->first_votes[i];
    }
    for (size_t v = 0; v < lists->n_votes; v++) {
        int64_t target = lists->vote_targets[v];
        trees->votes[next[leaves[v]]++] =
            (struct tree_vote){lists->vote_weights[v], target < 0 || target > INT32_MAX ? -1 : (int32_t)target};
    }
    return HOB_OK;
}

/* params->trees and what both operators have. n_targets 0: as many as the votes' highest, at least 1. */
static hob_status prepare_forest(const struct op_prepare *node, const char *prefix, int64_t n_targets,
                                 struct forest_lists *lists, struct forest_params *params)
{
    TRY(post_transform_prepare(node, &params->transform));
    TRY(rows_read_reals(node, "base_values", "base_values_as_tensor", &params->base_values, &params->n_base_values));
    TRY(read_nodes(node, lists));
    TRY(read_votes(node, prefix, lists));
    TRY(trees_new(node, lists->n_nodes, lists->n_nodes, lists->n_nodes, lists->n_votes, &params->trees));
    TRY(name_nodes(node, lists));
    params->trees->n_targets = n_targets;
    params->trees->aggregate = TREE_SUM;
    TRY(fill_nodes(node, lists, params->trees));
    make_leaves_alike(lists, params->trees);
    TRY(find_roots(node, lists, params->trees));
    TRY(fill_votes(node, lists, params->trees));
    return trees_check(node, params->trees);
}

/* ---- classifier ---- */

static hob_status prepare_classifier(const struct op_prepare *node, void **ret_params)
{
    struct forest_params *params = ARENA_NEW(node->arena, struct forest_params, 1);
    struct forest_lists lists = {0};
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    TRY(labels_prepare(node, "classlabels_int64s", "classlabels_strings", &params->labels));
    if (!params->labels.n_labels) FAIL(node->error, HOB_BAD_GRAPH, "%s: found no class labels", node->node_name);
    TRY(prepare_forest(node, "class_", (int64_t)params->labels.n_labels, &lists, params));
    if (params->n_base_values > params->labels.n_labels)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: base_values: found %zu for %zu classes", node->node_name,
             params->n_base_values, params->labels.n_labels);
    params->has_one_class_voted = params->are_all_positive = true;
    for (size_t v = 0; v < lists.n_votes; v++) {
        params->has_one_class_voted &= lists.vote_targets[v] == lists.vote_targets[0];
        params->are_all_positive &= lists.vote_weights[v] >= 0;
    }
    params->voted_class = lists.n_votes ? lists.vote_targets[0] : 0;
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer_classifier(struct op_context *ctx)
{
    const struct forest_params *params = ctx->params;
    int64_t n_rows, n_scores = (int64_t)params->labels.n_labels;
    TRY(trees_check_input(ctx, params->trees, &n_rows));
    TRY(op_set_output(ctx, 0, labels_dtype(&params->labels), 1, &n_rows));
    return op_set_output(ctx, 1, DTYPE_F32, 2, (const int64_t[]){n_rows, n_scores});
}

/* One label: it is there or not. Two, of which only the second gets votes: the first one's score stays 0. */
static bool is_positive(const struct forest_params *params, double score)
{
    return score > (params->are_all_positive ? 0.5 : 0);
}

/* All votes are for one class of one or two: ret_second tells how a single score becomes two. Returns how many scores there are. */
static int64_t decide_by_one(const struct forest_params *params, double *scores, int64_t *ret_class,
                             enum second_class *ret_second)
{
    int64_t voted = params->voted_class;
    if (voted < (int64_t)params->n_base_values) scores[voted] += params->base_values[voted];
    *ret_class = is_positive(params, scores[voted]);
    if (voted) return 2;
    if (params->labels.n_labels == 2) *ret_second = params->are_all_positive ? SECOND_COMPLEMENT : SECOND_OPPOSITE;
    return 1;
}

static int64_t decide_among_many(const struct forest_params *params, double *scores, int64_t *ret_class)
{
    int64_t n = params->trees->n_targets;
    for (size_t i = 0; i < params->n_base_values; i++) scores[i] += params->base_values[i];
    *ret_class = 0;
    for (int64_t i = 1; i < n; i++)
        if (scores[i] > scores[*ret_class]) *ret_class = i;
    return n;
}

/* The only label, or its absence: 0 or the empty text. */
static void store_only_label(const struct labels *labels, bool is_there, const struct tensor *y, int64_t row)
{
    static const int64_t zero;
    static const struct tensor_string empty = {"", 0};
    const struct labels absent = {.n_labels = 1, .numbers = &zero, .texts = labels->texts ? &empty : NULL};
    labels_store(is_there ? labels : &absent, 0, y, row);
}

static void finish_classifier(void *context, int64_t row, double *scores, bool *is_voted)
{
    const struct op_context *ctx = context;
    const struct forest_params *params = ctx->params;
    const struct tensor *labels = op_output(ctx, 0), *y = op_output(ctx, 1);
    enum second_class second = SECOND_NONE;
    int64_t chosen = 0, n_labels = params->trees->n_targets;
    bool is_by_one = params->has_one_class_voted && n_labels <= 2;
    (void)is_voted;
    int64_t n_scores =
        is_by_one ? decide_by_one(params, scores, &chosen, &second) : decide_among_many(params, scores, &chosen);
    if (labels && n_labels == 1) store_only_label(&params->labels, chosen, labels, row);
    else if (labels) labels_store(&params->labels, chosen, labels, row);
    if (!y) return;
    post_transform_apply(params->transform, second, n_scores, scores);
    float *out = (float *)y->data + row * n_labels;
    for (int64_t i = 0; i < n_labels; i++) out[i] = (float)scores[i];
}

static hob_status run_classifier(struct op_context *ctx)
{
    const struct forest_params *params = ctx->params;
    return trees_run(ctx, params->trees, finish_classifier, ctx);
}

/* ---- regressor ---- */

static hob_status read_aggregate(const struct op_prepare *node, enum tree_aggregate *ret_aggregate)
{
    static const char *const names[] = {
        [TREE_AVERAGE] = "AVERAGE", [TREE_SUM] = "SUM", [TREE_MIN] = "MIN", [TREE_MAX] = "MAX"};
    const char *name = attributes_string(node->attributes, "aggregate_function", "SUM");
    for (int i = 0; i < 4; i++) {
        if (strcmp(name, names[i])) continue;
        *ret_aggregate = (enum tree_aggregate)i;
        return HOB_OK;
    }
    FAIL(node->error, HOB_BAD_GRAPH, "%s: aggregate_function: found \"%s\", expected AVERAGE, SUM, MIN or MAX",
         node->node_name, name);
}

static hob_status prepare_regressor(const struct op_prepare *node, void **ret_params)
{
    struct forest_params *params = ARENA_NEW(node->arena, struct forest_params, 1);
    struct forest_lists lists = {0};
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    int64_t n_targets = attributes_int(node->attributes, "n_targets", 1);
    if (n_targets < 1 || n_targets > INT32_MAX)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: n_targets: found %lld, expected 1 or more", node->node_name,
             (long long)n_targets);
    TRY(prepare_forest(node, "target_", n_targets, &lists, params));
    TRY(read_aggregate(node, &params->trees->aggregate));
    if (params->n_base_values > 1 && (int64_t)params->n_base_values != n_targets)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: base_values: found %zu, expected %lld", node->node_name,
             params->n_base_values, (long long)n_targets);
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer_regressor(struct op_context *ctx)
{
    const struct forest_params *params = ctx->params;
    int64_t n_rows;
    TRY(trees_check_input(ctx, params->trees, &n_rows));
    return op_set_output(ctx, 0, DTYPE_F32, 2, (const int64_t[]){n_rows, params->trees->n_targets});
}

static void finish_regressor(void *context, int64_t row, double *scores, bool *is_voted)
{
    const struct op_context *ctx = context;
    const struct forest_params *params = ctx->params;
    int64_t n = params->trees->n_targets;
    (void)is_voted;
    if (params->n_base_values)
        for (int64_t i = 0; i < n; i++) scores[i] += params->base_values[params->n_base_values == 1 ? 0 : i];
    post_transform_apply(params->transform, SECOND_NONE, n, scores);
    float *out = (float *)ctx->outputs[0]->data + row * n;
    for (int64_t i = 0; i < n; i++) out[i] = (float)scores[i];
}

static hob_status run_regressor(struct op_context *ctx)
{
    const struct forest_params *params = ctx->params;
    return trees_run(ctx, params->trees, finish_regressor, ctx);
}

#define FOREST_OP(symbol, Name, op_max_outputs, which)                   \
    const struct op_def op_ml_##symbol = {.name = Name,                  \
                                          .domain = "ai.onnx.ml",        \
                                          .since = 1,                    \
                                          .min_inputs = 1,               \
                                          .max_inputs = 1,               \
                                          .min_outputs = 1,              \
                                          .max_outputs = op_max_outputs, \
                                          .types = TYPES_ML_NUMBER,      \
                                          .prepare = prepare_##which,    \
                                          .infer = infer_##which,        \
                                          .run = run_##which}
FOREST_OP(tree_ensemble_classifier, "TreeEnsembleClassifier", 2, classifier);
FOREST_OP(tree_ensemble_regressor, "TreeEnsembleRegressor", 1, regressor);
