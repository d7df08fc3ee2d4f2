/* A thread that writes what others hand it, one piece after the other: a disk that must be waited for holds up nobody.
 *
 * Pieces of one size are copied into a queue of fixed length, whose memory is taken as it fills and given back when it is empty. A full
 * queue takes nothing: what is written here can be done without. One thread puts at a time; all else is thread-safe.
 *
 *     struct cache_writer *writer;
 *     TRY(cache_writer_new(n_bytes, 20, write_piece, folder, &writer, error));
 *     if (!cache_writer_put(writer, head, n_head_bytes, body, n_body_bytes)) …      n_bytes together
 *     cache_writer_free(writer);                                                    when all is written
 */
#ifndef ENGINE_KV_CACHE_WRITER_H
#define ENGINE_KV_CACHE_WRITER_H

#include "hob/status.h"

#include <stdbool.h>
#include <stddef.h>

struct cache_writer;

/* piece: 64-byte aligned; valid during the call, on the writer's thread. */
typedef void cache_writer_write(void *context, const void *piece);

/* Fails: HOB_LIMIT, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status cache_writer_new(size_t piece_bytes, size_t n_pieces, cache_writer_write *write, void *context,
                                           struct cache_writer **ret_writer, hob_error *error);
void cache_writer_free(struct cache_writer *writer); /* takes NULL */

/* false: the queue is full. */
bool cache_writer_put(struct cache_writer *writer, const void *head, size_t head_bytes, const void *body, size_t body_bytes);
size_t cache_writer_n_bytes(struct cache_writer *writer); /* of pieces that wait */

#endif
