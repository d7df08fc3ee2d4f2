/* Replies as grammars. Calls are spelt as the format's layout says, so that a forced call is written in the way that the model was taught;
 * special tokens among the layout's marks are asked for as tokens. */
#include "base/buffer.h"
#include "base/error.h"
#include "engine/chat/chat.h"
#include "engine/chat/reply_form.h"
#include "engine/grammar.h"
#include "grammar/json_schema.h"
#include "grammar/until.h"

#include <stdio.h>
#include <string.h>

enum { MOST_MARK_BYTES = 64, MOST_NAME_BYTES = 64, MOST_CALLS = 16 };

struct call_grammar {
    struct grammar_builder *builder;
    const hob_tokenizer *tokenizer;
    const struct reply_form *form;
    const hob_chat_options *options;
    const struct chat_call_layout *layout; /* NULL: the reply may not call */
    hob_error *error;
};

/* ---- marks ---- */

/* How long the special token is that text begins with; 0: none. */
static size_t special_bytes(const hob_tokenizer *tokenizer, const char *text)
{
    const char *end = *text == '<' ? strchr(text, '>') : *text == '[' ? strchr(text, ']') : NULL;
    size_t n_bytes = end ? (size_t)(end - text) + 1 : 0;
    if (!n_bytes || n_bytes > MOST_MARK_BYTES) return 0;
    int32_t id = hob_tokenizer_id(tokenizer, text, n_bytes);
    return id != HOB_NO_TOKEN && hob_tokenizer_is_special(tokenizer, id) ? n_bytes : 0;
}

static size_t spell_special(const char *mark, size_t n_bytes, char ret_spelling[MOST_MARK_BYTES + 2])
{
    ret_spelling[0] = (char)TOKEN_SPECIAL_BYTE;
    memcpy(ret_spelling + 1, mark, n_bytes);
    ret_spelling[n_bytes + 1] = (char)TOKEN_SPECIAL_BYTE;
    return n_bytes + 2;
}

static uint32_t add_number(struct grammar_builder *builder, uint32_t from)
{
    uint32_t to = grammar_builder_state(builder), second = grammar_builder_state(builder);
    grammar_builder_bytes(builder, from, '0', '9', to);
    grammar_builder_bytes(builder, from, '1', '9', second);
    grammar_builder_bytes(builder, second, '0', '9', to);
    return to;
}

static uint32_t add_may_space(struct grammar_builder *builder, uint32_t from)
{
    uint32_t to = grammar_builder_literal(builder, from, " ", 1);
    grammar_builder_skip(builder, from, to);
    return to;
}

/* Text of a layout; NULL: none. Returns the state behind it. */
static uint32_t add_words(const struct call_grammar *calls, uint32_t from, const char *words)
{
    struct grammar_builder *builder = calls->builder;
    while (words && *words) {
        char spelling[MOST_MARK_BYTES + 2];
        size_t n_special = special_bytes(calls->tokenizer, words);
        if (n_special) from = grammar_builder_literal(builder, from, spelling, spell_special(words, n_special, spelling));
        else if (*words == *LAYOUT_NUMBER) from = add_number(builder, from);
        else if (*words == *LAYOUT_MAY_SPACE) from = add_may_space(builder, from);
        else from = grammar_builder_literal(builder, from, words, 1);
        words += n_special ? n_special : 1;
    }
    return from;
}

/* ---- calls ---- */

/* Names are spelt as they are in all formats: what could be taken for a mark is no name. */
static bool is_name(const char *name)
{
    size_t n = name ? strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:") : 0;
    return n > 0 && n <= MOST_NAME_BYTES && !name[n];
}

/* Arguments are an object, whatever the schema forgets to say. */
static json_t *object_schema(const json_t *parameters)
{
    static const char *const telling[] = {"type", "$ref", "anyOf", "oneOf", "allOf"};
    json_t *schema = json_is_object(parameters) ? json_copy((json_t *)(uintptr_t)parameters) : json_pack("{s:{}}", "properties");
    bool is_told = false;
    for (size_t i = 0; schema && i < sizeof telling / sizeof telling[0]; i++) is_told |= json_object_get(schema, telling[i]) != NULL;
    if (schema && !is_told) json_object_set_new(schema, "type", json_string("object"));
    return schema;
}

static hob_status add_json_arguments(const struct call_grammar *calls, json_t *schema, uint32_t from, uint32_t *ret_to, hob_error *error)
{
    uint32_t rule;
    TRY(json_schema_compile_json(calls->builder, schema, &rule, error));
    *ret_to = grammar_builder_state(calls->builder);
    grammar_builder_call(calls->builder, from, rule, *ret_to);
    return calls->builder->status;
}

/* A failure names the tool, whose schema may be one of many. */
static hob_status add_arguments(const struct call_grammar *calls, const char *name, const json_t *parameters, uint32_t from, uint32_t *ret_to)
{
    hob_error inner = {0};
    const struct chat_format_def *format = calls->form->format;
    json_t *schema = object_schema(parameters);
    if (!schema) FAIL(calls->error, HOB_NO_MEMORY, "no memory for a tool's schema");
    calls->builder->error = &inner;
    hob_status status = format->add_arguments ? format->add_arguments(calls->builder, schema, from, ret_to, &inner)
                                              : add_json_arguments(calls, schema, from, ret_to, &inner);
    calls->builder->error = calls->error;
    json_decref(schema);
    if (status != HOB_OK) FAIL(calls->error, status, "tool '%s': parameters: %.400s", name, inner.message);
    return HOB_OK;
}

static hob_status add_call(const struct call_grammar *calls, const char *name, const json_t *parameters, uint32_t from, uint32_t to)
{
    struct grammar_builder *builder = calls->builder;
    uint32_t at = grammar_builder_literal(builder, from, name, strlen(name));
    at = add_words(calls, at, calls->layout->before_arguments);
    TRY(add_arguments(calls, name, parameters, at, &at));
    grammar_builder_skip(builder, at, to);
    return builder->status;
}

static bool is_chosen(const struct call_grammar *calls, const char *name)
{
    if (calls->options->tool_choice != HOB_TOOL_CHOICE_NAMED) return true;
    return name && calls->options->tool_name && !strcmp(name, calls->options->tool_name);
}

/* One call of any tool that may be called. */
static hob_status add_any_call(const struct call_grammar *calls, uint32_t from, uint32_t to)
{
    struct grammar_builder *builder = calls->builder;
    uint32_t name = add_words(calls, from, calls->layout->before_name), behind = grammar_builder_state(builder);
    size_t n_chosen = 0;
    for (size_t i = 0; i < json_array_size(calls->form->tools); i++) {
        const json_t *tool = json_array_get(calls->form->tools, i);
        const char *tool_name = chat_tool_name(tool);
        if (!is_chosen(calls, tool_name)) continue;
        if (!is_name(tool_name))
            FAIL(calls->error, HOB_BAD_ARGUMENT, "tool %zu: name: found '%.70s', expected letters, digits, _ and - (at most %d)", i,
                 tool_name ? tool_name : "", MOST_NAME_BYTES);
        TRY(add_call(calls, tool_name, json_object_get(chat_tool_function(tool), "parameters"), name, behind));
        n_chosen++;
    }
    if (!n_chosen && calls->options->tool_name)
        FAIL(calls->error, HOB_BAD_ARGUMENT, "tool choice: found no tool '%.70s'", calls->options->tool_name);
    if (!n_chosen) FAIL(calls->error, HOB_BAD_ARGUMENT, "tool choice: found no tools, expected one to call");
    grammar_builder_skip(builder, add_words(calls, behind, calls->layout->behind_arguments), to);
    return builder->status;
}

/* More calls behind the first: a model that is held to calls must come to an end of them. */
static uint32_t add_more_calls(const struct call_grammar *calls, uint32_t from, uint32_t rule)
{
    struct grammar_builder *builder = calls->builder;
    size_t first_state = builder->n_states;
    struct fragment more = {.from = grammar_builder_state(builder)};
    uint32_t call = add_words(calls, more.from, calls->layout->between);
    more.to = grammar_builder_state(builder);
    grammar_builder_call(builder, call, rule, more.to);
    more = grammar_builder_repeat(builder, first_state, more, 0, MOST_CALLS - 1);
    grammar_builder_skip(builder, from, more.from);
    return more.to;
}

static hob_status add_calls(const struct call_grammar *calls, uint32_t from, uint32_t to)
{
    struct grammar_builder *builder = calls->builder;
    const struct chat_call_layout *layout = calls->layout;
    bool has_one = calls->options->has_one_call || calls->options->tool_choice == HOB_TOOL_CHOICE_NAMED;
    uint32_t rule = grammar_builder_rule(builder, "call", 4);
    TRY(builder->status);
    TRY(add_any_call(calls, builder->rules[rule].start, builder->rules[rule].end));
    uint32_t before = add_words(calls, from, layout->before_all), behind = grammar_builder_state(builder);
    grammar_builder_call(builder, before, rule, behind);
    if (!has_one) behind = add_more_calls(calls, behind, rule);
    grammar_builder_skip(builder, add_words(calls, behind, layout->behind_all), to);
    return builder->status;
}

/* ---- the reply ---- */

static hob_status add_document(const struct call_grammar *calls, uint32_t from, uint32_t to)
{
    const char *schema = calls->options->response_schema;
    uint32_t rule;
    if (*schema) TRY(json_schema_compile(calls->builder, schema, strlen(schema), &rule, calls->error));
    else TRY(json_schema_any(calls->builder, &rule));
    grammar_builder_call(calls->builder, from, rule, to);
    return calls->builder->status;
}

/* Reasoning, then up to two line ends. */
static uint32_t add_reasoning(const struct call_grammar *calls, uint32_t from)
{
    struct grammar_builder *builder = calls->builder;
    char spelling[MOST_MARK_BYTES + 2];
    size_t n_special = special_bytes(calls->tokenizer, THINK_END);
    const char *end = n_special ? spelling : THINK_END;
    size_t n_end = n_special ? spell_special(THINK_END, n_special, spelling) : strlen(THINK_END);
    uint32_t begin = calls->form->begins_inside ? from : add_words(calls, from, THINK_BEGIN);
    uint32_t behind = grammar_builder_until(builder, begin, end, n_end), to = grammar_builder_state(builder);
    for (int i = 0; i < 2; i++) {
        grammar_builder_skip(builder, behind, to);
        behind = grammar_builder_literal(builder, behind, "\n", 1);
    }
    grammar_builder_skip(builder, behind, to);
    if (!calls->form->begins_inside) grammar_builder_skip(builder, from, to);
    return to;
}

static hob_status add_reply(const struct call_grammar *calls, uint32_t root)
{
    struct grammar_builder *builder = calls->builder;
    TRY(builder->status);
    uint32_t from = builder->rules[root].start, to = builder->rules[root].end;
    bool has_reasoning = calls->form->begins_inside || (calls->form->has_reasoning && !calls->form->is_behind);
    bool is_forced = calls->options->tool_choice == HOB_TOOL_CHOICE_REQUIRED || calls->options->tool_choice == HOB_TOOL_CHOICE_NAMED;
    if (has_reasoning) from = add_reasoning(calls, from);
    if (calls->layout) TRY(add_calls(calls, from, to));
    if (calls->options->response_schema && !is_forced) TRY(add_document(calls, from, to));
    return builder->status;
}

static hob_status build(const struct reply_form *form, const hob_tokenizer *tokenizer, const hob_chat_options *options,
                        hob_grammar **ret_grammar, hob_error *error)
{
    struct grammar_builder builder;
    struct call_grammar calls = {.builder = &builder, .tokenizer = tokenizer, .form = form, .options = options, .error = error};
    if (form->format) calls.layout = chat_format_layout(form->format, form->template_text);
    hob_status status = grammar_builder_init(&builder, error);
    uint32_t root = status == HOB_OK ? grammar_builder_rule(&builder, "reply", 5) : 0;
    if (status == HOB_OK) status = add_reply(&calls, root);
    if (status == HOB_OK) status = grammar_handle_new(&builder, root, ret_grammar, error);
    grammar_builder_release(&builder);
    return status;
}

hob_status hob_chat_new_grammar(const hob_chat *chat, const hob_model *model, const hob_chat_options *options, hob_grammar **ret_grammar,
                                hob_error *error)
{
    struct reply_form form;
    if (!chat || !model || !ret_grammar) FAIL(error, HOB_BAD_ARGUMENT, "hob_chat_new_grammar: chat, model and ret_grammar must be given");
    bool is_forced = options && (options->tool_choice == HOB_TOOL_CHOICE_REQUIRED || options->tool_choice == HOB_TOOL_CHOICE_NAMED);
    if (!options || (!is_forced && !options->response_schema)) {
        *ret_grammar = NULL;
        return HOB_OK;
    }
    const hob_tokenizer *tokenizer = hob_model_tokenizer(model);
    if (!tokenizer) FAIL(error, HOB_NOT_FOUND, "the model has no tokenizer");
    if (is_forced && !json_array_size(chat->tools)) FAIL(error, HOB_BAD_ARGUMENT, "tool choice: found no tools, expected one to call");
    if (options->tool_choice == HOB_TOOL_CHOICE_NAMED && !options->tool_name)
        FAIL(error, HOB_BAD_ARGUMENT, "tool choice: found no name, expected a tool's");
    TRY(reply_form_of(chat, model, options, &form, error));
    return build(&form, tokenizer, options, ret_grammar, error);
}
