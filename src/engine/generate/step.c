/* Steps: a forward pass for all generations of a list, and what they make of its logits. */
#include "base/clock.h"
#include "base/error.h"
#include "engine/generate/generation.h"

/* ---- take ---- */

static bool are_samples_done(const struct hob_generation *generation)
{
    for (size_t i = 0; i < generation->request.options.n_samples; i++)
        if (!generation->samples[i].is_done) return false;
    return true;
}

static void note_end(struct hob_generation *generation)
{
    if (!generation->has_prompt || generation->is_done) return;
    generation->is_done = generation->beams ? generation->beams->is_done : are_samples_done(generation);
    if (generation->is_done) generation->end_ns = clock_now_ns();
}

/* The samples that go on after their first token each get a sequence: the first one the prompt's own, which is given back with it. */
static hob_status share_root(struct hob_generation *generation, hob_error *error)
{
    struct sample *samples = generation->samples;
    for (size_t i = 1; i < generation->request.options.n_samples; i++)
        if (!samples[i].is_done) TRY(sequence_fork(generation->root, &samples[i].sequence, error));
    if (samples[0].is_done) {
        generation_give_root_back(generation);
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
    TRY(generation_make_outputs(generation, error));
    generation->has_prompt = true;
    if (generation->beams) {
        TRY(beams_take_prompt(generation->beams, generation->root, entry->logits, error));
        generation_give_root_back(generation);
        return HOB_OK;
    }
    for (size_t i = 0; i < generation->request.options.n_samples; i++) TRY(sample_take(&generation->samples[i], entry->logits, error));
    sequence_remember(generation->root, false); /* for those that come while this one goes on */
    TRY(share_root(generation, error));
    return go_on(generation, error);
}

/* Samples whose pieces had to wait have no entry. */
static hob_status take_tokens(struct hob_generation *generation, const struct batch_entry *entries, hob_error *error)
{
    const struct batch_entry *end = entries + generation->n_entries;
    if (generation->beams) return beams_take(generation->beams, entries, error);
    for (size_t i = 0; i < generation->request.options.n_samples && entries < end; i++) {
        struct sample *sample = &generation->samples[i];
        if (sample->is_done || entries->sequence != sample->sequence) continue;
        sample->feed.n_fed += (size_t)entries->n_ids;
        if (entries->n_rows) TRY(sample_take(sample, entries->logits, error));
        entries++;
    }
    return go_on(generation, error);
}

static hob_status take_entries(struct hob_generation *generation, const struct batch_entry *entries, hob_error *error)
{
    if (generation->restoring.texts) {
        restoring_take(&generation->restoring, (size_t)entries->n_ids);
        return HOB_OK;
    }
    return generation->has_prompt ? take_tokens(generation, entries, error) : take_prompt(generation, entries, error);
}

static hob_status take(struct hob_generation *generation, const struct batch_entry *entries, hob_error *error)
{
    hob_finish finish;
    hob_status status = take_entries(generation, entries, error);
    if (status == HOB_OK && request_is_over(&generation->request, &finish)) status = generation_end(generation, finish, error);
    if (status == HOB_OK) {
        note_end(generation);
        return HOB_OK;
    }
    hob_status ignored = generation_end(generation, HOB_FINISH_CANCELLED, NULL);
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
    if (request_is_over(&generation->request, &finish)) return generation_end(generation, finish, error);
    return generation_come_back(generation, error);
}

/* Pieces take what the newest tokens leave of the rows. */
static size_t plan_all(hob_session *session, hob_generation *const *generations, size_t n_generations, size_t most_rows)
{
    size_t n_entries = 0, n_newest = 0;
    for (size_t i = 0; i < n_generations; i++)
        if (!generations[i]->is_done) n_newest += generation_count_newest(generations[i]);
    size_t n_pieces = !most_rows ? SIZE_MAX : most_rows > n_newest ? most_rows - n_newest : 0;
    for (size_t i = 0; i < n_generations; i++) {
        if (generations[i]->is_done) continue;
        generations[i]->first_entry = n_entries;
        generations[i]->n_entries = generation_plan(generations[i], &n_pieces, session->entries + n_entries);
        n_entries += generations[i]->n_entries;
    }
    return n_entries;
}

hob_status hob_generations_step_bounded(hob_session *session, hob_generation *const *generations, size_t n_generations, size_t most_rows,
                                        hob_error *error)
{
    size_t n_most = 0;
    for (size_t i = 0; i < n_generations; i++) {
        TRY(begin_step(generations[i], session, error));
        n_most += generations[i]->is_done ? 0 : generation_most_entries(generations[i]);
    }
    TRY(session_reserve_entries(session, n_most, error));
    size_t n_entries = plan_all(session, generations, n_generations, most_rows);
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

hob_status hob_generations_step(hob_session *session, hob_generation *const *generations, size_t n_generations, hob_error *error)
{
    return hob_generations_step_bounded(session, generations, n_generations, 0, error);
}
