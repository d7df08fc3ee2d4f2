/* Drafts of a smaller model with the same vocabulary, run on a session of its own.
 *
 * Its logits go through the text's own sampler chain, with the random numbers that the text's next draws will use: where the two models'
 * distributions are alike, so are the draws. Vocabularies may differ in the padding behind the last token, as those of one family do. */
#include "base/error.h"
#include "base/memory.h"
#include "engine/generate/drafter.h"
#include "engine/kv/sequence.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PADDING = 128 };

struct draft_model {
    hob_session *session;
    struct sequence *sequence;
    const struct request *request;
    float *logits; /* [n_vocab] of the model that is guessed for */
    size_t n_vocab;
};

static bool is_for(const hob_generate_options *options)
{
    return options->draft_session;
}

static void release(void *state)
{
    struct draft_model *draft = state;
    if (!draft) return;
    sequence_free(draft->sequence);
    memory_free(draft->logits);
    memory_free(draft);
}

static hob_status check_sizes(const struct request *request, hob_error *error)
{
    const hob_session *draft = request->options.draft_session;
    if (draft == request->session) FAIL(error, HOB_BAD_ARGUMENT, "draft model: found the session that it is to draft for, expected another one");
    if (draft->model->info.kind != HOB_MODEL_DECODER)
        FAIL(error, HOB_UNSUPPORTED, "draft model: no language model (architecture %s)", draft->model->info.architecture);
    int64_t n_padding = draft->n_vocab - request->session->n_vocab;
    if (draft->n_vocab < 1 || llabs(n_padding) > MOST_PADDING)
        FAIL(error, HOB_BAD_ARGUMENT, "draft model: found a vocabulary of %lld tokens, expected about the model's %lld",
             (long long)draft->n_vocab, (long long)request->session->n_vocab);
    return HOB_OK;
}

static hob_status check_tokens(const struct request *request, hob_error *error)
{
    const hob_tokenizer *draft = request->options.draft_session->model->tokenizer, *own = request->session->model->tokenizer;
    if (!draft || !own) return HOB_OK;
    size_t n_own = hob_tokenizer_n_tokens(own), n_draft = hob_tokenizer_n_tokens(draft);
    for (size_t id = 0; id < n_own && id < n_draft; id++) {
        size_t n_own_bytes = 0, n_draft_bytes = 0;
        const char *own_text = hob_tokenizer_token(own, (int32_t)id, &n_own_bytes);
        const char *draft_text = hob_tokenizer_token(draft, (int32_t)id, &n_draft_bytes);
        bool is_same = (!own_text && !draft_text) ||
                       (own_text && draft_text && n_own_bytes == n_draft_bytes && !memcmp(own_text, draft_text, n_own_bytes));
        if (!is_same)
            FAIL(error, HOB_BAD_ARGUMENT, "draft model: token %zu: found \"%.40s\", expected the model's \"%.40s\"", id,
                 draft_text ? draft_text : "", own_text ? own_text : "");
    }
    return HOB_OK;
}

static hob_status init(const struct request *request, size_t n_past, size_t n_most, void **ret_state, hob_error *error)
{
    (void)n_past;
    (void)n_most;
    TRY(check_sizes(request, error));
    TRY(check_tokens(request, error));
    struct draft_model *draft = memory_new(1, sizeof *draft);
    if (!draft) FAIL(error, HOB_NO_MEMORY, "draft model: out of memory");
    hob_status status = HOB_OK;
    *draft = (struct draft_model){.session = request->options.draft_session, .request = request, .n_vocab = (size_t)request->session->n_vocab};
    draft->logits = memory_new(draft->n_vocab, sizeof *draft->logits);
    if (!draft->logits) FAIL_CLEANUP(error, HOB_NO_MEMORY, "draft model: out of memory");
    TRY_CLEANUP(sequence_new(draft->session, &draft->sequence, error));
    *ret_state = draft;
cleanup:
    if (status != HOB_OK) release(draft);
    return status;
}

/* Runs ids behind what the draft's cache holds; the last one's logits then stand in draft->logits. */
static hob_status run(struct draft_model *draft, const int32_t *ids, size_t n_ids, hob_error *error)
{
    struct batch_entry entry = {.sequence = draft->sequence, .ids = ids, .n_ids = (int64_t)n_ids, .n_rows = 1};
    TRY(batch_run(draft->session, &entry, 1, error));
    size_t n_given = (size_t)draft->session->n_vocab, n_same = n_given < draft->n_vocab ? n_given : draft->n_vocab;
    memcpy(draft->logits, entry.logits, n_same * sizeof *draft->logits);
    for (size_t i = n_same; i < draft->n_vocab; i++) draft->logits[i] = -INFINITY;
    return HOB_OK;
}

/* Whether the draft model has all these ids: its vocabulary may be padded less. */
static bool knows(const struct draft_model *draft, const int32_t *ids, size_t n_ids)
{
    for (size_t i = 0; i < n_ids; i++)
        if (ids[i] >= draft->session->n_vocab) return false;
    return true;
}

/* The cache goes back to where it agrees with the past, and on from there by a piece, so that a step stays short: a long past takes
 * several. ret_is_there: the past is run; false: it is not yet, or cannot be. */
static hob_status catch_up(struct draft_model *draft, const struct sampler_chain *chain, bool *ret_is_there, hob_error *error)
{
    const int32_t *held = sequence_ids(draft->sequence);
    size_t n_held = (size_t)sequence_n_tokens(draft->sequence), n_past = chain->now.n_ids, n_same = 0;
    while (n_same < n_held && n_same + 1 < n_past && held[n_same] == chain->ids[n_same]) n_same++;
    TRY(sequence_rewind(draft->sequence, (int64_t)n_same, error));
    size_t n_missing = n_past - n_same, chunk = draft->request->options.chunk_tokens, n_now = n_missing < chunk ? n_missing : chunk;
    bool is_known = knows(draft, chain->ids + n_same, n_now);
    *ret_is_there = is_known && n_now == n_missing;
    return is_known ? run(draft, chain->ids + n_same, n_now, error) : HOB_OK;
}

/* Drafts that still fit into the draft model's context. */
static size_t count_room(const struct draft_model *draft, size_t n_past)
{
    size_t n_context = (size_t)draft->session->n_context_tokens;
    return n_past <= n_context ? n_context - n_past + 1 : 0;
}

static hob_status draw(struct draft_model *draft, struct sampler_chain *chain, size_t n_wanted, int32_t *ret_ids, size_t *ret_n_ids,
                       hob_error *error)
{
    hob_finish finish;
    while (*ret_n_ids < n_wanted) {
        int32_t *id = &ret_ids[*ret_n_ids];
        sampler_chain_pick(chain, draft->logits, NULL, id, NULL);
        ++*ret_n_ids;
        if (*ret_n_ids == n_wanted || request_is_end(draft->request, *id, &finish)) break;
        TRY(run(draft, id, 1, error));
    }
    return HOB_OK;
}

/* Where the draft session's cache has no block left, the text goes on without drafts, or with those that are there. */
static hob_status guess(void *state, struct sampler_chain *chain, size_t n_wanted, int32_t *ret_ids, size_t *ret_n_ids, hob_error *error)
{
    struct draft_model *draft = state;
    bool is_there;
    size_t n_room = count_room(draft, chain->now.n_ids);
    *ret_n_ids = 0;
    if (n_wanted > n_room) n_wanted = n_room;
    if (!n_wanted) return HOB_OK;
    hob_status status = catch_up(draft, chain, &is_there, error);
    if (status == HOB_LIMIT || (status == HOB_OK && !is_there)) return HOB_OK;
    TRY(status);
    struct sampler_mark mark = sampler_chain_mark(chain);
    status = draw(draft, chain, n_wanted, ret_ids, ret_n_ids, error);
    sampler_chain_rewind(chain, mark);
    return status == HOB_LIMIT ? HOB_OK : status;
}

static void forget(void *state)
{
    struct draft_model *draft = state;
    hob_status ignored = sequence_rewind(draft->sequence, 0, NULL);
    (void)ignored; /* to its beginning a sequence can always go */
}

const struct drafter_def drafter_draft_model = {
    .name = "draft_model", .is_for = is_for, .init = init, .release = release, .forget = forget, .guess = guess};
