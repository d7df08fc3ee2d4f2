/* Phi-4-mini: <|tool_call|>[{"name": …, "arguments": {…}}]<|/tool_call|>. */
#include "engine/chat/chat_format.h"
#include "engine/chat/json_calls.h"

const struct chat_format_def chat_format_phi4 = {.name = "phi4",
                                                 .told_by = {"<|/tool|>", "<|/tool_call|>"},
                                                 .begin = "<|tool_call|>",
                                                 .end = "<|/tool_call|>",
                                                 .parse = json_calls_parse};
