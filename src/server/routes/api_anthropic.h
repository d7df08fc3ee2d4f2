/* What Anthropic's routes share: error bodies, and conversations in its blocks put into OpenAI's messages, which the engine reads. */
#ifndef SERVER_ROUTES_API_ANTHROPIC_H
#define SERVER_ROUTES_API_ANTHROPIC_H

#include "server/jobs/generate.h"
#include "server/routes/fields.h"

/* What a conversation is made of. */
struct anthropic_prompt {
    const json_t *messages, *system, *tools, *tool_choice, *thinking;
};

#define ANTHROPIC_PROMPT_FIELD(settings, member, word, kind_, text)                           \
    {                                                                                         \
        .name = #word, .kind = kind_, .offset = offsetof(settings, member.word), .help = text \
    }
#define ANTHROPIC_PROMPT_FIELDS(settings, member)                                                                  \
    {.name = "messages",                                                                                           \
     .kind = FIELD_LIST,                                                                                           \
     .is_required = true,                                                                                          \
     .offset = offsetof(settings, member.messages),                                                                \
     .help = "roles user and assistant; content is a text or blocks: text, tool_use, tool_result, thinking"},      \
        ANTHROPIC_PROMPT_FIELD(settings, member, system, FIELD_ANY, "a text, or blocks of text"),                  \
        ANTHROPIC_PROMPT_FIELD(settings, member, tools, FIELD_LIST, "functions: name, description, input_schema"), \
        ANTHROPIC_PROMPT_FIELD(settings, member, tool_choice, FIELD_OBJECT,                                        \
                               "{\"type\": \"auto\" | \"any\" | \"none\"} or tool with a name"),                   \
        ANTHROPIC_PROMPT_FIELD(settings, member, thinking, FIELD_OBJECT,                                           \
                               "{\"type\": \"enabled\" | \"disabled\"}, for templates that can choose")

/* inputs: of the job, whose arena keeps copies. */
bool anthropic_prompt_set(const struct anthropic_prompt *prompt, struct generate_inputs *inputs, struct job *job,
                          struct problem *ret_problem);
/* {"type": "error", "error": {"type", "message"}} */
json_t *anthropic_problem(const struct problem *problem, int *ret_status);

#endif
