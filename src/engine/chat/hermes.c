/* Hermes, Qwen 2.5 and 3, and many after them: <tool_call>{"name": …, "arguments": {…}}</tool_call>, as often as there are calls. */
#include "engine/chat/chat_format.h"
#include "engine/chat/json_calls.h"

const struct chat_format_def chat_format_hermes = {.name = "hermes",
                                                   .told_by = {"<tool_call>"},
                                                   .begin = "<tool_call>",
                                                   .end = "</tool_call>",
                                                   .layouts = {{.between = "\n",
                                                                .before_name = "<tool_call>\n{\"name\": \"",
                                                                .before_arguments = "\", \"arguments\": ",
                                                                .behind_arguments = "}\n</tool_call>"}},
                                                   .parse = json_calls_parse,
                                                   .find_end = json_calls_find_end};
