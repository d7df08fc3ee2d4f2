/* Qwen3-Coder: <tool_call><function=name><parameter=key>value</parameter>…</function></tool_call>. A value that is JSON is that, any other
 * a text. */
#include "engine/chat/chat_format.h"
#include "engine/chat/json_calls.h"

#include <string.h>

struct span {
    const char *bytes;
    size_t n_bytes;
};

/* What stands between two marks; span is then what is behind the second. */
static bool take_between(struct span *span, const char *begin, const char *end, struct span *ret_between)
{
    const char *from = span->n_bytes ? memmem(span->bytes, span->n_bytes, begin, strlen(begin)) : NULL;
    if (!from) return false;
    from += strlen(begin);
    const char *stop = span->bytes + span->n_bytes;
    const char *to = memmem(from, (size_t)(stop - from), end, strlen(end));
    if (!to) return false;
    *ret_between = (struct span){from, (size_t)(to - from)};
    span->bytes = to + strlen(end);
    span->n_bytes = (size_t)(stop - span->bytes);
    return true;
}

static json_t *value_of(struct span text)
{
    if (text.n_bytes && text.bytes[0] == '\n') text = (struct span){text.bytes + 1, text.n_bytes - 1};
    if (text.n_bytes && text.bytes[text.n_bytes - 1] == '\n') text.n_bytes--;
    json_t *value = json_loadb(text.bytes, text.n_bytes, JSON_DECODE_ANY, NULL);
    return value ? value : json_stringn(text.bytes, text.n_bytes);
}

static bool parse(const char *text, size_t n_bytes, json_t *calls)
{
    struct span rest = {text, n_bytes}, function, name, value;
    if (!take_between(&rest, "<function=", "</function>", &function)) return false;
    const char *close = memchr(function.bytes, '>', function.n_bytes);
    json_t *arguments = json_object();
    bool is_right = arguments && close && close > function.bytes;
    if (is_right) {
        name = (struct span){function.bytes, (size_t)(close - function.bytes)};
        function = (struct span){close + 1, function.n_bytes - name.n_bytes - 1};
        while (take_between(&function, "<parameter=", "</parameter>", &value)) {
            const char *key_end = memchr(value.bytes, '>', value.n_bytes);
            if (!key_end) break;
            struct span shown = {key_end + 1, value.n_bytes - (size_t)(key_end - value.bytes) - 1};
            json_object_setn_new(arguments, value.bytes, (size_t)(key_end - value.bytes), value_of(shown));
        }
        is_right = json_calls_add(calls, name.bytes, name.n_bytes, arguments, NULL);
    }
    json_decref(arguments);
    return is_right;
}

const struct chat_format_def chat_format_qwen3_coder = {
    .name = "qwen3_coder", .told_by = {"<function="}, .begin = "<tool_call>", .end = "</tool_call>", .parse = parse};
