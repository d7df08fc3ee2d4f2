/* OpenAI's four ways to give texts: "text", ["text", …], [1, 2, …] (ids of one), [[1, 2], …] (ids of several).
 *
 *     struct openai_prompts prompts;
 *     if (!openai_prompts_read(inputs.prompt, "prompt", 64, &prompts, &problem)) …
 *     for (size_t i = 0; i < prompts.n_prompts; i++)
 *         if (!openai_prompts_text(&prompts, i, job, &text, &n_bytes, &problem)) …      or the ids
 */
#ifndef SERVER_ROUTES_OPENAI_PROMPTS_H
#define SERVER_ROUTES_OPENAI_PROMPTS_H

#include "server/job.h"

#include <jansson.h>

/* A look at the request's JSON. */
struct openai_prompts {
    const json_t *value;
    const char *field;
    size_t n_prompts;
    bool are_ids, is_one;
};

/* At least one, at most `most`. */
bool openai_prompts_read(const json_t *value, const char *field, size_t most, struct openai_prompts *ret_prompts,
                         struct problem *ret_problem);
/* Copies in the job's arena. */
bool openai_prompts_text(const struct openai_prompts *prompts, size_t index, struct job *job, const char **ret_text,
                         size_t *ret_n_bytes, struct problem *ret_problem);
bool openai_prompts_ids(const struct openai_prompts *prompts, size_t index, struct job *job, const int32_t **ret_ids,
                        size_t *ret_n_ids, struct problem *ret_problem);

#endif
