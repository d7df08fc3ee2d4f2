/* A file mapped read-only. Owns the mapping; the bytes stay valid until release. Reading is thread-safe.
 * A file that another program truncates while it is mapped raises SIGBUS; hob does not guard against that. */
#ifndef BASE_MAPPED_FILE_H
#define BASE_MAPPED_FILE_H

#include "hob/status.h"

#include <stddef.h>

struct mapped_file {
    const unsigned char *bytes; /* NULL when the file is empty */
    size_t n_bytes;
};

/* Fails: HOB_NOT_FOUND (no such file), HOB_IO (no permission, a folder, a device, …). */
HOB_MUST_CHECK hob_status mapped_file_open(const char *path, struct mapped_file *ret_file, hob_error *error);
void mapped_file_release(struct mapped_file *file);

#endif
