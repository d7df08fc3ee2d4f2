/* RegexFullMatch: whether the whole of each string matches a pattern in RE2's syntax.
 *
 * The pattern is compiled once, into the graph's arena. Matching is PCRE2's parallel (DFA) algorithm, which like RE2 looks at every
 * character of the text once: with no back-references to remember, no pattern makes it backtrack. What it keeps for each character
 * (its workspace) grows with the pattern and has a limit. */
#include "base/buffer.h"
#include "ops/text/re2_pattern.h"
#include "ops/text/string_items.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { MAX_PATTERN_BYTES = 1 << 16, LEAST_WORKSPACE_INTS = 1 << 10, MOST_WORKSPACE_INTS = 1 << 15 };

struct regex_params {
    const pcre2_code *code;
};

/* ---- PCRE2's memory comes from an arena ---- */

static void *arena_malloc(size_t size_bytes, void *arena)
{
    return arena_alloc(arena, size_bytes, 16);
}

static void arena_free(void *block, void *arena)
{
    (void)block, (void)arena;
}

/* ---- prepare ---- */

static hob_status compile(const struct op_prepare *node, const struct buffer *translated, const pcre2_code **ret_code)
{
    const uint32_t options = PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_ALT_CIRCUMFLEX |
                             PCRE2_NO_AUTO_POSSESS | PCRE2_NEVER_BACKSLASH_C;
    pcre2_general_context *general = pcre2_general_context_create(arena_malloc, arena_free, node->arena);
    pcre2_compile_context *context = general ? pcre2_compile_context_create(general) : NULL;
    if (!context) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    int code;
    PCRE2_SIZE at;
    *ret_code = pcre2_compile((PCRE2_SPTR)buffer_text(translated), translated->n_bytes, options, &code, &at, context);
    if (*ret_code) return HOB_OK;
    char reason[128] = "";
    pcre2_get_error_message(code, (PCRE2_UCHAR *)reason, sizeof reason);
    FAIL(node->error, HOB_BAD_GRAPH, "%s: pattern: %s", node->node_name, reason);
}

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct buffer translated = {.cap_bytes = 16 * MAX_PATTERN_BYTES};
    hob_status status = HOB_OK;
    struct regex_params *params = ARENA_NEW(node->arena, struct regex_params, 1);
    const struct attribute *pattern = attributes_find(node->attributes, "pattern");
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    if (!pattern || pattern->kind != ATTRIBUTE_STRING)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: pattern: missing, expected text", node->node_name);
    if (pattern->string.n_bytes > MAX_PATTERN_BYTES)
        FAIL(node->error, HOB_LIMIT, "%s: pattern: found %zu bytes, expected at most %d", node->node_name,
             pattern->string.n_bytes, MAX_PATTERN_BYTES);
    const char *why = re2_translate(pattern->string.bytes, pattern->string.n_bytes, &translated);
    if (why)
        FAIL_CLEANUP(node->error, HOB_BAD_GRAPH, "%s: pattern: found %s, expected RE2's syntax", node->node_name, why);
    if (translated.is_failed) FAIL_CLEANUP(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    TRY_CLEANUP(compile(node, &translated, &params->code));
    *ret_params = params;
cleanup:
    buffer_release(&translated);
    return status;
}

/* ---- run ---- */

static hob_status infer(struct op_context *ctx)
{
    return op_set_output(ctx, 0, DTYPE_BOOL, ctx->inputs[0]->rank, ctx->inputs[0]->dims);
}

/* What matching needs, in scratch. */
struct matcher {
    const pcre2_code *code;
    pcre2_match_data *data;
    int *workspace;
    size_t n_workspace;
};

static hob_status grow_workspace(struct op_context *ctx, struct matcher *matcher)
{
    if (matcher->n_workspace == MOST_WORKSPACE_INTS)
        OP_FAIL(ctx, HOB_LIMIT, "the pattern is too large to match: it is in more than %d places at once",
                MOST_WORKSPACE_INTS / 6);
    matcher->n_workspace = matcher->n_workspace ? 4 * matcher->n_workspace : LEAST_WORKSPACE_INTS;
    if (matcher->n_workspace > MOST_WORKSPACE_INTS) matcher->n_workspace = MOST_WORKSPACE_INTS;
    matcher->workspace = ARENA_NEW(ctx->scratch, int, matcher->n_workspace);
    if (!matcher->workspace) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    return HOB_OK;
}

static hob_status init_matcher(struct op_context *ctx, struct matcher *ret_matcher)
{
    const struct regex_params *params = ctx->params;
    pcre2_general_context *general = pcre2_general_context_create(arena_malloc, arena_free, ctx->scratch);
    *ret_matcher = (struct matcher){.code = params->code};
    if (general) ret_matcher->data = pcre2_match_data_create(1, general);
    if (!ret_matcher->data) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    return grow_workspace(ctx, ret_matcher);
}

static hob_status match(struct op_context *ctx, struct matcher *matcher, const struct tensor_string *text,
                        bool *ret_is_match)
{
    PCRE2_SPTR bytes = (PCRE2_SPTR)(text->n_bytes ? text->bytes : "");
    int found;
    while ((found = pcre2_dfa_match(matcher->code, bytes, text->n_bytes, 0, 0, matcher->data, NULL, matcher->workspace,
                                    matcher->n_workspace)) == PCRE2_ERROR_DFA_WSSIZE)
        TRY(grow_workspace(ctx, matcher));
    *ret_is_match = found >= 0;
    if (found >= 0 || found == PCRE2_ERROR_NOMATCH) return HOB_OK;
    if (found <= PCRE2_ERROR_UTF8_ERR1 && found >= PCRE2_ERROR_UTF8_ERR21)
        OP_FAIL(ctx, HOB_BAD_ARGUMENT, "input 0: found bytes that are not UTF-8");
    char reason[128] = "";
    pcre2_get_error_message(found, (PCRE2_UCHAR *)reason, sizeof reason);
    OP_FAIL(ctx, HOB_LIMIT, "matching stopped: %s", reason);
}

static hob_status run(struct op_context *ctx)
{
    size_t n_items = (size_t)tensor_n_items(ctx->inputs[0]);
    uint8_t *out = ctx->outputs[0]->data;
    const struct tensor_string *items;
    struct matcher matcher;
    TRY(string_items_load(ctx, ctx->inputs[0], &items));
    TRY(init_matcher(ctx, &matcher));
    for (size_t i = 0; i < n_items; i++) {
        bool is_match;
        TRY(match(ctx, &matcher, &items[i], &is_match));
        out[i] = is_match;
    }
    return HOB_OK;
}

const struct op_def op_regex_full_match = {.name = "RegexFullMatch",
                                           .domain = "",
                                           .since = 20,
                                           .min_inputs = 1,
                                           .max_inputs = 1,
                                           .min_outputs = 1,
                                           .max_outputs = 1,
                                           .types = TYPE(STRING),
                                           .flags = OP_STRIDED_INPUTS,
                                           .prepare = prepare,
                                           .infer = infer,
                                           .run = run};
