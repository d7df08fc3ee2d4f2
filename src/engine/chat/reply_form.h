/* What a reply may look like, told from the prompt's template and end: where reasoning and calls are looked for (reply.c), and what a
 * grammar makes of them (call_grammar.c). Points into chat, model and options, or into what it was told from. */
#ifndef ENGINE_CHAT_REPLY_FORM_H
#define ENGINE_CHAT_REPLY_FORM_H

#include "engine/chat/chat_format.h"
#include "hob/chat.h"

#define THINK_BEGIN "<think>"
#define THINK_END "</think>"

struct reply_form {
    const char *template_text;
    const json_t *tools;                  /* those offered; NULL: none */
    const struct chat_format_def *format; /* NULL: no calls are looked for */
    bool has_reasoning;                   /* the template speaks of <think> */
    bool begins_inside;                   /* the prompt ends inside it */
    bool is_behind;                       /* the prompt ends behind it: no more comes */
    bool has_one_call;
};

/* Fails: as hob_chat_render. */
HOB_MUST_CHECK hob_status reply_form_of(const hob_chat *chat, const hob_model *model, const hob_chat_options *options,
                                        struct reply_form *ret_form, hob_error *error);
/* The same of a template and the prompt's text. */
void reply_form_tell(const char *template_text, const char *prompt, size_t n_prompt, const json_t *tools, hob_tool_choice choice,
                     struct reply_form *ret_form);
/* A reply that is read by that form, which is copied; model may be NULL where only text is pushed. */
HOB_MUST_CHECK hob_status reply_new(const struct reply_form *form, const hob_model *model, hob_reply **ret_reply, hob_error *error);

#endif
