#include "cli/conversation.h"

#include "base/error.h"
#include "cli/interrupt.h"
#include "cli/json.h"

#include <string.h>

/* An answer under way. */
struct answer {
    struct conversation *conversation;
    hob_reply *reply;
    bool is_reasoning; /* the last that was shown */
    hob_status status;
    hob_error error;
};

#define DIM "\033[2m"
#define PLAIN "\033[0m"

static void set_dim(struct answer *answer, bool is_dim)
{
    struct conversation *conversation = answer->conversation;
    if (answer->is_reasoning == is_dim) return;
    answer->is_reasoning = is_dim;
    if (conversation->has_colours) output_printf(conversation->output, "%s", is_dim ? DIM : PLAIN);
    if (!is_dim) output_write(conversation->output, "\n", 1);
}

static void show(struct answer *answer, const hob_reply_delta *delta)
{
    struct conversation *conversation = answer->conversation;
    if (conversation->is_json) return;
    if (*delta->reasoning && conversation->shows_reasoning) {
        set_dim(answer, true);
        output_write(conversation->output, delta->reasoning, strlen(delta->reasoning));
    }
    if (!*delta->content) return;
    set_dim(answer, false);
    output_write(conversation->output, delta->content, strlen(delta->content));
}

static bool on_generated(void *context, const hob_generated *generated)
{
    struct answer *answer = context;
    hob_reply_delta delta;
    answer->status = hob_reply_push(answer->reply, generated, &delta, &answer->error);
    if (answer->status != HOB_OK) return false;
    show(answer, &delta);
    return output_flush(answer->conversation->output) && !interrupt_is_asked();
}

static void show_calls(struct output *output, const json_t *message)
{
    const json_t *calls = json_object_get(message, "tool_calls");
    for (size_t i = 0; i < json_array_size(calls); i++) {
        const json_t *function = json_object_get(json_array_get(calls, i), "function");
        output_printf(output, "%s%s(%s)", i ? "\n" : "", json_string_value(json_object_get(function, "name")),
                      json_string_value(json_object_get(function, "arguments")));
    }
}

static hob_status show_end(struct answer *answer, hob_error *error)
{
    struct conversation *conversation = answer->conversation;
    const hob_generate_result *last = &conversation->last;
    json_t *message = json_loads(hob_reply_message(answer->reply), 0, NULL);
    if (!message) FAIL(error, HOB_NO_MEMORY, "no memory for the answer");
    if (conversation->is_json) {
        json_t *line = json_pack("{s:o, s:s, s:I, s:I, s:I, s:f, s:f}", "message", message, "finish", hob_finish_name(last->finish),
                                 "n_prompt_tokens", (json_int_t)last->n_prompt_tokens, "n_cached_tokens", (json_int_t)last->n_cached_tokens,
                                 "n_tokens", (json_int_t)last->n_tokens, "prompt_ms", last->prompt_ms, "generate_ms", last->generate_ms);
        json_print(line, conversation->output);
        output_flush(conversation->output);
        return HOB_OK;
    }
    set_dim(answer, false);
    show_calls(conversation->output, message);
    json_decref(message);
    output_write(conversation->output, "\n", 1);
    output_flush(conversation->output);
    return HOB_OK;
}

static hob_generate_options generate_options(const struct conversation *conversation)
{
    const struct conversation_settings *settings = &conversation->settings;
    hob_generate_options options = {.max_tokens = settings->n_tokens};
    sampling_choose(&settings->sampling, conversation->biases, &options);
    options.seed += conversation->n_answers;
    return options;
}

static hob_status generate(struct answer *answer, const int32_t *ids, size_t n_ids, hob_error *error)
{
    struct conversation *conversation = answer->conversation;
    hob_generate_options options = generate_options(conversation);
    hob_reply_delta delta;
    interrupt_forget();
    interrupt_watch();
    TRY(hob_generate(conversation->loaded->session, ids, n_ids, &options, on_generated, answer, &conversation->last, error));
    if (answer->status != HOB_OK) {
        if (error) *error = answer->error;
        return answer->status;
    }
    TRY(hob_reply_finish(answer->reply, &delta, error));
    show(answer, &delta);
    const char *message = hob_reply_message(answer->reply);
    TRY(hob_chat_add_json(conversation->chat, message, strlen(message), error));
    conversation->n_answers++;
    return show_end(answer, error);
}

hob_status conversation_answer(struct conversation *conversation, hob_error *error)
{
    struct answer answer = {.conversation = conversation};
    const hob_chat_options *options = &conversation->template_options;
    const hob_model *model = conversation->loaded->model;
    int32_t *ids = NULL;
    size_t n_ids;
    hob_status status = hob_chat_encode(conversation->chat, model, options, &ids, &n_ids, error);
    if (status == HOB_OK && n_ids == 0) status = error_set(error, HOB_BAD_ARGUMENT, ERROR_HERE, "the chat template writes nothing");
    if (status == HOB_OK) status = hob_reply_new(conversation->chat, model, options, &answer.reply, error);
    if (status == HOB_OK) status = generate(&answer, ids, n_ids, error);
    if (status != HOB_OK) set_dim(&answer, false); /* the terminal's colour, where it failed inside reasoning */
    hob_reply_free(answer.reply);
    hob_free(ids);
    return status;
}

hob_status conversation_say(struct conversation *conversation, const char *role, const char *text, hob_error *error)
{
    size_t n_before = hob_chat_n_messages(conversation->chat);
    TRY(hob_chat_add(conversation->chat, role, text, error));
    hob_status status = conversation_answer(conversation, error);
    if (status != HOB_OK) hob_chat_truncate(conversation->chat, n_before);
    return status;
}

bool conversation_undo(struct conversation *conversation, bool with_question)
{
    size_t n = hob_chat_n_messages(conversation->chat);
    const char *role = n ? hob_chat_role(conversation->chat, n - 1) : NULL;
    if (!role || strcmp(role, "assistant") != 0) return false;
    n--;
    role = n ? hob_chat_role(conversation->chat, n - 1) : NULL;
    bool has_question = role && strcmp(role, "system") != 0;
    if (!has_question) return false;
    hob_chat_truncate(conversation->chat, n - with_question);
    return true;
}
