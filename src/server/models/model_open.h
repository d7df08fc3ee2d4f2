/* Opening a model with its session, within a bound on memory, in steps that can be tried again when room has been made.
 *
 *     struct opening opening = {.spec = spec, .settings = &settings};
 *     while (!opening_try(&opening, room_bytes, &is_short, &error) && is_short && make_room(…)) {}
 *     opening_take(&opening, &loaded) or opening_release(&opening)
 */
#ifndef SERVER_MODEL_OPEN_H
#define SERVER_MODEL_OPEN_H

#include "server/models/model_spec.h"

/* What holds for all models. */
struct open_settings {
    size_t n_threads;
    size_t prefix_cache_bytes;
    const char *prefix_cache_folder; /* NULL: not on disk */
    uint64_t prefix_cache_folder_bytes;
};

/* A model and its session. */
struct opened_model {
    hob_model *model;
    hob_session *session;
    uint64_t memory_bytes; /* it may take in the end: weights of its own, caches when they are full, activations */
};

struct opening {
    const struct model_spec *spec;
    const struct open_settings *settings;
    void (*progress)(void *context, double fraction);
    void *context;
    struct opened_model main, draft;
    bool has_chosen_quant;
    const char *quant;
};

/* room_bytes: what it may take, beside what it took in tries before; UINT64_MAX: no bound but the machine's. is_short: there was too little
 * memory, and with more it may go. What was made stays for the next try. */
HOB_MUST_CHECK hob_status opening_try(struct opening *opening, uint64_t room_bytes, bool *ret_is_short, hob_error *error);
uint64_t opening_memory_bytes(const struct opening *opening);
void opening_release(struct opening *opening);
void opened_model_release(struct opened_model *opened); /* takes a zeroed one */

#endif
