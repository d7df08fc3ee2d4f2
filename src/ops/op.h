/* What an operator is: one exported `const struct op_def op_<name>` and one row OP(<name>) in ops.def.
 *
 * Life of a node:
 *   prepare  once, when the graph is compiled: reads attributes and opset into a params struct in the graph's arena.
 *   infer    before each run, and when planning: from the inputs' types and shapes, and from their values where a shape
 *            depends on values (Reshape's second input), sets each wanted output's type and shape. Must be cheap (it runs
 *            once per node and token) and must not allocate. When a needed value is not there (data NULL) it returns
 *            op_unknown(…).
 *   run      computes into outputs[i]->data, which the executor has provided.
 *
 * An output may be a view of an input (op_set_view): nothing is copied then. run is called when at least one output is not a
 * view (or the op is stateful), and leaves outputs with is_view alone. An op that can
 * only know its output shape by computing (NonZero, If) has flag OP_ALLOCATES: infer may set just the types or return
 * op_unknown, and run calls op_allocate_output.
 *
 * Inputs arrive contiguous unless the op has flag OP_STRIDED_INPUTS; then any strides (0 and negative too) must work.
 * Inputs with LAYOUT_PANELS or block dtypes only reach ops with flag OP_PACKED_INPUTS, with LAYOUT_PAGED those with OP_PAGED_INPUTS:
 * op_infer refuses them elsewhere.
 *
 * prepare, infer and run hold no state of their own and are thread-safe for different contexts. run may use ctx->pool for
 * loops over outputs; the bytes of a result never depend on the number of threads.
 */
#ifndef OPS_OP_H
#define OPS_OP_H

#include "base/arena.h"
#include "base/error.h"
#include "base/thread_pool.h"
#include "ops/attribute.h"
#include "ops/paged_state.h"
#include "tensor/tensor.h"

struct kernels;
struct op_def;
struct op_subgraphs;

enum op_flag {
    OP_STRIDED_INPUTS = 1u << 0,   /* takes any strides */
    OP_PACKED_INPUTS = 1u << 1,    /* takes LAYOUT_PANELS and block dtypes (weights) */
    OP_ALLOCATES = 1u << 2,        /* run makes its outputs with op_allocate_output */
    OP_NOT_FOLDABLE = 1u << 3,     /* random, stateful or with side effects: never constant-folded nor merged */
    OP_STATEFUL = 1u << 4,         /* has ctx->state: a session buffer (KV cache) */
    OP_EMPTY_OPTIONALS = 1u << 6,  /* inputs may be empty optionals (DTYPE_NONE), which others never see */
    OP_TYPE_INPUT_1 = 1u << 7,     /* of input 1 only the type counts */
    OP_LEGACY = 1u << 8,           /* operands meet otherwise than in later opsets: no pass takes it for the later operator */
    OP_PAGED_INPUTS = 1u << 9,     /* takes LAYOUT_PAGED */
    OP_INPLACE = 1u << 5           /* run may be given outputs[0]->data == inputs[0]->data (same type and shape) */
};

/* Sets of types, for op_def.types. Block formats are not told here but by OP_PACKED_INPUTS. */
#define TYPE(NAME) (UINT64_C(1) << (DTYPE_##NAME))
#define TYPE_SEQUENCE (UINT64_C(1) << 63)
#define TYPES_FLOAT (TYPE(F16) | TYPE(BF16) | TYPE(F32) | TYPE(F64))
#define TYPES_SIGNED (TYPE(I8) | TYPE(I16) | TYPE(I32) | TYPE(I64))
#define TYPES_UNSIGNED (TYPE(U8) | TYPE(U16) | TYPE(U32) | TYPE(U64))
#define TYPES_INTEGER (TYPES_SIGNED | TYPES_UNSIGNED)
#define TYPES_NUMBER (TYPES_FLOAT | TYPES_INTEGER)
#define TYPES_COMPLEX (TYPE(C64) | TYPE(C128))
#define TYPES_F8 (TYPE(F8E4M3FN) | TYPE(F8E4M3FNUZ) | TYPE(F8E5M2) | TYPE(F8E5M2FNUZ))
/* What only quantising, Cast and operators that move elements know. */
#define TYPES_SUB_BYTE (TYPE(U4) | TYPE(I4) | TYPE(U2) | TYPE(I2) | TYPE(F4E2M1))
#define TYPES_SMALL_FLOAT (TYPES_F8 | TYPE(F8E8M0) | TYPE(F4E2M1))
/* Whole bytes an element: what operators that only move elements take. */
#define TYPES_WHOLE (TYPES_NUMBER | TYPES_COMPLEX | TYPES_F8 | TYPE(BOOL) | TYPE(STRING))
#define TYPES_ALL (TYPES_WHOLE | TYPES_SUB_BYTE | TYPES_SMALL_FLOAT)

struct op_prepare {
    const struct attributes *attributes;
    int opset;                /* of the node's domain, as the model imports it */
    int n_inputs, n_outputs;  /* as written in the node, absent ones included */
    const char *node_name;    /* for messages; never NULL */
    struct arena *arena;      /* lives as long as the graph */
    hob_error *error;
};

/* A session buffer that a stateful op appends to along one axis. Made by the executor from graph_state. */
struct op_state {
    struct tensor buffer; /* dims[axis] is the capacity; any strides */
    int axis;
    int64_t n_used;       /* positions of axis that earlier steps filled; the op does not change it, the session does */
    const struct paged_state *paged; /* where the positions are instead, and then of axis 2 of 4; NULL: in buffer */
};

struct op_context {
    const struct op_def *op;
    const void *params; /* what prepare returned */
    int n_inputs, n_outputs;
    const struct tensor *const *inputs; /* NULL: optional input not given */
    struct tensor *const *outputs;      /* NULL: optional output not wanted */
    const char *node_name;              /* for messages; never NULL */
    const struct kernels *kernels;
    struct thread_pool *pool;       /* may be NULL: run inline */
    struct arena *scratch;          /* for run: gone when the node is done; warm, so that steady state allocates nothing */
    struct op_state *state;         /* OP_STATEFUL only; NULL when planning shapes only */
    struct op_subgraphs *subgraphs; /* control flow only */
    uint64_t iteration; /* tells the runs of one loop's body apart, for random numbers; 0 outside of loops */
    hob_error *error;
    /* For OP_ALLOCATES; set by the executor. */
    hob_status (*allocate)(struct op_context *ctx, size_t size_bytes, void **ret_bytes);
    /* Runs subgraph `index` (order of the node's graph attributes) with the given inputs; outputs live until the node's
     * outputs die. Set by the executor. */
    hob_status (*run_subgraph)(struct op_context *ctx, int index, int n_inputs, const struct tensor *const *inputs,
                               int n_outputs, struct tensor *ret_outputs);
    /* The same, but the first n_carried outputs live only until the call after the next one, or as long as the node's outputs when
     * there is none: what a loop carries needs the memory of two iterations, not of all. */
    hob_status (*run_iteration)(struct op_context *ctx, int index, int n_inputs, const struct tensor *const *inputs,
                                int n_outputs, int n_carried, struct tensor *ret_outputs);
    /* For infer of control flow: what the shapes of subgraph `index` would be, dtype DTYPE_NONE where that is not known before
     * it runs. Set while planning, else NULL. */
    hob_status (*infer_subgraph)(struct op_context *ctx, int index, int n_inputs, const struct tensor *const *inputs,
                                 int n_outputs, struct tensor *ret_outputs);
    /* For run: what run_subgraph would give for output `output`, as far as types and shapes tell without running; dims that they
     * do not tell are 0, data is NULL. Fails: HOB_UNKNOWN. */
    hob_status (*subgraph_shape)(struct op_context *ctx, int index, int n_inputs, const struct tensor *const *inputs,
                                 int output, struct tensor *ret_shape);
};

struct op_def {
    const char *name;   /* ONNX's operator name: "Softmax" */
    const char *domain; /* "" is ai.onnx; "com.microsoft"; "hob" is ours */
    int since, until;   /* opsets this row serves; until 0: and later ones */
    int min_inputs, max_inputs, min_outputs, max_outputs; /* max -1: any number */
    uint64_t types;  /* TYPE_… and TYPES_… bits: what input typed_input may hold; 0: anything. op_infer refuses the rest */
    int typed_input; /* the input that the specification's main type (T) belongs to: 0 but for a few, such as Where */
    unsigned flags;     /* enum op_flag */
    /* May be NULL: no params. */
    hob_status (*prepare)(const struct op_prepare *node, void **ret_params);
    hob_status (*infer)(struct op_context *ctx);
    hob_status (*run)(struct op_context *ctx);
};

/* The newest opset of ai.onnx whose semantics the operators follow. Models of newer ones run with the newest rows. */
enum { OP_NEWEST_OPSET = 24 };

/* NULL when no row fits. A NULL domain means "". "ai.onnx" is the same as "". */
const struct op_def *op_find(const char *domain, const char *name, int opset);
/* NULL when no row has that name in any opset: tells "unknown operator" from "unsupported opset". */
const struct op_def *op_find_any_opset(const char *domain, const char *name);
/* All rows, in ops.def's order. */
size_t op_count(void);
const struct op_def *op_at(size_t index);

/* Whether a set of types has this one. Block formats are in none. */
bool op_types_have(uint64_t types, enum dtype dtype);
/* What everyone calls for op->infer: first refuses types that the row does not list, and packed weights where they do not belong. */
HOB_MUST_CHECK hob_status op_infer(struct op_context *ctx);

/* ---- for infer and run ---- */
/* NULL when input or output i is not given, at the end of the node or in its middle. */
static inline const struct tensor *op_input(const struct op_context *ctx, int i)
{
    return i < ctx->n_inputs ? ctx->inputs[i] : NULL;
}

static inline const struct tensor *op_output(const struct op_context *ctx, int i)
{
    return i < ctx->n_outputs ? ctx->outputs[i] : NULL;
}

/* ---- for infer ---- */
/* Contiguous output i. Does nothing when the output is not wanted. Checks rank, dims and byte size. */
HOB_MUST_CHECK hob_status op_set_output(struct op_context *ctx, int i, enum dtype dtype, int rank, const int64_t *dims);
/* Output i is this view (made from an input by the tensor_* view functions; data NULL when the input's is). */
void op_set_view(struct op_context *ctx, int i, const struct tensor *view);
/* HOB_UNKNOWN: the value of input i is needed and not there yet. */
hob_status op_unknown(struct op_context *ctx, int i);
/* Messages start with "NODE (Op): ". */
#define OP_FAIL(ctx, code, format, ...)                                                                    \
    FAIL((ctx)->error, (code), "%s (%s): " format, (ctx)->node_name, (ctx)->op->name, ##__VA_ARGS__)
/* "[2,3]" for OP_FAIL's arguments; lives as long as the block it stands in. */
#define OP_SHAPE(tensor) \
    tensor_shape_text((tensor)->rank, (tensor)->dims, (char[TENSOR_SHAPE_TEXT_BYTES]){0})
/* Fails with HOB_BAD_TYPE unless input i has this type. An absent input passes. */
HOB_MUST_CHECK hob_status op_check_dtype(struct op_context *ctx, int i, enum dtype dtype);
/* The int64 values of a 1-D (or scalar) int32/int64 input of at most max_items; HOB_UNKNOWN when not there yet. */
HOB_MUST_CHECK hob_status op_read_ints(struct op_context *ctx, int i, size_t max_items, int64_t *ret_values,
                                       size_t *ret_n_values);

/* ---- for run of OP_ALLOCATES ---- */
/* Sets type and shape of output i and gives it memory that lives until its last reader ran. */
HOB_MUST_CHECK hob_status op_allocate_output(struct op_context *ctx, int i, enum dtype dtype, int rank,
                                             const int64_t *dims);

#endif
