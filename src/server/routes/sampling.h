/* How tokens are chosen, as llama.cpp's names for it, which Ollama and vLLM share: rows for a route's fields and what the library takes.
 *
 *     struct inputs { …; struct sampling_fields sampling; };
 *     static const struct field_def fields[] = { …, SAMPLING_FIELDS(struct inputs, sampling), … };
 *     struct inputs inputs = {.sampling = {.temperature = 0.8, …}};          the API's defaults
 *     if (!sampling_fields_set(&inputs.sampling, generate, &problem)) …             into the job's options, lists in its arena
 */
#ifndef SERVER_ROUTES_SAMPLING_H
#define SERVER_ROUTES_SAMPLING_H

#include "server/jobs/generate.h"
#include "server/routes/fields.h"

struct sampling_fields {
    double temperature, top_p, min_p, typical_p, top_n_sigma, xtc_probability, xtc_threshold, mirostat_tau, mirostat_eta;
    double repeat_penalty, frequency_penalty, presence_penalty, dry_multiplier, dry_base;
    size_t dry_allowed_length;
    int64_t top_k, repeat_last_n, dry_last_n, mirostat, seed; /* last_n -1: all; seed below 0: one is drawn */
    const json_t *dry_breakers, *logit_bias, *stop;
};

/* What is off, but for the seed: drawn. */
#define SAMPLING_OFF                                                                    \
    {                                                                                   \
        .repeat_penalty = 1, .repeat_last_n = 64, .dry_base = 1.75, .dry_allowed_length = 2, .dry_last_n = -1, .seed = -1, \
        .xtc_threshold = 0.1, .mirostat_tau = 5, .mirostat_eta = 0.1                    \
    }

#define SAMPLING_FIELD(settings, member, word, type, low, high, text) \
    {.name = #word, .kind = type, .offset = offsetof(settings, member.word), .least = low, .most = high, .help = text}
#define SAMPLING_FIELD_OF(settings, member, word, field, type, low, high, text) \
    {.name = word, .kind = type, .offset = offsetof(settings, member.field), .least = low, .most = high, .help = text}

#define SAMPLING_FIELDS(settings, member)                                                                                        \
    SAMPLING_FIELD(settings, member, temperature, FIELD_NUMBER, 0, 1e6, "0: the most probable token each time"),                 \
        SAMPLING_FIELD(settings, member, top_k, FIELD_INTEGER, -1, 1e9, "draw from the so many most probable tokens; 0 or -1: off"),      \
        SAMPLING_FIELD(settings, member, top_p, FIELD_NUMBER, 0, 1, "draw from the fewest tokens that sum to it; 1: off"),       \
        SAMPLING_FIELD(settings, member, min_p, FIELD_NUMBER, 0, 1, "only tokens so many times as probable as the best; 0: off"), \
        SAMPLING_FIELD(settings, member, typical_p, FIELD_NUMBER, 0, 1, "tokens of most usual surprise that sum to it; 1: off"), \
        SAMPLING_FIELD(settings, member, top_n_sigma, FIELD_NUMBER, -1, 1e6, "only logits within so many standard deviations of the best; 0 or less: off"), \
        SAMPLING_FIELD(settings, member, xtc_probability, FIELD_NUMBER, 0, 1, "how often all but the last of the top tokens are left out"), \
        SAMPLING_FIELD(settings, member, xtc_threshold, FIELD_NUMBER, 0, 1, "what makes a top token"),                          \
        SAMPLING_FIELD(settings, member, mirostat, FIELD_INTEGER, 0, 2, "2: mirostat 2 instead of what cuts the tail; 1 is taken for 2"), \
        SAMPLING_FIELD(settings, member, mirostat_tau, FIELD_NUMBER, 0, 1e6, "the surprise in bits that mirostat aims at"),     \
        SAMPLING_FIELD(settings, member, mirostat_eta, FIELD_NUMBER, 0, 1e6, "how fast mirostat learns"),                       \
        SAMPLING_FIELD(settings, member, repeat_penalty, FIELD_NUMBER, 0, 1e6, "divides logits of tokens seen; 1: off"),        \
        SAMPLING_FIELD(settings, member, repeat_last_n, FIELD_INTEGER, -1, 1e9, "penalties look at so many last tokens; 0: none, -1: all"), \
        SAMPLING_FIELD(settings, member, frequency_penalty, FIELD_NUMBER, -1e6, 1e6, "off a logit for each time it was generated"), \
        SAMPLING_FIELD(settings, member, presence_penalty, FIELD_NUMBER, -1e6, 1e6, "off the logit of what was generated"),     \
        SAMPLING_FIELD(settings, member, dry_multiplier, FIELD_NUMBER, 0, 1e6, "DRY: penalty of what would prolong a repetition; 0: off"), \
        SAMPLING_FIELD(settings, member, dry_base, FIELD_NUMBER, 1, 1e6, "DRY: how the penalty grows"),                         \
        SAMPLING_FIELD(settings, member, dry_allowed_length, FIELD_COUNT, 0, 1e9, "DRY: the longest repetition without penalty"), \
        SAMPLING_FIELD_OF(settings, member, "dry_penalty_last_n", dry_last_n, FIELD_INTEGER, -1, 1e9, "DRY looks at so many last tokens; -1: all"), \
        SAMPLING_FIELD_OF(settings, member, "dry_sequence_breakers", dry_breakers, FIELD_TEXTS, 0, 0, "DRY: no repetition reaches across these texts"), \
        SAMPLING_FIELD_OF(settings, member, "seed", seed, FIELD_INTEGER, 0, 0, "of the draws; -1: another one each time"),       \
        SAMPLING_FIELD_OF(settings, member, "logit_bias", logit_bias, FIELD_ANY, 0, 0, "added to logits: {\"ID\": BIAS} or [[ID, BIAS], …]; false bans"), \
        {.name = "stop", .kind = FIELD_TEXTS, .offset = offsetof(settings, member.stop), .most_items = 64, .help = "texts that end generation and are not part of it"}

/* Sets the fields of generate->inputs that say how tokens are chosen and what ends a text. Texts and lists are copied into the job. */
bool sampling_fields_set(const struct sampling_fields *sampling, struct generate_job *generate, struct problem *ret_problem);
/* Parts of it, for APIs that name things otherwise. field: for messages. */
bool sampling_set_stops(const json_t *stop, const char *field, struct generate_job *generate, struct problem *ret_problem);
bool sampling_set_biases(const json_t *biases, const char *field, struct generate_job *generate, struct problem *ret_problem);

#endif
