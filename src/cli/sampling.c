#include "cli/sampling.h"

#include "base/memory.h"
#include "cli/report.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* "15043+1.5", "15043-inf": llama.cpp's way to write it. */
static bool parse_bias(const char *text, hob_logit_bias *ret_bias)
{
    char *sign, *end;
    if (!isdigit((unsigned char)text[0])) return false;
    unsigned long id = strtoul(text, &sign, 10);
    if (id > INT32_MAX || (*sign != '+' && *sign != '-') || isspace((unsigned char)sign[1]) || sign[1] == '+' ||
        sign[1] == '-')
        return false;
    float bias = strtof(sign, &end);
    if (end == sign || *end || isnan(bias)) return false;
    *ret_bias = (hob_logit_bias){(int32_t)id, bias};
    return true;
}

int sampling_read_biases(const struct command_def *command, const struct sampling *sampling, hob_logit_bias **ret_biases)
{
    const struct text_list *texts = &sampling->logit_biases;
    hob_logit_bias *biases = memory_new(texts->n_items, sizeof *biases);
    if (!biases) {
        report("--logit-bias: out of memory");
        return STATUS_FAILED;
    }
    for (size_t i = 0; i < texts->n_items; i++) {
        if (parse_bias(texts->items[i], &biases[i])) continue;
        memory_free(biases);
        return report_usage(command, "--logit-bias: found '%s', expected a token id, + or -, and a number",
                            texts->items[i]);
    }
    *ret_biases = biases;
    return STATUS_DONE;
}

static void set_draws(const struct sampling *sampling, hob_generate_options *how)
{
    how->temperature = sampling->temperature;
    how->top_k = sampling->top_k;
    how->top_p = sampling->top_p;
    how->min_p = sampling->min_p;
    how->typical_p = sampling->typical_p;
    how->top_n_sigma = sampling->top_n_sigma;
    how->xtc_probability = sampling->xtc_probability;
    how->xtc_threshold = sampling->xtc_threshold;
    how->mirostat_tau = sampling->mirostat_tau;
    how->mirostat_eta = sampling->mirostat_eta;
    how->seed = sampling->seed;
}

/* --dry-sequence-breaker none, as in llama.cpp: no breakers at all. */
static void set_breakers(const struct text_list *texts, hob_generate_options *how)
{
    if (!texts->n_items) return;
    how->dry_breakers = texts->items;
    how->n_dry_breakers = strcmp(texts->items[0], "none") == 0 ? 0 : texts->n_items;
}

void sampling_choose(const struct sampling *sampling, const hob_logit_bias *biases, hob_generate_options *how)
{
    how->logit_biases = biases;
    how->n_logit_biases = sampling->logit_biases.n_items;
    how->repetition_penalty = sampling->repeat_penalty;
    how->frequency_penalty = sampling->frequency_penalty;
    how->presence_penalty = sampling->presence_penalty;
    how->penalty_last_n = sampling->repeat_last_n ? sampling->repeat_last_n : SIZE_MAX;
    how->dry_multiplier = sampling->dry_multiplier;
    how->dry_base = sampling->dry_base;
    how->dry_allowed_length = sampling->dry_allowed_length;
    how->dry_last_n = sampling->dry_last_n;
    set_breakers(&sampling->dry_breakers, how);
    set_draws(sampling, how);
}
