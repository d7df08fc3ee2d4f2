/* Prompts of any kind for a model: as ids to generate from, or as the text that the model's template makes of them. Any thread; owns ids
 * and conversation.
 *
 *     struct prompt prompt;
 *     if (!prompt_make(&generate->inputs, model, &prompt, &problem)) …
 *     hob_generation_new(session, prompt.ids, prompt.n_ids, …);
 *     prompt_release(&prompt);
 */
#ifndef SERVER_JOBS_PROMPT_H
#define SERVER_JOBS_PROMPT_H

#include "server/jobs/generate.h"

struct prompt {
    int32_t *ids; /* freed with hob_free */
    size_t n_ids;
    int32_t ends[HOB_FIM_MOST_ENDS]; /* that end what is filled in, beside the model's own */
    size_t n_ends;
    const char *end_text; /* likewise as text; NULL: none */
    hob_chat *chat; /* NULL: no conversation */
    hob_chat_options chat_options;
};

bool prompt_make(const struct generate_inputs *inputs, const struct loaded_model *model, struct prompt *ret_prompt, struct problem *ret_problem);
void prompt_release(struct prompt *prompt); /* takes a zeroed one */
/* The prompt's text; free with hob_free. Of ids, what they spell. */
bool prompt_render(const struct generate_inputs *inputs, const struct loaded_model *model, char **ret_text, size_t *ret_n_bytes,
                   struct problem *ret_problem);

#endif
