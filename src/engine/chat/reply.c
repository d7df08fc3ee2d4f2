/* A reply is read as it comes: reasoning up to </think>, then content up to what begins a tool call, then that call's text, which is parsed
 * when it is whole. Text that could be the beginning of a mark is held back until it is clear. */
#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "engine/chat/call_message.h"
#include "engine/chat/chat.h"
#include "engine/chat/reply_form.h"
#include "engine/model.h"
#include "text/unicode.h"

#include <string.h>

enum reply_state { REPLY_BEGIN, REPLY_REASONING, REPLY_CONTENT, REPLY_CALL };

struct hob_reply {
    const struct hob_model *model; /* NULL: only text comes */
    struct reply_form form;
    json_t *tools; /* the form's, held */
    enum reply_state state;
    bool has_bare_call; /* a call without the format's begin */
    bool skips_blanks;  /* those around reasoning belong to neither side */
    struct buffer pending;                /* not yet decided, or a call's text */
    struct buffer content, reasoning, new_content, new_reasoning;
    json_t *calls;
    char **shown; /* each call as JSON, as far as it was told */
    size_t n_shown;
    char *message;
};

hob_status reply_new(const struct reply_form *form, const hob_model *model, hob_reply **ret_reply, hob_error *error)
{
    hob_reply *reply = memory_new(1, sizeof *reply);
    if (reply) reply->calls = json_array();
    if (!reply || !reply->calls) {
        memory_free(reply);
        FAIL(error, HOB_NO_MEMORY, "no memory for a reply");
    }
    reply->model = model;
    reply->form = *form;
    reply->form.template_text = NULL;
    reply->tools = json_incref((json_t *)(uintptr_t)form->tools);
    reply->state = form->begins_inside ? REPLY_REASONING : REPLY_BEGIN;
    reply->skips_blanks = form->begins_inside;
    *ret_reply = reply;
    return HOB_OK;
}

hob_status hob_reply_new(const hob_chat *chat, const hob_model *model, const hob_chat_options *options, hob_reply **ret_reply,
                         hob_error *error)
{
    static const hob_chat_options defaults;
    struct reply_form form;
    if (!chat || !model || !ret_reply) FAIL(error, HOB_BAD_ARGUMENT, "hob_reply_new: chat, model and ret_reply must be given");
    TRY(reply_form_of(chat, model, options ? options : &defaults, &form, error));
    return reply_new(&form, model, ret_reply, error);
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
    json_decref(reply->tools);
    for (size_t i = 0; i < reply->n_shown; i++) memory_free(reply->shown[i]);
    memory_free(reply->shown);
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

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void drop_blanks(struct buffer *pending)
{
    size_t n = 0;
    while (n < pending->n_bytes && is_blank(pending->bytes[n])) n++;
    if (n) drop(pending, n);
}

/* What the reply's first characters make of it. true: decided. */
static bool begin(hob_reply *reply)
{
    struct buffer *pending = &reply->pending;
    const struct reply_form *form = &reply->form;
    size_t n_blanks = 0, n_think = strlen(THINK_BEGIN);
    while (n_blanks < pending->n_bytes && is_blank(pending->bytes[n_blanks])) n_blanks++;
    size_t n_start = pending->n_bytes - n_blanks;
    if (!n_start) return false;
    const char *start = pending->bytes + n_blanks;
    if (form->has_reasoning && !memcmp(start, THINK_BEGIN, n_start < n_think ? n_start : n_think)) {
        if (n_start < n_think) return false;
        drop(pending, n_blanks + n_think);
        reply->state = REPLY_REASONING;
        reply->skips_blanks = true;
    } else if (form->format && form->format->may_begin_reply && *start == '{') {
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
    size_t n_before = json_array_size(reply->calls), n_kept = n_before;
    bool is_parsed = reply->form.format->parse(buffer_text(&reply->pending), n_bytes, reply->tools, reply->calls);
    if (is_parsed) n_kept = reply->form.has_one_call ? 1 : json_array_size(reply->calls);
    while (json_array_size(reply->calls) > n_kept) json_array_remove(reply->calls, json_array_size(reply->calls) - 1);
    return is_parsed;
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
    if (!reply->has_bare_call) buffer_append_string(&text, reply->form.format->begin);
    buffer_append(&text, buffer_text(pending), n_bytes + n_end_bytes);
    buffer_append(&reply->content, text.bytes, text.n_bytes);
    buffer_append(&reply->new_content, text.bytes, text.n_bytes);
    bool is_failed = text.is_failed;
    buffer_release(&text);
    if (is_failed) FAIL(error, HOB_NO_MEMORY, "no memory for a reply");
    if (n_bytes + n_end_bytes) drop(pending, n_bytes + n_end_bytes);
    return HOB_OK;
}

/* Where the end of a call stands that is whole; SIZE_MAX: not yet, or only the reply's end tells. */
static size_t find_call_end(const struct hob_reply *reply)
{
    const struct chat_format_def *format = reply->form.format;
    if (!format->end || reply->has_bare_call || !reply->pending.n_bytes) return SIZE_MAX;
    return format->find_end(reply->pending.bytes, reply->pending.n_bytes, format->end);
}

/* One step from state to state; is_over tells that there is nothing more to decide. */
static hob_status advance(hob_reply *reply, bool *ret_is_over, hob_error *error)
{
    struct buffer *pending = &reply->pending;
    const struct chat_format_def *format = reply->form.format;
    size_t end;
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
        if (!format || !format->begin) emit(reply, pending->n_bytes);
        if (!format || !format->begin || !pass_mark(reply, format->begin)) return HOB_OK;
        reply->state = REPLY_CALL;
        break;
    case REPLY_CALL:
        end = find_call_end(reply);
        if (end == SIZE_MAX) return HOB_OK;
        TRY(take_call(reply, end, strlen(format->end), error));
    }
    *ret_is_over = false;
    return HOB_OK;
}

/* JSON text in memory of our own; NULL: memory is out. Takes the reference. */
static char *take_json(json_t *json)
{
    json_free_t release;
    char *dumped = json ? json_dumps(json, 0) : NULL, *copy = memory_copy_string(dumped);
    json_decref(json);
    json_get_alloc_funcs(NULL, &release);
    release(dumped);
    return copy;
}

static hob_status show_calls(hob_reply *reply, hob_error *error)
{
    size_t n_calls = json_array_size(reply->calls);
    char **shown = n_calls > reply->n_shown ? memory_resize(reply->shown, n_calls, sizeof *shown) : reply->shown;
    if (shown) reply->shown = shown;
    for (; shown && reply->n_shown < n_calls; reply->n_shown++) {
        shown[reply->n_shown] = take_json(call_message(json_array_get(reply->calls, reply->n_shown), reply->n_shown));
        if (!shown[reply->n_shown]) shown = NULL;
        if (!shown) break;
    }
    if (n_calls && !shown) FAIL(error, HOB_NO_MEMORY, "no memory for a reply");
    return HOB_OK;
}

static hob_status give(hob_reply *reply, hob_reply_delta *ret_delta, hob_error *error)
{
    bool is_failed = reply->pending.is_failed || reply->content.is_failed || reply->reasoning.is_failed || reply->new_content.is_failed ||
                     reply->new_reasoning.is_failed;
    if (is_failed) FAIL(error, HOB_NO_MEMORY, "no memory for a reply");
    TRY(show_calls(reply, error));
    if (ret_delta)
        *ret_delta = (hob_reply_delta){.content = buffer_text(&reply->new_content), .n_content_bytes = reply->new_content.n_bytes,
                                       .reasoning = buffer_text(&reply->new_reasoning), .n_reasoning_bytes = reply->new_reasoning.n_bytes,
                                       .n_tool_calls = reply->n_shown};
    return HOB_OK;
}

const char *hob_reply_tool_call(const hob_reply *reply, size_t index)
{
    return reply && index < reply->n_shown ? reply->shown[index] : NULL;
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
    if (!strcmp(text, THINK_BEGIN) || !strcmp(text, THINK_END)) return reply->form.has_reasoning;
    if (reply->state == REPLY_CALL) return true;
    return reply->form.format && reply->form.format->begin && !strcmp(text, reply->form.format->begin);
}

hob_status hob_reply_push(hob_reply *reply, const hob_generated *generated, hob_reply_delta *ret_delta, hob_error *error)
{
    struct buffer text = {0};
    if (!reply || !generated) FAIL(error, HOB_BAD_ARGUMENT, "hob_reply_push: reply and generated must be given");
    const hob_tokenizer *tokenizer = reply->model ? hob_model_tokenizer(reply->model) : NULL;
    bool is_special = tokenizer && generated->id != HOB_NO_TOKEN && hob_tokenizer_is_special(tokenizer, generated->id);
    const char *token = is_special ? hob_tokenizer_token(tokenizer, generated->id, NULL) : NULL;
    buffer_append(&text, generated->text, generated->n_text_bytes);
    if (token && is_mark(reply, token) && (!text.n_bytes || !memmem(text.bytes, text.n_bytes, token, strlen(token)))) buffer_append_string(&text, token);
    hob_status status = text.is_failed ? error_set(error, HOB_NO_MEMORY, ERROR_HERE, "no memory for a reply")
                                       : hob_reply_push_text(reply, buffer_text(&text), text.n_bytes, ret_delta, error);
    buffer_release(&text);
    return status;
}

/* Blanks that stood between content and calls belong to neither. */
static size_t trimmed_bytes(const struct buffer *buffer)
{
    size_t n = buffer->n_bytes;
    while (n && is_blank(buffer->bytes[n - 1])) n--;
    return n;
}

/* What was pushed may be any bytes; JSON takes characters. */
static json_t *text_of(const char *bytes, size_t n_bytes)
{
    struct buffer repaired = {0};
    unicode_repair(bytes, n_bytes, BROKEN_MAXIMAL, &repaired);
    json_t *text = repaired.is_failed ? NULL : json_stringn(buffer_text(&repaired), repaired.n_bytes);
    buffer_release(&repaired);
    return text;
}

static json_t *make_message(const hob_reply *reply)
{
    size_t n_calls = json_array_size(reply->calls), n_content = n_calls ? trimmed_bytes(&reply->content) : reply->content.n_bytes;
    json_t *message = json_pack("{s:s, s:o}", "role", "assistant", "content", text_of(buffer_text(&reply->content), n_content));
    json_t *calls = n_calls ? json_array() : NULL;
    for (size_t i = 0; i < n_calls; i++) json_array_append_new(calls, call_message(json_array_get(reply->calls, i), i));
    if (message && reply->reasoning.n_bytes)
        json_object_set_new(message, "reasoning_content", text_of(reply->reasoning.bytes, trimmed_bytes(&reply->reasoning)));
    if (message && calls) json_object_set(message, "tool_calls", calls);
    json_decref(calls);
    return message;
}

static hob_status keep_message(hob_reply *reply, hob_error *error)
{
    memory_free(reply->message);
    reply->message = take_json(make_message(reply));
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
