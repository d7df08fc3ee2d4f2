/* What goes on when a context is full: its first tokens and the newer half of the others.
 *
 * The kept tokens are a prompt like any other and are computed as one: nothing of what was forgotten is left in the cache, and the
 * continuation is, to the byte, that of a fresh request with these ids.
 */
#ifndef ENGINE_GENERATE_CONTEXT_SHIFT_H
#define ENGINE_GENERATE_CONTEXT_SHIFT_H

#include "engine/generate/request.h"

/* How many of the first tokens stay: those asked for, the prompt's at most, and the one that begins a text, as models need it. */
size_t context_shift_n_keep(const struct request *request);
/* Moves the kept ids together; n_ids at least n_keep + 2. Returns how many they are. */
size_t context_shift(int32_t *ids, size_t n_ids, size_t n_keep);

#endif
