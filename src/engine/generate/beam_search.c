/* Log-probabilities are those of the kernel, in f32; sums are kept in double, so that a long text's end still counts.
 * Source: Hugging Face transformers 4.38, BeamSearchScorer and BeamHypotheses, by their documented behaviour. */
#include "engine/generate/beam_search.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/size.h"

#include <math.h>
#include <string.h>

static bool is_worse(const struct beam_candidate *a, const struct beam_candidate *b)
{
    if (a->sum != b->sum) return a->sum < b->sum;
    return a->beam != b->beam ? a->beam > b->beam : a->id > b->id;
}

static void swap(struct beam_candidate *a, struct beam_candidate *b)
{
    struct beam_candidate old_a = *a;
    *a = *b;
    *b = old_a;
}

/* The better of a parent and its children sinks. */
static void sift_down(struct beam_candidate *heap, size_t n, size_t i)
{
    for (;;) {
        size_t worst = i, left = 2 * i + 1, right = left + 1;
        if (left < n && is_worse(&heap[left], &heap[worst])) worst = left;
        if (right < n && is_worse(&heap[right], &heap[worst])) worst = right;
        if (worst == i) return;
        swap(&heap[i], &heap[worst]);
        i = worst;
    }
}

static void sift_up(struct beam_candidate *heap, size_t i)
{
    for (; i > 0 && is_worse(&heap[i], &heap[(i - 1) / 2]); i = (i - 1) / 2) swap(&heap[i], &heap[(i - 1) / 2]);
}

static void consider(struct beam_search *search, const struct beam_candidate *candidate)
{
    struct beam_candidate *heap = search->candidates;
    if (search->n_candidates < search->most_candidates) {
        heap[search->n_candidates] = *candidate;
        sift_up(heap, search->n_candidates++);
    } else if (is_worse(&heap[0], candidate)) {
        heap[0] = *candidate;
        sift_down(heap, search->n_candidates, 0);
    }
}

static bool is_end(const struct beam_search *search, int32_t id, hob_finish *ret_finish)
{
    for (size_t i = 0; i < search->settings.n_end_ids; i++) {
        if (search->settings.end_ids[i] != id) continue;
        *ret_finish = i < search->settings.n_model_ends ? HOB_FINISH_END : HOB_FINISH_STOP;
        return true;
    }
    return false;
}

/* Most of a vocabulary is far below the worst of the selected: one comparison with a bound in f32, rounded down, leaves it out. */
static float least_useful(const struct beam_search *search, double sum)
{
    if (search->n_candidates < search->most_candidates) return -INFINITY;
    return nextafterf((float)(search->candidates[0].sum - sum), -INFINITY);
}

static void consider_row(struct beam_search *search, size_t beam, const float *logits)
{
    hob_finish ignored;
    bool has_ends = search->n_tokens + 1 > search->settings.min_tokens;
    double sum = search->n_tokens ? search->beams[beam].sum : 0;
    search->settings.kernels->log_softmax_f32((int64_t)search->settings.n_vocab, logits, search->logprobs);
    float least = least_useful(search, sum);
    for (size_t i = 0; i < search->settings.n_vocab; i++) {
        float logprob = search->logprobs[i];
        if (!(logprob >= least) || isinf(logprob) || (!has_ends && is_end(search, (int32_t)i, &ignored))) continue;
        consider(search, &(struct beam_candidate){sum + (double)logprob, beam, (int32_t)i, logprob});
        least = least_useful(search, sum);
    }
}

/* From the heap to best first. */
static void sort_candidates(struct beam_search *search)
{
    for (size_t n = search->n_candidates; n > 1; n--) {
        swap(&search->candidates[0], &search->candidates[n - 1]);
        sift_down(search->candidates, n - 1, 0);
    }
}

/* ---- finished texts ---- */

static void drop_worst(struct beam_search *search)
{
    struct hypothesis *all = search->hypotheses;
    size_t worst = 0;
    for (size_t i = 1; i < search->n_hypotheses; i++)
        if (all[i].score < all[worst].score) worst = i;
    search->n_hypotheses--;
    memmove(all + worst, all + worst + 1, (search->n_hypotheses - worst) * sizeof *all);
    search->worst_score = all[0].score;
    for (size_t i = 1; i < search->n_hypotheses; i++)
        if (all[i].score < search->worst_score) search->worst_score = all[i].score;
}

/* n_scored: the tokens that the length penalty counts. */
static void add_hypothesis(struct beam_search *search, double sum, size_t n_scored, struct hypothesis hypothesis)
{
    hypothesis.score = sum / pow((double)n_scored, search->settings.length_penalty);
    hypothesis.order = search->n_finished++;
    if (search->n_hypotheses == search->settings.width && !(hypothesis.score > search->worst_score)) return;
    search->hypotheses[search->n_hypotheses++] = hypothesis;
    if (search->n_hypotheses > search->settings.width) drop_worst(search);
    else if (hypothesis.score < search->worst_score) search->worst_score = hypothesis.score;
}

/* best_sum: of the candidates looked at in the step that made the texts n_tokens long. */
static bool is_decided(const struct beam_search *search, double best_sum)
{
    const struct beam_settings *settings = &search->settings;
    if (search->n_hypotheses < settings->width) return false;
    if (settings->early_stopping == HOB_EARLY_STOPPING_YES) return true;
    bool grows = settings->early_stopping == HOB_EARLY_STOPPING_NEVER && settings->length_penalty > 0;
    double n_tokens = (double)(grows ? settings->max_tokens : search->n_tokens);
    return search->worst_score >= best_sum / pow(n_tokens, settings->length_penalty);
}

/* ---- steps ---- */

static int32_t add_node(struct beam_search *search, int32_t parent, const struct beam_candidate *candidate)
{
    search->nodes[search->n_nodes] = (struct beam_node){parent, candidate->id, candidate->logprob};
    return (int32_t)search->n_nodes++;
}

/* An end token finishes a text only where it is among the best W; behind those it is neither a text nor a beam. */
static void share_out(struct beam_search *search)
{
    size_t width = search->settings.width, n_next = 0;
    for (size_t rank = 0; rank < search->n_candidates && n_next < width; rank++) {
        hob_finish finish;
        const struct beam_candidate *candidate = &search->candidates[rank];
        int32_t parent = search->n_tokens ? search->beams[candidate->beam].node : -1;
        if (!is_end(search, candidate->id, &finish)) {
            search->next[n_next++] =
                (struct beam){candidate->beam, add_node(search, parent, candidate), candidate->id, candidate->sum};
        } else if (rank < width) {
            struct hypothesis hypothesis = {.node = parent, .n_tokens = search->n_tokens, .finish = finish, .end_id = candidate->id};
            add_hypothesis(search, candidate->sum, search->n_tokens + 1, hypothesis);
        }
    }
    struct beam *old = search->beams;
    search->beams = search->next;
    search->next = old;
    search->n_beams = n_next;
}

void beam_search_step(struct beam_search *search, const float *const *rows)
{
    search->n_candidates = 0;
    for (size_t i = 0; i < search->n_beams; i++) consider_row(search, i, rows[i]);
    sort_candidates(search);
    share_out(search);
    search->n_tokens++;
    search->is_done = !search->n_beams || is_decided(search, search->candidates[0].sum);
    if (search->is_done) search->n_beams = 0;
    search->is_done |= search->n_tokens == search->settings.max_tokens;
}

/* Of equal scores the one that finished later comes first, as Hugging Face's sort has it. */
static bool is_better(const struct hypothesis *a, const struct hypothesis *b)
{
    return a->score != b->score ? a->score > b->score : a->order > b->order;
}

void beam_search_finish(struct beam_search *search, hob_finish finish)
{
    for (size_t i = 0; search->n_tokens && i < search->n_beams; i++) {
        struct hypothesis hypothesis = {
            .node = search->beams[i].node, .n_tokens = search->n_tokens, .finish = finish, .end_id = HOB_NO_TOKEN};
        add_hypothesis(search, search->beams[i].sum, search->n_tokens, hypothesis);
    }
    search->n_beams = 0;
    search->is_done = true;
    for (size_t i = 1; i < search->n_hypotheses; i++) {
        struct hypothesis moved = search->hypotheses[i];
        size_t to = i;
        for (; to > 0 && is_better(&moved, &search->hypotheses[to - 1]); to--) search->hypotheses[to] = search->hypotheses[to - 1];
        search->hypotheses[to] = moved;
    }
}

void beam_search_path(const struct beam_search *search, const struct hypothesis *hypothesis, const struct beam_node **ret_nodes)
{
    int32_t node = hypothesis->node;
    for (size_t i = hypothesis->n_tokens; i > 0; i--) {
        ret_nodes[i - 1] = &search->nodes[node];
        node = search->nodes[node].parent;
    }
}

hob_status beam_search_init(struct beam_search *search, const struct beam_settings *settings, hob_error *error)
{
    struct beam_search new_search = {.settings = *settings, .n_beams = 1, .worst_score = INFINITY};
    size_t n_nodes, n_factor = settings->n_end_ids > 1 ? 1 + settings->n_end_ids : 2;
    if (!size_mul(settings->width, settings->max_tokens, &n_nodes) || n_nodes > INT32_MAX ||
        !size_mul(n_factor, settings->width, &new_search.most_candidates))
        FAIL(error, HOB_LIMIT, "beam search: found %zu beams of %zu tokens, expected a product of at most %d", settings->width,
             settings->max_tokens, INT32_MAX);
    new_search.beams = memory_new(settings->width, sizeof *new_search.beams);
    new_search.next = memory_new(settings->width, sizeof *new_search.next);
    new_search.nodes = memory_new(n_nodes, sizeof *new_search.nodes);
    new_search.hypotheses = memory_new(settings->width + 1, sizeof *new_search.hypotheses);
    new_search.candidates = memory_new(new_search.most_candidates, sizeof *new_search.candidates);
    new_search.logprobs = memory_new(settings->n_vocab, sizeof *new_search.logprobs);
    *search = new_search;
    if (search->beams && search->next && search->nodes && search->hypotheses && search->candidates && search->logprobs) return HOB_OK;
    beam_search_release(search);
    FAIL(error, HOB_NO_MEMORY, "no memory for %zu beams", settings->width);
}

void beam_search_release(struct beam_search *search)
{
    memory_free(search->beams);
    memory_free(search->next);
    memory_free(search->nodes);
    memory_free(search->hypotheses);
    memory_free(search->candidates);
    memory_free(search->logprobs);
    *search = (struct beam_search){0};
}
