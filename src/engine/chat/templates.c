#include "engine/chat/chat.h"
#include "engine/model.h"

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

static bool has_token(const hob_tokenizer *tokenizer, const char *token)
{
    return hob_tokenizer_id(tokenizer, token, strlen(token)) != HOB_NO_TOKEN;
}

/* By the marks of turns that the vocabulary has: they were put there for nothing else. */
const char *hob_chat_template_default(const hob_model *model)
{
    static const struct {
        const char *mark, *name;
    } told_by[] = {{"<|im_start|>", "chatml"}, {"<|start_header_id|>", "llama3"}, {"<start_of_turn>", "gemma"},
                   {"<|assistant|>", "phi3"},  {"[INST]", "mistral"}};
    if (!model || model->chat_template) return NULL;
    const hob_tokenizer *tokenizer = model->tokenizer;
    for (size_t i = 0; tokenizer && i < sizeof told_by / sizeof told_by[0]; i++)
        if (has_token(tokenizer, told_by[i].mark)) return told_by[i].name;
    /* SentencePiece with bytes to fall back to, as Llama 1 and 2 have it, in whatever file it came. */
    bool is_llama = tokenizer && !strcmp(model->info.architecture, "llama") && has_token(tokenizer, "<0x0A>");
    return is_llama ? "llama2" : "roles";
}
