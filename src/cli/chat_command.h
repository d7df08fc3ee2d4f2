/* What a line that begins with "/" does in hob chat. */
#ifndef CLI_CHAT_COMMAND_H
#define CLI_CHAT_COMMAND_H

#include "cli/conversation.h"

/* line: without the "/". false: the conversation is over. What goes wrong is reported. */
bool chat_command_run(struct conversation *conversation, const char *line);
/* Lines for help: each command with what it does. */
void chat_command_list(struct output *output);
/* Reads what --load and /load name, a JSON list of messages, in place of the conversation. */
HOB_MUST_CHECK hob_status chat_load(struct conversation *conversation, const char *path, hob_error *error);

#endif
