/* Granite 3: <|tool_call|>[{"name": …, "arguments": {…}}], up to the reply's end. */
#include "engine/chat/chat_format.h"
#include "engine/chat/json_calls.h"

const struct chat_format_def chat_format_granite = {.name = "granite",
                                                    .told_by = {"<|tool_call|>"},
                                                    .begin = "<|tool_call|>",
                                                    .layouts = {{.before_all = "<|tool_call|>[",
                                                                 .between = ", ",
                                                                 .behind_all = "]",
                                                                 .before_name = "{\"name\": \"",
                                                                 .before_arguments = "\", \"arguments\": ",
                                                                 .behind_arguments = "}"}},
                                                    .parse = json_calls_parse};
