/* Copies of a request's values in a job's arena, where they outlive the request. Each says PROBLEM_NO_MEMORY, or which field is wrong. */
#ifndef SERVER_ROUTES_JOB_INPUTS_H
#define SERVER_ROUTES_JOB_INPUTS_H

#include "server/job.h"

#include <jansson.h>

/* texts: a text or a list of texts. ret_text_bytes may be NULL. */
bool inputs_copy_texts(struct job *job, const json_t *texts, const char *field, const char *const **ret_texts,
                       const size_t **ret_text_bytes, size_t *ret_n_texts, struct problem *ret_problem);
/* ids: a list of token ids. Whether a model has them shows later. */
bool inputs_copy_ids(struct job *job, const json_t *ids, const char *field, const int32_t **ret_ids, size_t *ret_n_ids,
                     struct problem *ret_problem);
/* As compact JSON text. ret_n_bytes may be NULL. */
bool inputs_copy_json(struct job *job, const json_t *value, const char **ret_text, size_t *ret_n_bytes,
                      struct problem *ret_problem);

#endif
