/* Which of the models that were found suits this machine: what each is, what memory it takes, how fast it can be at best.
 *
 * A model is opened to know it; one that would take long to open (large, and no pack) is judged by its name and size, and says so.
 *
 *     struct model_choice choice;
 *     TRY(model_choice_make(&search, &machine, &choice, error));
 *     if (choice.decoder < choice.n_models) … choice.models[choice.decoder].found->path …
 *     model_choice_release(&choice);
 */
#ifndef CLI_MODEL_CHOICE_H
#define CLI_MODEL_CHOICE_H

#include "cli/machine.h"
#include "cli/model_search.h"
#include "hob/hob.h"

struct judged_model {
    const struct found_model *found; /* of the search */
    bool is_usable;                  /* false: why says why not */
    bool is_guess;                   /* not opened */
    bool is_fitting;                 /* into the machine's memory, with a context of context_tokens */
    hob_model_kind kind;
    uint64_t needed_bytes;    /* weights, caches and activations */
    int64_t context_tokens;   /* 0: the model's own will do */
    double tokens_per_second; /* of text that it writes, at most; 0: it writes none */
    char why[200];
};

struct model_choice {
    struct judged_model *models; /* in the search's order */
    size_t n_models;
    size_t decoder, encoder; /* the recommended ones; n_models: none suits */
};

/* The search must live as long. Fails: HOB_NO_MEMORY; what a model's file has wrong is only that model's. */
HOB_MUST_CHECK hob_status model_choice_make(const struct model_search *search, const struct machine *machine,
                                            struct model_choice *ret_choice, hob_error *error);
void model_choice_release(struct model_choice *choice);

#endif
