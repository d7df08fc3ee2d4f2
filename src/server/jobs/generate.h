/* Generation: a prompt of any form, tokens as they come. One EVENT_STARTED; for each token an EVENT_DELTA; calls of tools as they are
 * complete; an EVENT_OUTPUT_END for each text; EVENT_DONE.
 *
 * A prompt longer than the context is PROBLEM_CONTEXT naming both numbers; a prompt and max_tokens that do not fit together end with
 * HOB_FINISH_CONTEXT. The same inputs and seed give the same events through any API, alone or under load. */
#ifndef SERVER_JOBS_GENERATE_H
#define SERVER_JOBS_GENERATE_H

#include "server/job.h"

enum prompt_kind {
    PROMPT_TEXT, /* text, with what begins a text for the model */
    PROMPT_IDS,
    PROMPT_PARTS, /* texts and ids in turn; what begins a text only where a text is first */
    PROMPT_CHAT, /* messages by the model's template; reasoning and calls are told from the reply */
    PROMPT_FILL  /* between prefix and suffix; PROBLEM_UNSUPPORTED where the model has no tokens for it */
};

struct prompt_part {
    const char *text; /* NULL: id */
    size_t n_text_bytes;
    int32_t id;
};

/* Texts live in the job's arena. Zero is the default of everything. */
struct generate_inputs {
    enum prompt_kind kind;
    const char *text;
    size_t n_text_bytes;
    bool is_bare;                /* text: nothing is put before it */
    bool reads_special_tokens;   /* text: "<|im_end|>" is the token. For callers who write templates themselves (Ollama's raw, llama.cpp) */
    const int32_t *ids;
    size_t n_ids;
    const struct prompt_part *parts;
    size_t n_parts;
    const char *messages;        /* a JSON list as OpenAI writes it */
    size_t n_messages_bytes;
    const char *tools;           /* a JSON list; NULL: none */
    const char *tool_choice;     /* "auto", "none", "required" or NULL; with tool_name: that one */
    const char *tool_name;
    bool has_one_call;           /* parallel_tool_calls false */
    hob_chat_options chat;
    bool is_text_without_template; /* chat: where the model has no template of its own, text is the prompt instead (base models under Ollama) */
    hob_fim fill;

    hob_generate_options options; /* callbacks apart; lists in the arena. max_tokens 0: as configured. stops, biases … */
    bool has_seed;                /* else one is drawn for each request; greedy needs none */
    bool has_no_limit;            /* max_tokens 0 means to the context's end, whatever is configured */
    bool generates_nothing;       /* max_tokens is meant to be 0: the prompt is only computed (warmed, or scored with echoes) */
    bool echoes;                  /* the prompt's tokens come first as deltas, is_echo, once for all texts (output 0), with logprobs where asked
                                     for; of the first token, which nothing foretells, NAN */
    bool shifts_context;
};

struct generate_job {
    struct job job; /* first */
    struct generate_inputs inputs;
    uint64_t seed;  /* that was used: set by prepare */
    int32_t *prompt; /* prepare's: freed with hob_free */
    size_t n_prompt;
    struct generate_state *state; /* the kind's own: replies, decoders, grammar */
};

struct generate_job *generate_job_new(const char *model_name); /* NULL: memory is out */

#endif
