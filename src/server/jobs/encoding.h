/* Texts of a request as ids for an encoder or classifier, by the clerk: cut, or refused with both numbers where they are too long. */
#ifndef SERVER_JOBS_ENCODING_H
#define SERVER_JOBS_ENCODING_H

#include "server/job.h"

/* Texts, or pairs of a first text and others. */
struct encoding_texts {
    const char *first; /* NULL: no pairs */
    size_t n_first_bytes;
    const char *const *texts;
    const size_t *text_bytes;
    size_t n_texts;
};

/* ret_encodings: hob_encodings_release. PROBLEM_CONTEXT: n_found and n_allowed are set. */
bool encoding_make(const struct loaded_model *model, const struct encoding_texts *texts, const hob_encode_options *options,
                   hob_encodings *ret_encodings, struct problem *ret_problem);
/* Ids that came as ids: within the vocabulary, some, and no more than the model takes. index: for messages. */
bool encoding_check(const struct loaded_model *model, const int32_t *ids, size_t n_ids, size_t index, struct problem *ret_problem);
bool encoding_too_long(const struct loaded_model *model, size_t index, size_t n_found, struct problem *ret_problem); /* always false */

#endif
