#include "engine/generate/sample.h"

#include "base/error.h"
#include "base/memory.h"
#include "engine/generate/context_shift.h"

#include <string.h>

/* One bit for each id, none for those that end a text. */
static hob_status list_not_ends(struct sample *sample, hob_error *error)
{
    const struct request *request = sample->request;
    size_t n_vocab = (size_t)request->session->n_vocab, n_words = (n_vocab + 31) / 32;
    sample->not_ends = memory_new(n_words, sizeof *sample->not_ends);
    if (!sample->not_ends) FAIL(error, HOB_NO_MEMORY, "a mask of %zu tokens: out of memory", n_vocab);
    memset(sample->not_ends, 0xff, n_words * sizeof *sample->not_ends);
    for (size_t i = 0; i < request->n_end_ids; i++) {
        uint32_t id = (uint32_t)request->end_ids[i];
        if (id < n_vocab) sample->not_ends[id / 32] &= ~(1u << id % 32);
    }
    for (size_t id = 0; id < n_vocab; id++)
        if (sample->not_ends[id / 32] >> id % 32 & 1) return HOB_OK;
    FAIL(error, HOB_BAD_ARGUMENT, "least tokens: found %zu, expected 0: every token ends the text", request->options.min_tokens);
}

static hob_status too_many_ways(const struct sample *sample, hob_error *error)
{
    FAIL(error, HOB_LIMIT, "grammar: behind %zu tokens found more rules that may go on than the %d that can be followed at once",
         sample->n_tokens, STATE_NODES);
}

static hob_status begin_grammar(struct sample *sample, hob_error *error)
{
    const struct request *request = sample->request;
    sample->allowed = memory_new(((size_t)request->session->n_vocab + 31) / 32, sizeof *sample->allowed);
    if (!sample->allowed) FAIL(error, HOB_NO_MEMORY, "a mask of %lld tokens: out of memory", (long long)request->session->n_vocab);
    grammar_state_start(&sample->grammar, token_masks_grammar(request->masks));
    return sample->grammar.is_full ? too_many_ways(sample, error) : HOB_OK;
}

static hob_status begin_chain(struct sample *sample, hob_error *error)
{
    const struct request *request = sample->request;
    hob_generate_options options = request->options;
    options.seed += sample->index;
    TRY(sampler_chain_init(&sample->chain, &options, request->session->model->tokenizer, (size_t)request->session->n_vocab, error));
    return sampler_chain_begin(&sample->chain, request->prompt, request->n_prompt, request_most_tokens(request) + 1, error);
}

static hob_status reserve_shift(struct sample *sample, hob_error *error)
{
    size_t n_context = (size_t)sample->request->session->n_context_tokens;
    sample->shifted = memory_new(n_context + 1, sizeof *sample->shifted);
    if (!sample->shifted) FAIL(error, HOB_NO_MEMORY, "context shift: out of memory");
    return HOB_OK;
}

hob_status sample_init(struct sample *sample, struct request *request, size_t index, hob_error *error)
{
    hob_status status = HOB_OK;
    const hob_generate_options *options = &request->options;
    *sample = (struct sample){.request = request, .index = index, .end_id = HOB_NO_TOKEN};
    TRY_CLEANUP(begin_chain(sample, error));
    if (options->shifts_context) TRY_CLEANUP(reserve_shift(sample, error));
    if (options->min_tokens) TRY_CLEANUP(list_not_ends(sample, error));
    TRY_CLEANUP(drafts_init(&sample->drafts, request, sample->chain.n_room, error));
    if (request->masks) TRY_CLEANUP(begin_grammar(sample, error));
    TRY_CLEANUP(text_stream_init(&sample->stream, request->session->model->tokenizer, request->prompt, request->n_prompt,
                                 options->stops, options->n_stops, error));
cleanup:
    if (status != HOB_OK) sample_release(sample);
    return status;
}

static void give_sequence_back(struct sample *sample)
{
    if (sample->sequence) sequence_remember(sample->sequence, true);
    if (!sample->is_lent) sequence_free(sample->sequence);
    sample->sequence = NULL;
}

void sample_release(struct sample *sample)
{
    give_sequence_back(sample);
    sampler_chain_release(&sample->chain);
    text_stream_release(&sample->stream);
    drafts_release(&sample->drafts);
    memory_free(sample->shifted);
    memory_free(sample->not_ends);
    memory_free(sample->allowed);
    *sample = (struct sample){0};
}

void feed_plan(const struct feed *feed, size_t most_ids, struct sequence *sequence, struct batch_entry *ret_entry)
{
    size_t n_left = feed->n_ids - feed->n_fed, n_ids = n_left < most_ids ? n_left : most_ids;
    *ret_entry = (struct batch_entry){
        .sequence = sequence, .ids = feed->ids + feed->n_fed, .n_ids = (int64_t)n_ids, .n_rows = n_ids == n_left ? 1 + (int64_t)feed->n_drafts : 0};
}

/* ---- a token ---- */

static bool may_stop(const struct sample *sample)
{
    return sample->n_tokens >= sample->request->options.min_tokens;
}

static void tell(struct sample *sample, int32_t id, float logprob, const char *text, size_t n_bytes)
{
    hob_generated generated = {.id = id, .logprob = logprob, .text = text, .n_text_bytes = n_bytes, .output = sample->index};
    if (id != HOB_NO_TOKEN) {
        generated.top_logprobs = sample->chain.top_logprobs;
        generated.n_top_logprobs = sample->chain.n_top_logprobs;
    }
    request_tell(sample->request, &generated);
}

static hob_status accept(struct sample *sample, int32_t id, float logprob, hob_error *error)
{
    const char *text;
    size_t n_bytes;
    sample->last_id = id;
    sample->n_tokens++;
    TRY(text_stream_push(&sample->stream, id, may_stop(sample), &text, &n_bytes, error));
    tell(sample, id, logprob, text, n_bytes);
    return HOB_OK;
}

/* What the grammar lets come: an end token too, where the text is whole. */
static hob_status mask_by_grammar(struct sample *sample, hob_error *error)
{
    const struct request *request = sample->request;
    size_t n_vocab = (size_t)request->session->n_vocab;
    size_t n_allowed = token_masks_fill(request->masks, &sample->grammar, sample->allowed, n_vocab);
    bool may_end = may_stop(sample) && grammar_state_is_complete(&sample->grammar);
    for (size_t i = 0; i < request->n_end_ids; i++) {
        uint32_t id = (uint32_t)request->end_ids[i];
        if (id >= n_vocab) continue;
        bool is_in = sample->allowed[id / 32] >> id % 32 & 1, is_out = !may_stop(sample);
        if (is_in && is_out) sample->allowed[id / 32] &= ~(1u << id % 32), n_allowed--;
        if (!is_in && may_end) sample->allowed[id / 32] |= 1u << id % 32, n_allowed++;
    }
    if (!n_allowed)
        FAIL(error, HOB_UNSUPPORTED,
             "grammar: behind %zu tokens found none that goes on as it wants: the vocabulary lacks its characters, or more than %d of its "
             "rules may go on at once",
             sample->n_tokens, STATE_NODES);
    return HOB_OK;
}

/* The grammar behind a token that was picked by its mask, which does not foresee a sudden fan of rules. */
static hob_status follow_grammar(struct sample *sample, int32_t id, bool *ret_is_complete, hob_error *error)
{
    if (!sample->allowed) return HOB_OK;
    if (!token_masks_accept(sample->request->masks, &sample->grammar, id))
        return too_many_ways(sample, error);
    *ret_is_complete = grammar_state_is_over(&sample->grammar);
    return HOB_OK;
}

/* One row's token. ret_is_over: the text ends with it, as ret_finish says. */
static hob_status take_row(struct sample *sample, const float *logits, bool *ret_is_over, hob_finish *ret_finish, hob_error *error)
{
    bool is_complete = false; /* nothing can follow in the grammar */
    int32_t id;
    float logprob = 0.0f;
    const hob_generate_options *options = &sample->request->options;
    *ret_is_over = true;
    *ret_finish = HOB_FINISH_CANCELLED;
    if (request_is_cancelled(sample->request)) return HOB_OK; /* by another text's listener */
    if (sample->allowed) TRY(mask_by_grammar(sample, error));
    const uint32_t *allowed = sample->allowed ? sample->allowed : may_stop(sample) ? NULL : sample->not_ends;
    sampler_chain_pick(&sample->chain, logits, allowed, &id, options->has_logprobs ? &logprob : NULL);
    if (may_stop(sample) && request_is_end(sample->request, id, ret_finish)) {
        sample->end_id = id;
        return HOB_OK;
    }
    TRY(follow_grammar(sample, id, &is_complete, error));
    TRY(accept(sample, id, logprob, error));
    if (request_is_over(sample->request, ret_finish)) return HOB_OK;
    *ret_finish = sample->stream.is_stopped ? HOB_FINISH_STOP : is_complete ? HOB_FINISH_END : HOB_FINISH_LENGTH;
    *ret_is_over = sample->stream.is_stopped || is_complete || sample->n_tokens == options->max_tokens;
    return HOB_OK;
}

/* What was run behind the token that is the last now was a wrong guess. */
static hob_status drop_drafts(struct sample *sample, size_t n_right, hob_error *error)
{
    size_t n_wrong = sample->feed.n_drafts - n_right;
    if (sample->feed.n_drafts) drafts_note(&sample->drafts, n_right);
    return n_wrong ? sequence_rewind(sample->sequence, sequence_n_tokens(sample->sequence) - (int64_t)n_wrong, error) : HOB_OK;
}

hob_status sample_take(struct sample *sample, const float *logits, hob_error *error)
{
    bool is_over;
    hob_finish finish;
    size_t n_vocab = sample->chain.n_vocab, n_right = 0;
    for (;; n_right++) {
        TRY(take_row(sample, logits + n_right * n_vocab, &is_over, &finish, error));
        if (is_over || n_right == sample->feed.n_drafts || sample->drafts.ids[1 + n_right] != sample->last_id) break;
    }
    TRY(drop_drafts(sample, n_right, error));
    return is_over ? sample_end(sample, finish, error) : HOB_OK;
}

/* ---- what comes next ---- */

/* The token that has no place counts to what is kept, as the last of the new prompt. */
static hob_status shift(struct sample *sample, hob_error *error)
{
    const struct request *request = sample->request;
    size_t n_ids = (size_t)sequence_n_tokens(sample->sequence), n_keep = context_shift_n_keep(request);
    memcpy(sample->shifted, sequence_ids(sample->sequence), n_ids * sizeof *sample->shifted);
    sample->shifted[n_ids] = sample->last_id;
    size_t n_kept = context_shift(sample->shifted, n_ids + 1, n_keep);
    sample->feed = (struct feed){.ids = sample->shifted + n_keep, .n_ids = n_kept - n_keep};
    return sequence_rewind(sample->sequence, (int64_t)n_keep, error);
}

/* How many drafts may be made: each wants a place in the context behind the last token, and a token of its own in the text. */
static size_t count_room(const struct sample *sample)
{
    const struct request *request = sample->request;
    size_t n_places = (size_t)(request->session->n_context_tokens - sequence_n_tokens(sample->sequence)) - 1;
    size_t n_tokens = request_most_tokens(request) - sample->n_tokens - 1, n_run = request->options.chunk_tokens - 1;
    size_t n_room = n_places < n_tokens ? n_places : n_tokens;
    return n_room < n_run ? n_room : n_run;
}

/* The last token, and drafts where some are made. */
static hob_status feed_last(struct sample *sample, hob_error *error)
{
    struct drafts *drafts = &sample->drafts;
    sample->feed = (struct feed){.ids = &sample->last_id, .n_ids = 1};
    if (!drafts->drafter) return HOB_OK;
    TRY(drafts_make(drafts, &sample->chain, sample->last_id, count_room(sample), error));
    sample->feed = (struct feed){.ids = drafts->ids, .n_ids = 1 + drafts->n_ids, .n_drafts = drafts->n_ids};
    return HOB_OK;
}

hob_status sample_go_on(struct sample *sample, hob_error *error)
{
    if (sample->is_done || sample->feed.n_fed < sample->feed.n_ids) return HOB_OK;
    if (sequence_n_tokens(sample->sequence) < sample->request->session->n_context_tokens) return feed_last(sample, error);
    return sample->shifted ? shift(sample, error) : sample_end(sample, HOB_FINISH_CONTEXT, error);
}

/* ---- out of the cache, and the end ---- */

/* Without context shifts a sequence holds what the chain knows, else what a shift would start from. */
void sample_park(struct sample *sample, bool is_whole)
{
    if (sample->is_done) return;
    if (is_whole) {
        sample->n_parked = (size_t)sequence_n_tokens(sample->sequence);
        if (sample->shifted) memcpy(sample->shifted, sequence_ids(sample->sequence), sample->n_parked * sizeof *sample->shifted);
    }
    drafts_forget(&sample->drafts);
    give_sequence_back(sample);
}

const int32_t *sample_parked_ids(const struct sample *sample)
{
    return sample->shifted ? sample->shifted : sample->chain.ids;
}

hob_status sample_end(struct sample *sample, hob_finish finish, hob_error *error)
{
    const char *text;
    size_t n_bytes;
    if (sample->is_done) return HOB_OK;
    sample->is_done = true;
    sample->finish = finish;
    give_sequence_back(sample);
    if (finish == HOB_FINISH_CANCELLED) return HOB_OK;
    TRY(text_stream_finish(&sample->stream, may_stop(sample), &text, &n_bytes, error));
    if (sample->stream.is_stopped) sample->finish = HOB_FINISH_STOP;
    if (n_bytes) tell(sample, HOB_NO_TOKEN, 0.0f, text, n_bytes);
    return HOB_OK;
}
