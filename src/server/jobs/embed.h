/* Embeddings of texts, in pieces small enough that completions slip in between; texts of several jobs share a run.
 * EVENT_STARTED, EVENT_VECTORS (rows in order, maybe several), EVENT_DONE. A text that is too long is PROBLEM_CONTEXT unless truncates. */
#ifndef SERVER_JOBS_EMBED_H
#define SERVER_JOBS_EMBED_H

#include "server/job.h"

struct embed_inputs {
    const char *const *texts; /* [n_texts], in the arena; or ids */
    const size_t *text_bytes;
    const int32_t *const *ids; /* instead of texts: as they are */
    const size_t *n_ids;
    size_t n_texts;
    bool truncates;        /* cut what is too long */
    bool truncates_left;
    bool has_tokens;       /* a vector for each token (EVENT_VECTORS for each text), not pooled */
    hob_embed_options how; /* n_dimensions, prompt, is_raw, pooling … */
};

struct embed_job {
    struct job job;
    struct embed_inputs inputs;
    size_t *n_tokens; /* of each text, from EVENT_STARTED on */
    struct embed_state *state;
};

struct embed_job *embed_job_new(const char *model_name);

#endif
