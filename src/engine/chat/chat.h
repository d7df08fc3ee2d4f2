/* Inside of hob_chat. */
#ifndef ENGINE_CHAT_CHAT_H
#define ENGINE_CHAT_CHAT_H

#include "hob/chat.h"

#include <jansson.h>

struct hob_chat {
    json_t *messages; /* a list of objects */
    json_t *tools;    /* a list, or NULL */
};

/* The tools that the template is shown; NULL: none. */
const json_t *chat_tools(const struct hob_chat *chat, const hob_chat_options *options);
/* The template's text that a prompt is written with; owned by the model, the options or the program.
 * Fails: HOB_NOT_FOUND, HOB_BAD_ARGUMENT (no built-in one of that name). */
HOB_MUST_CHECK hob_status chat_choose_template(const struct hob_chat *chat, const hob_model *model, const hob_chat_options *options,
                                               const char **ret_text, hob_error *error);
/* NULL: none of that name. */
const char *chat_built_in_template(const char *name);

#endif
