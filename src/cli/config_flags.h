/* --set KEY=VALUE as the configuration's last layer.
 *
 *     struct config_flag *flags;
 *     int status = config_flags_new(line->command, &settings->set, &flags);      settings->set.n_items of them
 *     config_flags_free(flags, settings->set.n_items);
 */
#ifndef CLI_CONFIG_FLAGS_H
#define CLI_CONFIG_FLAGS_H

#include "cli/command.h"
#include "config/config.h"

/* Rows that several commands have: of settings with the fields config_path and set. */
#define OPTION_CONFIG(settings)                                                                                              \
    {.name = "config", .argument = "FILE", .kind = OPTION_TEXT, .offset = offsetof(settings, config_path),                   \
     .help = "read it instead of the system's and the user's file (HOB_CONFIG)"}
#define OPTION_SET(settings)                                                                                                 \
    {.name = "set", .argument = "KEY=VALUE", .kind = OPTION_TEXTS, .offset = offsetof(settings, set),                        \
     .help = "a key of the configuration, as server.max_body_bytes=1MiB; may be repeated"}

/* Says what is wrong and returns STATUS_USAGE or STATUS_FAILED; else STATUS_DONE. */
int config_flags_new(const struct command_def *command, const struct text_list *set, struct config_flag **ret_flags);
void config_flags_free(struct config_flag *flags, size_t n_flags); /* takes NULL */

#endif
