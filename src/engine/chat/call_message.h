/* Calls as OpenAI's messages have them. */
#ifndef ENGINE_CHAT_CALL_MESSAGE_H
#define ENGINE_CHAT_CALL_MESSAGE_H

#include <jansson.h>
#include <stddef.h>

/* {"id", "type": "function", "function": {"name", "arguments": text}} of {"name", "arguments", "id"?}. An id that is missing is nine letters
 * and digits made of the call and its index: the same call in the same place has the same id. NULL: memory is out. */
json_t *call_message(const json_t *call, size_t index);

#endif
