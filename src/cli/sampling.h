/* The options that say how tokens are chosen, for every command that generates: rows, settings, and what the library takes.
 *
 *     struct settings { …; struct sampling sampling; };
 *     static const struct option_def options[] = { …, SAMPLING_OPTIONS(struct settings, sampling), … };
 *     int status = sampling_read_biases(line->command, &settings->sampling, &biases);
 *     sampling_choose(&settings->sampling, biases, &how);
 *     memory_free(biases);
 */
#ifndef CLI_SAMPLING_H
#define CLI_SAMPLING_H

#include "cli/command.h"
#include "hob/generate.h"

struct sampling {
    size_t top_k, repeat_last_n, dry_allowed_length, dry_last_n;
    float temperature, top_p, min_p, typical_p, top_n_sigma, xtc_probability, xtc_threshold, mirostat_tau, mirostat_eta;
    float repeat_penalty, frequency_penalty, presence_penalty, dry_multiplier, dry_base;
    uint64_t seed;
    struct text_list dry_breakers, logit_biases;
};

#define SAMPLING_NUMBER(settings, member, field, word, sign, low, high, text)              \
    {                                                                                      \
        .name = word, .argument = sign, .kind = OPTION_NUMBER, .least = low, .most = high, \
        .offset = offsetof(settings, member.field), .help = text                           \
    }
#define SAMPLING_PLAIN(settings, member, field, word, sign, type, text)                                        \
    {                                                                                                          \
        .name = word, .argument = sign, .kind = type, .offset = offsetof(settings, member.field), .help = text \
    }

#define SAMPLING_OPTIONS(settings, member)                                                                            \
    SAMPLING_NUMBER(settings, member, temperature, "temperature", "T", 0, 1e6,                                        \
                    "0 (default): the most probable token each time"),                                                \
        SAMPLING_PLAIN(settings, member, top_k, "top-k", "K", OPTION_COUNT,                                           \
                       "draw from the K most probable tokens only"),                                                  \
        SAMPLING_NUMBER(settings, member, top_p, "top-p", "P", 0, 1, "draw from the fewest tokens that sum to P"),    \
        SAMPLING_NUMBER(settings, member, min_p, "min-p", "P", 0, 1,                                                  \
                        "only tokens at least P times as probable as the best"),                                      \
        SAMPLING_NUMBER(settings, member, typical_p, "typical", "P", 0, 1,                                            \
                        "the tokens of most usual surprise that sum to P"),                                           \
        SAMPLING_NUMBER(settings, member, top_n_sigma, "top-n-sigma", "N", 0, 1e6,                                    \
                        "only logits within N standard deviations of the best"),                                      \
        SAMPLING_NUMBER(settings, member, xtc_probability, "xtc-probability", "P", 0, 1,                              \
                        "how often all but the last of the top tokens are left out"),                                 \
        SAMPLING_NUMBER(settings, member, xtc_threshold, "xtc-threshold", "P", 0, 1, "what makes a top token (0.1)"), \
        SAMPLING_NUMBER(settings, member, mirostat_tau, "mirostat-ent", "BITS", 0, 1e6,                               \
                        "mirostat 2: hold the surprise there, instead of what cuts the tail"),                        \
        SAMPLING_NUMBER(settings, member, mirostat_eta, "mirostat-lr", "RATE", 0, 1e6,                                \
                        "how fast mirostat learns (0.1)"),                                                            \
        SAMPLING_NUMBER(settings, member, repeat_penalty, "repeat-penalty", "X", 0, 1e6,                              \
                        "divide logits of tokens seen, prompt included, by X (1: off)"),                              \
        SAMPLING_NUMBER(settings, member, frequency_penalty, "frequency-penalty", "X", -1e6, 1e6,                     \
                        "take X off a logit for each time it was generated"),                                         \
        SAMPLING_NUMBER(settings, member, presence_penalty, "presence-penalty", "X", -1e6, 1e6,                       \
                        "take X off the logit of what was generated"),                                                \
        SAMPLING_PLAIN(settings, member, repeat_last_n, "repeat-last-n", "N", OPTION_COUNT,                           \
                       "penalties look at the last N tokens (64); 0: at all"),                                        \
        SAMPLING_NUMBER(settings, member, dry_multiplier, "dry-multiplier", "X", 0, 1e6,                              \
                        "DRY: penalty of what would prolong a repetition (0: off)"),                                  \
        SAMPLING_NUMBER(settings, member, dry_base, "dry-base", "X", 1, 1e6,                                          \
                        "how it grows with the length repeated (1.75)"),                                              \
        SAMPLING_PLAIN(settings, member, dry_allowed_length, "dry-allowed-length", "N", OPTION_COUNT,                 \
                       "the longest repetition without penalty growing (2)"),                                         \
        SAMPLING_PLAIN(settings, member, dry_last_n, "dry-penalty-last-n", "N", OPTION_COUNT,                         \
                       "DRY looks at the last N tokens; 0 (default): at all"),                                        \
        SAMPLING_PLAIN(settings, member, dry_breakers, "dry-sequence-breaker", "TEXT", OPTION_TEXTS,                  \
                       "no repetition reaches across; none: across nothing. May be given several times"),             \
        SAMPLING_PLAIN(settings, member, logit_biases, "logit-bias", "ID+BIAS", OPTION_TEXTS,                         \
                       "add to a token's logit: 15+2.5, 15-1, 15-inf bans it. May be given several times"),           \
        SAMPLING_PLAIN(settings, member, seed, "seed", "S", OPTION_SEED,                                              \
                       "of the draws (0); the same seed gives the same text")

#define SAMPLING_DEFAULTS                      \
    {                                          \
        .repeat_last_n = 64, .dry_base = 1.75F \
    }

/* Sets the fields of how that say how tokens are chosen; how then points into sampling, and to biases, which sampling_read_biases gave. */
void sampling_choose(const struct sampling *sampling, const hob_logit_bias *biases, hob_generate_options *how);
/* ret_biases: one for each --logit-bias; free with memory_free. Returns STATUS_USAGE behind a message when one makes no sense. */
int sampling_read_biases(const struct command_def *command, const struct sampling *sampling, hob_logit_bias **ret_biases);

#endif
