/* DRY: a token that would prolong a repetition is made less probable, exponentially in the length of what is repeated already.
 *
 * Where the last n tokens of the past, none of them before the last breaker, have stood before, the token that followed them there
 * loses multiplier * base^(n - allowed_length), if n is at least the allowed length. How much of the end stands at each place is
 * the Z function of the past read backwards: O(window) whatever repeats.
 * Source: p-e-w's proposal to text-generation-webui, 2024; breakers as in koboldcpp and llama.cpp. */
#include "engine/breakers.h"
#include "engine/past.h"

#include "base/error.h"
#include "base/memory.h"

#include <float.h>

#define DEFAULT_BASE 1.75F
enum { DEFAULT_ALLOWED_LENGTH = 2 };

static const char *const default_breakers[] = {"\n", ":", "\"", "*"};

struct dry {
    struct breakers breakers;
    uint32_t *n_repeated; /* [n_room] */
};

static hob_status check(const hob_generate_options *options, size_t n_vocab, hob_error *error)
{
    (void)n_vocab;
    if (!(options->dry_multiplier >= 0) || isinf(options->dry_multiplier))
        FAIL(error, HOB_BAD_ARGUMENT, "DRY: multiplier: found %g, expected 0 or above",
             (double)options->dry_multiplier);
    if (options->dry_base != 0 && (!(options->dry_base >= 1) || isinf(options->dry_base)))
        FAIL(error, HOB_BAD_ARGUMENT, "DRY: base: found %g, expected 1 or above", (double)options->dry_base);
    return HOB_OK;
}

static bool is_active(const hob_generate_options *options)
{
    return options->dry_multiplier != 0;
}

static hob_status init(struct sampler_chain *chain, const hob_tokenizer *tokenizer, hob_error *error)
{
    const hob_generate_options *options = &chain->options;
    const char *const *texts = options->dry_breakers ? options->dry_breakers : default_breakers;
    size_t n_texts =
        options->dry_breakers ? options->n_dry_breakers : sizeof default_breakers / sizeof default_breakers[0];
    TRY(past_need_counts(chain, error));
    chain->dry = memory_new(1, sizeof *chain->dry);
    if (!chain->dry) FAIL(error, HOB_NO_MEMORY, "DRY: no memory");
    return tokenizer ? breakers_init(&chain->dry->breakers, tokenizer, chain->n_vocab, texts, n_texts, error) : HOB_OK;
}

static void release(struct sampler_chain *chain)
{
    if (!chain->dry) return;
    breakers_release(&chain->dry->breakers);
    memory_free(chain->dry->n_repeated);
    memory_free(chain->dry);
}

static hob_status begin(struct sampler_chain *chain, hob_error *error)
{
    uint32_t *n_repeated = memory_resize(chain->dry->n_repeated, chain->n_room, sizeof *n_repeated);
    if (!n_repeated) FAIL(error, HOB_NO_MEMORY, "DRY: no memory for a past of %zu tokens", chain->n_room);
    chain->dry->n_repeated = n_repeated;
    return HOB_OK;
}

/* ret_n[k]: how many of the last tokens, read backwards, are those that end k places before the end. */
static void count_repeated(struct past past, uint32_t *ret_n)
{
    const int32_t *last = past.ids + past.n_ids - 1;
    size_t left = 0, right = 0; /* the stretch [left, right) from the end is known to equal the last ones */
    for (size_t k = 1; k < past.n_ids; k++) {
        size_t n = 0;
        if (k < right) n = ret_n[k - left] < right - k ? ret_n[k - left] : right - k;
        while (k + n < past.n_ids && *(last - n) == *(last - n - k)) n++;
        ret_n[k] = (uint32_t)n;
        if (k + n > right) {
            left = k;
            right = k + n;
        }
    }
}

/* For each token that once followed the last ones: how many of them, in the chain's counters. */
static void count_followers(struct sampler_chain *chain, struct past past, size_t allowed)
{
    size_t n_most = breakers_n_since(&chain->dry->breakers, past.ids, past.n_ids);
    const uint32_t *n_repeated = chain->dry->n_repeated;
    if (n_most < allowed) return;
    count_repeated(past, chain->dry->n_repeated);
    for (size_t k = 1; k < past.n_ids; k++) {
        uint32_t *count = &chain->counts[past.ids[past.n_ids - k]];
        uint32_t n = n_repeated[k] < n_most ? n_repeated[k] : (uint32_t)n_most;
        if (n >= allowed && n > *count) *count = n;
    }
}

static float penalty_of(const hob_generate_options *options, size_t n_beyond)
{
    double base = (double)(options->dry_base != 0 ? options->dry_base : DEFAULT_BASE);
    return (float)fmin((double)options->dry_multiplier * pow(base, (double)n_beyond), (double)FLT_MAX);
}

static void adjust(struct sampler_chain *chain)
{
    const hob_generate_options *options = &chain->options;
    struct past past = past_window(chain, 0, options->dry_last_n ? options->dry_last_n : SIZE_MAX);
    size_t allowed = options->dry_allowed_length ? options->dry_allowed_length : DEFAULT_ALLOWED_LENGTH;
    if (past.n_ids <= allowed) return;
    count_followers(chain, past, allowed);
    for (size_t i = 1; i < past.n_ids; i++) {
        int32_t follower = past.ids[i];
        uint32_t n = chain->counts[follower];
        if (!n) continue;
        chain->counts[follower] = 0;
        chain->candidates.items[follower].logit -= penalty_of(options, n - allowed);
    }
}

const struct sampler_def sampler_dry = {.name = "dry",
                                        .check = check,
                                        .is_active = is_active,
                                        .init = init,
                                        .release = release,
                                        .begin = begin,
                                        .adjust = adjust};
