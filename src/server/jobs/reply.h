/* What a generation says, as events: a delta for each token; of a chat split into content, reasoning and calls of tools.
 *
 * Owns what tells them apart. The clerk makes it, the engine's thread uses it.
 *
 *     if (!reply_init(&reply, transcript, prompt, model, n_outputs, &problem)) …
 *     hob_generation_new(session, ids, n_ids, &options, reply_on_generated, &reply, &generation, &error);
 *     …
 *     if (!reply_end(&reply, generation, options, &problem)) …          the rest of each text, and its end
 *     reply_release(&reply);
 */
#ifndef SERVER_JOBS_REPLY_H
#define SERVER_JOBS_REPLY_H

#include "server/jobs/prompt.h"

struct reply_output {
    hob_reply *reader; /* NULL: no chat, text is text */
    size_t n_tool_calls;
};

struct reply {
    struct transcript *transcript;
    struct reply_output *outputs;
    size_t n_outputs;
    bool is_silent;  /* nothing of what is generated is told */
    bool has_failed; /* problem says why; the generation has been told to stop */
    struct problem problem;
};

/* prompt: its conversation tells which formats are looked for. */
bool reply_init(struct reply *reply, struct transcript *transcript, const struct prompt *prompt, const struct loaded_model *model,
                size_t n_outputs, struct problem *ret_problem);
void reply_release(struct reply *reply); /* takes a zeroed one */
/* A hob_on_generated; context: the reply. */
bool reply_on_generated(void *context, const hob_generated *generated);
/* The generation is done. options: the request's, with the stop texts that it knows of; others behind them are ends like any. */
bool reply_end(struct reply *reply, const hob_generation *generation, const hob_generate_options *options, struct problem *ret_problem);
/* The end of a text of which nothing was generated. */
bool reply_end_empty(struct reply *reply, struct problem *ret_problem);

#endif
