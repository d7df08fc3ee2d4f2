/* Scores of texts for a query, or of texts by a classifier: EVENT_STARTED, EVENT_SCORES (rows in order, n_columns labels), EVENT_DONE. */
#ifndef SERVER_JOBS_RERANK_H
#define SERVER_JOBS_RERANK_H

#include "server/job.h"

struct rerank_inputs {
    const char *query; /* NULL: the texts are classified by themselves */
    size_t n_query_bytes;
    const char *const *texts;
    const size_t *text_bytes;
    const char *const *second_texts; /* of pairs that are classified; NULL: none */
    const size_t *second_bytes;
    size_t n_texts;
    bool is_raw; /* logits, not probabilities */
    bool truncates, truncates_left;
};

struct rerank_job {
    struct job job;
    struct rerank_inputs inputs;
    const char *const *labels; /* of the columns, from EVENT_STARTED on; NULL: the model names none */
    size_t n_labels;
    struct rerank_state *state;
};

struct rerank_job *rerank_job_new(const char *model_name);

#endif
