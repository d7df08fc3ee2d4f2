/* What formats that write calls as JSON share. */
#ifndef ENGINE_CHAT_JSON_CALLS_H
#define ENGINE_CHAT_JSON_CALLS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* How jansson reads them: what stands behind is left, and no number or character makes it refuse what a grammar let through. */
#define JSON_CALLS_FLAGS (JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL)

/* Appends one call. Takes a reference to arguments, which may be NULL for none; id may be NULL. */
bool json_calls_add(json_t *calls, const char *name, size_t n_name_bytes, const json_t *arguments, const json_t *id);
/* JSON objects, each with a name ("name", "tool_name" or "function" beneath) and arguments ("arguments", "parameters"), one after another
 * with white space, "," or ";" between them, or in a list. false: anything else; calls then holds none of them. */
bool json_calls_parse(const char *text, size_t n_bytes, const json_t *tools, json_t *calls);
/* Where `end` stands outside of JSON's strings; SIZE_MAX: nowhere. */
size_t json_calls_find_end(const char *text, size_t n_bytes, const char *end);

#endif
