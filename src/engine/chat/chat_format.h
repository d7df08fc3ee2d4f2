/* A way in which models write tool calls: a file <name>.c in this folder and a row in chat_formats.def.
 *
 * The same struct says how calls are found in a reply, how they are read, and how a grammar spells them.
 */
#ifndef ENGINE_CHAT_CHAT_FORMAT_H
#define ENGINE_CHAT_CHAT_FORMAT_H

#include "grammar/builder.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* In a layout's texts. */
#define LAYOUT_NUMBER "\x01"   /* a number of one or two digits */
#define LAYOUT_MAY_SPACE "\x02" /* a space or nothing */

/* How a model is to spell its calls: what stands around all of them, between two, and in each of them around name and arguments. */
struct chat_call_layout {
    const char *told_by; /* a text that the template then has; NULL: any template */
    const char *before_all, *between, *behind_all;
    const char *before_name, *before_arguments, *behind_arguments;
};

struct chat_format_def {
    const char *name;
    const char *told_by[4]; /* texts of which one in the chat template says that this is the format; ends with NULL */
    const char *begin;      /* stands before calls; NULL: they begin the reply */
    const char *end;        /* and behind them; NULL: the reply's end */
    bool may_begin_reply;   /* a reply that begins with "{" is a call too, without begin */
    struct chat_call_layout layouts[2]; /* the first that fits the template */
    /* Appends {"name": text, "arguments": any JSON, "id"?: text} for each call in text. tools: those that were offered, or NULL. false:
     * there is none, or one is broken; what was added is then taken away again. */
    bool (*parse)(const char *text, size_t n_bytes, const json_t *tools, json_t *calls);
    /* Where `end` stands that is no part of an argument; SIZE_MAX: not yet. */
    size_t (*find_end)(const char *text, size_t n_bytes, const char *end);
    /* Adds the arguments of a tool with these "parameters" (an object of JSON Schema) to a grammar; NULL: as one JSON object. */
    hob_status (*add_arguments)(struct grammar_builder *builder, const json_t *parameters, uint32_t from, uint32_t *ret_to,
                                hob_error *error);
};

#define CHAT_FORMAT(name) extern const struct chat_format_def chat_format_##name;
#include "engine/chat/chat_formats.def"
#undef CHAT_FORMAT

/* The format that the template speaks of; NULL: none. */
const struct chat_format_def *chat_format_of(const char *template_text);
const struct chat_call_layout *chat_format_layout(const struct chat_format_def *format, const char *template_text);

/* "function" of a tool as OpenAI writes it, or the tool itself; its name; NULL: it has none. */
const json_t *chat_tool_function(const json_t *tool);
const char *chat_tool_name(const json_t *tool);
/* The schema of the arguments of the tool of that name; NULL: none. */
const json_t *chat_tool_parameters(const json_t *tools, const char *name, size_t n_bytes);

#endif
