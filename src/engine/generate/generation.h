/* Inside of hob_generation, for the files of this room: what it is (generation.c), what it wants run (plan.c), what that takes of the cache
 * (room.c), how it leaves the cache and comes back (parking.c), how it goes on (step.c).
 *
 * The prompt goes through one sequence, the root; then each sample goes on from a fork of it (the first from itself), or the beams do.
 * A parked generation has no sequences at all. All that a step needs is reserved when a generation is made, or comes back. */
#ifndef ENGINE_GENERATE_GENERATION_H
#define ENGINE_GENERATE_GENERATION_H

#include "engine/generate/beams.h"
#include "engine/generate/restoring.h"
#include "engine/generate/sample.h"

struct hob_generation {
    struct request request;
    struct sequence *root;  /* while the prompt is run; NULL behind it, and while parked */
    bool is_lent;           /* the root is the session's own sequence */
    bool has_prompt;        /* the prompt has run: texts are under way */
    bool is_parked;
    struct feed prompt;
    struct restoring restoring; /* texts on their way back into the cache; zeroed: none is */
    size_t n_parked_blocks; /* of the pool, that the texts had */
    struct sample *samples; /* request.options.n_samples; NULL for beams, or while the vocabulary's size is not known */
    struct beams *beams;    /* NULL: samples */
    size_t n_entries;       /* of the step under way: first_entry … */
    size_t first_entry, n_cached;
    uint64_t start_ns, prompt_ns, end_ns; /* the first step, the prompt's end, the end; 0: not yet */
    hob_finish finish;      /* while there are no outputs */
    bool is_done;
};

/* is_lent: on the session's own sequence, whose ids need not be run again. */
HOB_MUST_CHECK hob_status generation_new(hob_session *session, const int32_t *ids, size_t n_ids, const hob_generate_options *options,
                                         hob_on_generated *on_generated, void *context, bool is_lent, hob_generation **ret_generation,
                                         hob_error *error);
/* A root that begins with what is kept of the prompt. Fails: HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status generation_begin_prompt(struct hob_generation *generation, size_t *ret_n_begun, hob_error *error);
/* Samples or beams, where there are none yet. Fails: HOB_BAD_ARGUMENT, HOB_LIMIT, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status generation_make_outputs(struct hob_generation *generation, hob_error *error);
/* Leaves the root's blocks to others. */
void generation_give_root_back(struct hob_generation *generation);
/* Ends all that is still under way. */
HOB_MUST_CHECK hob_status generation_end(struct hob_generation *generation, hob_finish finish, hob_error *error);
/* Most entries of a step, and most sequences. */
size_t generation_most_entries(const struct hob_generation *generation);
/* Texts that are not done, once the prompt has run. */
size_t generation_count_open(const struct hob_generation *generation);
/* The root, or that of a text, i below generation_most_entries. NULL: there is none. */
const struct sequence *generation_sequence(const struct hob_generation *generation, size_t i);

/* The next piece of the prompt, or of each text: what is new of it, drafts among it, or a piece of all that is to be run again.
 * n_pieces: positions that pieces may take in all; what was taken is taken off. Returns how many entries. */
size_t generation_plan(const struct hob_generation *generation, size_t *n_pieces, struct batch_entry *entries);
/* Positions that are run in any case: the newest of all texts. */
size_t generation_count_newest(const struct hob_generation *generation);

/* Of the pool, that its sequences hold. */
size_t generation_count_blocks(const struct hob_generation *generation);

/* Makes a parked one come back, and its texts whole again as far as nothing must be run for it. Fails: HOB_NO_MEMORY; it is then as it
 * was and may try again. */
HOB_MUST_CHECK hob_status generation_come_back(struct hob_generation *generation, hob_error *error);

#endif
