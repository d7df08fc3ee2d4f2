/* TreeEnsemble (ai.onnx.ml 5): trees whose inner nodes and leaves are lists of their own. The form of versions 1 and 3 is tree_ensemble_1.c's. */
#include "ops/ml/post_transform.h"
#include "ops/ml/rows.h"
#include "ops/ml/trees.h"
#include "ops/numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct ensemble_params {
    struct trees *trees;
    enum post_transform transform;
};

/* The attributes, nodes' and leaves' lists. */
struct ensemble_lists {
    size_t n_nodes, n_leaves, n_roots, n_members;
    const int64_t *features, *true_ids, *false_ids, *true_leafs, *false_leafs, *is_nan_true, *targets, *roots;
    const double *modes, *splits, *weights, *members;
};

static hob_status read_ints(const struct op_prepare *node, const char *name, size_t n_expected, bool is_required,
                            const int64_t **ret_ints)
{
    size_t n_found;
    *ret_ints = attributes_ints(node->attributes, name, &n_found);
    if (n_found == n_expected || (!n_found && !is_required)) return HOB_OK;
    FAIL(node->error, HOB_BAD_GRAPH, "%s: %s: found %zu items, expected %zu", node->node_name, name, n_found,
         n_expected);
}

static hob_status read_reals(const struct op_prepare *node, const char *name, size_t n_expected,
                             const double **ret_reals)
{
    size_t n_found;
    TRY(rows_read_reals(node, "", name, ret_reals, &n_found));
    if (n_found == n_expected) return HOB_OK;
    FAIL(node->error, HOB_BAD_GRAPH, "%s: %s: found %zu items, expected %zu", node->node_name, name, n_found,
         n_expected);
}

static hob_status read_lists(const struct op_prepare *node, struct ensemble_lists *lists)
{
    lists->features = attributes_ints(node->attributes, "nodes_featureids", &lists->n_nodes);
    lists->targets = attributes_ints(node->attributes, "leaf_targetids", &lists->n_leaves);
    lists->roots = attributes_ints(node->attributes, "tree_roots", &lists->n_roots);
    TRY(read_ints(node, "nodes_truenodeids", lists->n_nodes, true, &lists->true_ids));
    TRY(read_ints(node, "nodes_falsenodeids", lists->n_nodes, true, &lists->false_ids));
    TRY(read_ints(node, "nodes_trueleafs", lists->n_nodes, true, &lists->true_leafs));
    TRY(read_ints(node, "nodes_falseleafs", lists->n_nodes, true, &lists->false_leafs));
    TRY(read_ints(node, "nodes_missing_value_tracks_true", lists->n_nodes, false, &lists->is_nan_true));
    TRY(read_reals(node, "nodes_modes", lists->n_nodes, &lists->modes));
    TRY(read_reals(node, "nodes_splits", lists->n_nodes, &lists->splits));
    TRY(read_reals(node, "leaf_weights", lists->n_leaves, &lists->weights));
    return rows_read_reals(node, "", "membership_values", &lists->members, &lists->n_members);
}

/* Out of range becomes a reference to no node at all, which trees_check refuses. */
static int32_t reference(int64_t id, bool is_leaf)
{
    if (id < 0 || id >= INT32_MAX) return INT32_MAX;
    return is_leaf ? ~(int32_t)id : (int32_t)id;
}

static int32_t narrow(int64_t number)
{
    return number < 0 || number > INT32_MAX ? -1 : (int32_t)number;
}

static hob_status fill_nodes(const struct op_prepare *node, const struct ensemble_lists *lists, struct trees *trees,
                             int64_t *ret_n_sets)
{
    *ret_n_sets = 0;
    for (size_t i = 0; i < lists->n_nodes; i++) {
        double mode = lists->modes[i];
        if (!(mode >= 0 && mode < TREE_N_MODES))
            FAIL(node->error, HOB_BAD_GRAPH, "%s: nodes_modes: found %g, expected 0 to %d", node->node_name, mode,
                 TREE_N_MODES - 1);
        trees->nodes[i] = (struct tree_node){.split = mode == TREE_MEMBER ? (double)(*ret_n_sets)++ : lists->splits[i],
                                             .feature = narrow(lists->features[i]),
                                             .children = {reference(lists->false_ids[i], lists->false_leafs[i] != 0),
                                                          reference(lists->true_ids[i], lists->true_leafs[i] != 0)},
                                             .mode = (uint8_t)mode,
                                             .is_nan_true = lists->is_nan_true && lists->is_nan_true[i]};
    }
    return HOB_OK;
}

static int compare_reals(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The sets stand one behind the other in the order of their nodes, each ended by a NaN. */
static hob_status fill_sets(const struct op_prepare *node, const struct ensemble_lists *lists, int64_t n_sets,
                            struct trees *trees)
{
    double *members = ARENA_NEW(node->arena, double, lists->n_members);
    trees->first_members = ARENA_NEW(node->arena, int64_t, lists->n_members + 2);
    trees->members = members;
    if (!members || !trees->first_members) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    int64_t n_found = 0, n_kept = 0;
    for (size_t i = 0; i < lists->n_members; i++) {
        bool is_end = isnan(lists->members[i]);
        if (!is_end) members[n_kept++] = lists->members[i];
        if (!is_end && i + 1 < lists->n_members) continue;
        int64_t first = trees->first_members[n_found];
        qsort(members + first, (size_t)(n_kept - first), sizeof *members, compare_reals);
        trees->first_members[++n_found] = n_kept;
    }
    if (n_found != n_sets)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: membership_values: found %lld sets for %lld nodes of mode BRANCH_MEMBER",
             node->node_name, (long long)n_found, (long long)n_sets);
    return HOB_OK;
}

/* A tree that is one leaf is written as a node with that leaf on both sides, which needs no case of its own. */
static hob_status fill_trees(const struct op_prepare *node, const struct ensemble_lists *lists, struct trees *trees)
{
    int64_t n_sets;
    TRY(fill_nodes(node, lists, trees, &n_sets));
    TRY(fill_sets(node, lists, n_sets, trees));
    for (size_t t = 0; t < lists->n_roots; t++) trees->roots[t] = reference(lists->roots[t], false);
    for (size_t i = 0; i < lists->n_leaves; i++) {
        trees->votes[i] = (struct tree_vote){lists->weights[i], narrow(lists->targets[i])};
        trees->first_votes[i + 1] = (int64_t)i + 1;
    }
    return trees_check(node, trees);
}

static hob_status read_choice(const struct op_prepare *node, const char *name, int64_t fallback, int64_t highest,
                              int64_t *ret_choice)
{
    *ret_choice = attributes_int(node->attributes, name, fallback);
    if (*ret_choice >= 0 && *ret_choice <= highest) return HOB_OK;
    FAIL(node->error, HOB_BAD_GRAPH, "%s: %s: found %lld, expected 0 to %lld", node->node_name, name,
         (long long)*ret_choice, (long long)highest);
}

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct ensemble_params *params = ARENA_NEW(node->arena, struct ensemble_params, 1);
    struct ensemble_lists lists = {0};
    int64_t transform, aggregate;
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    TRY(read_lists(node, &lists));
    TRY(read_choice(node, "post_transform", POST_NONE, POST_PROBIT, &transform));
    TRY(read_choice(node, "aggregate_function", TREE_SUM, TREE_MAX, &aggregate));
    TRY(trees_new(node, lists.n_nodes, lists.n_roots, lists.n_leaves, lists.n_leaves, &params->trees));
    params->transform = (enum post_transform)transform;
    params->trees->aggregate = (enum tree_aggregate)aggregate;
    params->trees->n_targets = attributes_int(node->attributes, "n_targets", 1);
    if (params->trees->n_targets < 1 || params->trees->n_targets > INT32_MAX)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: n_targets: found %lld, expected 1 or more", node->node_name,
             (long long)params->trees->n_targets);
    TRY(fill_trees(node, &lists, params->trees));
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct ensemble_params *params = ctx->params;
    int64_t n_rows;
    TRY(trees_check_input(ctx, params->trees, &n_rows));
    return op_set_output(ctx, 0, ctx->inputs[0]->dtype, 2, (const int64_t[]){n_rows, params->trees->n_targets});
}

static void finish(void *context, int64_t row, double *scores, bool *is_voted)
{
    const struct op_context *ctx = context;
    const struct ensemble_params *params = ctx->params;
    int64_t n = params->trees->n_targets;
    (void)is_voted;
    post_transform_apply(params->transform, SECOND_NONE, n, scores);
    numbers_store_f64(ctx->outputs[0], row * n, 1, (size_t)n, scores);
}

static hob_status run(struct op_context *ctx)
{
    const struct ensemble_params *params = ctx->params;
    return trees_run(ctx, params->trees, finish, ctx);
}

const struct op_def op_ml_tree_ensemble = {.name = "TreeEnsemble",
                                           .domain = "ai.onnx.ml",
                                           .since = 5,
                                           .min_inputs = 1,
                                           .max_inputs = 1,
                                           .min_outputs = 1,
                                           .max_outputs = 1,
                                           .types = TYPE(F32) | TYPE(F64) | TYPE(F16),
                                           .prepare = prepare,
                                           .infer = infer,
                                           .run = run};
