/* A reply is read as it comes: reasoning up to </think>, then content up to what begins a tool call, then that call's text, which is parsed
 * when it is whole. Text that could be the beginning of a mark is held back until it is clear. */
#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "engine/chat/chat.h"
#include "engine/chat/chat_format.h"
#include "engine/model.h"

#include <stdio.h>
#include <string.h>

#define THINK_BEGIN "<think>"
#define THINK_END "</think>"

enum reply_state { REPLY_BEGIN, REPLY_REASONING, REPLY_CONTENT, REPLY_CALL };

struct hob_reply {
    const struct hob_model *model;
    const struct chat_format_def *format; /* NULL: no calls are looked for */
    bool has_reasoning;                   /* the template speaks of <think> */
    enum reply_state state;
    bool has_bare_call; /* a call without the format's begin */
    bool skips_blanks;  /* those around reasoning belong to neither side */
    struct buffer pending;                /* not yet decided, or a call's text */
    struct buffer content, reasoning, new_content, new_reasoning;
    json_t *calls;
    char *message;
};

hob_status hob_reply_new(const hob_chat *chat, const hob_model *model, const hob_chat_options *options, hob_reply **ret_reply,
                         hob_error *error)
{
    static const hob_chat_options defaults;
    const char *text;
    char *prompt;
    size_t n_prompt;
    if (!chat || !model || !ret_reply) FAIL(error, HOB_BAD_ARGUMENT, "hob_reply_new: chat, model and ret_reply must be given");
    TRY(chat_choose_template(chat, model, options ? options : &defaults, &text, error));
    TRY(hob_chat_render(chat, model, options, &prompt, &n_prompt, error));
    while (n_prompt && strchr(" \t\r\n", prompt[n_prompt - 1])) n_prompt--;
    bool begins_inside = n_prompt >= strlen(THINK_BEGIN) && !memcmp(prompt + n_prompt - strlen(THINK_BEGIN), THINK_BEGIN, strlen(THINK_BEGIN));
    hob_free(prompt);
    hob_reply *reply = memory_new(1, sizeof *reply);
    if (reply) reply->calls = json_array();
    if (!reply || !reply->calls) {
        memory_free(reply);
        FAIL(error, HOB_NO_MEMORY, "no memory for a reply");
    }
    reply->model = model;
    reply->format = chat->tools ? chat_format_of(text) : NULL;
    reply->has_reasoning = strstr(text, THINK_END) != NULL;
    reply->state = begins_inside ? REPLY_REASONING : REPLY_BEGIN;
    reply->skips_blanks = begins_inside;
    *ret_reply = reply;
    return HOB_OK;
}

void hob_reply_free(hob_reply *reply)
{
    if (!reply) return;
    buffer_release(&reply->pending);
    buffer_release(&reply->content);
    buffer_release(&reply->reasoning);
    buffer_release(&reply->new_content);
    buffer_release(&reply->new_reasoning);
    json_decref(reply->calls);
    memory_free(reply->message);
    memory_free(reply);
}

static void drop(struct buffer *buffer, size_t n_bytes)
{
    buffer->n_bytes -= n_bytes;
    memmove(buffer->bytes, buffer->bytes + n_bytes, buffer->n_bytes + 1);
}

/* The first n_bytes of what is pending are final. */
static void emit(hob_reply *reply, size_t n_bytes)
{
    bool is_reasoning = reply->state == REPLY_REASONING;
    if (!n_bytes) return;
    buffer_append(is_reasoning ? &reply->reasoning : &reply->content, reply->pending.bytes, n_bytes);
    buffer_append(is_reasoning ? &reply->new_reasoning : &reply->new_content, reply->pending.bytes, n_bytes);
    drop(&reply->pending, n_bytes);
}

/* How many of the last bytes could begin a mark. */
static size_t n_undecided(const struct buffer *pending, const char *mark)
{
    size_t n_mark = strlen(mark), longest = n_mark ? n_mark - 1 : 0;
    for (size_t n = longest < pending->n_bytes ? longest : pending->n_bytes; n > 0; n--)
        if (!memcmp(pending->bytes + pending->n_bytes - n, mark, n)) return n;
    return 0;
}

/* Emits up to mark and drops it; true: it is there, and what is behind is pending. */
static bool pass_mark(hob_reply *reply, const char *mark)
{
    struct buffer *pending = &reply->pending;
    const char *found = pending->n_bytes ? memmem(pending->bytes, pending->n_bytes, mark, strlen(mark)) : NULL;
    if (!found) {
        emit(reply, pending->n_bytes - n_undecided(pending, mark));
        return false;
    }
    emit(reply, (size_t)(found - pending->bytes));
    drop(pending, strlen(mark));
    return true;
}

static void drop_blanks(struct buffer *pending)
{
    size_t n = 0;
    while (n < pending->n_bytes && strchr(" \t\r\n", pending->bytes[n])) n++;
    if (n) drop(pending, n);
}

/* What the reply's first characters make of it. true: decided. */
static bool begin(hob_reply *reply)
{
    struct buffer *pending = &reply->pending;
    const char *start = buffer_text(pending) + strspn(buffer_text(pending), " \t\r\n");
    if (!*start) return false;
    size_t n_start = strlen(start), n_think = strlen(THINK_BEGIN);
    if (reply->has_reasoning && !strncmp(start, THINK_BEGIN, n_start < n_think ? n_start : n_think)) {
        if (n_start < n_think) return false;
        drop(pending, (size_t)(start - pending->bytes) + n_think);
        reply->state = REPLY_REASONING;
        reply->skips_blanks = true;
    } else if (reply->format && reply->format->may_begin_reply && *start == '{') {
        reply->state = REPLY_CALL;
        reply->has_bare_call = true;
    } else {
        reply->state = REPLY_CONTENT;
    }
    return true;
}

/* A format may have added some calls before it came to a broken one: all of them or none. */
static bool parse_calls(hob_reply *reply, size_t n_bytes)
{
    size_t n_before = json_array_size(reply->calls);
    if (reply->format->parse(buffer_text(&reply->pending), n_bytes, reply->calls)) return true;
    while (json_array_size(reply->calls) > n_before) json_array_remove(reply->calls, json_array_size(reply->calls) - 1);
    return false;
}

/* The call's text is pending up to n_bytes. What is none is content, marks and all. */
static hob_status take_call(hob_reply *reply, size_t n_bytes, size_t n_end_bytes, hob_error *error)
{
    struct buffer *pending = &reply->pending, text = {0};
    bool is_parsed = parse_calls(reply, n_bytes);
    reply->state = REPLY_CONTENT;
    if (is_parsed) {
        drop(pending, n_bytes + n_end_bytes);
        return HOB_OK;
    }
    if (!reply->has_bare_call) buffer_append_string(&text, reply->format->begin);
    buffer_append(&text, buffer_text(pending), n_bytes + n_end_bytes);
    buffer_append(&reply->content, text.bytes, text.n_bytes);
    buffer_append(&reply->new_content, text.bytes, text.n_bytes);
    bool is_failed = text.is_failed;
    buffer_release(&text);
    if (is_failed) FAIL(error, HOB_NO_MEMORY, "no memory for a reply");
    if (n_bytes + n_end_bytes) drop(pending, n_bytes + n_end_bytes);
    return HOB_OK;
}

/* One step from state to state; is_over tells that there is nothing more to decide. */
static hob_status advance(hob_reply *reply, bool *ret_is_over, hob_error *error)
{
    struct buffer *pending = &reply->pending;
    const char *end;
    *ret_is_over = true;
    if (reply->skips_blanks) drop_blanks(pending);
    if (reply->skips_blanks && !pending->n_bytes) return HOB_OK;
    reply->skips_blanks = false;
    switch (reply->state) {
    case REPLY_BEGIN:
        *ret_is_over = !begin(reply);
        return HOB_OK;
    case REPLY_REASONING:
        if (!pass_mark(reply, THINK_END)) return HOB_OK;
        reply->state = REPLY_BEGIN;
        reply->skips_blanks = true;
        break;
    case REPLY_CONTENT:
        if (!reply->format) emit(reply, pending->n_bytes);
        if (!reply->format || !pass_mark(reply, reply->format->begin)) return HOB_OK;
        reply->state = REPLY_CALL;
        break;
    case REPLY_CALL:
        end = reply->format->end && pending->n_bytes ? memmem(pending->bytes, pending->n_bytes, reply->format->end, strlen(reply->format->end)) : NULL;
        if (!end || reply->has_bare_call) return HOB_OK;
        TRY(take_call(reply, (size_t)(end - pending->bytes), strlen(reply->format->end), error));
    }
    *ret_is_over = false;
    return HOB_OK;
}

static hob_status give(hob_reply *reply, hob_reply_delta *ret_delta, hob_error *error)
{
    bool is_failed = reply->pending.is_failed || reply->content.is_failed || reply->reasoning.is_failed || reply->new_content.is_failed ||
                     reply->new_reasoning.is_failed;
    if (is_failed) FAIL(error, HOB_NO_MEMORY, "no memory for a reply");
    if (ret_delta)
        *ret_delta = (hob_reply_delta){.content = buffer_text(&reply->new_content), .reasoning = buffer_text(&reply->new_reasoning),
                                       .n_tool_calls = json_array_size(reply->calls)};
    return HOB_OK;
}

hob_status hob_reply_push_text(hob_reply *reply, const char *text, size_t n_bytes, hob_reply_delta *ret_delta, hob_error *error)
{
    if (!reply || (!text && n_bytes)) FAIL(error, HOB_BAD_ARGUMENT, "hob_reply_push_text: reply and text must be given");
    buffer_clear(&reply->new_content);
    buffer_clear(&reply->new_reasoning);
    buffer_append(&reply->pending, text, n_bytes);
    for (bool is_over = reply->pending.is_failed; !is_over;) TRY(advance(reply, &is_over, error));
    return give(reply, ret_delta, error);
}

/* Special tokens stand for no text, but some of them are marks. */
static bool is_mark(const hob_reply *reply, const char *text)
{
    if (!strcmp(text, THINK_BEGIN) || !strcmp(text, THINK_END)) return reply->has_reasoning;
    if (reply->state == REPLY_CALL) return true;
    return reply->format && !strcmp(text, reply->format->begin);
}

hob_status hob_reply_push(hob_reply *reply, const hob_generated *generated, hob_reply_delta *ret_delta, hob_error *error)
{
    struct buffer text = {0};
    if (!reply || !generated) FAIL(error, HOB_BAD_ARGUMENT, "hob_reply_push: reply and generated must be given");
    const hob_tokenizer *tokenizer = hob_model_tokenizer(reply->model);
    bool is_special = tokenizer && generated->id != HOB_NO_TOKEN && hob_tokenizer_is_special(tokenizer, generated->id);
    const char *token = is_special ? hob_tokenizer_token(tokenizer, generated->id, NULL) : NULL;
    buffer_append(&text, generated->text, generated->n_text_bytes);
    if (token && is_mark(reply, token) && (!text.n_bytes || !strstr(text.bytes, token))) buffer_append_string(&text, token);
    hob_status status = text.is_failed ? error_set(error, HOB_NO_MEMORY, ERROR_HERE, "no memory for a reply")
                                       : hob_reply_push_text(reply, buffer_text(&text), text.n_bytes, ret_delta, error);
    buffer_release(&text);
    return status;
}

/* OpenAI's form: each call has an id and its arguments as text. */
static json_t *openai_call(const json_t *call, size_t index)
{
    char made_id[40];
    snprintf(made_id, sizeof made_id, "call%05zu", index); /* nine letters and digits, as Mistral's templates demand */
    const json_t *id = json_object_get(call, "id"), *arguments = json_object_get(call, "arguments");
    char *dumped = json_is_string(arguments) ? NULL : json_dumps(arguments, JSON_ENCODE_ANY);
    const char *text = dumped ? dumped : json_string_value(arguments);
    json_t *made = json_pack("{s:s, s:s, s:{s:O, s:s}}", "id", id ? json_string_value(id) : made_id, "type", "function", "function", "name",
                             json_object_get(call, "name"), "arguments", text ? text : "{}");
    json_free_t release;
    json_get_alloc_funcs(NULL, &release);
    release(dumped);
    return made;
}

/* Blanks that stood between content and calls belong to neither. */
static size_t trimmed_bytes(const struct buffer *buffer)
{
    size_t n = buffer->n_bytes;
    while (n && strchr(" \t\r\n", buffer->bytes[n - 1])) n--;
    return n;
}

static json_t *make_message(const hob_reply *reply)
{
    size_t n_calls = json_array_size(reply->calls), n_content = n_calls ? trimmed_bytes(&reply->content) : reply->content.n_bytes;
    json_t *calls = json_array();
    json_t *message = json_pack("{s:s, s:s%}", "role", "assistant", "content", buffer_text(&reply->content), n_content);
    for (size_t i = 0; i < n_calls; i++) json_array_append_new(calls, openai_call(json_array_get(reply->calls, i), i));
    if (reply->reasoning.n_bytes)
        json_object_set_new(message, "reasoning_content", json_stringn(reply->reasoning.bytes, trimmed_bytes(&reply->reasoning)));
    if (n_calls) json_object_set(message, "tool_calls", calls);
    json_decref(calls);
    return message;
}

static hob_status keep_message(hob_reply *reply, hob_error *error)
{
    json_free_t release;
    json_t *message = make_message(reply);
    char *dumped = message ? json_dumps(message, 0) : NULL;
    json_decref(message);
    memory_free(reply->message);
    reply->message = memory_copy_string(dumped);
    json_get_alloc_funcs(NULL, &release);
    release(dumped);
    if (!reply->message) FAIL(error, HOB_NO_MEMORY, "no memory for a reply");
    return HOB_OK;
}

hob_status hob_reply_finish(hob_reply *reply, hob_reply_delta *ret_delta, hob_error *error)
{
    if (!reply) FAIL(error, HOB_BAD_ARGUMENT, "hob_reply_finish: reply must be given");
    buffer_clear(&reply->new_content);
    buffer_clear(&reply->new_reasoning);
    if (reply->state == REPLY_CALL) TRY(take_call(reply, reply->pending.n_bytes, 0, error));
    if (reply->state == REPLY_BEGIN) reply->state = REPLY_CONTENT;
    emit(reply, reply->pending.n_bytes);
    TRY(give(reply, ret_delta, error));
    return keep_message(reply, error);
}

const char *hob_reply_message(const hob_reply *reply)
{
    return reply ? reply->message : NULL;
}
