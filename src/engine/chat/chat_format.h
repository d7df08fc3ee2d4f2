/* A way in which models write tool calls: a file <name>.c in this folder and a row in chat_formats.def. */
#ifndef ENGINE_CHAT_CHAT_FORMAT_H
#define ENGINE_CHAT_CHAT_FORMAT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct chat_format_def {
    const char *name;
    const char *told_by[4]; /* texts of which one in the chat template says that this is the format; ends with NULL */
    const char *begin;      /* stands before calls */
    const char *end;        /* and behind them; NULL: the reply's end */
    bool may_begin_reply;   /* a reply that begins with "{" is a call too, without begin */
    /* Appends {"name": text, "arguments": any JSON, "id"?: text} for each call in text. false: there is none, or one is broken; what was
     * added is then taken away again. */
    bool (*parse)(const char *text, size_t n_bytes, json_t *calls);
};

#define CHAT_FORMAT(name) extern const struct chat_format_def chat_format_##name;
#include "engine/chat/chat_formats.def"
#undef CHAT_FORMAT

/* The format that the template speaks of; NULL: none. */
const struct chat_format_def *chat_format_of(const char *template_text);

#endif
