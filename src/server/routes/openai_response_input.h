/* The input of /v1/responses in the words of chat completions: a text or a list of items becomes messages, flat tools become nested ones.
 * All return new references; NULL: the problem says why. */
#ifndef SERVER_ROUTES_OPENAI_RESPONSE_INPUT_H
#define SERVER_ROUTES_OPENAI_RESPONSE_INPUT_H

#include "server/problem.h"

#include <jansson.h>

/* instructions: the system message; NULL: none. */
json_t *response_input_messages(const json_t *input, const char *instructions, struct problem *ret_problem);
json_t *response_input_tools(const json_t *tools, struct problem *ret_problem);
/* "auto" …, or {"type": "function", "name"}. */
json_t *response_input_choice(const json_t *choice, struct problem *ret_problem);

#endif
