/* Phi-4-mini: <|tool_call|>[{"name": …, "arguments": {…}}]<|/tool_call|>. */
#include "engine/chat/chat_format.h"
#include "engine/chat/json_calls.h"

const struct chat_format_def chat_format_phi4 = {.name = "phi4",
                                                 .told_by = {"<|/tool|>", "<|/tool_call|>"},
                                                 .begin = "<|tool_call|>",
                                                 .end = "<|/tool_call|>",
                                                 .layouts = {{.before_all = "<|tool_call|>[",
                                                              .between = ", ",
                                                              .behind_all = "]<|/tool_call|>",
                                                              .before_name = "{\"name\": \"",
                                                              .before_arguments = "\", \"arguments\": ",
                                                              .behind_arguments = "}"}},
                                                 .parse = json_calls_parse,
                                                 .find_end = json_calls_find_end};
