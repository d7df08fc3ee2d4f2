#include "engine/chat/chat_format.h"

#include <string.h>

static const struct chat_format_def *const formats[] = {
#define CHAT_FORMAT(name) &chat_format_##name,
#include "engine/chat/chat_formats.def"
#undef CHAT_FORMAT
};

const struct chat_format_def *chat_format_of(const char *template_text)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        for (size_t j = 0; formats[i]->told_by[j]; j++)
            if (strstr(template_text, formats[i]->told_by[j])) return formats[i];
    return NULL;
}
