/* Where reading goes on behind a fault. What stands in arrays and texts of several lines may look like a key or a header, so this is a guess:
 * good for telling more faults, never for values that are used. */
#include "config/toml_scan.h"

#include <ctype.h>

static bool is_bare(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-';
}

static const char *line_end(const struct toml_scan *scan)
{
    const char *at = scan->at;
    while (at < scan->end && *at != '\n') at++;
    return at;
}

/* "[name]" or "[[name]]", and nothing but a comment behind it. */
static bool looks_like_header(const char *at, const char *end)
{
    const char *close = end;
    while (at < end && *at == '[') at++;
    if (at == end || (!is_bare(*at) && *at != '"' && *at != '\'')) return false;
    for (const char *c = at; c < end && *c != '#'; c++)
        if (*c == ']') close = c;
    for (at = close == end ? end : close + 1; at < end && *at != '#'; at++)
        if (*at != ' ' && *at != '\t' && *at != '\r') return false;
    return close < end;
}

/* A bare key, perhaps with dots, and "=". */
static bool looks_like_key(const char *at, const char *end)
{
    const char *begin = at;
    while (at < end && (is_bare(*at) || *at == '.')) at++;
    if (at == begin) return false;
    while (at < end && (*at == ' ' || *at == '\t')) at++;
    return at < end && *at == '=';
}

void toml_skip_to_statement(struct toml_scan *scan, bool only_headers)
{
    do {
        scan->at = line_end(scan);
        if (!toml_take_line_end(scan)) break;
        toml_skip_blanks(scan);
        const char *end = line_end(scan);
        if (scan->at < end && *scan->at == '[' && looks_like_header(scan->at, end)) return;
        if (!only_headers && looks_like_key(scan->at, end)) return;
    } while (scan->at < scan->end);
}
