/* Llama 3.1 to 3.3: the whole reply is {"name": …, "parameters": {…}}, several with ";" between them, with or without <|python_tag|>. */
#include "engine/chat/chat_format.h"
#include "engine/chat/json_calls.h"

const struct chat_format_def chat_format_llama3 = {.name = "llama3",
                                                   .told_by = {"<|python_tag|>", "\"parameters\": dictionary", "\"parameters\": '"},
                                                   .begin = "<|python_tag|>",
                                                   .may_begin_reply = true,
                                                   .layouts = {{.between = "; ",
                                                                .before_name = "{\"name\": \"",
                                                                .before_arguments = "\", \"parameters\": ",
                                                                .behind_arguments = "}"}},
                                                   .parse = json_calls_parse};
