/* What keys and values depend on beside the ids: the compiled graph with its weights, how blocks are laid out, and, where a graph asks
 * for it, how long the context is. Not the threads, not the kernel table: those change no byte. Thread-safe. */
#ifndef ENGINE_KV_CACHE_IDENTITY_H
#define ENGINE_KV_CACHE_IDENTITY_H

#include "base/sha256.h"
#include "engine/session.h"

/* Reads all weights once. Fails: HOB_UNSUPPORTED (a graph that a pack could not hold either), HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status cache_identity(const struct hob_session *session, unsigned char ret_identity[SHA256_BYTES],
                                         hob_error *error);

#endif
