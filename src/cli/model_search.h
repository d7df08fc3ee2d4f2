/* Models on this machine: .gguf, .hob and .onnx files and folders with config.json and safetensors, in places where programs keep them.
 *
 * Owns the list. Links to folders are not followed, and depth, entries looked at and models found are bounded, so that a search ends
 * wherever it begins.
 *
 *     struct model_search search = {0};
 *     TRY(model_search_places(&search, error));
 *     TRY(model_search_folder(&search, "/srv/models", error));
 *     … search.items, search.n_items, by path …
 *     model_search_release(&search);
 */
#ifndef CLI_MODEL_SEARCH_H
#define CLI_MODEL_SEARCH_H

#include "hob/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct found_model {
    char *path;
    uint64_t n_bytes; /* of the file, or of the folder's safetensors */
    dev_t device;     /* with inode: what it is, whatever links lead to it */
    ino_t inode;
};

struct model_search {
    struct found_model *items;
    size_t n_items;
    size_t n_entries; /* looked at */
    bool is_cut;      /* a bound was reached: there may be more */
};

/* A folder that is not there or cannot be read has none. Fails: HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status model_search_folder(struct model_search *search, const char *folder, hob_error *error);
/* hob's own folders, Hugging Face's, LM Studio's and llama.cpp's caches, ~/.models. */
HOB_MUST_CHECK hob_status model_search_places(struct model_search *search, hob_error *error);
/* A model that the person names: any file, or any folder. Fails: HOB_NOT_FOUND, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status model_search_one(struct model_search *search, const char *path, hob_error *error);
void model_search_release(struct model_search *search);

#endif
