#include "ops/matrix/einsum_equation.h"

#include <string.h>

/* ---- reading ---- */

/* A to Z, then a to z; -1: no letter. */
static int letter_of(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return 26 + c - 'a';
    return -1;
}

static hob_status add_label(const struct op_prepare *node, const char *text, struct einsum_term *term, int label)
{
    int n_letters = 0;
    for (int i = 0; i < term->n_labels; i++) {
        n_letters += term->labels[i] >= 0;
        if (label == EINSUM_ELLIPSIS && term->labels[i] == EINSUM_ELLIPSIS)
            FAIL(node->error, HOB_BAD_GRAPH, "%s: equation \"%s\": found two ellipses in a term", node->node_name, text);
    }
    if (n_letters + (label >= 0) > TENSOR_MAX_RANK)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: equation \"%s\": found a term of more than %d letters", node->node_name, text,
             TENSOR_MAX_RANK);
    term->labels[term->n_labels++] = (int8_t)label;
    return HOB_OK;
}

/* From *at up to a comma, an arrow or the end. */
static hob_status read_term(const struct op_prepare *node, const char *text, const char **at, struct einsum_term *term)
{
    for (; **at && **at != ',' && strncmp(*at, "->", 2) != 0; ++*at) {
        if (**at == ' ') continue;
        int label = letter_of(**at);
        if (!strncmp(*at, "...", 3)) {
            label = EINSUM_ELLIPSIS;
            *at += 2;
        } else if (label < 0) {
            FAIL(node->error, HOB_BAD_GRAPH, "%s: equation \"%s\": found '%c', expected letters, \"...\", commas and \"->\"",
                 node->node_name, text, **at);
        }
        TRY(add_label(node, text, term, label));
    }
    return HOB_OK;
}

/* Without an arrow: the ellipsis, then the letters that stand once, in order. */
static hob_status imply_output(const struct op_prepare *node, const char *text, const struct einsum_equation *equation,
                               struct einsum_term *output)
{
    int counts[EINSUM_LETTERS] = {0};
    bool has_ellipsis = false;
    for (int t = 0; t < equation->n_terms; t++)
        for (int i = 0; i < equation->terms[t].n_labels; i++) {
            int label = equation->terms[t].labels[i];
            if (label == EINSUM_ELLIPSIS) has_ellipsis = true;
            else counts[label]++;
        }
    if (has_ellipsis) TRY(add_label(node, text, output, EINSUM_ELLIPSIS));
    for (int letter = 0; letter < EINSUM_LETTERS; letter++)
        if (counts[letter] == 1) TRY(add_label(node, text, output, letter));
    return HOB_OK;
}

static bool term_has(const struct einsum_term *term, int label)
{
    for (int i = 0; i < term->n_labels; i++)
        if (term->labels[i] == label) return true;
    return false;
}

static hob_status check_output(const struct op_prepare *node, const char *text, const struct einsum_equation *equation)
{
    struct einsum_term seen = {0};
    for (int i = 0; i < equation->output.n_labels; i++) {
        int label = equation->output.labels[i];
        bool is_known = label == EINSUM_ELLIPSIS;
        for (int t = 0; t < equation->n_terms; t++) is_known = is_known || term_has(&equation->terms[t], label);
        if (!is_known || term_has(&seen, label))
            FAIL(node->error, HOB_BAD_GRAPH, "%s: equation \"%s\": found an output index that no operand has, or twice",
                 node->node_name, text);
        seen.labels[seen.n_labels++] = (int8_t)label;
    }
    return HOB_OK;
}

hob_status einsum_read(const struct op_prepare *node, const char *text, struct einsum_equation *ret_equation)
{
    struct einsum_equation equation = {.n_terms = node->n_inputs};
    struct einsum_term *terms = ARENA_NEW(node->arena, struct einsum_term, (size_t)node->n_inputs);
    if (!terms) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    equation.terms = terms;
    const char *at = text;
    for (int t = 0; t < node->n_inputs; t++) {
        TRY(read_term(node, text, &at, &terms[t]));
        bool is_last = t == node->n_inputs - 1;
        if (is_last ? *at == ',' : *at != ',')
            FAIL(node->error, HOB_BAD_GRAPH, "%s: equation \"%s\": expected a term for each of %d operands", node->node_name, text,
                 node->n_inputs);
        if (!is_last) at++;
    }
    if (!*at) {
        TRY(imply_output(node, text, &equation, &equation.output));
    } else {
        at += 2;
        TRY(read_term(node, text, &at, &equation.output));
        if (*at) FAIL(node->error, HOB_BAD_GRAPH, "%s: equation \"%s\": expected nothing behind the output", node->node_name, text);
    }
    TRY(check_output(node, text, &equation));
    *ret_equation = equation;
    return HOB_OK;
}

/* ---- indices of axes ---- */

static hob_status expand_term(struct op_context *ctx, int t, const struct einsum_term *term, struct einsum_operand *operand)
{
    int rank = operand->tensor.rank, n_letters = 0, axis = 0;
    for (int i = 0; i < term->n_labels; i++) n_letters += term->labels[i] >= 0;
    int n_free = rank - n_letters;
    if (n_free < 0 || (n_free && n_letters == term->n_labels))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found %s, expected %d axes as its term has", t, OP_SHAPE(&operand->tensor), n_letters);
    for (int i = 0; i < term->n_labels; i++) {
        if (term->labels[i] >= 0) operand->indices[axis++] = term->labels[i];
        for (int e = 0; term->labels[i] < 0 && e < n_free; e++) operand->indices[axis++] = EINSUM_INDICES - n_free + e;
    }
    return HOB_OK;
}

static hob_status join_sizes(struct op_context *ctx, int t, const struct einsum_operand *operand, int64_t sizes[EINSUM_INDICES])
{
    for (int axis = 0; axis < operand->tensor.rank; axis++) {
        int64_t *size = &sizes[operand->indices[axis]], dim = operand->tensor.dims[axis];
        if (*size < 0 || *size == 1) *size = dim;
        if (dim != *size && dim != 1)
            OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found %s, expected %lld at axis %d as another axis of that index has", t,
                    OP_SHAPE(&operand->tensor), (long long)*size, axis);
    }
    return HOB_OK;
}

static hob_status make_output(struct op_context *ctx, const struct einsum_equation *equation, const int64_t *sizes,
                              struct einsum_operand *output)
{
    int64_t dims[EINSUM_INDICES];
    int rank = 0, indices[EINSUM_INDICES] = {0};
    for (int i = 0; i < equation->output.n_labels; i++) {
        int label = equation->output.labels[i];
        if (label >= 0) indices[rank++] = label;
        for (int e = EINSUM_LETTERS; label < 0 && e < EINSUM_INDICES; e++)
            if (sizes[e] >= 0) indices[rank++] = e;
    }
    if (rank > TENSOR_MAX_RANK) OP_FAIL(ctx, HOB_LIMIT, "output: found %d axes, expected at most %d", rank, TENSOR_MAX_RANK);
    for (int axis = 0; axis < rank; axis++) {
        dims[axis] = sizes[indices[axis]];
        output->indices[axis] = indices[axis];
    }
    return tensor_init(&output->tensor, ctx->inputs[0]->dtype, rank, dims, NULL, ctx->error);
}

hob_status einsum_resolve(struct op_context *ctx, const struct einsum_equation *equation, struct einsum_operand *ret_operands,
                          struct einsum_operand *ret_output, int64_t ret_sizes[EINSUM_INDICES])
{
    memset(ret_sizes, 0xff, EINSUM_INDICES * sizeof *ret_sizes);
    for (int t = 0; t < equation->n_terms; t++) {
        struct einsum_operand operand = {0};
        if (!op_input(ctx, t)) OP_FAIL(ctx, HOB_BAD_GRAPH, "input %d is missing", t);
        TRY(op_check_dtype(ctx, t, ctx->inputs[0]->dtype));
        operand.tensor = *ctx->inputs[t];
        TRY(expand_term(ctx, t, &equation->terms[t], &operand));
        TRY(join_sizes(ctx, t, &operand, ret_sizes));
        if (ret_operands) ret_operands[t] = operand;
    }
    return make_output(ctx, equation, ret_sizes, ret_output);
}
