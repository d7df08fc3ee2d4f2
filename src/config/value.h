/* One value: from a TOML document, or from a text of the environment or a flag, into the field that its row names.
 *
 * Texts and lists are made in the caller's arena. Thread-safe over different structures. */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "config/options.h"
#include "config/toml.h"

struct config_input {
    const struct toml_value *toml; /* NULL: text is what was given */
    const char *text;
    const char *folder; /* that relative paths are taken from; NULL: they stay as they are */
    const char *const *environment;
    struct arena *arena;
};

/* structure: the one that option->offset is in; unchanged on failure. Fails: HOB_BAD_ARGUMENT ("found …, expected …"; ret_culprit is then
 * the item of an array that is wrong, where it is one), HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status config_value_read(const struct config_option *option, const struct config_input *input,
                                            void *structure, const struct toml_value **ret_culprit, hob_error *error);

#endif
