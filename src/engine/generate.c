/* The loop from logits to tokens to text. Text that could be the beginning of a stop text is held back until it is clear. */
#include "hob/generate.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "engine/kv/sequence.h"
#include "engine/sampler.h"
#include "engine/session.h"

#include <string.h>

struct generation {
    hob_session *session;
    const hob_generate_options *options;
    hob_on_generated *on_generated;
    void *context;
    struct sampler_chain sampler;
    hob_decoder *decoder; /* NULL: the model has no tokenizer, only ids come out */
    struct buffer held;   /* text not yet given to the caller */
    hob_generate_result result;
    bool is_stopped;
};

const char *hob_finish_name(hob_finish finish)
{
    static const char *const names[] = {[HOB_FINISH_LENGTH] = "length", [HOB_FINISH_END] = "end", [HOB_FINISH_STOP] = "stop",
                                        [HOB_FINISH_CONTEXT] = "context", [HOB_FINISH_CANCELLED] = "cancelled"};
    return (size_t)finish < sizeof names / sizeof names[0] ? names[finish] : "unknown";
}

/* How many of the last bytes of text could begin a stop text. */
static size_t n_undecided(const struct generation *generation)
{
    size_t most = 0, n_bytes = generation->held.n_bytes;
    for (size_t s = 0; s < generation->options->n_stops; s++) {
        const char *stop = generation->options->stops[s];
        size_t n_stop = strlen(stop), longest = n_stop ? n_stop - 1 : 0;
        for (size_t n = longest < n_bytes ? longest : n_bytes; n > most; n--)
            if (!memcmp(generation->held.bytes + n_bytes - n, stop, n)) most = n;
    }
    return most;
}

/* The earliest stop text in what is held: cuts it and all behind it. */
static bool cut_at_stop(struct generation *generation)
{
    struct buffer *held = &generation->held;
    char *first = NULL;
    for (size_t s = 0; held->n_bytes && s < generation->options->n_stops; s++) {
        const char *stop = generation->options->stops[s];
        char *found = *stop ? memmem(held->bytes, held->n_bytes, stop, strlen(stop)) : NULL;
        if (found && (!first || found < first)) first = found;
    }
    if (!first) return false;
    held->n_bytes = (size_t)(first - held->bytes);
    held->bytes[held->n_bytes] = '\0';
    return true;
}

/* Gives the caller the token and the first n_bytes of what is held. */
static void deliver(struct generation *generation, int32_t id, float logprob, size_t n_bytes)
{
    struct buffer *held = &generation->held;
    char next = n_bytes < held->n_bytes ? held->bytes[n_bytes] : '\0';
    if (held->bytes) held->bytes[n_bytes] = '\0';
    hob_generated generated = {.id = id, .logprob = logprob, .text = buffer_text(held), .n_text_bytes = n_bytes,
                               .top_logprobs = generation->sampler.top_logprobs,
                               .n_top_logprobs = id == HOB_NO_TOKEN ? 0 : generation->sampler.n_top_logprobs};
    if (generation->on_generated && !generation->on_generated(generation->context, &generated)) {
        generation->is_stopped = true;
        generation->result.finish = HOB_FINISH_CANCELLED;
    }
    if (!held->bytes) return;
    held->bytes[n_bytes] = next;
    held->n_bytes -= n_bytes;
    memmove(held->bytes, held->bytes + n_bytes, held->n_bytes + 1);
}

static hob_status decode(struct generation *generation, int32_t id, hob_error *error)
{
    if (!generation->decoder) return HOB_OK;
    const char *text;
    size_t n_bytes;
    TRY(hob_decoder_push(generation->decoder, id, &text, &n_bytes, error));
    if (!buffer_append(&generation->held, text, n_bytes)) FAIL(error, HOB_NO_MEMORY, "generated text: out of memory");
    return HOB_OK;
}

static hob_status accept(struct generation *generation, int32_t id, float logprob, hob_error *error)
{
    generation->result.n_tokens++;
    TRY(decode(generation, id, error));
    bool is_stop = cut_at_stop(generation);
    size_t n_ready = is_stop ? generation->held.n_bytes : generation->held.n_bytes - n_undecided(generation);
    deliver(generation, id, logprob, n_ready);
    if (is_stop && !generation->is_stopped) generation->result.finish = HOB_FINISH_STOP;
    generation->is_stopped |= is_stop;
    return HOB_OK;
}

/* Prompt tokens that the cache already holds are kept; at least the last is computed, for its logits. */
static hob_status prefill(struct generation *generation, const int32_t *ids, size_t n_ids, hob_error *error)
{
    hob_session *session = generation->session;
    size_t n_common = 0;
    const int32_t *cached = sequence_ids(session->sequence);
    size_t n_cached = hob_session_n_tokens(session);
    while (n_common + 1 < n_ids && n_common < n_cached && cached[n_common] == ids[n_common]) n_common++;
    TRY(hob_session_rewind(session, n_common, error));
    uint64_t start_ns = clock_now_ns();
    TRY(hob_session_append(session, ids + n_common, n_ids - n_common, error));
    generation->result.n_prompt_tokens = n_ids;
    generation->result.prompt_ms = (double)(clock_now_ns() - start_ns) / 1e6;
    return HOB_OK;
}

static hob_status run_loop(struct generation *generation, hob_error *error)
{
    hob_session *session = generation->session;
    const hob_generate_options *options = generation->options;
    uint64_t start_ns = clock_now_ns();
    generation->result.finish = HOB_FINISH_LENGTH;
    while (!generation->is_stopped && (!options->max_tokens || generation->result.n_tokens < options->max_tokens)) {
        int32_t id;
        float logprob = 0.0f;
        sampler_chain_pick(&generation->sampler, session->logits, NULL, &id, options->has_logprobs ? &logprob : NULL);
        if (!options->ignores_end && model_is_end(session->model, id)) {
            generation->result.finish = HOB_FINISH_END;
            break;
        }
        TRY(accept(generation, id, logprob, error));
        bool is_last = options->max_tokens && generation->result.n_tokens == options->max_tokens;
        if (generation->is_stopped || is_last) break;
        if (hob_session_n_tokens(session) == hob_session_n_context_tokens(session)) {
            generation->result.finish = HOB_FINISH_CONTEXT;
            break;
        }
        TRY(hob_session_append(session, &id, 1, error));
    }
    generation->result.generate_ms = (double)(clock_now_ns() - start_ns) / 1e6;
    return HOB_OK;
}

/* What was held back: the decoder's rest, and what looked like the beginning of a stop text. */
static hob_status flush(struct generation *generation, hob_error *error)
{
    if (generation->result.finish == HOB_FINISH_STOP || generation->result.finish == HOB_FINISH_CANCELLED || !generation->decoder)
        return HOB_OK;
    const char *text;
    size_t n_bytes;
    TRY(hob_decoder_finish(generation->decoder, &text, &n_bytes, error));
    if (!buffer_append(&generation->held, text, n_bytes)) FAIL(error, HOB_NO_MEMORY, "generated text: out of memory");
    if (cut_at_stop(generation)) generation->result.finish = HOB_FINISH_STOP;
    if (generation->held.n_bytes) deliver(generation, HOB_NO_TOKEN, 0.0f, generation->held.n_bytes);
    return HOB_OK;
}

/* Text continues the prompt: the decoder sees the prompt first, so that spaces and split characters come out as they would in the
 * whole text, and what the prompt gives is dropped. */
static hob_status start_decoder(struct generation *generation, const int32_t *ids, size_t n_ids, hob_error *error)
{
    const hob_tokenizer *tokenizer = generation->session->model->tokenizer;
    if (!tokenizer) return HOB_OK;
    TRY(hob_decoder_new(tokenizer, HOB_SKIP_SPECIAL, &generation->decoder, error));
    const char *text;
    for (size_t i = 0; i < n_ids; i++) TRY(hob_decoder_push(generation->decoder, ids[i], &text, NULL, error));
    return HOB_OK;
}

static hob_status check(const hob_session *session, size_t n_ids, hob_error *error)
{
    if (session->model->info.kind != HOB_MODEL_DECODER)
        FAIL(error, HOB_UNSUPPORTED, "the model is no language model (architecture %s)", session->model->info.architecture);
    if (!n_ids) FAIL(error, HOB_BAD_ARGUMENT, "found an empty prompt, expected at least one token");
    return HOB_OK;
}

hob_status hob_generate(hob_session *session, const int32_t *ids, size_t n_ids, const hob_generate_options *options,
                        hob_on_generated *on_generated, void *context, hob_generate_result *ret_result, hob_error *error)
{
    hob_status status = HOB_OK;
    hob_generate_options defaults = {0};
    struct generation generation = {.session = session, .options = options ? options : &defaults, .on_generated = on_generated,
                                    .context = context};
    TRY(check(session, n_ids, error));
    TRY_CLEANUP(prefill(&generation, ids, n_ids, error));
    TRY_CLEANUP(start_decoder(&generation, ids, n_ids, error));
    TRY_CLEANUP(sampler_chain_init(&generation.sampler, generation.options, session->model->tokenizer,
                                   (size_t)session->n_vocab, error));
    TRY_CLEANUP(sampler_chain_begin(&generation.sampler, ids, n_ids, (size_t)session->n_context_tokens + 1 - n_ids, error));
    TRY_CLEANUP(run_loop(&generation, error));
    TRY_CLEANUP(flush(&generation, error));
    if (ret_result) *ret_result = generation.result;
cleanup:
    sampler_chain_release(&generation.sampler);
    hob_decoder_free(generation.decoder);
    buffer_release(&generation.held);
    return status;
}
