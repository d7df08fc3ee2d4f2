/* Which values of an encoder's graph are rows, one a token, each made from its own token alone: what laying texts end to end needs
 * to know.
 *
 * A graph that takes [B,S] ids is looked at as it runs on one text (B 1, S that text's tokens, a mask of ones), and as it shall run
 * on several laid end to end (B 1, S all their tokens). Walking from the inputs, each value becomes one of
 *
 *     constant   the same in every run
 *     uniform    all items are one known number, whatever the shape: what comes of the mask
 *     sizes      a short list of whole numbers made of S alone: shape arithmetic
 *     tokens     along one axis, row t hangs on token t and its place in its text only; all other dims are fixed
 *     texts      the same for whole texts, behind pooling
 *
 * or nothing that is known. A decoder with its caches in a session is looked at the same way, as it runs on S tokens behind P: there
 * the shapes are what counts, and masks that only say that nobody sees what comes later; its rows hang on earlier ones.
 *
 * What is said of a value holds in both kinds of run, with row t the same bytes, once the nodes with a
 * `change` have been exchanged for ones that are told where texts begin. Operators without a rule make what nobody knows, and so
 * does anything that mixes rows: no rule guesses.
 *
 *     struct flows flows;
 *     TRY(flows_find(graph, kernels, arena, &flows, error));
 *     if (flows.values[graph->outputs[0]].kind == FLOW_TOKENS) …
 *
 * Lives in the arena; the graph must not change meanwhile. */
#ifndef GRAPH_FLOW_H
#define GRAPH_FLOW_H

#include "graph/graph.h"

struct kernels;

enum flow_kind {
    FLOW_UNKNOWN,
    FLOW_CONSTANT,
    FLOW_UNIFORM,
    FLOW_SIZES,
    FLOW_TOKENS,
    FLOW_TEXTS,
    FLOW_SHAPED,   /* only its dims are known: what a cache shows */
    FLOW_COUNT,    /* along `axis`, item i is first + i: the positions of all keys */
    FLOW_TRIANGLE, /* the rows of S queries of a constant triangle, as wide as that is */
    FLOW_CAUSAL,   /* bool [..,S,P+S]: whether a query sees a key (is_seen), or does not, by their positions */
    FLOW_MASK      /* f32 [..,S,P+S]: 0 where a query sees a key by their positions, so low that it vanishes where it does not */
};

/* tokens * S + texts * n + past * P + fixed, n the number of texts, P that of the positions in a cache. */
struct flow_size {
    int64_t tokens, texts, past, fixed;
};

enum { FLOW_MAX_ITEMS = 8, FLOW_NUMBER_BYTES = 16 };

struct flow {
    enum flow_kind kind;
    enum dtype dtype;                              /* of uniform and sizes */
    int rank;                                      /* -1: not known, of a uniform one */
    int axis;                                      /* of tokens and texts: the one of rows */
    bool is_count;                                 /* of tokens: row t is first + t */
    bool is_seen;                                  /* of causal */
    struct flow_size first;
    struct flow_size dims[TENSOR_MAX_RANK];
    struct flow_size items[FLOW_MAX_ITEMS];        /* of sizes, which have rank 0 or 1 */
    _Alignas(16) unsigned char number[FLOW_NUMBER_BYTES]; /* of uniform: one element of dtype */
};

/* What must take the place of a node for several texts. */
enum flow_change {
    CHANGE_NONE,
    CHANGE_SHAPE,      /* Reshape: the shape, now that it is known but for the rows */
    CHANGE_NUMBERS,    /* uniform operands: the numbers that they are */
    CHANGE_CAUSAL,     /* hob.Attention: is_causal instead of a mask that says so */
    CHANGE_ATTENTION,  /* hob.Attention: segments instead of the mask */
    CHANGE_RANGES,     /* hob.DynamicQuantize: a range of numbers for each text */
    CHANGE_ROW_RANGES, /* the same behind pooling: for each row */
    CHANGE_EMBEDDINGS, /* EmbedLayerNormalization: positions given instead of counted, no mask */
    CHANGE_TABLE,      /* the first S rows of a constant: the rows at the positions */
    CHANGE_COUNT,      /* 0, 1, 2, …: the positions */
    CHANGE_SUM_SO_FAR, /* CumSum along the tokens: anew in each text */
    CHANGE_LENGTHS,    /* a sum of ones over the tokens: each text's length */
    CHANGE_POOL_SUM,
    CHANGE_POOL_MEAN,
    CHANGE_POOL_MAX,
    CHANGE_POOL_FIRST,
    CHANGE_POOL_LAST
};

struct flows {
    struct graph *graph;
    const struct kernels *kernels;
    struct arena *arena;
    struct flow *values;       /* one a value */
    enum flow_change *changes; /* one a node */
    uint32_t n_values, n_nodes;
    bool has_past;             /* a decoder's */
    const uint32_t *order;     /* nodes, each behind its producers */
    uint32_t n_order;
};

/* Fails: HOB_BAD_GRAPH (a cycle), HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status flows_find(struct graph *graph, const struct kernels *kernels, struct arena *arena,
                                     struct flows *ret_flows, hob_error *error);

#endif
