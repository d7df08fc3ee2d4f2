/* Each field by itself, texts with their length before them, so that no two requests share their bytes and padding is never looked at. */
#include "server/jobs/generate_key.h"

#define PUT(key, value) buffer_append((key), &(value), sizeof(value))

static void put_bytes(struct buffer *key, const void *bytes, size_t n_bytes)
{
    size_t size = bytes ? n_bytes : SIZE_MAX; /* nothing is not the same as an empty text */
    PUT(key, size);
    if (bytes && n_bytes) buffer_append(key, bytes, n_bytes);
}

static void put_text(struct buffer *key, const char *text)
{
    put_bytes(key, text, text ? strlen(text) : 0);
}

static void put_texts(struct buffer *key, const char *const *texts, size_t n_texts)
{
    PUT(key, n_texts);
    for (size_t i = 0; i < n_texts; i++) put_text(key, texts[i]);
}

static void put_biases(struct buffer *key, const hob_logit_bias *biases, size_t n_biases)
{
    PUT(key, n_biases);
    for (size_t i = 0; i < n_biases; i++) {
        PUT(key, biases[i].id);
        PUT(key, biases[i].bias);
    }
}

static void put_logits(struct buffer *key, const hob_generate_options *options)
{
    put_biases(key, options->logit_biases, options->n_logit_biases);
    PUT(key, options->repetition_penalty);
    PUT(key, options->frequency_penalty);
    PUT(key, options->presence_penalty);
    PUT(key, options->penalty_last_n);
    PUT(key, options->dry_multiplier);
    PUT(key, options->dry_base);
    PUT(key, options->dry_allowed_length);
    PUT(key, options->dry_last_n);
    bool has_breakers = options->dry_breakers != NULL;
    PUT(key, has_breakers);
    put_texts(key, options->dry_breakers, has_breakers ? options->n_dry_breakers : 0);
}

/* What draws does nothing without a temperature, the seed neither: greedy requests share results whatever they say of it. */
static void put_draws(struct buffer *key, const hob_generate_options *options)
{
    PUT(key, options->temperature);
    if (options->temperature == 0) return;
    PUT(key, options->top_n_sigma);
    PUT(key, options->top_k);
    PUT(key, options->top_p);
    PUT(key, options->min_p);
    PUT(key, options->typical_p);
    PUT(key, options->xtc_probability);
    PUT(key, options->xtc_threshold);
    PUT(key, options->mirostat_tau);
    PUT(key, options->mirostat_eta);
    PUT(key, options->seed);
}

static void put_ends(struct buffer *key, const hob_generate_options *options)
{
    PUT(key, options->max_tokens);
    PUT(key, options->min_tokens);
    PUT(key, options->ignores_end);
    put_texts(key, options->stops, options->n_stops);
    put_bytes(key, options->stop_ids, options->n_stop_ids * sizeof *options->stop_ids);
    PUT(key, options->n_samples);
    PUT(key, options->beam_width);
    PUT(key, options->length_penalty);
    PUT(key, options->early_stopping);
    PUT(key, options->shifts_context);
    PUT(key, options->n_keep);
    PUT(key, options->has_logprobs);
    PUT(key, options->n_top_logprobs);
}

/* The messages too, although ids stand for them: a template may show a text that it does not put into the prompt. */
static void put_chat(struct buffer *key, const struct generate_inputs *inputs)
{
    put_bytes(key, inputs->messages, inputs->n_messages_bytes);
    put_text(key, inputs->tools);
    put_text(key, inputs->tool_choice);
    put_text(key, inputs->tool_name);
    PUT(key, inputs->has_one_call);
    put_text(key, inputs->chat.template_text);
    put_text(key, inputs->chat.template_name);
    put_text(key, inputs->chat.variables);
    put_text(key, inputs->chat.response_schema);
    PUT(key, inputs->chat.continues_final_message);
}

bool generate_key(const struct generate_job *generate, const hob_generate_options *options, struct buffer *ret_key)
{
    const struct generate_inputs *inputs = &generate->inputs;
    if (options->temperature != 0 && !inputs->has_seed) return false;
    if (inputs->options.grammar) return false; /* one that is compiled already cannot be told from others */
    PUT(ret_key, inputs->kind);
    put_bytes(ret_key, generate->prompt, generate->n_prompt * sizeof *generate->prompt);
    put_logits(ret_key, options);
    put_draws(ret_key, options);
    put_ends(ret_key, options);
    put_text(ret_key, inputs->options.gbnf);
    put_text(ret_key, inputs->options.json_schema);
    PUT(ret_key, inputs->generates_nothing);
    PUT(ret_key, inputs->echoes);
    if (inputs->kind == PROMPT_CHAT) put_chat(ret_key, inputs);
    return !ret_key->is_failed;
}
