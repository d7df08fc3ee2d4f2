/* How a request ends depends on its form. A table ends with its brace, an object with its line, and text with the client's sending, a short
 * silence, or its only line end: a shell's "echo" is answered at once, a paragraph when it is all there. */
#include "server/line/line_request.h"

#include "server/line/lua_table.h"

#include <jansson.h>
#include <string.h>
#include <utf8proc.h>

void line_request_release(struct line_request *request)
{
    buffer_release(&request->text);
    buffer_release(&request->model);
    *request = (struct line_request){0};
}

static bool set_text(struct buffer *text, const char *bytes, size_t n_bytes)
{
    buffer_clear(text);
    return buffer_append(text, bytes, n_bytes);
}

static enum line_result bad(struct problem *ret_problem, const char *what)
{
    problem_set(ret_problem, PROBLEM_BAD_REQUEST, "%s", what);
    return LINE_BAD;
}

/* ---- text ---- */

static bool is_sound_text(const char *bytes, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes;) {
        utf8proc_int32_t code;
        utf8proc_ssize_t n_used = utf8proc_iterate((const utf8proc_uint8_t *)bytes + i, (utf8proc_ssize_t)(n_bytes - i), &code);
        if (n_used <= 0 || (code < 0x20 && !strchr("\t\n\r\f\v\033", code)) || code == 0) return false;
        i += (size_t)n_used;
    }
    return true;
}

static bool is_text_whole(const char *bytes, size_t n_bytes, enum line_state state)
{
    if (state != LINE_GOES_ON) return true;
    return memchr(bytes, '\n', n_bytes) == bytes + n_bytes - 1;
}

static enum line_result read_text(const char *bytes, size_t n_bytes, enum line_state state, struct line_request *request, size_t *ret_n_used,
                                  struct problem *ret_problem)
{
    if (!is_text_whole(bytes, n_bytes, state)) return LINE_PARTIAL;
    size_t n_text = n_bytes;
    if (n_text && bytes[n_text - 1] == '\n') n_text--;
    if (n_text && bytes[n_text - 1] == '\r') n_text--;
    request->form = LINE_TEXT;
    if (!is_sound_text(bytes, n_text)) return bad(ret_problem, "found bytes that are no text in UTF-8, expected text, a Lua table or JSON");
    if (!set_text(&request->text, bytes, n_text)) return bad(ret_problem, "no memory for the text");
    request->has_text = true;
    *ret_n_used = n_bytes;
    return LINE_WHOLE;
}

/* ---- a Lua table ---- */

static bool take_field(void *context, const struct lua_field *field)
{
    struct line_request *request = context;
    if (field->is_text && strcmp(field->name, "text") == 0) {
        request->has_text = true;
        return set_text(&request->text, buffer_text(field->text), field->text->n_bytes);
    }
    if (field->is_text && strcmp(field->name, "model") == 0) return set_text(&request->model, buffer_text(field->text), field->text->n_bytes);
    if (!field->is_text && strcmp(field->name, "n") == 0) request->n = field->number;
    if (!field->is_text && strcmp(field->name, "max_tokens") == 0) request->max_tokens = field->number;
    return true;
}

static enum line_result read_lua(const char *bytes, size_t n_bytes, enum line_state state, struct line_request *request, size_t *ret_n_used,
                                 struct problem *ret_problem)
{
    size_t n_used = 0;
    request->form = LINE_LUA;
    enum line_result result = lua_table_read(bytes, n_bytes, take_field, request, &n_used);
    if (result == LINE_PARTIAL && state == LINE_HAS_ENDED) return bad(ret_problem, "the Lua table does not end");
    if (result == LINE_BAD) return bad(ret_problem, "found a brace with neither JSON nor a Lua table behind it");
    if (result == LINE_PARTIAL) return LINE_PARTIAL;
    if (!request->has_text) return bad(ret_problem, "the Lua table has no text = \"…\"");
    *ret_n_used = n_used;
    return LINE_WHOLE;
}

/* ---- JSON ---- */

static bool take_number(const json_t *object, const char *name, double *ret_number)
{
    const json_t *value = json_object_get(object, name);
    if (value && !json_is_null(value) && !json_is_number(value)) return false;
    if (json_is_number(value)) *ret_number = json_number_value(value);
    return true;
}

static enum line_result take_object(const json_t *object, struct line_request *request, struct problem *ret_problem)
{
    const json_t *text = json_object_get(object, "text"), *model = json_object_get(object, "model");
    if (!json_is_string(text)) return bad(ret_problem, "text: expected a string");
    if (!take_number(object, "n", &request->n)) return bad(ret_problem, "n: expected a number");
    if (!take_number(object, "max_tokens", &request->max_tokens)) return bad(ret_problem, "max_tokens: expected a number");
    bool is_copied = set_text(&request->text, json_string_value(text), json_string_length(text));
    if (json_is_string(model)) is_copied &= set_text(&request->model, json_string_value(model), json_string_length(model));
    request->has_text = true;
    return is_copied ? LINE_WHOLE : bad(ret_problem, "no memory for the text");
}

static enum line_result read_json(const char *bytes, size_t n_bytes, enum line_state state, struct line_request *request, size_t *ret_n_used,
                                  struct problem *ret_problem)
{
    const char *line_end = memchr(bytes, '\n', n_bytes);
    if (!line_end && state == LINE_GOES_ON) return LINE_PARTIAL;
    size_t n_line = line_end ? (size_t)(line_end - bytes) : n_bytes;
    request->form = LINE_JSON;
    json_error_t error;
    json_t *object = json_loadb(bytes, n_line, JSON_ALLOW_NUL, &error);
    if (!object && !line_end && state == LINE_IS_SILENT) return LINE_PARTIAL; /* a slow sender */
    if (!object) {
        problem_set(ret_problem, PROBLEM_BAD_REQUEST, "not JSON: column %d: %.200s", error.column, error.text);
        return LINE_BAD;
    }
    *ret_n_used = n_line + (line_end != NULL);
    enum line_result result = json_is_object(object) ? take_object(object, request, ret_problem) : bad(ret_problem, "expected a JSON object");
    json_decref(object);
    return result;
}

/* ---- all ---- */

enum line_result line_request_read(const char *bytes, size_t n_bytes, enum line_state state, struct line_request *ret_request, size_t *ret_n_used,
                                   struct problem *ret_problem)
{
    line_request_release(ret_request);
    *ret_n_used = 0;
    size_t n_space = 0, at = 0;
    while (n_space < n_bytes && bytes[n_space] && strchr(" \t\r\n", bytes[n_space])) n_space++;
    if (n_space == n_bytes || bytes[n_space] != '{') {
        return n_bytes ? read_text(bytes, n_bytes, state, ret_request, ret_n_used, ret_problem) : LINE_PARTIAL;
    }
    for (at = n_space + 1; at < n_bytes && bytes[at] && strchr(" \t\r\n", bytes[at]);) at++;
    if (at == n_bytes && state == LINE_GOES_ON) return LINE_PARTIAL;
    bool is_json = at < n_bytes && (bytes[at] == '"' || bytes[at] == '}');
    enum line_result result = (is_json ? read_json : read_lua)(bytes + n_space, n_bytes - n_space, state, ret_request, ret_n_used, ret_problem);
    if (*ret_n_used) *ret_n_used += n_space;
    return result;
}
