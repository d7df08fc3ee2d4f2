/* What is known of a model before it is opened: its name, where it lies, how it is to be opened. Texts belong to whoever made the spec.
 *
 * Specs come from the configuration and from the models folder:
 *
 *     model_specs_of_config(config, &arena, &specs);        named in the configuration, the default ones among them
 *     model_specs_of_folder(folder, &arena, add, context);  every model below it
 */
#ifndef SERVER_MODEL_SPEC_H
#define SERVER_MODEL_SPEC_H

#include "base/arena.h"
#include "server/models/model_registry.h"

enum { N_MODEL_USES = USE_ANY + 1 };

struct model_spec {
    const char *name, *path;
    const char *const *aliases;
    size_t n_aliases;
    enum config_model_kind kind;
    bool is_pinned;
    bool is_default[N_MODEL_USES]; /* of requests that name no model */
    const char *quantization;      /* for config_quant */
    size_t n_context_tokens;       /* 0: as the model says */
    const char *cache_type;        /* NULL: as the session chooses */
    size_t n_cache_tokens;
    const char *chat_template, *draft_model_path; /* NULL: none */
};

struct model_specs {
    struct model_spec *specs;
    size_t n_specs;
};

/* Texts of the specs are copies in the arena. false: memory is out. */
bool model_specs_of_config(const struct config *config, struct arena *arena, struct model_specs *ret_specs);

/* Told each model of the folder: the name is its path below it without the ending; both texts are valid during the call. */
typedef void model_on_file(void *context, const char *name, const char *path);
/* Looks a bounded number of folders deep and at a bounded number of files; follows links. A folder that is not there holds none. */
void model_specs_of_folder(const char *folder, model_on_file *on_file, void *context);

/* A file may be called anything, a model is called by UTF-8: each byte of name that is none becomes "_". */
void model_name_make_text(char *name);
/* "/x/qwen.gguf" is "qwen", "/x/bert/" is "bert". In the arena; NULL: memory is out. */
const char *model_name_of_path(const char *path, struct arena *arena);

#endif
