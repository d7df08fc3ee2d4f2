/* Texts whose sequences were given back, and that are computed again: one after the other, each from what the cache of prefixes has of it or
 * from the earlier one that it shares most with, so that blocks are shared as they were.
 *
 * Owns its list and the ids that it made room for; sequences go to where the caller wants them, and are the caller's. One thread at a time.
 *
 *     TRY(restoring_init(&restoring, n_texts, n_ids, error));
 *     restoring.texts[i] = (struct restored_text){.ids = …, .n_ids = …, .place = &sequence};       for each
 *     for (;;) {
 *         TRY(restoring_advance(&restoring, session, error));
 *         if (restoring_is_over(&restoring)) break;
 *         restoring_plan(&restoring, 192, &entry); … batch_run(…) …
 *         restoring_take(&restoring, entry.n_ids);
 *     }
 *     restoring_release(&restoring);
 */
#ifndef ENGINE_GENERATE_RESTORING_H
#define ENGINE_GENERATE_RESTORING_H

#include "engine/kv/sequence.h"

#include <stdbool.h>
#include <stddef.h>

struct restored_text {
    const int32_t *ids;     /* that its sequence shall hold */
    size_t n_ids, n_done;
    struct sequence **place; /* NULL in it: not begun */
};

struct restoring {
    struct restored_text *texts;
    size_t n_texts, n_whole; /* the one at n_whole is under way */
    int32_t *ids;            /* room for ids that nobody else keeps */
};

/* Fails: HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status restoring_init(struct restoring *restoring, size_t n_texts, size_t n_ids, hob_error *error);
void restoring_release(struct restoring *restoring); /* takes a zeroed one */

/* Goes on to the next text that something must be run for. Fails: HOB_NO_MEMORY; nothing is lost then. */
HOB_MUST_CHECK hob_status restoring_advance(struct restoring *restoring, hob_session *session, hob_error *error);
bool restoring_is_over(const struct restoring *restoring);
/* The next piece of the text under way, at least one id. */
void restoring_plan(const struct restoring *restoring, size_t most_ids, struct batch_entry *ret_entry);
void restoring_take(struct restoring *restoring, size_t n_ids);

#endif
