#include "server/jobs/prompt.h"

#include "base/memory.h"

static const hob_tokenizer *tokenizer_of(const struct loaded_model *model, struct problem *ret_problem)
{
    const hob_tokenizer *tokenizer = hob_model_tokenizer(model->model);
    if (!tokenizer) problem_set(ret_problem, PROBLEM_UNSUPPORTED, "model %s: it has no tokenizer", model->name);
    return tokenizer;
}

/* ---- conversations ---- */

static hob_tool_choice tool_choice_of(const struct generate_inputs *inputs)
{
    if (inputs->tool_name) return HOB_TOOL_CHOICE_NAMED;
    if (!inputs->tool_choice || !strcmp(inputs->tool_choice, "auto")) return HOB_TOOL_CHOICE_AUTO;
    return !strcmp(inputs->tool_choice, "none") ? HOB_TOOL_CHOICE_NONE : HOB_TOOL_CHOICE_REQUIRED;
}

static bool is_known_choice(const char *choice)
{
    return !choice || !strcmp(choice, "auto") || !strcmp(choice, "none") || !strcmp(choice, "required");
}

static bool has_template(const struct generate_inputs *inputs, const struct loaded_model *model)
{
    return inputs->chat.template_text || inputs->chat.template_name || model->chat_template || model->chat_template_name ||
           hob_model_chat_template(model->model);
}

/* The request's template before the configured one before the model's own before one that stands in. */
static hob_chat_options chat_options_of(const struct generate_inputs *inputs, const struct loaded_model *model)
{
    hob_chat_options options = inputs->chat;
    if (!options.template_text && !options.template_name) {
        options.template_text = model->chat_template;
        options.template_name = model->chat_template_name;
    }
    if (!has_template(inputs, model)) options.template_name = hob_chat_template_default(model->model);
    options.tool_choice = tool_choice_of(inputs);
    options.tool_name = inputs->tool_name;
    options.has_one_call = inputs->has_one_call;
    options.reads_special_tokens = inputs->reads_special_tokens;
    if (inputs->options.json_schema) options.response_schema = inputs->options.json_schema;
    return options;
}

static bool make_chat(const struct generate_inputs *inputs, hob_chat **ret_chat, struct problem *ret_problem)
{
    hob_error error;
    hob_chat *chat = NULL;
    if (!is_known_choice(inputs->tool_choice))
        return problem_set_field(ret_problem, "tool_choice", "tool_choice: found \"%.60s\", expected auto, none or required", inputs->tool_choice);
    hob_status status = hob_chat_new(&chat, &error);
    if (status == HOB_OK) status = hob_chat_add_json(chat, inputs->messages, inputs->n_messages_bytes, &error);
    if (status == HOB_OK && inputs->tools) status = hob_chat_set_tools(chat, inputs->tools, &error);
    if (status == HOB_OK) {
        *ret_chat = chat;
        return true;
    }
    hob_chat_free(chat);
    return problem_from(ret_problem, &error);
}

static bool make_from_chat(const struct generate_inputs *inputs, const struct loaded_model *model, struct prompt *prompt, struct problem *ret_problem)
{
    hob_error error;
    prompt->chat_options = chat_options_of(inputs, model);
    if (!make_chat(inputs, &prompt->chat, ret_problem)) return false;
    /* A model that was never taught turns goes on to speak for the user. */
    bool has_roles = !has_template(inputs, model) && prompt->chat_options.template_name && !strcmp(prompt->chat_options.template_name, "roles");
    prompt->end_text = has_roles ? "\nuser:" : NULL;
    if (hob_chat_encode(prompt->chat, model->model, &prompt->chat_options, &prompt->ids, &prompt->n_ids, &error) == HOB_OK) return true;
    return problem_from(ret_problem, &error);
}

/* ---- the other kinds ---- */

static bool make_from_text(const struct generate_inputs *inputs, const struct loaded_model *model, struct prompt *prompt, struct problem *ret_problem)
{
    hob_error error;
    const hob_tokenizer *tokenizer = tokenizer_of(model, ret_problem);
    unsigned flags = (inputs->is_bare ? 0u : HOB_ADD_SPECIAL) | (inputs->reads_special_tokens ? HOB_PARSE_SPECIAL : 0u);
    if (!tokenizer) return false;
    const char *text = inputs->text ? inputs->text : "";
    if (hob_tokenizer_encode(tokenizer, text, inputs->n_text_bytes, flags, &prompt->ids, &prompt->n_ids, &error) == HOB_OK) return true;
    return problem_from(ret_problem, &error);
}

static bool make_from_ids(const struct generate_inputs *inputs, const struct loaded_model *model, struct prompt *prompt, struct problem *ret_problem)
{
    int64_t n_vocab = model->info.n_vocab;
    for (size_t i = 0; i < inputs->n_ids; i++)
        if (inputs->ids[i] < 0 || (n_vocab > 0 && inputs->ids[i] >= n_vocab))
            return problem_set(ret_problem, PROBLEM_BAD_REQUEST, "prompt: token %zu: found id %d, expected 0 to %lld", i, inputs->ids[i],
                               (long long)n_vocab - 1);
    prompt->ids = memory_new(inputs->n_ids, sizeof *prompt->ids);
    prompt->n_ids = inputs->n_ids;
    if (!prompt->ids) return problem_set(ret_problem, PROBLEM_NO_MEMORY, "a prompt of %zu tokens: out of memory", inputs->n_ids);
    if (inputs->n_ids) memcpy(prompt->ids, inputs->ids, inputs->n_ids * sizeof *prompt->ids);
    return true;
}

/* Texts and ids in turn. What begins a text comes only where a text is first, and once. */
static bool make_from_parts(const struct generate_inputs *inputs, const struct loaded_model *model, struct prompt *prompt, struct problem *ret_problem)
{
    struct buffer ids = {0};
    for (size_t i = 0; i < inputs->n_parts; i++) {
        const struct prompt_part *part = &inputs->parts[i];
        struct generate_inputs one = {.text = part->text, .n_text_bytes = part->n_text_bytes, .ids = &part->id, .n_ids = 1, .is_bare = i > 0,
                                      .reads_special_tokens = inputs->reads_special_tokens};
        struct prompt piece = {0};
        if (part->text ? !make_from_text(&one, model, &piece, ret_problem) : !make_from_ids(&one, model, &piece, ret_problem)) {
            buffer_release(&ids);
            return false;
        }
        buffer_append(&ids, piece.ids, piece.n_ids * sizeof *piece.ids);
        prompt_release(&piece);
    }
    prompt->n_ids = ids.n_bytes / sizeof *prompt->ids;
    prompt->ids = memory_new(prompt->n_ids, sizeof *prompt->ids);
    bool is_made = prompt->ids && !ids.is_failed;
    if (is_made && ids.n_bytes) memcpy(prompt->ids, ids.bytes, ids.n_bytes);
    buffer_release(&ids);
    return is_made || problem_set(ret_problem, PROBLEM_NO_MEMORY, "a prompt of %zu tokens: out of memory", prompt->n_ids);
}

/* For models that know no repositories: the other files before the prefix. */
static hob_status fill_without_repository(const hob_tokenizer *tokenizer, const hob_fim *fill, struct prompt *prompt, hob_error *error)
{
    struct buffer prefix = {0};
    for (size_t i = 0; i < fill->n_files; i++) {
        buffer_append(&prefix, fill->files[i].text, fill->files[i].n_text_bytes);
        buffer_append_byte(&prefix, '\n');
    }
    buffer_append(&prefix, fill->prefix, fill->n_prefix_bytes);
    hob_fim alone = {.prefix = buffer_text(&prefix), .n_prefix_bytes = prefix.n_bytes, .suffix = fill->suffix, .n_suffix_bytes = fill->n_suffix_bytes};
    hob_status status = hob_fim_prompt(tokenizer, &alone, &prompt->ids, &prompt->n_ids, error);
    buffer_release(&prefix);
    return status;
}

static bool make_to_fill(const struct generate_inputs *inputs, const struct loaded_model *model, struct prompt *prompt, struct problem *ret_problem)
{
    hob_error error;
    const hob_tokenizer *tokenizer = tokenizer_of(model, ret_problem);
    if (!tokenizer) return false;
    hob_status status = hob_fim_prompt(tokenizer, &inputs->fill, &prompt->ids, &prompt->n_ids, &error);
    if (status == HOB_UNSUPPORTED && inputs->fill.n_files) status = fill_without_repository(tokenizer, &inputs->fill, prompt, &error);
    if (status != HOB_OK) return problem_from(ret_problem, &error);
    prompt->n_ends = hob_fim_ends(tokenizer, prompt->ends);
    return true;
}

static enum prompt_kind kind_of(const struct generate_inputs *inputs, const struct loaded_model *model)
{
    bool is_text = inputs->kind == PROMPT_CHAT && inputs->is_text_without_template && !has_template(inputs, model);
    return is_text ? PROMPT_TEXT : inputs->kind;
}

bool prompt_make(const struct generate_inputs *inputs, const struct loaded_model *model, struct prompt *ret_prompt, struct problem *ret_problem)
{
    static bool (*const makers[])(const struct generate_inputs *, const struct loaded_model *, struct prompt *, struct problem *) = {
        [PROMPT_TEXT] = make_from_text, [PROMPT_IDS] = make_from_ids, [PROMPT_PARTS] = make_from_parts, [PROMPT_CHAT] = make_from_chat, [PROMPT_FILL] = make_to_fill};
    struct prompt prompt = {0};
    if (makers[kind_of(inputs, model)](inputs, model, &prompt, ret_problem)) {
        *ret_prompt = prompt;
        return true;
    }
    prompt_release(&prompt);
    return false;
}

void prompt_release(struct prompt *prompt)
{
    hob_free(prompt->ids);
    hob_chat_free(prompt->chat);
    *prompt = (struct prompt){0};
}

/* ---- as text ---- */

static bool render_chat(const struct generate_inputs *inputs, const struct loaded_model *model, char **ret_text, size_t *ret_n_bytes,
                        struct problem *ret_problem)
{
    hob_error error;
    hob_chat *chat = NULL;
    hob_chat_options options = chat_options_of(inputs, model);
    if (!make_chat(inputs, &chat, ret_problem)) return false;
    hob_status status = hob_chat_render(chat, model->model, &options, ret_text, ret_n_bytes, &error);
    hob_chat_free(chat);
    return status == HOB_OK || problem_from(ret_problem, &error);
}

bool prompt_render(const struct generate_inputs *inputs, const struct loaded_model *model, char **ret_text, size_t *ret_n_bytes,
                   struct problem *ret_problem)
{
    hob_error error;
    struct prompt prompt;
    if (kind_of(inputs, model) == PROMPT_CHAT) return render_chat(inputs, model, ret_text, ret_n_bytes, ret_problem);
    const hob_tokenizer *tokenizer = tokenizer_of(model, ret_problem);
    if (!tokenizer || !prompt_make(inputs, model, &prompt, ret_problem)) return false;
    hob_status status = hob_tokenizer_decode(tokenizer, prompt.ids, prompt.n_ids, 0, ret_text, ret_n_bytes, &error);
    prompt_release(&prompt);
    return status == HOB_OK || problem_from(ret_problem, &error);
}
