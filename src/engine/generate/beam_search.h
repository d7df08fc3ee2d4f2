/* Beam search over rows of logits: which texts go on, which are finished, when it is over. Knows no model and no cache.
 *
 * The algorithm and its scores are those of Hugging Face's generate (BeamSearchScorer): of all continuations of the W beams the best
 * max(2, 1 + number of end tokens) * W are looked at; an end token among the best W finishes a text, the others become the next
 * W beams; the W best finished texts are kept. Equal sums: the earlier beam and the lower id first. Differs where Hugging Face pads: while
 * there are fewer than W different texts (the first token of a small vocabulary) there are fewer beams, and none is a copy.
 * Owns its workspace, made once: a step allocates nothing. One thread at a time.
 *
 *     TRY(beam_search_init(&search, &(struct beam_settings){.width = 4, …}, error));
 *     while (!search.is_done) {
 *         beam_search_step(&search, rows);        rows[i]: logits of search.beams[i]; of the one prompt before the first
 *         for each beam: run .id behind the text of the former beam .parent
 *     }
 *     beam_search_finish(&search, HOB_FINISH_LENGTH);
 *     for each hypothesis, best first: beam_search_path(&search, hypothesis, ids)
 */
#ifndef ENGINE_GENERATE_BEAM_SEARCH_H
#define ENGINE_GENERATE_BEAM_SEARCH_H

#include "hob/generate.h"
#include "kernels/kernels.h"

struct beam_settings {
    size_t width, n_vocab;
    size_t max_tokens, min_tokens; /* of a text; max_tokens at least 1 */
    const int32_t *end_ids;        /* the caller's, as long as the search */
    size_t n_end_ids, n_model_ends; /* behind the model's own: the caller's, which are no end but a stop */
    double length_penalty;
    hob_early_stopping early_stopping;
    const struct kernels *kernels;
};

/* A text is a path to the root of a tree of tokens. */
struct beam_node {
    int32_t parent; /* -1: the prompt */
    int32_t id;
    float logprob;
};

struct beam {
    size_t parent;  /* of the beams before the step */
    int32_t node, id;
    double sum;     /* of log-probabilities */
};

struct hypothesis {
    double score;
    size_t order;   /* of finishing */
    int32_t node;   /* -1: nothing before the end token */
    size_t n_tokens; /* without it */
    hob_finish finish;
    int32_t end_id;  /* HOB_NO_TOKEN: it was cut off */
};

struct beam_candidate {
    double sum;
    size_t beam;
    int32_t id;
    float logprob;
};

struct beam_search {
    struct beam_settings settings;
    struct beam *beams, *next;   /* width */
    size_t n_beams;
    struct beam_node *nodes;     /* width * max_tokens */
    size_t n_nodes;
    struct hypothesis *hypotheses; /* width + 1 of room */
    size_t n_hypotheses, n_finished; /* kept; ever */
    double worst_score;          /* of the kept */
    struct beam_candidate *candidates; /* while selecting a heap, the worst on top */
    size_t n_candidates, most_candidates;
    float *logprobs;             /* n_vocab */
    size_t n_tokens;             /* of each open beam */
    bool is_done;
};

/* Fails: HOB_LIMIT (more nodes than there can be), HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status beam_search_init(struct beam_search *search, const struct beam_settings *settings, hob_error *error);
void beam_search_release(struct beam_search *search); /* takes a zeroed one */

/* rows: one for each open beam, [n_vocab]. Afterwards beams are the next ones, possibly none; is_done is set when no open beam can
 * make a difference or max_tokens are reached. A row that is no probabilities (NaN, only -inf) has no continuations. */
void beam_search_step(struct beam_search *search, const float *const *rows);
/* Ends it: open beams, unless the search is over without them, become hypotheses that ended as `finish` says; hypotheses are sorted. */
void beam_search_finish(struct beam_search *search, hob_finish finish);
/* ret_nodes: the hypothesis' n_tokens nodes, in the order of the text. */
void beam_search_path(const struct beam_search *search, const struct hypothesis *hypothesis, const struct beam_node **ret_nodes);

#endif
