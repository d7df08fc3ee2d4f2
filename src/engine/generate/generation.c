/* A request from its prompt to its end: life, end and results. */
#include "engine/generate/generation.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"

const char *hob_finish_name(hob_finish finish)
{
    static const char *const names[] = {[HOB_FINISH_LENGTH] = "length",   [HOB_FINISH_END] = "end",
                                        [HOB_FINISH_STOP] = "stop",       [HOB_FINISH_CONTEXT] = "context",
                                        [HOB_FINISH_CANCELLED] = "cancelled", [HOB_FINISH_TIME] = "time"};
    return (size_t)finish < sizeof names / sizeof names[0] ? names[finish] : "unknown";
}

static bool is_beam_search(const struct hob_generation *generation)
{
    return generation->request.options.beam_width > 1;
}

size_t generation_most_entries(const struct hob_generation *generation)
{
    return is_beam_search(generation) ? generation->request.options.beam_width : generation->request.options.n_samples;
}

/* ---- making one ---- */

static hob_status make_beams(struct hob_generation *generation, hob_error *error)
{
    struct beams *beams = memory_new(1, sizeof *beams);
    if (!beams) FAIL(error, HOB_NO_MEMORY, "a generation: out of memory");
    generation->beams = beams;
    return beams_init(beams, &generation->request, error);
}

static hob_status make_samples(struct hob_generation *generation, hob_error *error)
{
    size_t n_samples = generation->request.options.n_samples;
    generation->samples = memory_new(n_samples, sizeof *generation->samples);
    if (!generation->samples) FAIL(error, HOB_NO_MEMORY, "a generation: out of memory");
    for (size_t i = 0; i < n_samples; i++) TRY(sample_init(&generation->samples[i], &generation->request, i, error));
    return HOB_OK;
}

/* A model that does not say how large its vocabulary is shows it in its first logits; the settings are checked before. */
hob_status generation_make_outputs(struct hob_generation *generation, hob_error *error)
{
    if (generation->beams || generation->samples) return HOB_OK;
    if (generation->request.session->n_vocab > 0) return is_beam_search(generation) ? make_beams(generation, error) : make_samples(generation, error);
    struct sampler_chain chain = {0};
    hob_generate_options options = generation->request.options;
    options.n_logit_biases = 0; /* whose ids cannot be judged yet */
    hob_status status = sampler_chain_init(&chain, &options, NULL, 1, error);
    sampler_chain_release(&chain);
    return status;
}

/* What the session's own sequence has of the prompt already; at least the last id is computed, for its logits. */
static hob_status borrow_root(struct hob_generation *generation, hob_error *error)
{
    const struct request *request = &generation->request;
    struct sequence *own = request->session->sequence;
    const int32_t *ids = sequence_ids(own);
    size_t n_same = 0, n_own = (size_t)sequence_n_tokens(own);
    while (n_same + 1 < request->n_prompt && n_same < n_own && ids[n_same] == request->prompt[n_same]) n_same++;
    generation->root = own;
    generation->n_cached = n_same;
    return hob_session_rewind(request->session, n_same, error);
}

hob_status generation_begin_prompt(struct hob_generation *generation, size_t *ret_n_begun, hob_error *error)
{
    const struct request *request = &generation->request;
    struct sequence *root;
    TRY(sequence_new(request->session, &root, error));
    *ret_n_begun = (size_t)sequence_recall(root, request->prompt, (int64_t)request->n_prompt - 1);
    generation->root = root;
    return HOB_OK;
}

/* What another text left may be more of the prompt than what the session's own sequence holds. */
static hob_status begin_lent_root(struct hob_generation *generation, hob_error *error)
{
    size_t n_begun;
    if (!generation->request.session->prefixes) return borrow_root(generation, error);
    TRY(generation_begin_prompt(generation, &n_begun, error));
    struct sequence *other = generation->root;
    hob_status status = borrow_root(generation, error);
    if (status == HOB_OK && n_begun > generation->n_cached) {
        status = sequence_assign(generation->root, other, error);
        generation->n_cached = n_begun;
    }
    sequence_free(other);
    return status;
}

/* Refused before it begins: a text that is asked for by its length, else its prompt. */
static hob_status check_room(const struct hob_generation *generation, hob_error *error)
{
    const struct request *request = &generation->request;
    size_t n_context = (size_t)request->session->n_context_tokens, n_new = request->options.max_tokens;
    size_t n_tokens = n_new && n_new < n_context - request->n_prompt ? request->n_prompt + n_new : n_new ? n_context : request->n_prompt;
    return session_check_room(request->session, (int64_t)n_tokens, (int64_t)generation->n_cached, error);
}

static hob_status set_up(struct hob_generation *generation, hob_error *error)
{
    const struct request *request = &generation->request;
    TRY(generation_make_outputs(generation, error));
    TRY(session_reserve_entries(request->session, generation_most_entries(generation), error));
    TRY(generation->is_lent ? begin_lent_root(generation, error) : generation_begin_prompt(generation, &generation->n_cached, error));
    TRY(check_room(generation, error));
    generation->prompt = (struct feed){.ids = request->prompt, .n_ids = request->n_prompt, .n_fed = generation->n_cached};
    return HOB_OK;
}

hob_status generation_new(hob_session *session, const int32_t *ids, size_t n_ids, const hob_generate_options *options,
                          hob_on_generated *on_generated, void *context, bool is_lent, hob_generation **ret_generation, hob_error *error)
{
    struct hob_generation *generation = memory_new(1, sizeof *generation);
    if (!generation) FAIL(error, HOB_NO_MEMORY, "a generation: out of memory");
    hob_status status = request_init(&generation->request, session, ids, n_ids, options, error);
    generation->request.on_generated = on_generated;
    generation->request.context = context;
    generation->is_lent = is_lent;
    if (status == HOB_OK) status = set_up(generation, error);
    if (status == HOB_OK) *ret_generation = generation;
    else hob_generation_free(generation);
    return status;
}

hob_status hob_generation_new(hob_session *session, const int32_t *ids, size_t n_ids, const hob_generate_options *options,
                              hob_on_generated *on_generated, void *context, hob_generation **ret_generation, hob_error *error)
{
    return generation_new(session, ids, n_ids, options, on_generated, context, false, ret_generation, error);
}

void generation_give_root_back(struct hob_generation *generation)
{
    if (generation->root) sequence_remember(generation->root, true);
    if (!generation->is_lent) sequence_free(generation->root);
    generation->root = NULL;
}

void hob_generation_free(hob_generation *generation)
{
    if (!generation) return;
    for (size_t i = 0; generation->samples && i < generation->request.options.n_samples; i++) sample_release(&generation->samples[i]);
    if (generation->beams) beams_release(generation->beams);
    generation_give_root_back(generation);
    restoring_release(&generation->restoring);
    memory_free(generation->samples);
    memory_free(generation->beams);
    request_release(&generation->request);
    memory_free(generation);
}

const struct sequence *generation_sequence(const struct hob_generation *generation, size_t i)
{
    if (!generation->has_prompt) return i == 0 ? generation->root : NULL;
    if (generation->beams) return i < generation->beams->search.n_beams ? generation->beams->sequences[i] : NULL;
    return generation->samples[i].sequence;
}

size_t generation_count_open(const struct hob_generation *generation)
{
    size_t n_open = 0;
    if (generation->beams) return generation->beams->search.n_beams;
    for (size_t i = 0; i < generation->request.options.n_samples; i++) n_open += !generation->samples[i].is_done;
    return n_open;
}

hob_status generation_end(struct hob_generation *generation, hob_finish finish, hob_error *error)
{
    hob_status status = HOB_OK;
    generation->finish = finish;
    generation_give_root_back(generation);
    restoring_release(&generation->restoring);
    if (generation->beams) status = beams_end(generation->beams, finish, error);
    for (size_t i = 0; generation->samples && i < generation->request.options.n_samples; i++) {
        hob_status sample_status = sample_end(&generation->samples[i], finish, status == HOB_OK ? error : NULL);
        if (status == HOB_OK) status = sample_status;
    }
    generation->is_done = true;
    generation->is_parked = false;
    generation->end_ns = clock_now_ns();
    return status;
}

bool hob_generation_is_done(const hob_generation *generation)
{
    return generation->is_done;
}

void hob_generation_cancel(hob_generation *generation)
{
    atomic_store_explicit(&generation->request.is_cancelled, true, memory_order_relaxed);
}

/* ---- results ---- */

size_t hob_generation_n_outputs(const hob_generation *generation)
{
    return generation->beams ? generation->beams->n_outputs : generation->request.options.n_samples;
}

hob_generated_output hob_generation_output(const hob_generation *generation, size_t index)
{
    if (index >= hob_generation_n_outputs(generation)) return (hob_generated_output){.stop = -1, .end_id = HOB_NO_TOKEN};
    if (generation->beams) return generation->beams->outputs[index];
    if (!generation->samples) return (hob_generated_output){.finish = generation->finish, .stop = -1, .end_id = HOB_NO_TOKEN};
    const struct sample *sample = &generation->samples[index];
    return (hob_generated_output){.finish = sample->finish,
                                  .n_tokens = sample->n_tokens,
                                  .stop = sample->stream.is_stopped ? (int)sample->stream.stop : -1,
                                  .end_id = sample->end_id};
}

static double ms_between(uint64_t start_ns, uint64_t end_ns)
{
    return start_ns && end_ns ? (double)(end_ns - start_ns) / 1e6 : 0;
}

hob_generate_result hob_generation_result(const hob_generation *generation)
{
    hob_generate_result result = {.finish = generation->finish,
                                  .n_prompt_tokens = generation->request.n_prompt,
                                  .n_cached_tokens = generation->n_cached,
                                  .n_prompt_done = generation->prompt.n_fed,
                                  .prompt_ms = ms_between(generation->start_ns, generation->prompt_ns),
                                  .generate_ms = ms_between(generation->prompt_ns, generation->end_ns)};
    size_t n_outputs = hob_generation_n_outputs(generation);
    for (size_t i = 0; i < n_outputs; i++) result.n_tokens += hob_generation_output(generation, i).n_tokens;
    for (size_t i = 0; generation->samples && i < n_outputs; i++) {
        result.n_drafted += generation->samples[i].drafts.n_made;
        result.n_draft_accepted += generation->samples[i].drafts.n_right;
    }
    if (n_outputs) result.finish = hob_generation_output(generation, 0).finish;
    return result;
}
