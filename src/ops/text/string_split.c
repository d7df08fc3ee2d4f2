/* StringSplit: the parts of each string between delimiters, or between runs of whitespace, along a new last axis that is as long
 * as the longest list of parts; and how many parts each string has. */
#include "ops/text/string_items.h"
#include "text/unicode.h"

#include <string.h>

struct split_params {
    struct tensor_string delimiter; /* empty: whitespace */
    int64_t max_splits;             /* negative: no limit */
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct split_params *params = ARENA_NEW(node->arena, struct split_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    const struct attribute *delimiter = attributes_find(node->attributes, "delimiter");
    if (delimiter && delimiter->kind == ATTRIBUTE_STRING) params->delimiter = delimiter->string;
    params->max_splits = attributes_int(node->attributes, "maxsplit", -1);
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    if (x->rank == TENSOR_MAX_RANK)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found rank %d, expected at most %d", x->rank, TENSOR_MAX_RANK - 1);
    return op_unknown(ctx, 0);
}

/* A walk over the parts of one string. */
struct part_walk {
    const struct split_params *params;
    struct tensor_string rest;
    int64_t n_parts;
    bool is_done;
};

/* Bytes of the character at text, and whether it is whitespace; a byte that is no character is not. */
static bool is_whitespace(const char *text, size_t n_bytes, size_t *ret_char_bytes)
{
    *ret_char_bytes = unicode_char_bytes(text, n_bytes);
    if (*ret_char_bytes) return unicode_is_whitespace(unicode_decode(text, ret_char_bytes));
    *ret_char_bytes = 1;
    return false;
}

/* Bytes before the first character that is (or is not) whitespace. */
static size_t span_of(const struct tensor_string *text, bool wants_whitespace)
{
    size_t at = 0, n;
    while (at < text->n_bytes && is_whitespace(text->bytes + at, text->n_bytes - at, &n) == wants_whitespace) at += n;
    return at;
}

static void advance(struct tensor_string *text, size_t n_bytes)
{
    text->bytes += n_bytes;
    text->n_bytes -= n_bytes;
}

static bool may_split(const struct part_walk *walk)
{
    return walk->params->max_splits < 0 || walk->n_parts < walk->params->max_splits;
}

static bool next_word(struct part_walk *walk, struct tensor_string *ret_part)
{
    if (walk->rest.n_bytes) advance(&walk->rest, span_of(&walk->rest, true));
    if (!walk->rest.n_bytes) return false;
    *ret_part = walk->rest;
    if (may_split(walk)) ret_part->n_bytes = span_of(&walk->rest, false);
    advance(&walk->rest, ret_part->n_bytes);
    walk->n_parts++;
    return true;
}

static bool next_delimited(struct part_walk *walk, struct tensor_string *ret_part)
{
    const struct tensor_string *delimiter = &walk->params->delimiter;
    if (walk->is_done) return false;
    const char *found = NULL;
    if (walk->rest.n_bytes && may_split(walk))
        found = memmem(walk->rest.bytes, walk->rest.n_bytes, delimiter->bytes, delimiter->n_bytes);
    *ret_part = walk->rest;
    walk->is_done = !found;
    if (found) {
        ret_part->n_bytes = (size_t)(found - walk->rest.bytes);
        advance(&walk->rest, ret_part->n_bytes + delimiter->n_bytes);
    }
    walk->n_parts++;
    return true;
}

static bool next_part(struct part_walk *walk, struct tensor_string *ret_part)
{
    return walk->params->delimiter.n_bytes ? next_delimited(walk, ret_part) : next_word(walk, ret_part);
}

static hob_status write_counts(struct op_context *ctx, const struct tensor_string *items, int64_t *ret_longest)
{
    const struct tensor *x = ctx->inputs[0];
    int64_t n_items = tensor_n_items(x);
    struct tensor_string ignored;
    TRY(op_allocate_output(ctx, 1, DTYPE_I64, x->rank, x->dims));
    int64_t *counts = op_output(ctx, 1) ? op_output(ctx, 1)->data : NULL;
    *ret_longest = 0;
    for (int64_t i = 0; i < n_items; i++) {
        struct part_walk walk = {.params = ctx->params, .rest = items[i]};
        while (next_part(&walk, &ignored)) {
        }
        if (counts) counts[i] = walk.n_parts;
        if (walk.n_parts > *ret_longest) *ret_longest = walk.n_parts;
    }
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    size_t n_items = (size_t)tensor_n_items(x);
    const struct tensor_string *items;
    struct tensor_string *copies = ARENA_NEW(ctx->scratch, struct tensor_string, n_items);
    int64_t longest, dims[TENSOR_MAX_RANK];
    if (!copies) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    TRY(string_items_load(ctx, x, &items));
    TRY(write_counts(ctx, items, &longest));
    memcpy(dims, x->dims, sizeof dims);
    dims[x->rank] = longest;
    TRY(op_allocate_output(ctx, 0, DTYPE_STRING, x->rank + 1, dims));
    if (!op_output(ctx, 0)) return HOB_OK;
    TRY(string_items_copy(ctx, items, n_items, copies));
    struct tensor_string *out = ctx->outputs[0]->data;
    for (size_t i = 0; i < n_items; i++, out += longest) {
        struct part_walk walk = {.params = ctx->params, .rest = copies[i]};
        int64_t n_parts = 0;
        while (next_part(&walk, &out[n_parts])) n_parts++;
        for (; n_parts < longest; n_parts++) out[n_parts] = (struct tensor_string){"", 0};
    }
    return HOB_OK;
}

const struct op_def op_string_split = {.name = "StringSplit",
                                       .domain = "",
                                       .since = 20,
                                       .min_inputs = 1,
                                       .max_inputs = 1,
                                       .min_outputs = 1,
                                       .max_outputs = 2,
                                       .types = TYPE(STRING),
                                       .flags = OP_STRIDED_INPUTS | OP_ALLOCATES,
                                       .prepare = prepare,
                                       .infer = infer,
                                       .run = run};
