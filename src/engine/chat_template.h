/* The chat template beside a model: chat_template.jinja, or what tokenizer_config.json says. */
#ifndef ENGINE_CHAT_TEMPLATE_H
#define ENGINE_CHAT_TEMPLATE_H

#include "engine/model.h"

/* Sets model->chat_template, and model->tool_template where there is another for conversations with tools, where the model's own file did not and model->folder has one. A file that is broken counts as absent: the
 * model works without. Fails: HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status chat_template_find(struct hob_model *model, hob_error *error);

#endif
