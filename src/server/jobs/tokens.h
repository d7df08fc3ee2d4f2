/* What needs a model's tokenizer or template only, done by the clerk: ids of texts (EVENT_IDS each), the text of ids (EVENT_TEXT), a prompt
 * by the model's template (EVENT_TEXT, and with has_ids EVENT_IDS). */
#ifndef SERVER_JOBS_TOKENS_H
#define SERVER_JOBS_TOKENS_H

#include "server/jobs/generate.h"

enum tokens_task { TOKENS_ENCODE, TOKENS_DECODE, TOKENS_RENDER };

struct tokens_inputs {
    enum tokens_task task;
    const char *const *texts;
    const size_t *text_bytes;
    size_t n_texts;
    unsigned flags;      /* HOB_ADD_SPECIAL …, HOB_SKIP_SPECIAL */
    const int32_t *ids;
    size_t n_ids;
    struct generate_inputs prompt; /* to render: any kind of prompt */
    bool has_ids;
};

struct tokens_job {
    struct job job;
    struct tokens_inputs inputs;
    const hob_tokenizer *tokenizer; /* of the model, once it is over, as long as the job */
};

struct tokens_job *tokens_job_new(const char *model_name);

#endif
