/* Folders and file names for what a command writes. */
#ifndef CLI_PATHS_H
#define CLI_PATHS_H

#include "base/buffer.h"
#include "hob/status.h"

/* Makes the folder and those above it; one that is there already is fine. Fails: HOB_IO. */
HOB_MUST_CHECK hob_status make_folder(const char *path, hob_error *error);

/* folder, "/", name and ending in one path. Fails: HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status join_path(const char *folder, const char *name, const char *ending, struct buffer *path,
                                    hob_error *error);

/* A file name, without its ending, for each tensor: the tensor's own, with characters that would leave the folder or hide the
 * file replaced, cut where it is too long, and told apart from the others by a number where two would be the same.
 * ret_file_names: free with file_names_free. Fails: HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status file_names_new(const char *const *names, size_t n_names, char ***ret_file_names,
                                         hob_error *error);
void file_names_free(char **file_names, size_t n_names); /* takes NULL */

#endif
