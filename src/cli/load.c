#include "cli/load.h"

#include "base/error.h"
#include "cli/progress.h"

hob_status load_model(const char *path, hob_model_kind kind, size_t n_threads, struct loaded *ret_loaded,
                      hob_error *error)
{
    return load_model_for(path, kind, &(hob_session_options){.n_threads = n_threads}, ret_loaded, error);
}

hob_status load_model_for(const char *path, hob_model_kind kind, const hob_session_options *session_options,
                          struct loaded *ret_loaded, hob_error *error)
{
    struct progress progress;
    progress_init(&progress);
    hob_model_options options = {.is_graph_only = kind == HOB_MODEL_GRAPH,
                                 .n_threads = session_options->n_threads,
                                 .default_kind = kind,
                                 .progress = progress_show,
                                 .progress_context = &progress};
    struct loaded loaded = {0};
    hob_status status = hob_model_open(path, &options, &loaded.model, error);
    progress_clear(&progress);
    TRY(status);
    status = hob_session_new(loaded.model, session_options, &loaded.session, error);
    if (status == HOB_OK) *ret_loaded = loaded;
    else loaded_release(&loaded);
    return status;
}

const char *model_kind_text(hob_model_kind kind)
{
    static const char *const texts[] = {[HOB_MODEL_GRAPH] = "a plain graph (see hob run)",
                                        [HOB_MODEL_DECODER] = "a language model (see hob complete)",
                                        [HOB_MODEL_ENCODER] = "an encoder (see hob embed)",
                                        [HOB_MODEL_CLASSIFIER] = "a classifier (see hob rerank)"};
    return texts[kind];
}

void loaded_release(struct loaded *loaded)
{
    hob_session_free(loaded->session);
    hob_model_free(loaded->model);
    *loaded = (struct loaded){0};
}

hob_status load_tokenizer(const char *path, hob_tokenizer **ret_tokenizer, hob_error *error)
{
    if (path) return hob_tokenizer_open(path, ret_tokenizer, error);
    char *default_path = hob_model_default_path(HOB_MODEL_DECODER);
    hob_status status = default_path ? hob_tokenizer_open(default_path, ret_tokenizer, error)
                                     : error_set(error, HOB_NOT_FOUND, ERROR_HERE,
                                                 "there is no default model: name one with -m or HOB_MODEL");
    hob_free(default_path);
    return status;
}
