/* A conversation as a prompt: the template's text, then its ids. */
#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "engine/chat/chat.h"
#include "engine/model.h"
#include "text/jinja/jinja.h"
#include "text/tokenizer.h"

#include <string.h>
#include <time.h>

static const hob_chat_options defaults;

const json_t *chat_tools(const struct hob_chat *chat, const hob_chat_options *options)
{
    return options->tool_choice == HOB_TOOL_CHOICE_NONE ? NULL : chat->tools;
}

hob_status chat_choose_template(const struct hob_chat *chat, const hob_model *model, const hob_chat_options *options,
                                const char **ret_text, hob_error *error)
{
    const char *text = options->template_text;
    if (!text && options->template_name) {
        text = chat_built_in_template(options->template_name);
        if (!text) FAIL(error, HOB_BAD_ARGUMENT, "found no built-in chat template '%s'", options->template_name);
    }
    if (!text && chat_tools(chat, options)) text = model->tool_template;
    if (!text) text = model->chat_template;
    if (!text) FAIL(error, HOB_NOT_FOUND, "the model has no chat template: name a built-in one (chatml, llama2, …) or give its text");
    *ret_text = text;
    return HOB_OK;
}

/* "" where the vocabulary has none. */
static const char *token_text(const hob_tokenizer *tokenizer, hob_token_role role)
{
    int32_t id = tokenizer ? hob_tokenizer_role(tokenizer, role) : HOB_NO_TOKEN;
    const char *text = id == HOB_NO_TOKEN ? NULL : hob_tokenizer_token(tokenizer, id, NULL);
    return text ? text : "";
}

static hob_status add_variables(json_t *names, const char *variables, hob_error *error)
{
    json_error_t reason;
    json_t *more = variables ? json_loads(variables, JSON_REJECT_DUPLICATES, &reason) : NULL;
    if (!variables) return HOB_OK;
    bool is_read = more != NULL, is_object = json_is_object(more), is_set = is_object && json_object_update(names, more) == 0;
    json_decref(more);
    if (!is_object) FAIL(error, HOB_BAD_ARGUMENT, "a template's variables: %s", is_read ? "expected an object" : reason.text);
    if (!is_set) FAIL(error, HOB_NO_MEMORY, "no memory for a template's variables");
    return HOB_OK;
}

/* What a stranger may have written: all but the names of special tokens. */
static hob_status make_foreign(const struct hob_chat *chat, const hob_chat_options *options, json_t **ret_names, hob_error *error)
{
    json_t *names = json_pack("{s:O}", "messages", chat->messages);
    bool has_tools = chat_tools(chat, options) != NULL;
    if (!names || (has_tools && json_object_set(names, "tools", chat->tools) != 0)) {
        json_decref(names);
        FAIL(error, HOB_NO_MEMORY, "no memory for a template's variables");
    }
    hob_status status = add_variables(names, options->variables, error);
    if (status == HOB_OK) *ret_names = names;
    else json_decref(names);
    return status;
}

/* What transformers hands to a template beside those. */
static json_t *make_own(const hob_model *model, const hob_chat_options *options)
{
    const hob_tokenizer *tokenizer = hob_model_tokenizer(model);
    bool has_prompt = !options->omits_generation_prompt && !options->continues_final_message;
    return json_pack("{s:b, s:s, s:s, s:s, s:s}", "add_generation_prompt", has_prompt, "bos_token", token_text(tokenizer, HOB_TOKEN_BOS),
                     "eos_token", token_text(tokenizer, HOB_TOKEN_EOS), "pad_token", token_text(tokenizer, HOB_TOKEN_PAD), "unk_token",
                     token_text(tokenizer, HOB_TOKEN_UNKNOWN));
}

/* The last place where needle stands, or NULL. From the end: it is near there. */
static const char *find_last(const struct buffer *text, const char *needle, size_t n_bytes)
{
    if (!n_bytes || n_bytes > text->n_bytes) return NULL;
    for (size_t at = text->n_bytes - n_bytes + 1; at-- > 0;)
        if (!memcmp(text->bytes + at, needle, n_bytes)) return text->bytes + at;
    return NULL;
}

/* Everything behind the last message's own text goes, so that the reply continues it. Templates may trim that text. */
static hob_status cut_behind_final(const struct hob_chat *chat, struct buffer *text, hob_error *error)
{
    static const char blanks[] = " \t\r\n";
    size_t last = hob_chat_n_messages(chat) - 1;
    const char *content = hob_chat_content(chat, last);
    if (!content || strcmp(hob_chat_role(chat, last), "assistant") != 0)
        FAIL(error, HOB_BAD_ARGUMENT, "to be continued the last message must be the assistant's, and text");
    content += strspn(content, blanks);
    size_t n_whole = strlen(content), n_trimmed = n_whole;
    while (n_trimmed && strchr(blanks, content[n_trimmed - 1])) n_trimmed--;
    const char *found = find_last(text, content, n_trimmed);
    if (!found) FAIL(error, HOB_BAD_ARGUMENT, "the last message cannot be continued: the template does not write it as it is");
    bool is_whole = strncmp(found, content, n_whole) == 0;
    text->n_bytes = (size_t)(found - text->bytes) + (is_whole ? n_whole : n_trimmed);
    text->bytes[text->n_bytes] = '\0';
    return HOB_OK;
}

/* The prompt, and marks on what is a stranger's in it. */
static hob_status render(const struct hob_chat *chat, const hob_model *model, const hob_chat_options *options, struct buffer *text,
                         struct buffer *marks, hob_error *error)
{
    const char *template_text;
    struct jinja_template *template = NULL;
    json_t *foreign = NULL, *own = make_own(model, options);
    hob_status status = HOB_OK;
    struct jinja_options limits = {.now = options->now ? options->now : (int64_t)time(NULL), .trusted_member = "role"};
    if (!own) FAIL(error, HOB_NO_MEMORY, "no memory for a template's variables");
    TRY_CLEANUP(chat_choose_template(chat, model, options, &template_text, error));
    if (options->continues_final_message && !hob_chat_n_messages(chat))
        FAIL_CLEANUP(error, HOB_BAD_ARGUMENT, "there is no message to continue");
    TRY_CLEANUP(jinja_parse(template_text, strlen(template_text), "chat template", &template, error));
    TRY_CLEANUP(make_foreign(chat, options, &foreign, error));
    TRY_CLEANUP(jinja_render_marked(template, own, foreign, &limits, text, marks, error));
    if (options->continues_final_message) TRY_CLEANUP(cut_behind_final(chat, text, error));
    text->cap_bytes = 0;
    if (!buffer_append(text, "", 0)) status = error_set(error, HOB_NO_MEMORY, ERROR_HERE, "no memory for the prompt");
cleanup:
    json_decref(own);
    json_decref(foreign);
    jinja_template_free(template);
    return status;
}

hob_status hob_chat_render(const hob_chat *chat, const hob_model *model, const hob_chat_options *options, char **ret_text,
                           size_t *ret_n_bytes, hob_error *error)
{
    struct buffer text = {0}, marks = {0};
    if (!chat || !model || !ret_text) FAIL(error, HOB_BAD_ARGUMENT, "hob_chat_render: chat, model and ret_text must be given");
    hob_status status = render(chat, model, options ? options : &defaults, &text, &marks, error);
    buffer_release(&marks);
    if (status != HOB_OK) {
        buffer_release(&text);
        return status;
    }
    *ret_text = text.bytes;
    if (ret_n_bytes) *ret_n_bytes = text.n_bytes;
    return HOB_OK;
}

/* The token that begins a text, where the tokenizer puts one before any text; else HOB_NO_TOKEN. */
static hob_status beginning(const hob_tokenizer *tokenizer, int32_t *ret_id, hob_error *error)
{
    int32_t *ids, bos = hob_tokenizer_role(tokenizer, HOB_TOKEN_BOS);
    size_t n_ids;
    TRY(hob_tokenizer_encode(tokenizer, "", 0, HOB_ADD_SPECIAL, &ids, &n_ids, error));
    *ret_id = n_ids && ids[0] == bos ? bos : HOB_NO_TOKEN;
    hob_free(ids);
    return HOB_OK;
}

static hob_status put_in_front(int32_t id, struct id_list *ids, hob_error *error)
{
    if (!id_list_append(ids, id)) FAIL(error, HOB_NO_MEMORY, "no memory for the prompt's ids");
    memmove(ids->ids + 1, ids->ids, (ids->n_ids - 1) * sizeof *ids->ids);
    ids->ids[0] = id;
    return HOB_OK;
}

static hob_status encode(const struct hob_chat *chat, const hob_model *model, const hob_chat_options *options, struct id_list *ids,
                         hob_error *error)
{
    const hob_tokenizer *tokenizer = hob_model_tokenizer(model);
    struct buffer text = {0}, marks = {0};
    int32_t bos;
    hob_status status = HOB_OK;
    TRY_CLEANUP(render(chat, model, options, &text, &marks, error));
    TRY_CLEANUP(beginning(tokenizer, &bos, error));
    size_t n_marked = options->reads_special_tokens ? 0 : marks.n_bytes < text.n_bytes ? marks.n_bytes : text.n_bytes;
    TRY_CLEANUP(tokenizer_encode_marked((const struct tokenizer *)tokenizer, text.bytes, text.n_bytes, marks.bytes, n_marked,
                                        HOB_PARSE_SPECIAL, ids, error));
    if (bos != HOB_NO_TOKEN && (!ids->n_ids || ids->ids[0] != bos)) status = put_in_front(bos, ids, error);
cleanup:
    buffer_release(&text);
    buffer_release(&marks);
    return status;
}

hob_status hob_chat_encode(const hob_chat *chat, const hob_model *model, const hob_chat_options *options, int32_t **ret_ids,
                           size_t *ret_n_ids, hob_error *error)
{
    struct id_list ids = {0};
    if (!chat || !model || !ret_ids || !ret_n_ids)
        FAIL(error, HOB_BAD_ARGUMENT, "hob_chat_encode: chat, model, ret_ids and ret_n_ids must be given");
    if (!hob_model_tokenizer(model)) FAIL(error, HOB_NOT_FOUND, "the model has no tokenizer");
    hob_status status = encode(chat, model, options ? options : &defaults, &ids, error);
    if (status == HOB_OK && !ids.ids && !(ids.ids = memory_new(1, sizeof *ids.ids)))
        status = error_set(error, HOB_NO_MEMORY, ERROR_HERE, "no memory for the prompt's ids");
    if (status != HOB_OK) {
        id_list_release(&ids);
        return status;
    }
    *ret_ids = ids.ids;
    *ret_n_ids = ids.n_ids;
    return HOB_OK;
}
