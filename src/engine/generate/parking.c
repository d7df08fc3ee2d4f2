/* Leaving the cache and coming back: preemption by recomputation. What a text's sequence held is told by ids that are there anyway, and
 * the same ids give the same keys and values, however they are cut into runs; so all that lies beyond the cache (draws, grammars, texts,
 * what is to be fed next) simply stays as it is. */
#include "base/error.h"
#include "engine/generate/generation.h"

static void park_texts(struct hob_generation *generation)
{
    bool was_whole = !generation->restoring.texts;
    if (was_whole) generation->n_parked_blocks = generation_count_blocks(generation);
    if (generation->beams) beams_park(generation->beams);
    for (size_t i = 0; generation->samples && i < generation->request.options.n_samples; i++) sample_park(&generation->samples[i], was_whole);
    restoring_release(&generation->restoring);
}

void hob_generation_park(hob_generation *generation)
{
    if (generation->is_done || generation->is_parked) return;
    HOB_ASSERT(!generation->is_lent);
    if (generation->has_prompt) park_texts(generation);
    else generation_give_root_back(generation);
    generation->is_parked = true;
}

bool hob_generation_is_parked(const hob_generation *generation)
{
    return generation->is_parked;
}

/* ---- coming back ---- */

static void list_samples(struct hob_generation *generation)
{
    struct restored_text *text = generation->restoring.texts;
    for (size_t i = 0; i < generation->request.options.n_samples; i++) {
        struct sample *sample = &generation->samples[i];
        if (sample->is_done) continue;
        *text++ = (struct restored_text){.ids = sample_parked_ids(sample), .n_ids = sample->n_parked, .place = &sample->sequence};
    }
}

static void list_beams(struct hob_generation *generation)
{
    struct beams *beams = generation->beams;
    struct restoring *restoring = &generation->restoring;
    size_t n_ids = beams_n_ids(beams);
    for (size_t i = 0; i < restoring->n_texts; i++) {
        int32_t *ids = restoring->ids + i * n_ids;
        beams_list_ids(beams, i, ids);
        restoring->texts[i] = (struct restored_text){.ids = ids, .n_ids = n_ids, .place = &beams->sequences[i]};
    }
}

static hob_status begin_restoring(struct hob_generation *generation, hob_error *error)
{
    size_t n_texts = generation_count_open(generation), n_ids = generation->beams ? n_texts * beams_n_ids(generation->beams) : 0;
    TRY(restoring_init(&generation->restoring, n_texts, n_ids, error));
    if (generation->beams) list_beams(generation);
    else list_samples(generation);
    return HOB_OK;
}

static hob_status begin(struct hob_generation *generation, hob_error *error)
{
    if (generation->has_prompt) return begin_restoring(generation, error);
    size_t n_begun;
    TRY(generation_begin_prompt(generation, &n_begun, error));
    generation->prompt.n_fed = n_begun;
    return HOB_OK;
}

hob_status generation_come_back(struct hob_generation *generation, hob_error *error)
{
    if (generation->is_parked) TRY(begin(generation, error));
    generation->is_parked = false;
    if (!generation->restoring.texts) return HOB_OK;
    TRY(restoring_advance(&generation->restoring, generation->request.session, error));
    if (restoring_is_over(&generation->restoring)) restoring_release(&generation->restoring);
    return HOB_OK;
}
