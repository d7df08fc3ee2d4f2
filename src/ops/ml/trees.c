/* Rows go through a tree in blocks, so that the tree's nodes stay in the cache; each row adds up its trees' votes in their order, whatever
 * the block. Features are f64: every type's numbers compare exactly. */
#include "ops/ml/trees.h"

#include "base/size.h"
#include "ops/ml/rows.h"
#include "ops/thread_scratch.h"

#include <math.h>
#include <string.h>

/* ---- making and checking ---- */

hob_status trees_new(const struct op_prepare *node, size_t n_nodes, size_t n_trees, size_t n_leaves, size_t n_votes,
                     struct trees **ret_trees)
{
    struct trees *trees = ARENA_NEW(node->arena, struct trees, 1);
    if (n_nodes > INT32_MAX || n_trees > INT32_MAX || n_leaves > INT32_MAX || n_votes > INT32_MAX)
        FAIL(node->error, HOB_LIMIT, "%s: found %zu nodes and %zu votes, too many", node->node_name, n_nodes, n_votes);
    if (!trees) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    trees->n_nodes = (int64_t)n_nodes;
    trees->n_trees = (int64_t)n_trees;
    trees->n_leaves = (int64_t)n_leaves;
    trees->nodes = ARENA_NEW(node->arena, struct tree_node, n_nodes);
    trees->roots = ARENA_NEW(node->arena, int32_t, n_trees);
    trees->votes = ARENA_NEW(node->arena, struct tree_vote, n_votes);
    trees->first_votes = ARENA_NEW(node->arena, int64_t, n_leaves + 1);
    if (!trees->nodes || !trees->roots || !trees->votes || !trees->first_votes)
        FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    *ret_trees = trees;
    return HOB_OK;
}

static bool is_in_range(const struct trees *trees, int32_t reference)
{
    return reference >= 0 ? reference < trees->n_nodes : ~reference < trees->n_leaves;
}

static hob_status check_nodes(const struct op_prepare *node, struct trees *trees)
{
    trees->highest_feature = -1;
    trees->uniform_mode = trees->n_nodes ? trees->nodes[0].mode : -1;
    for (int64_t i = 0; i < trees->n_nodes; i++) {
        const struct tree_node *n = &trees->nodes[i];
        if (!is_in_range(trees, n->children[1]) || !is_in_range(trees, n->children[0]) || n->feature < 0)
            FAIL(node->error, HOB_BAD_GRAPH, "%s: tree node %lld: found a child or feature that is not there",
                 node->node_name, (long long)i);
        if (n->feature > trees->highest_feature) trees->highest_feature = n->feature;
        if (n->mode != trees->uniform_mode || n->is_nan_true || n->mode >= TREE_NEQ) trees->uniform_mode = -1;
    }
    for (int64_t t = 0; t < trees->n_trees; t++)
        if (!is_in_range(trees, trees->roots[t]))
            FAIL(node->error, HOB_BAD_GRAPH, "%s: tree %lld: found a root that is not there", node->node_name,
                 (long long)t);
    for (int64_t v = 0; v < trees->first_votes[trees->n_leaves]; v++)
        if (trees->votes[v].target < 0 || trees->votes[v].target >= trees->n_targets)
            FAIL(node->error, HOB_BAD_GRAPH, "%s: found a vote for target %d, expected 0 to %lld", node->node_name,
                 (int)trees->votes[v].target, (long long)trees->n_targets - 1);
    return HOB_OK;
}

/* A depth-first walk with a stack of its own; a node that is met while its descendants are being walked is its own descendant. */
struct circle_search {
    const struct trees *trees;
    uint8_t *n_walked; /* by node: branches taken so far; 3: done */
    int32_t *stack;
};

static bool is_circle_from(struct circle_search *search, int32_t root)
{
    int64_t depth = 0;
    if (root < 0) return false;
    search->stack[depth++] = root;
    while (depth) {
        int32_t at = search->stack[depth - 1];
        if (search->n_walked[at] >= 2) {
            search->n_walked[at] = 3;
            depth--;
            continue;
        }
        const struct tree_node *node = &search->trees->nodes[at];
        int32_t child = node->children[search->n_walked[at]++];
        if (child < 0 || search->n_walked[child] == 3) continue;
        if (search->n_walked[child]) return true;
        search->stack[depth++] = child;
    }
    return false;
}

hob_status trees_check(const struct op_prepare *node, struct trees *trees)
{
    TRY(check_nodes(node, trees));
    struct circle_search search = {.trees = trees,
                                   .n_walked = ARENA_NEW(node->arena, uint8_t, (size_t)trees->n_nodes),
                                   .stack = ARENA_NEW(node->arena, int32_t, (size_t)trees->n_nodes + 1)};
    if (!search.n_walked || !search.stack) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    for (int64_t t = 0; t < trees->n_trees; t++)
        if (is_circle_from(&search, trees->roots[t]))
            FAIL(node->error, HOB_BAD_GRAPH, "%s: tree %lld: found a node among its own descendants", node->node_name,
                 (long long)t);
    return HOB_OK;
}

hob_status trees_check_input(struct op_context *ctx, const struct trees *trees, int64_t *ret_n_rows)
{
    struct rows rows;
    TRY(rows_shape(ctx, &rows));
    if (rows.width <= trees->highest_feature)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found shape %s, expected at least %d features", OP_SHAPE(ctx->inputs[0]),
                (int)trees->highest_feature + 1);
    *ret_n_rows = rows.n_rows;
    return HOB_OK;
}

/* ---- walking ---- */

static bool is_member(const struct trees *trees, int64_t set, double x)
{
    int64_t begin = trees->first_members[set], end = trees->first_members[set + 1];
    while (begin < end) {
        int64_t middle = begin + (end - begin) / 2;
        if (trees->members[middle] == x) return true;
        if (trees->members[middle] < x) begin = middle + 1;
        else end = middle;
    }
    return false;
}

static bool is_true_at(const struct trees *trees, const struct tree_node *node, double x)
{
    if (isnan(x)) return node->is_nan_true;
    switch (node->mode) {
    case TREE_LEQ:
        return x <= node->split;
    case TREE_LT:
        return x < node->split;
    case TREE_GTE:
        return x >= node->split;
    case TREE_GT:
        return x > node->split;
    case TREE_EQ:
        return x == node->split;
    case TREE_NEQ:
        return x != node->split;
    default:
        return is_member(trees, (int64_t)node->split, x);
    }
}

/* The leaf that a row of features ends at. */
typedef int32_t tree_walk(const struct trees *trees, int32_t at, const double *features);

static int32_t walk_any(const struct trees *trees, int32_t at, const double *features)
{
    while (at >= 0) {
        const struct tree_node *node = &trees->nodes[at];
        at = node->children[is_true_at(trees, node, features[node->feature])];
    }
    return ~at;
}

/* One comparison for all nodes, false for NaN: what nearly all ensembles are. The child is looked up, not branched to: no processor foresees
 * which one it is. */
#define WALK(name, comparison)                                                                           \
    static int32_t name(const struct trees *trees, int32_t at, const double *features)                   \
    {                                                                                                    \
        const struct tree_node *nodes = trees->nodes;                                                    \
        while (at >= 0) at = nodes[at].children[features[nodes[at].feature] comparison nodes[at].split]; \
        return ~at;                                                                                      \
    }
WALK(walk_leq, <=)
WALK(walk_lt, <)
WALK(walk_gte, >=)
WALK(walk_gt, >)
WALK(walk_eq, ==)

static tree_walk *find_walk(const struct trees *trees)
{
    static tree_walk *const walks[] = {walk_leq, walk_lt, walk_gte, walk_gt, walk_eq};
    return trees->uniform_mode < 0 ? walk_any : walks[trees->uniform_mode];
}

static void vote(const struct trees *trees, int32_t leaf, double *scores, bool *is_voted)
{
    for (int64_t v = trees->first_votes[leaf]; v < trees->first_votes[leaf + 1]; v++) {
        const struct tree_vote *given = &trees->votes[v];
        double *score = &scores[given->target];
        bool is_taken = trees->aggregate == TREE_MIN   ? given->weight < *score
                        : trees->aggregate == TREE_MAX ? given->weight > *score
                                                       : false;
        if (trees->aggregate == TREE_SUM || trees->aggregate == TREE_AVERAGE) *score += given->weight;
        else if (is_taken || !is_voted[given->target]) *score = given->weight;
        is_voted[given->target] = true;
    }
}

/* ---- running ---- */

enum { MAX_BLOCK_ROWS = 64, BLOCK_DOUBLES = 1 << 13 };

struct trees_job {
    const struct trees *trees;
    const struct tensor *x;
    int64_t width, block_rows;
    tree_walk *walk;
    trees_finish *finish;
    void *context;
    struct thread_scratch scratch;
};

static void run_block(const struct trees_job *job, int64_t first_row, int64_t n_rows, double *doubles)
{
    const struct trees *trees = job->trees;
    int64_t n_scores = trees->n_targets + 1;
    double *features = doubles, *scores = features + job->block_rows * job->width;
    bool *is_voted = (bool *)(void *)(scores + job->block_rows * n_scores);
    memset(scores, 0, (size_t)(job->block_rows * n_scores) * sizeof *scores);
    memset(is_voted, 0, (size_t)(job->block_rows * n_scores));
    for (int64_t r = 0; r < n_rows; r++) rows_load(job->x, job->width, first_row + r, features + r * job->width);
    for (int64_t t = 0; t < trees->n_trees; t++)
        for (int64_t r = 0; r < n_rows; r++)
            vote(trees, job->walk(trees, trees->roots[t], features + r * job->width), scores + r * n_scores,
                 is_voted + r * n_scores);
    for (int64_t r = 0; r < n_rows; r++) {
        double *row = scores + r * n_scores;
        if (trees->aggregate == TREE_AVERAGE)
            for (int64_t i = 0; i < trees->n_targets; i++) row[i] /= (double)trees->n_trees;
        job->finish(job->context, first_row + r, row, is_voted + r * n_scores);
    }
}

static void run_rows(void *context, size_t begin, size_t end)
{
    struct trees_job *job = context;
    double *doubles = (void *)thread_scratch_take(&job->scratch);
    for (int64_t row = (int64_t)begin; row < (int64_t)end; row += job->block_rows) {
        int64_t left = (int64_t)end - row;
        run_block(job, row, left < job->block_rows ? left : job->block_rows, doubles);
    }
    thread_scratch_put(&job->scratch, (float *)(void *)doubles);
}

hob_status trees_run(struct op_context *ctx, const struct trees *trees, trees_finish *finish, void *context)
{
    struct rows rows;
    TRY(rows_shape(ctx, &rows));
    struct trees_job job = {.trees = trees,
                            .x = ctx->inputs[0],
                            .width = rows.width,
                            .walk = find_walk(trees),
                            .finish = finish,
                            .context = context};
    int64_t row_doubles = rows.width + 2 * (trees->n_targets + 1);
    job.block_rows = BLOCK_DOUBLES / row_doubles;
    job.block_rows = job.block_rows < 1 ? 1 : job.block_rows > MAX_BLOCK_ROWS ? MAX_BLOCK_ROWS : job.block_rows;
    TRY(thread_scratch_init(&job.scratch, ctx, 2 * (size_t)(job.block_rows * row_doubles)));
    thread_pool_run(ctx->pool, (size_t)rows.n_rows, (size_t)job.block_rows, run_rows, &job);
    return HOB_OK;
}
