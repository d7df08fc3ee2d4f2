/* DeepSeek V2.5, V3, R1: between marks, each call as function<｜tool▁sep｜>name and a fenced block of JSON; V3.1 without word and fence. */
#include "engine/chat/chat_format.h"
#include "engine/chat/json_calls.h"

#include <string.h>

#define CALL_BEGIN "<｜tool▁call▁begin｜>"
#define CALL_END "<｜tool▁call▁end｜>"
#define SEPARATOR "<｜tool▁sep｜>"

struct span {
    const char *bytes;
    size_t n_bytes;
};

/* Cuts span at mark: what is before it is returned, what is behind stays. false: no mark. */
static bool cut(struct span *span, const char *mark, struct span *ret_before)
{
    const char *found = span->n_bytes ? memmem(span->bytes, span->n_bytes, mark, strlen(mark)) : NULL;
    if (!found) return false;
    *ret_before = (struct span){span->bytes, (size_t)(found - span->bytes)};
    span->n_bytes -= ret_before->n_bytes + strlen(mark);
    span->bytes = found + strlen(mark);
    return true;
}

static bool add_call(struct span call, json_t *calls)
{
    struct span word, name;
    if (!cut(&call, SEPARATOR, &word)) return false;
    bool is_worded = word.n_bytes == 8 && !memcmp(word.bytes, "function", 8);
    name = word;
    if (is_worded && !cut(&call, "\n", &name)) return false;
    const char *brace = call.n_bytes ? memchr(call.bytes, '{', call.n_bytes) : NULL;
    json_error_t end;
    json_t *arguments = brace ? json_loadb(brace, call.n_bytes - (size_t)(brace - call.bytes), JSON_DISABLE_EOF_CHECK, &end) : NULL;
    bool is_added = json_is_object(arguments) && name.n_bytes && json_calls_add(calls, name.bytes, name.n_bytes, arguments, NULL);
    json_decref(arguments);
    return is_added;
}

static bool parse(const char *text, size_t n_bytes, json_t *calls)
{
    struct span rest = {text, n_bytes}, before, call;
    bool is_any = false;
    while (cut(&rest, CALL_BEGIN, &before)) {
        if (!cut(&rest, CALL_END, &call)) call = rest;
        if (!add_call(call, calls)) return false;
        is_any = true;
    }
    return is_any;
}

const struct chat_format_def chat_format_deepseek = {.name = "deepseek",
                                                     .told_by = {"<｜tool▁calls▁begin｜>"},
                                                     .begin = "<｜tool▁calls▁begin｜>",
                                                     .end = "<｜tool▁calls▁end｜>",
                                                     .parse = parse};
