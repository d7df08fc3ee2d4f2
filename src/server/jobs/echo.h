/* A prompt repeated as deltas, each token with its text and, where wanted, with how probable the model finds it. Probabilities need the
 * prompt to be run through the session's own cache, a bounded piece at a time. The engine's thread.
 *
 *     if (!echo_new(ids, n_ids, n_top, &echo, model, &problem)) …
 *     do if (!echo_step(echo, model, transcript, &is_done, &problem)) … while (!is_done);
 *     echo_free(echo, model);
 */
#ifndef SERVER_JOBS_ECHO_H
#define SERVER_JOBS_ECHO_H

#include "server/jobs/generate.h"

struct echo;

struct echo_options {
    bool has_logprobs;
    size_t n_top_logprobs;
    bool is_all; /* nothing follows: text that waits for more bytes is told at the end */
};

/* ids: must stay. */
bool echo_new(const int32_t *ids, size_t n_ids, const struct echo_options *options, const struct loaded_model *model, struct echo **ret_echo,
              struct problem *ret_problem);
/* The model's session is left empty where it was ours. Takes NULL. */
void echo_free(struct echo *echo, struct loaded_model *model);
bool echo_step(struct echo *echo, struct loaded_model *model, struct transcript *transcript, bool *ret_is_done, struct problem *ret_problem);
/* Why a step failed: texts that run beside it fill the session's cache. It may be tried again. */
bool echo_lacks_room(const struct echo *echo);

#endif
