/* The body of a request: how large it may be, of which kind, and the JSON in it.
 *
 * What nobody will read is counted and thrown away as it comes. A small text can stand for a large tree ("[1,1,1,…"), so values are counted
 * before the tree is made. */
#include "server/http/exchange_parts.h"

#include <string.h>
#include <strings.h>

enum { MOST_VALUES = 1 << 21 };

static uint64_t most_bytes(const struct exchange *exchange)
{
    return exchange->connection->server->config->max_body_bytes;
}

static bool is_wanted(const struct exchange *exchange)
{
    return !exchange->is_refused && exchange->route && exchange->route->n_fields > 0;
}

static bool say_too_large(const struct exchange *exchange, struct problem *ret_problem)
{
    return problem_set(ret_problem, PROBLEM_TOO_LARGE, "the body is larger than %llu bytes (server.max_body_bytes)",
                       (unsigned long long)most_bytes(exchange));
}

/* ---- what is announced ---- */

static bool is_type(const char *header, size_t n_bytes, const char *type)
{
    return strlen(type) == n_bytes && strncasecmp(header, type, n_bytes) == 0;
}

/* Without a type it is taken for JSON. What curl -d says without being told is looked at when the body is there. */
static bool is_json_type(const char *header)
{
    if (!header) return true;
    size_t n_bytes = strcspn(header, "; \t");
    return is_type(header, n_bytes, "application/json") || is_type(header, n_bytes, "text/json") ||
           is_type(header, n_bytes, "application/x-www-form-urlencoded") || (n_bytes > 5 && is_type(header + n_bytes - 5, 5, "+json"));
}

bool request_body_expect(struct exchange *exchange, struct problem *ret_problem)
{
    const char *length = exchange_header(exchange, MHD_HTTP_HEADER_CONTENT_LENGTH);
    const char *type = exchange_header(exchange, MHD_HTTP_HEADER_CONTENT_TYPE);
    unsigned long long n_bytes = length ? strtoull(length, NULL, 10) : 0; /* libmicrohttpd has checked that it is a number */
    exchange->has_body = n_bytes > 0 || exchange_header(exchange, MHD_HTTP_HEADER_TRANSFER_ENCODING);
    if (n_bytes > most_bytes(exchange)) return say_too_large(exchange, ret_problem);
    if (exchange->has_body && is_wanted(exchange) && !is_json_type(type))
        return problem_set(ret_problem, PROBLEM_BAD_TYPE, "Content-Type: found %.100s, expected application/json", type);
    return true;
}

/* ---- what comes ---- */

bool request_body_take(struct exchange *exchange, const char *bytes, size_t n_bytes, struct problem *ret_problem)
{
    exchange->n_body_bytes += n_bytes;
    if (exchange->n_body_bytes > most_bytes(exchange)) return say_too_large(exchange, ret_problem);
    if (is_wanted(exchange)) buffer_append(&exchange->body, bytes, n_bytes);
    return true;
}

/* ---- what is in it ---- */

static bool has_too_many_values(const char *text, size_t n_bytes)
{
    size_t n_values = 0;
    bool is_in_string = false;
    for (size_t i = 0; i < n_bytes; i++) {
        char c = text[i];
        if (is_in_string && c == '\\') i++;
        else if (c == '"') is_in_string = !is_in_string;
        else if (!is_in_string && (c == ',' || c == '[' || c == '{')) n_values++;
    }
    return n_values > MOST_VALUES;
}

static bool parse(struct exchange *exchange, struct problem *ret_problem)
{
    const char *text = buffer_text(&exchange->body);
    if (has_too_many_values(text, exchange->body.n_bytes))
        return problem_set(ret_problem, PROBLEM_TOO_LARGE, "the body has more than %d values", MOST_VALUES);
    json_error_t error;
    json_mend_surrogates(exchange->body.bytes, exchange->body.n_bytes);
    json_t *json = json_loadb(text, exchange->body.n_bytes, JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);
    if (!json)
        return problem_set(ret_problem, PROBLEM_BAD_REQUEST, "the body is not JSON: line %d, column %d: %.200s", error.line, error.column,
                           error.text);
    if (!json_is_object(json)) {
        json_decref(json);
        return problem_set(ret_problem, PROBLEM_BAD_REQUEST, "the body is not a JSON object");
    }
    exchange->json = json;
    return true;
}

static const char *first_of(const char *text)
{
    return text + strspn(text, " \t\r\n");
}

bool request_body_read(struct exchange *exchange, struct problem *ret_problem)
{
    if (!is_wanted(exchange)) return true;
    if (exchange->body.is_failed) return problem_set(ret_problem, PROBLEM_NO_MEMORY, "no memory for the body");
    const char *type = exchange_header(exchange, MHD_HTTP_HEADER_CONTENT_TYPE);
    bool is_form = type && is_type(type, strcspn(type, "; \t"), "application/x-www-form-urlencoded");
    const char *first = first_of(buffer_text(&exchange->body));
    if (!*first && (exchange->route->flags & ROUTE_BODY_OPTIONAL)) {
        exchange->json = json_object();
        return exchange->json || problem_set(ret_problem, PROBLEM_NO_MEMORY, "no memory for the body");
    }
    if (exchange->n_body_bytes == 0) return problem_set(ret_problem, PROBLEM_BAD_REQUEST, "the request has no body, expected a JSON object");
    if (is_form && *first != '{') return problem_set(ret_problem, PROBLEM_BAD_TYPE, "found a form, expected application/json");
    return parse(exchange, ret_problem);
}
