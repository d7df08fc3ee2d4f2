/* A file that appears whole or not at all: written under a temporary name beside its own, renamed at the end.
 * Guards against a full disk and a killed process, not against power loss (no fsync).
 *
 * Owns the descriptor and the temporary file. Not thread-safe. Write errors stick: check output_file_commit alone.
 *
 *     struct output_file *file;
 *     TRY(output_file_open(path, &file, error));
 *     output_file_write(file, bytes, n_bytes);
 *     status = output_file_commit(file, error);       frees file, also on failure
 */
#ifndef BASE_OUTPUT_FILE_H
#define BASE_OUTPUT_FILE_H

#include "hob/status.h"

#include <stddef.h>

struct output_file;

/* An existing file of that name is replaced by commit, not before. Fails: HOB_IO, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status output_file_open(const char *path, struct output_file **ret_file, hob_error *error);
void output_file_write(struct output_file *file, const void *bytes, size_t n_bytes);
/* Fails: HOB_IO; then there is neither the file nor a temporary one. */
HOB_MUST_CHECK hob_status output_file_commit(struct output_file *file, hob_error *error);
/* Gives up: removes the temporary file. Takes NULL. */
void output_file_discard(struct output_file *file);

#endif
