/* Ensembles of decision trees: how they lie in memory and how rows walk through them.
 *
 * A reference to a node is its index; ~leaf, which is negative, refers to a leaf. A leaf gives votes: weights for targets. Trees are checked once
 * (trees_check): every reference is in range and no node is its own descendant, so that a walk ends. Immutable then: thread-safe.
 *
 *     TRY(trees_check(node, trees));                                              prepare
 *     TRY(trees_run(ctx, trees, finish, context));                                run: finish gets each row's scores
 */
#ifndef OPS_ML_TREES_H
#define OPS_ML_TREES_H

#include "ops/op.h"

enum tree_mode { TREE_LEQ, TREE_LT, TREE_GTE, TREE_GT, TREE_EQ, TREE_NEQ, TREE_MEMBER, TREE_N_MODES };
enum tree_aggregate { TREE_AVERAGE, TREE_SUM, TREE_MIN, TREE_MAX };

struct tree_node {
    double split; /* what the feature is compared with; of TREE_MEMBER the number of its set */
    int32_t feature;
    int32_t children[2]; /* references: when the comparison is false, and when it is true */
    uint8_t mode;        /* enum tree_mode */
    bool is_nan_true;    /* where a feature that is NaN goes */
};

struct tree_vote {
    double weight;
    int32_t target;
};

struct trees {
    struct tree_node *nodes;
    int32_t *roots; /* references */
    int64_t n_nodes, n_trees, n_leaves, n_targets;
    struct tree_vote *votes; /* leaf i's are first_votes[i] … first_votes[i+1] - 1 */
    int64_t *first_votes;
    const double *members; /* of all sets, each sorted: set i's are first_members[i] … */
    int64_t *first_members;
    enum tree_aggregate aggregate;
    /* set by trees_check */
    int32_t highest_feature; /* -1: none */
    int uniform_mode;        /* all nodes compare so and send NaN to the false branch; -1: they differ */
};

/* Allocates nodes, roots, votes and first_votes in the graph's arena. Fails: HOB_LIMIT, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status trees_new(const struct op_prepare *node, size_t n_nodes, size_t n_trees, size_t n_leaves,
                                    size_t n_votes, struct trees **ret_trees);
/* Fails: HOB_BAD_GRAPH. */
HOB_MUST_CHECK hob_status trees_check(const struct op_prepare *node, struct trees *trees);

/* infer: [N,F] or [F] with all the features that the trees look at. */
HOB_MUST_CHECK hob_status trees_check_input(struct op_context *ctx, const struct trees *trees, int64_t *ret_n_rows);
/* Called once for each row, from any thread. is_voted: which targets got a vote; the others' scores are 0. Both may be changed. scores has
 * room for one more. */
typedef void trees_finish(void *context, int64_t row, double *scores, bool *is_voted);
HOB_MUST_CHECK hob_status trees_run(struct op_context *ctx, const struct trees *trees, trees_finish *finish,
                                    void *context);

#endif
