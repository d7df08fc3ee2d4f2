/* A conversation in OpenAI's words checked and put into a job: messages, tools, which tool is to be called. The chat routes of other APIs
 * translate theirs into it.
 *
 * Failures name the field and the place in it: "messages[2].content[0].type: found "image_url", expected "text"". */
#ifndef SERVER_ROUTES_CHAT_INPUTS_H
#define SERVER_ROUTES_CHAT_INPUTS_H

#include "server/jobs/generate.h"

#include <jansson.h>

/* inputs: of the job, whose arena keeps copies. */
bool chat_inputs_set_messages(const json_t *messages, struct generate_inputs *inputs, struct job *job,
                              struct problem *ret_problem);
/* Refuses roles that OpenAI's API does not know, which a template would pass over in silence. */
bool chat_inputs_check_roles(const json_t *messages, struct problem *ret_problem);
/* tools: [{"type": "function", "function": {"name", …}}, …]; NULL or empty: none. */
bool chat_inputs_set_tools(const json_t *tools, struct generate_inputs *inputs, struct job *job,
                           struct problem *ret_problem);
/* choice: "auto", "none", "required" or {"type": "function", "function": {"name"}}; NULL: the default. tools: those that were set. */
bool chat_inputs_set_tool_choice(const json_t *choice, const json_t *tools, struct generate_inputs *inputs,
                                 struct job *job, struct problem *ret_problem);
/* format: {"type": "text" | "json_object"} or with "json_schema": {"schema"} (where flat, "schema" beside the type); NULL: text. */
bool chat_inputs_set_format(const json_t *format, const char *field, bool is_flat, struct generate_inputs *inputs,
                            struct job *job, struct problem *ret_problem);

#endif
