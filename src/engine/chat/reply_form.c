#include "engine/chat/reply_form.h"
#include "base/error.h"
#include "engine/chat/chat.h"

#include <string.h>

static bool ends_with(const char *text, size_t n_bytes, const char *end)
{
    size_t n_end = strlen(end);
    return n_bytes >= n_end && !memcmp(text + n_bytes - n_end, end, n_end);
}

static bool is_forced(hob_tool_choice choice)
{
    return choice == HOB_TOOL_CHOICE_REQUIRED || choice == HOB_TOOL_CHOICE_NAMED;
}

void reply_form_tell(const char *template_text, const char *prompt, size_t n_prompt, const json_t *tools, hob_tool_choice choice,
                     struct reply_form *ret_form)
{
    while (n_prompt && prompt[n_prompt - 1] && strchr(" \t\r\n", prompt[n_prompt - 1])) n_prompt--;
    *ret_form = (struct reply_form){.template_text = template_text,
                                    .tools = tools,
                                    .format = tools ? chat_format_of(template_text) : NULL,
                                    .has_reasoning = strstr(template_text, THINK_END) != NULL,
                                    .begins_inside = ends_with(prompt, n_prompt, THINK_BEGIN),
                                    .is_behind = ends_with(prompt, n_prompt, THINK_END)};
    if (tools && !ret_form->format && is_forced(choice)) ret_form->format = &chat_format_plain_json;
}

hob_status reply_form_of(const hob_chat *chat, const hob_model *model, const hob_chat_options *options, struct reply_form *ret_form,
                         hob_error *error)
{
    const char *text;
    char *prompt;
    size_t n_prompt;
    TRY(chat_choose_template(chat, model, options, &text, error));
    TRY(hob_chat_render(chat, model, options, &prompt, &n_prompt, error));
    reply_form_tell(text, prompt, n_prompt, chat_tools(chat, options), options->tool_choice, ret_form);
    ret_form->has_one_call = options->has_one_call;
    hob_free(prompt);
    return HOB_OK;
}
