/* {"name": …, "arguments": {…}} alone, several each on a line: for templates that speak of no format, where a grammar asks for a call. No
 * template tells it. */
#include "engine/chat/chat_format.h"
#include "engine/chat/json_calls.h"

const struct chat_format_def chat_format_plain_json = {.name = "plain_json",
                                                       .may_begin_reply = true,
                                                       .layouts = {{.between = "\n",
                                                                    .before_name = "{\"name\": \"",
                                                                    .before_arguments = "\", \"arguments\": ",
                                                                    .behind_arguments = "}"}},
                                                       .parse = json_calls_parse};
