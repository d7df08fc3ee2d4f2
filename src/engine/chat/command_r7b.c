/* Command R7B and A: <|START_ACTION|>[{"tool_call_id": "0", "tool_name": …, "parameters": {…}}]<|END_ACTION|>. */
#include "engine/chat/chat_format.h"
#include "engine/chat/json_calls.h"

const struct chat_format_def chat_format_command_r7b = {
    .name = "command_r7b",
    .told_by = {"<|START_ACTION|>"},
    .begin = "<|START_ACTION|>",
    .end = "<|END_ACTION|>",
    .layouts = {{.before_all = "<|START_ACTION|>[\n    ",
                 .between = ",\n    ",
                 .behind_all = "\n]<|END_ACTION|>",
                 .before_name = "{\"tool_call_id\": \"" LAYOUT_NUMBER "\", \"tool_name\": \"",
                 .before_arguments = "\", \"parameters\": ",
                 .behind_arguments = "}"}},
    .parse = json_calls_parse,
    .find_end = json_calls_find_end};
