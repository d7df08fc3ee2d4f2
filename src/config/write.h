/* A configuration as TOML: what `hob config show` prints, and pieces for whoever writes a file. Appends to buffers; look at is_failed.
 * Bytes that are no UTF-8 become U+FFFD, because TOML holds none. Thread-safe over different buffers. */
#ifndef CONFIG_WRITE_H
#define CONFIG_WRITE_H

#include "base/buffer.h"
#include "config/options.h"

/* Every key, its value, and behind # where that came from. It reads back as the same values. */
void config_to_toml(const struct config *config, struct buffer *text);

/* A value as it stands behind "=". false: it is not set, nothing is written. structure: what option->offset counts in. */
bool config_write_value(const struct config_option *option, const void *structure, struct buffer *text);
/* "default", "FILE:LINE", "environment NAME", "flag NAME". */
void config_write_origin(const struct config_origin *origin, struct buffer *text);
/* false: a byte of it was replaced. */
bool config_write_string(const char *string, struct buffer *text);
/* A part of a key: bare where it can be. */
void config_write_key(const char *key, struct buffer *text);

#endif
