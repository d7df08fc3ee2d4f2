/* A folder of blocks of KV caches (cache_file.h) that outlives the process: NAME.kv, NAME the block's own. Programs may share one.
 *
 * It holds at most so many bytes; those that were used longest ago go first, a text's end before its beginning. What is in it is
 * written whole or not at all and judged before it is used, so that a process may be killed at any moment and a file be damaged in any
 * way: the block is then computed again. Problems with files are told to the log and are no failures: when one cannot be written, say
 * because the disk is full, none are any more. A thread of the folder's own writes (cache_writer.h). Any number of threads may read at a
 * time.
 *
 *     struct cache_folder *folder;
 *     TRY(cache_folder_open("/home/me/.cache/hob/kv", model, block_bytes, 4LL << 30, &folder, error));
 *     struct cache_folder_text text;
 *     cache_folder_begin(folder, &text);
 *     cache_folder_step(folder, &text, ids);                      the text's first 64
 *     if (cache_folder_read(folder, &text, bytes)) …
 *     cache_folder_step(folder, &text, ids + 64);                 the next
 *     if (!cache_folder_write(folder, &text, bytes)) …             later ones of the text are of no use without it
 */
#ifndef ENGINE_KV_CACHE_FOLDER_H
#define ENGINE_KV_CACHE_FOLDER_H

#include "engine/kv/cache_file.h"

#include <stdbool.h>

struct cache_folder;

/* A text's block that is looked at. */
struct cache_folder_text {
    unsigned char parent[SHA256_BYTES], name[SHA256_BYTES];
    const int32_t *ids; /* of the block; the caller's */
    int64_t n_before;   /* blocks */
    int64_t start_ns;   /* when it was begun */
};

/* The folder is made where there is none, for its owner only; one of somebody else, or that others may write to, is refused.
 * Fails: HOB_IO, HOB_BAD_ARGUMENT, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status cache_folder_open(const char *path, const unsigned char model[SHA256_BYTES],
                                            size_t block_bytes, uint64_t most_bytes, struct cache_folder **ret_folder,
                                            hob_error *error);
void cache_folder_free(struct cache_folder *folder); /* when all is written; takes NULL */

void cache_folder_begin(const struct cache_folder *folder, struct cache_folder_text *ret_text);
void cache_folder_step(const struct cache_folder *folder, struct cache_folder_text *text, const int32_t *ids);
/* false: it is not there, or not what it should be; ret_bytes means nothing then. */
bool cache_folder_read(const struct cache_folder *folder, const struct cache_folder_text *text, void *ret_bytes);
/* Has the block written by and by, unless it is there; bytes are copied. false: too many wait already, or nothing is written any more. */
bool cache_folder_write(struct cache_folder *folder, const struct cache_folder_text *text, const void *bytes);
size_t cache_folder_n_bytes(struct cache_folder *folder); /* of memory, for those that wait */

#endif
