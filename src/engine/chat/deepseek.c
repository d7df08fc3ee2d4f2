/* DeepSeek V2.5, V3, R1: between marks, each call as function<｜tool▁sep｜>name and a fenced block of JSON; V3.1 without word and fence. */
#include "engine/chat/chat_format.h"
#include "engine/chat/json_calls.h"

#include <string.h>

#define CALLS_BEGIN "<｜tool▁calls▁begin｜>"
#define CALLS_END "<｜tool▁calls▁end｜>"
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

/* Behind CALL_BEGIN; rest is then behind the arguments, which may spell marks themselves. */
static bool take_call(struct span *rest, json_t *calls)
{
    struct span word, name;
    if (!cut(rest, SEPARATOR, &word)) return false;
    bool is_worded = word.n_bytes == 8 && !memcmp(word.bytes, "function", 8);
    name = word;
    if (is_worded && !cut(rest, "\n", &name)) return false;
    const char *brace = rest->n_bytes ? memchr(rest->bytes, '{', rest->n_bytes) : NULL;
    json_error_t end;
    size_t n_json = brace ? rest->n_bytes - (size_t)(brace - rest->bytes) : 0;
    json_t *arguments = brace ? json_loadb(brace, n_json, JSON_CALLS_FLAGS, &end) : NULL;
    bool is_added = json_is_object(arguments) && name.n_bytes && json_calls_add(calls, name.bytes, name.n_bytes, arguments, NULL);
    if (is_added) *rest = (struct span){brace + end.position, n_json - (size_t)end.position};
    json_decref(arguments);
    return is_added;
}

static bool parse(const char *text, size_t n_bytes, const json_t *tools, json_t *calls)
{
    struct span rest = {text, n_bytes}, before;
    bool is_any = false;
    (void)tools;
    while (cut(&rest, CALL_BEGIN, &before)) {
        if (!take_call(&rest, calls)) return false;
        is_any = true;
    }
    return is_any;
}

const struct chat_format_def chat_format_deepseek = {.name = "deepseek",
                                                     .told_by = {CALLS_BEGIN},
                                                     .begin = CALLS_BEGIN,
                                                     .end = CALLS_END,
                                                     .layouts = {{.told_by = "```json",
                                                                  .before_all = CALLS_BEGIN,
                                                                  .between = "\n",
                                                                  .behind_all = CALLS_END,
                                                                  .before_name = CALL_BEGIN "function" SEPARATOR,
                                                                  .before_arguments = "\n```json\n",
                                                                  .behind_arguments = "\n```" CALL_END},
                                                                 {.before_all = CALLS_BEGIN,
                                                                  .behind_all = CALLS_END,
                                                                  .before_name = CALL_BEGIN,
                                                                  .before_arguments = SEPARATOR,
                                                                  .behind_arguments = CALL_END}},
                                                     .parse = parse,
                                                     .find_end = json_calls_find_end};
