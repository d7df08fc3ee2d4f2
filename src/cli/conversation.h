/* A conversation in the terminal: what was said, the model that answers, and how an answer is shown. Not thread-safe. */
#ifndef CLI_CONVERSATION_H
#define CLI_CONVERSATION_H

#include "cli/load.h"
#include "cli/output.h"
#include "cli/sampling.h"
#include "hob/chat.h"

struct conversation_settings {
    size_t n_tokens;
    struct sampling sampling;
};

struct conversation {
    struct conversation_settings settings;
    const hob_logit_bias *biases;
    hob_chat *chat;
    hob_chat_options template_options;
    const struct loaded *loaded;
    struct output *output;
    bool is_json, has_colours, shows_reasoning;
    uint64_t n_answers; /* each draws its own random numbers */
    hob_generate_result last;
};

/* Answers the last message, shows the answer as it comes, and adds it. What was interrupted is kept as far as it came. On failure the
 * conversation is as before. */
HOB_MUST_CHECK hob_status conversation_answer(struct conversation *conversation, hob_error *error);
/* Adds the message and answers it; on failure the message is gone again. */
HOB_MUST_CHECK hob_status conversation_say(struct conversation *conversation, const char *role, const char *text, hob_error *error);
/* Forgets the last answer, and with_question the message before it. false: there is none. */
bool conversation_undo(struct conversation *conversation, bool with_question);

#endif
