/* What a generation wants run next. The newest tokens of texts are few and somebody waits for each; what may be long is cut into pieces: a
 * prompt, what a context shift keeps, a text that was parked. */
#include "engine/generate/generation.h"

static size_t least_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Whether what is fed is more than what was picked last, and drafts. */
static bool is_piece(const struct feed *feed)
{
    return feed->n_ids - feed->n_fed > 1 + feed->n_drafts;
}

/* A prompt's last token is a piece, too: it can wait. */
static size_t plan_prompt(const struct hob_generation *generation, size_t n_pieces, struct batch_entry *entries)
{
    size_t most_ids = least_of(generation->request.options.chunk_tokens, n_pieces);
    if (!most_ids) return 0;
    feed_plan(&generation->prompt, most_ids, generation->root, entries);
    return 1;
}

static size_t plan_restoring(const struct hob_generation *generation, size_t n_pieces, struct batch_entry *entries)
{
    size_t most_ids = least_of(generation->request.options.chunk_tokens, n_pieces);
    if (!most_ids) return 0;
    restoring_plan(&generation->restoring, most_ids, entries);
    return 1;
}

static size_t plan_samples(const struct hob_generation *generation, size_t *n_pieces, struct batch_entry *entries)
{
    size_t n_entries = 0, chunk = generation->request.options.chunk_tokens;
    for (size_t i = 0; i < generation->request.options.n_samples; i++) {
        const struct sample *sample = &generation->samples[i];
        if (sample->is_done) continue;
        bool is_cut = is_piece(&sample->feed);
        size_t most_ids = is_cut ? least_of(chunk, *n_pieces) : 1 + sample->feed.n_drafts;
        if (!most_ids) continue;
        feed_plan(&sample->feed, most_ids, sample->sequence, &entries[n_entries]);
        if (is_cut) *n_pieces -= (size_t)entries[n_entries].n_ids;
        n_entries++;
    }
    return n_entries;
}

size_t generation_plan(const struct hob_generation *generation, size_t *n_pieces, struct batch_entry *entries)
{
    bool is_restoring = generation->restoring.texts;
    if (!is_restoring && generation->has_prompt)
        return generation->beams ? beams_plan(generation->beams, entries) : plan_samples(generation, n_pieces, entries);
    size_t n_entries = is_restoring ? plan_restoring(generation, *n_pieces, entries) : plan_prompt(generation, *n_pieces, entries);
    if (n_entries) *n_pieces -= (size_t)entries->n_ids;
    return n_entries;
}

size_t generation_count_newest(const struct hob_generation *generation)
{
    size_t n_rows = 0;
    if (!generation->has_prompt || generation->restoring.texts) return 0;
    if (generation->beams) return generation->beams->search.n_beams;
    for (size_t i = 0; i < generation->request.options.n_samples; i++) {
        const struct sample *sample = &generation->samples[i];
        if (!sample->is_done && !is_piece(&sample->feed)) n_rows += 1 + sample->feed.n_drafts;
    }
    return n_rows;
}
