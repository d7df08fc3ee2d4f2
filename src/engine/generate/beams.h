/* A beam search's side of a generation: a sequence for each open beam, all in one run, and the texts at the end.
 *
 * The prompt's cache is shared by all beams. When beams change places none is copied: the first continuation of a beam takes its sequence
 * over, each other one becomes a fork of it in the place of a beam that nothing continues. One thread at a time.
 *
 *     TRY(beams_init(&beams, &request, error));
 *     TRY(beams_take_prompt(&beams, prompt_sequence, logits, error));
 *     while (!beams.is_done) {
 *         n = beams_plan(&beams, entries); … batch_run(…) …
 *         TRY(beams_take(&beams, entries, error));
 *     }
 */
#ifndef ENGINE_GENERATE_BEAMS_H
#define ENGINE_GENERATE_BEAMS_H

#include "engine/generate/beam_search.h"
#include "engine/generate/request.h"
#include "engine/kv/sequence.h"

struct beams {
    struct request *request;
    struct beam_search search;
    struct sequence **sequences, **next; /* [width]: of the open beams; NULL behind them or waiting to be taken over */
    const float **rows;                  /* [width] */
    bool is_done;
    hob_generated_output *outputs;       /* [n_outputs], when done */
    size_t n_outputs;
};

/* Fails: HOB_LIMIT, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status beams_init(struct beams *beams, struct request *request, hob_error *error);
void beams_release(struct beams *beams); /* takes a zeroed one */

/* prompt: what the beams go on from; it stays the caller's. logits: of its last position. */
HOB_MUST_CHECK hob_status beams_take_prompt(struct beams *beams, const struct sequence *prompt, const float *logits, hob_error *error);
/* An entry for each open beam, at most beam_width. */
size_t beams_plan(struct beams *beams, struct batch_entry *entries);
HOB_MUST_CHECK hob_status beams_take(struct beams *beams, const struct batch_entry *entries, hob_error *error);
/* Gives the sequences of the open beams back, in the middle of the search. */
void beams_park(struct beams *beams);
/* What each of them held: how many ids, and those of open beam i. */
size_t beams_n_ids(const struct beams *beams);
void beams_list_ids(const struct beams *beams, size_t i, int32_t *ret_ids);
/* The texts there are, best first, go to the caller unless it cancelled. Changes nothing where it is done already. */
HOB_MUST_CHECK hob_status beams_end(struct beams *beams, hob_finish finish, hob_error *error);

#endif
