/* The folders of the XDG Base Directory specification, and paths that are written with them.
 *
 * environment: "NAME=value" texts, NULL behind the last; NULL: the process's own. Thread-safe as getenv is.
 *
 *     struct buffer path = {0};
 *     if (folders_expand(NULL, "$XDG_DATA_HOME/hob/models", NULL, &path)) … path.bytes …
 *     buffer_release(&path);
 */
#ifndef CONFIG_FOLDERS_H
#define CONFIG_FOLDERS_H

#include "base/buffer.h"

/* NULL where it is not set or empty. */
const char *environment_get(const char *const *environment, const char *name);

/* A path as people write it: "~", "$HOME", "$XDG_CONFIG_HOME", "$XDG_DATA_HOME", "$XDG_STATE_HOME", "$XDG_CACHE_HOME" and
 * "$XDG_RUNTIME_DIR" at its beginning are what they stand for, with the specification's defaults; without XDG_RUNTIME_DIR that is a folder
 * of the state's. What is relative is taken from folder; folder NULL: it stays. "@name" stays. ret_path is appended to.
 * false: the folder is not known (no HOME), or memory is out (ret_path->is_failed). */
bool folders_expand(const char *const *environment, const char *path, const char *folder, struct buffer *ret_path);

#endif
