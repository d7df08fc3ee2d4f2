/* A request from its prompt to its end, a forward pass at a time: what it wants run (plan), what it makes of the logits (take).
 *
 * The prompt goes through one sequence, the root; then each sample goes on from a fork of it (the first from itself), or the
 * beams do. All that a step needs is reserved when a generation is made. */
#include "hob/generate.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "engine/generate/beams.h"
#include "engine/generate/sample.h"
#include "engine/kv/kv_cache.h"

struct hob_generation {
    struct request request;
    struct sequence *root; /* until the prompt has run */
    bool is_lent;          /* the root is the session's own sequence */
    struct feed prompt;
    struct sample *samples; /* request.options.n_samples; NULL for beams, or while the vocabulary's size is not known */
    struct beams *beams;    /* NULL: samples */
    size_t n_entries;       /* of the step under way: first_entry … */
    size_t first_entry, n_cached;
    uint64_t start_ns, prompt_ns, end_ns; /* the first step, the prompt's end, the end; 0: not yet */
    hob_finish finish;      /* while there are no outputs */
    bool is_done;
};

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

static size_t most_entries(const struct hob_generation *generation)
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
static hob_status make_outputs(struct hob_generation *generation, hob_error *error)
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

/* What another text left may be more of the prompt than what the session's own sequence holds. */
static hob_status begin_root(struct hob_generation *generation, hob_error *error)
{
    const struct request *request = &generation->request;
    struct sequence *other;
    if (generation->is_lent && !request->session->prefixes) return borrow_root(generation, error);
    TRY(sequence_new(request->session, &other, error));
    size_t n_begun = (size_t)sequence_recall(other, request->prompt, (int64_t)request->n_prompt - 1);
    if (!generation->is_lent) {
        generation->root = other;
        generation->n_cached = n_begun;
        return HOB_OK;
    }
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
    TRY(make_outputs(generation, error));
    TRY(session_reserve_entries(request->session, most_entries(generation), error));
    TRY(begin_root(generation, error));
    TRY(check_room(generation, error));
    generation->prompt = (struct feed){.ids = request->prompt, .n_ids = request->n_prompt, .n_fed = generation->n_cached};
    return HOB_OK;
}

static hob_status generation_new(hob_session *session, const int32_t *ids, size_t n_ids, const hob_generate_options *options,
                                 hob_on_generated *on_generated, void *context, bool is_lent, hob_generation **ret_generation,
                                 hob_error *error)
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

static void give_root_back(struct hob_generation *generation)
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
    give_root_back(generation);
    memory_free(generation->samples);
    memory_free(generation->beams);
    request_release(&generation->request);
    memory_free(generation);
}

/* ---- plan ---- */

static size_t plan(struct hob_generation *generation, struct batch_entry *entries)
{
    size_t n_entries = 0, chunk = generation->request.options.chunk_tokens;
    if (generation->root) {
        feed_plan(&generation->prompt, chunk, generation->root, entries);
        return 1;
    }
    if (generation->beams) return beams_plan(generation->beams, entries);
    for (size_t i = 0; i < generation->request.options.n_samples; i++) {
        struct sample *sample = &generation->samples[i];
        if (!sample->is_done) feed_plan(&sample->feed, chunk, sample->sequence, &entries[n_entries++]);
    }
    return n_entries;
}

/* ---- take ---- */

static bool are_samples_done(const struct hob_generation *generation)
{
    for (size_t i = 0; i < generation->request.options.n_samples; i++)
        if (!generation->samples[i].is_done) return false;
    return true;
}

static void note_end(struct hob_generation *generation)
{
    if (generation->root || generation->is_done) return;
    generation->is_done = generation->beams ? generation->beams->is_done : are_samples_done(generation);
    if (generation->is_done) generation->end_ns = clock_now_ns();
}

/* Ends all that is still under way. */
static hob_status end(struct hob_generation *generation, hob_finish finish, hob_error *error)
{
    hob_status status = HOB_OK;
    generation->finish = finish;
    give_root_back(generation);
    if (generation->beams) status = beams_end(generation->beams, finish, error);
    for (size_t i = 0; generation->samples && i < generation->request.options.n_samples; i++) {
        hob_status sample_status = sample_end(&generation->samples[i], finish, status == HOB_OK ? error : NULL);
        if (status == HOB_OK) status = sample_status;
    }
    generation->is_done = true;
    generation->end_ns = clock_now_ns();
    return status;
}

/* The samples that go on after their first token each get a sequence: the first one the prompt's own, which is given back with it. */
static hob_status share_root(struct hob_generation *generation, hob_error *error)
{
    struct sample *samples = generation->samples;
    for (size_t i = 1; i < generation->request.options.n_samples; i++)
        if (!samples[i].is_done) TRY(sequence_fork(generation->root, &samples[i].sequence, error));
    if (samples[0].is_done) {
        give_root_back(generation);
    } else {
        samples[0].sequence = generation->root;
        samples[0].is_lent = generation->is_lent;
        generation->root = NULL;
    }
    return HOB_OK;
}

static hob_status go_on(struct hob_generation *generation, hob_error *error)
{
    for (size_t i = 0; i < generation->request.options.n_samples; i++) TRY(sample_go_on(&generation->samples[i], error));
    return HOB_OK;
}

/* All take from one row of logits, before forks, which may run the model, make it stale. */
static hob_status take_prompt(struct hob_generation *generation, const struct batch_entry *entry, hob_error *error)
{
    generation->prompt.n_fed += (size_t)entry->n_ids;
    if (!entry->n_rows) return HOB_OK;
    generation->prompt_ns = clock_now_ns();
    TRY(make_outputs(generation, error));
    if (generation->beams) {
        TRY(beams_take_prompt(generation->beams, generation->root, entry->logits, error));
        give_root_back(generation);
        return HOB_OK;
    }
    for (size_t i = 0; i < generation->request.options.n_samples; i++) TRY(sample_take(&generation->samples[i], entry->logits, error));
    sequence_remember(generation->root, false); /* for those that come while this one goes on */
    TRY(share_root(generation, error));
    return go_on(generation, error);
}

static hob_status take_tokens(struct hob_generation *generation, const struct batch_entry *entries, hob_error *error)
{
    if (generation->beams) return beams_take(generation->beams, entries, error);
    for (size_t i = 0; i < generation->request.options.n_samples; i++) {
        struct sample *sample = &generation->samples[i];
        if (sample->is_done) continue;
        sample->feed.n_fed += (size_t)entries->n_ids;
        if (entries->n_rows) TRY(sample_take(sample, entries->logits, error));
        entries++;
    }
    return go_on(generation, error);
}

static hob_status take(struct hob_generation *generation, const struct batch_entry *entries, hob_error *error)
{
    hob_finish finish;
    hob_status status = generation->root ? take_prompt(generation, entries, error) : take_tokens(generation, entries, error);
    if (status == HOB_OK && request_is_over(&generation->request, &finish)) status = end(generation, finish, error);
    if (status == HOB_OK) {
        note_end(generation);
        return HOB_OK;
    }
    hob_status ignored = end(generation, HOB_FINISH_CANCELLED, NULL);
    (void)ignored; /* the first failure is the one to report */
    return status;
}

/* ---- steps ---- */

static hob_status begin_step(struct hob_generation *generation, hob_session *session, hob_error *error)
{
    hob_finish finish;
    generation->n_entries = 0;
    if (generation->request.session != session) FAIL(error, HOB_BAD_ARGUMENT, "found a generation of another session");
    if (generation->is_done) return HOB_OK;
    if (!generation->start_ns) generation->start_ns = clock_now_ns();
    return request_is_over(&generation->request, &finish) ? end(generation, finish, error) : HOB_OK;
}

hob_status hob_generations_step(hob_session *session, hob_generation *const *generations, size_t n_generations, hob_error *error)
{
    size_t n_entries = 0, n_most = 0;
    for (size_t i = 0; i < n_generations; i++) {
        TRY(begin_step(generations[i], session, error));
        n_most += generations[i]->is_done ? 0 : most_entries(generations[i]);
    }
    TRY(session_reserve_entries(session, n_most, error));
    for (size_t i = 0; i < n_generations; i++) {
        if (generations[i]->is_done) continue;
        generations[i]->first_entry = n_entries;
        generations[i]->n_entries = plan(generations[i], session->entries + n_entries);
        n_entries += generations[i]->n_entries;
    }
    if (!n_entries) return HOB_OK;
    TRY(batch_run(session, session->entries, n_entries, error));
    hob_status status = HOB_OK;
    for (size_t i = 0; i < n_generations; i++) {
        if (!generations[i]->n_entries) continue;
        hob_status taken = take(generations[i], session->entries + generations[i]->first_entry, status == HOB_OK ? error : NULL);
        if (status == HOB_OK) status = taken;
    }
    return status;
}

hob_status hob_generations_step_bounded(hob_session *session, hob_generation *const *generations, size_t n_generations, size_t most_rows,
                                        hob_error *error)
{
    (void)most_rows;
    return hob_generations_step(session, generations, n_generations, error);
}

/* ---- room ---- */

size_t hob_session_room_tokens(const hob_session *session)
{
    return session->kv_cache ? (size_t)kv_cache_usage(session->kv_cache).n_free * PAGED_POSITIONS : SIZE_MAX;
}

size_t hob_generation_needs_tokens(const hob_generation *generation)
{
    return generation->is_done || !generation->request.session->kv_cache ? 0 : most_entries(generation) * PAGED_POSITIONS;
}

size_t hob_generation_wants_tokens(const hob_generation *generation)
{
    return hob_generation_needs_tokens(generation);
}

size_t hob_generation_holds_tokens(const hob_generation *generation)
{
    (void)generation;
    return 0;
}

void hob_generation_park(hob_generation *generation)
{
    (void)generation;
}

bool hob_generation_is_parked(const hob_generation *generation)
{
    (void)generation;
    return false;
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
    return (hob_generated_output){.finish = sample->finish, .n_tokens = sample->n_tokens, .stop = -1, .end_id = HOB_NO_TOKEN};
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

hob_status hob_generate(hob_session *session, const int32_t *ids, size_t n_ids, const hob_generate_options *options,
                        hob_on_generated *on_generated, void *context, hob_generate_result *ret_result, hob_error *error)
{
    hob_generation *generation;
    TRY(generation_new(session, ids, n_ids, options, on_generated, context, true, &generation, error));
    hob_status status = HOB_OK;
    while (status == HOB_OK && !generation->is_done) status = hob_generations_step(session, &generation, 1, error);
    if (status == HOB_OK && ret_result) *ret_result = hob_generation_result(generation);
    hob_generation_free(generation);
    return status;
}
