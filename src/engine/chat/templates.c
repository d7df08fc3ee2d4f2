#include "engine/chat/chat.h"

#include <string.h>

static const struct {
    const char *name, *text;
} templates[] = {
#define CHAT_TEMPLATE(name, text) {name, text},
#include "engine/chat/templates.def"
#undef CHAT_TEMPLATE
};

const char *hob_chat_template_name(size_t index)
{
    return index < sizeof templates / sizeof templates[0] ? templates[index].name : NULL;
}

const char *chat_built_in_template(const char *name)
{
    for (size_t i = 0; i < sizeof templates / sizeof templates[0]; i++)
        if (!strcmp(templates[i].name, name)) return templates[i].text;
    return NULL;
}
