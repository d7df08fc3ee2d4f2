/* StringNormalizer: leaves out the strings of a [C] or [1,C] tensor that are stop words, and changes the case of the others. If
 * nothing is left, the output is one empty string.
 *
 * Case changes a character at a time, as C's towlower and towupper do (no ß to SS); of locales, only those with the Turkish
 * dotless i differ. A comparison that is not case-sensitive compares lower case. */
#include "ops/lookup.h"
#include "ops/text/string_items.h"
#include "text/unicode.h"

#include <string.h>
#include <utf8proc.h>

enum letter_case { CASE_AS_IS, CASE_LOWER, CASE_UPPER };

struct normalizer_params {
    enum letter_case action;
    bool is_case_sensitive, is_turkish;
    struct lookup stop_words; /* in lower case unless is_case_sensitive */
};

/* ---- case ---- */

static uint32_t change_char(uint32_t c, enum letter_case to, bool is_turkish)
{
    const uint32_t dotless_i = 0x131, dotted_capital_i = 0x130, sharp_s = 0xdf;
    if (to == CASE_AS_IS || (to == CASE_UPPER && c == sharp_s)) return c;
    if (is_turkish && c == 'i' && to == CASE_UPPER) return dotted_capital_i;
    if (is_turkish && c == 'I' && to == CASE_LOWER) return dotless_i;
    return (uint32_t)(to == CASE_LOWER ? utf8proc_tolower((utf8proc_int32_t)c) : utf8proc_toupper((utf8proc_int32_t)c));
}

/* A character changes its case within this many bytes. */
enum { CHAR_BYTES = 4 };

/* text in another case, at ret_bytes (room for CHAR_BYTES for each of text's bytes); bytes that are no UTF-8 stay. */
static struct tensor_string change_case(const struct tensor_string *text, enum letter_case to, bool is_turkish,
                                        char *ret_bytes)
{
    size_t n_written = 0;
    for (size_t at = 0, n; at < text->n_bytes; at += n) {
        n = unicode_char_bytes(text->bytes + at, text->n_bytes - at);
        if (!n) {
            ret_bytes[n_written++] = text->bytes[at];
            n = 1;
            continue;
        }
        uint32_t c = change_char(unicode_decode(text->bytes + at, &n), to, is_turkish);
        n_written += (size_t)utf8proc_encode_char((utf8proc_int32_t)c, (utf8proc_uint8_t *)ret_bytes + n_written);
    }
    return (struct tensor_string){ret_bytes, n_written};
}

static bool change_case_in(struct arena *arena, const struct tensor_string *text, enum letter_case to, bool is_turkish,
                           struct tensor_string *ret_text)
{
    if (text->n_bytes > SIZE_MAX / CHAR_BYTES) return false;
    char *bytes = arena_alloc(arena, text->n_bytes * CHAR_BYTES, 1);
    if (!bytes) return false;
    *ret_text = change_case(text, to, is_turkish, bytes);
    return true;
}

/* ---- prepare ---- */

static hob_status read_action(const struct op_prepare *node, enum letter_case *ret_action)
{
    static const char *const names[] = {[CASE_AS_IS] = "NONE", [CASE_LOWER] = "LOWER", [CASE_UPPER] = "UPPER"};
    const char *action = attributes_string(node->attributes, "case_change_action", "NONE");
    for (int i = 0; i < 3; i++) {
        if (strcmp(action, names[i])) continue;
        *ret_action = (enum letter_case)i;
        return HOB_OK;
    }
    FAIL(node->error, HOB_BAD_GRAPH, "%s: case_change_action: found \"%s\", expected LOWER, UPPER or NONE",
         node->node_name, action);
}

static bool prepare_stop_words(const struct op_prepare *node, struct normalizer_params *params)
{
    const struct attribute *words = attributes_find(node->attributes, "stopwords");
    size_t n_words = words && words->kind == ATTRIBUTE_STRINGS ? words->n_items : 0;
    struct tensor_string *keys = ARENA_NEW(node->arena, struct tensor_string, n_words);
    if (!keys) return false;
    for (size_t i = 0; i < n_words; i++) {
        keys[i] = words->strings[i];
        if (!params->is_case_sensitive &&
            !change_case_in(node->arena, &words->strings[i], CASE_LOWER, params->is_turkish, &keys[i]))
            return false;
    }
    return lookup_init_texts(&params->stop_words, node->arena, keys, n_words);
}

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct normalizer_params *params = ARENA_NEW(node->arena, struct normalizer_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    const char *locale = attributes_string(node->attributes, "locale", "en_US");
    TRY(read_action(node, &params->action));
    params->is_case_sensitive = attributes_int(node->attributes, "is_case_sensitive", 0) != 0;
    params->is_turkish = !strncmp(locale, "tr", 2) || !strncmp(locale, "az", 2);
    if (!prepare_stop_words(node, params)) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    *ret_params = params;
    return HOB_OK;
}

/* ---- infer and run ---- */

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    if (x->rank != 1 && !(x->rank == 2 && x->dims[0] == 1))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found shape %s, expected [C] or [1,C]", OP_SHAPE(x));
    return op_unknown(ctx, 0);
}

/* The strings that are no stop words, in the case asked for, in scratch. */
static hob_status normalize(struct op_context *ctx, const struct tensor_string *items, size_t n_items,
                            struct tensor_string *ret_kept, size_t *ret_n_kept)
{
    const struct normalizer_params *params = ctx->params;
    size_t n_kept = 0;
    for (size_t i = 0; i < n_items; i++) {
        struct tensor_string compared = items[i], changed = items[i];
        if (!params->is_case_sensitive && params->stop_words.n_places &&
            !change_case_in(ctx->scratch, &items[i], CASE_LOWER, params->is_turkish, &compared))
            OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
        if (lookup_find_text(&params->stop_words, &compared) >= 0) continue;
        if (params->action != CASE_AS_IS &&
            !change_case_in(ctx->scratch, &items[i], params->action, params->is_turkish, &changed))
            OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
        ret_kept[n_kept++] = changed;
    }
    *ret_n_kept = n_kept;
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    size_t n_items = (size_t)tensor_n_items(x), n_kept;
    const struct tensor_string *items;
    struct tensor_string *kept = ARENA_NEW(ctx->scratch, struct tensor_string, n_items + 1);
    if (!kept) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    TRY(string_items_load(ctx, x, &items));
    TRY(normalize(ctx, items, n_items, kept, &n_kept));
    if (!n_kept) kept[n_kept++] = (struct tensor_string){"", 0};
    const int64_t dims[] = {x->rank == 2 ? 1 : (int64_t)n_kept, (int64_t)n_kept};
    TRY(op_allocate_output(ctx, 0, DTYPE_STRING, x->rank, dims));
    return string_items_copy(ctx, kept, n_kept, ctx->outputs[0]->data);
}

const struct op_def op_string_normalizer = {.name = "StringNormalizer",
                                            .domain = "",
                                            .since = 10,
                                            .min_inputs = 1,
                                            .max_inputs = 1,
                                            .min_outputs = 1,
                                            .max_outputs = 1,
                                            .types = TYPE(STRING),
                                            .flags = OP_STRIDED_INPUTS | OP_ALLOCATES,
                                            .prepare = prepare,
                                            .infer = infer,
                                            .run = run};
