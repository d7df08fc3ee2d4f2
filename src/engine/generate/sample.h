/* One of a generation's texts: what is drawn from the model's logits, how its text comes out, when it ends.
 *
 * A sample is fed ids until its sequence holds all of its text but the token that was drawn last: mostly that one, after a context
 * shift many. Then it takes that id's row of logits, and one more for each draft (drafts.h) that stood behind it and was what it drew.
 * Owns its sequence unless that is lent. One thread at a time.
 *
 *     feed_plan(&sample.feed, most_ids, sample.sequence, &entry); … batch_run(…) …
 *     sample.feed.n_fed += entry.n_ids;
 *     if (entry.n_rows) TRY(sample_take(&sample, entry.logits, error));       picks, tells the caller, may end
 *     TRY(sample_go_on(&sample, error));                                      what to run next; may end
 */
#ifndef ENGINE_GENERATE_SAMPLE_H
#define ENGINE_GENERATE_SAMPLE_H

#include "engine/generate/drafts.h"
#include "engine/generate/request.h"
#include "engine/generate/text_stream.h"
#include "engine/kv/sequence.h"
#include "engine/sampler.h"

/* Ids to be run, some at a time; the logits of the last one that is no draft are wanted, and those of the drafts. */
struct feed {
    const int32_t *ids;
    size_t n_ids, n_fed;
    size_t n_drafts; /* the last of n_ids; they fit into one run */
};

struct sample {
    struct request *request;
    size_t index;              /* among the generation's texts */
    struct sequence *sequence; /* NULL before the prompt has run, and when done */
    bool is_lent;              /* the sequence is the caller's */
    struct sampler_chain chain;
    struct text_stream stream;
    struct feed feed;
    struct drafts drafts;
    int32_t *shifted;          /* room for the ids that a context shift keeps; NULL: none will be */
    uint32_t *allowed;         /* a bit an id: what the grammar lets come next; NULL: no grammar */
    struct grammar_state grammar; /* behind all tokens, where there is one */
    uint32_t *not_ends;        /* a bit an id: what may come before min_tokens have; NULL: anything may */
    int32_t last_id;           /* picked, not in the sequence yet */
    size_t n_tokens;
    size_t n_parked;           /* ids that the sequence held when it was parked */
    hob_finish finish;
    int32_t end_id;            /* the token that ended it, which is not of it; HOB_NO_TOKEN: none did */
    bool is_done;
};

/* index: also what is added to the seed. Fails: HOB_BAD_ARGUMENT (a setting out of range), HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status sample_init(struct sample *sample, struct request *request, size_t index, hob_error *error);
void sample_release(struct sample *sample); /* takes a zeroed one */

/* The next piece of what is to be fed. */
void feed_plan(const struct feed *feed, size_t most_ids, struct sequence *sequence, struct batch_entry *ret_entry);

/* logits: [1 + drafts that were run, n_vocab], the first row of what stands behind all of the sample's tokens. */
HOB_MUST_CHECK hob_status sample_take(struct sample *sample, const float *logits, hob_error *error);
/* Sets up what is to be fed next: the token that was taken, or all that a full context is shifted to. */
HOB_MUST_CHECK hob_status sample_go_on(struct sample *sample, hob_error *error);
/* Gives the sequence back, in the middle of the text. is_whole: it holds all that was run; else a part of what it held when it was
 * parked before. */
void sample_park(struct sample *sample, bool is_whole);
/* What it held: [n_parked]; valid until a sequence in its place goes on. */
const int32_t *sample_parked_ids(const struct sample *sample);
/* Hands out the text that was held back, unless cancelled, and gives the sequence back. Changes nothing where it is done already. */
HOB_MUST_CHECK hob_status sample_end(struct sample *sample, hob_finish finish, hob_error *error);

#endif
