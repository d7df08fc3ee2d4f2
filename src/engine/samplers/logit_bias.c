/* Adds to the logits of single tokens; minus infinity bans one. A ban is stronger than a bias of plus infinity. */
#include "engine/sampler.h"

#include "base/error.h"

static hob_status check(const hob_generate_options *options, size_t n_vocab, hob_error *error)
{
    if (options->n_logit_biases && !options->logit_biases)
        FAIL(error, HOB_BAD_ARGUMENT, "logit biases: found none, expected %zu", options->n_logit_biases);
    for (size_t i = 0; i < options->n_logit_biases; i++) {
        hob_logit_bias bias = options->logit_biases[i];
        if (bias.id < 0 || (size_t)bias.id >= n_vocab)
            FAIL(error, HOB_BAD_ARGUMENT, "logit bias: found id %d, expected 0 to %zu", (int)bias.id, n_vocab - 1);
        if (isnan(bias.bias))
            FAIL(error, HOB_BAD_ARGUMENT, "logit bias of token %d: found NaN, expected a number", (int)bias.id);
    }
    return HOB_OK;
}

static bool is_active(const hob_generate_options *options)
{
    return options->n_logit_biases != 0;
}

static void adjust(struct sampler_chain *chain)
{
    for (size_t i = 0; i < chain->options.n_logit_biases; i++) {
        hob_logit_bias bias = chain->options.logit_biases[i];
        float *logit = &chain->candidates.items[bias.id].logit;
        *logit += bias.bias;
        if (isnan(*logit)) *logit = -INFINITY;
    }
}

const struct sampler_def sampler_logit_bias = {
    .name = "logit_bias", .check = check, .is_active = is_active, .adjust = adjust};
