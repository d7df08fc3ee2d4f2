/* One completion under way: what hob complete was told, what has come so far, and how that is shown. One text goes out token by
 * token; several, and --json, are kept and shown at the end. Not thread-safe.
 *
 *     struct completion completion = {.settings = settings, .output = output};      then prompt, session, texts
 *     hob_generation_new(session, ids, n_ids, &completion.how, completion_take, &completion, …);
 *     completion_begin(&completion);
 *     return completion_end(&completion);
 */
#ifndef CLI_COMPLETION_H
#define CLI_COMPLETION_H

#include "base/buffer.h"
#include "cli/infill.h"
#include "cli/load.h"
#include "cli/output.h"
#include "cli/sampling.h"
#include "hob/hob.h"

#include <jansson.h>

#define NO_LOGPROBS SIZE_MAX

struct complete_settings {
    const char *model_path;
    size_t n_tokens, n_min_tokens, n_max_ms, beam_width, n_samples, n_keep, n_threads;
    size_t n_logprobs; /* NO_LOGPROBS, or how many of the best beside each token's own */
    float length_penalty;
    int early_stopping; /* hob_early_stopping */
    struct sampling sampling;
    struct infill infill;
    struct text_list stops, stop_ids;
    const char *grammar_path, *json_schema, *draft_model_path, *cache_type, *cache_folder;
    size_t n_context; /* 0: the model's, at most 4096 */
    size_t n_drafts; /* 0: DEFAULT_DRAFTS with a draft model, else none */
    bool ignores_end, shifts_context, is_scored, echoes, shows_ids, is_json;
};

/* One of the texts that come: the continuation, and its ids as int32_t. */
struct text {
    struct buffer text, ids;
    json_t *logprobs; /* an array; NULL where none are wanted */
};

/* One completion under way. */
struct completion {
    const struct complete_settings *settings;
    struct output *output;
    hob_session *session;
    const hob_tokenizer *tokenizer;
    struct loaded draft; /* zeros: no model makes drafts */
    hob_generation *generation;
    hob_generate_options how;
    hob_logit_bias *biases; /* how points to them */
    hob_grammar *grammar; /* NULL: none */
    struct buffer prompt;
    int32_t *prompt_ids, *stop_ids;
    size_t n_prompt_ids, n_stop_ids;
    struct text *texts;      /* settings->n_samples: kept for --json and where they are several */
    size_t n_texts;
    bool has_begun;          /* the prompt's part is printed, or need not be */
};

/* A hob_on_generated; context: the completion. */
bool completion_take(void *context, const hob_generated *generated);
/* The prompt's part of what is shown, once. */
void completion_begin(struct completion *completion);
/* What is shown when the generation is done; the command's exit status. */
int completion_end(struct completion *completion);

#endif
