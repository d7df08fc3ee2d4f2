/* A full block of a KV cache as a file: what it was computed from, and its bytes.
 *
 *     header   CACHE_FILE_HEADER_BYTES: magic, version, sizes, the model's and the beginning's names, the block's ids, checksums
 *     bytes    n_bytes, as kv_cache_bytes gives them
 *
 * Nothing of a file is believed: it is used only where all that it says of itself is what was asked for and both checksums are right.
 * Bytes are read into the caller's memory and looked at there; a map would change or end under the reader's hands when somebody
 * writes to the file or cuts it. Thread-safe.
 *
 *     struct cache_file_block block = {.model = model, .parent = parent, .ids = ids, .n_bytes = n_bytes};
 *     cache_file_name(&block, name);                              names the block, and is the parent of the next
 *     TRY(cache_file_write(path, &block, bytes, now_ns, error));
 *     TRY(cache_file_read(path, &block, bytes, now_ns, error));
 */
#ifndef ENGINE_KV_CACHE_FILE_H
#define ENGINE_KV_CACHE_FILE_H

#include "base/sha256.h"
#include "hob/status.h"
#include "ops/paged_state.h"

#include <stdint.h>

enum { CACHE_FILE_HEADER_BYTES = 384, CACHE_FILE_VERSION = 1 };

struct cache_file_block {
    const unsigned char *model;  /* [SHA256_BYTES]: cache_identity.h */
    const unsigned char *parent; /* [SHA256_BYTES]: the name of the block before it; zeros: there is none */
    const int32_t *ids;          /* [PAGED_POSITIONS] */
    size_t n_bytes;
};

/* SHA-256 over model, parent and ids: two texts that begin differently have no name in common. */
void cache_file_name(const struct cache_file_block *block, unsigned char ret_name[SHA256_BYTES]);

/* The file appears whole or not at all, also when the machine stops. Fails: HOB_IO, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status cache_file_write(const char *path, const struct cache_file_block *block, const void *bytes,
                                           int64_t mtime_ns, hob_error *error);
/* ret_bytes: n_bytes of room; on failure what is in it means nothing. mtime_ns becomes the file's time of change.
 * Fails: HOB_NOT_FOUND, HOB_IO, HOB_BAD_FILE (damaged, truncated, of something else), HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status cache_file_read(const char *path, const struct cache_file_block *block, void *ret_bytes,
                                          int64_t mtime_ns, hob_error *error);
/* The reader's judgement, of a whole file in memory. */
HOB_MUST_CHECK hob_status cache_file_check(const struct cache_file_block *block, const void *header, const void *bytes,
                                           hob_error *error);
/* What a file of the block begins with. */
void cache_file_header(const struct cache_file_block *block, const void *bytes,
                       unsigned char ret_header[CACHE_FILE_HEADER_BYTES]);

#endif
