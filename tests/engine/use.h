/* A model with one session, as most tests of the engine want them. Skips the test where the file is absent.
 *
 *     struct use use = use_open("../shared/models/x", NULL, 1);
 *     … use.session …
 *     use_close(&use);
 */
#ifndef TESTS_ENGINE_USE_H
#define TESTS_ENGINE_USE_H

#include "unit.h"

#include "hob/hob.h"

#include <unistd.h>

#define ASSERT_HOB(call, error)                                \
    do {                                                       \
        if ((call) != HOB_OK) fail_msg("%s", (error).message); \
    } while (0)

struct use {
    hob_model *model;
    hob_session *session;
};

static inline struct use use_open_options(const char *path, const hob_model_options *options, size_t n_threads)
{
    hob_error error = {0};
    struct use use;
    hob_session_options session_options = {.n_threads = n_threads};
    if (path && access(path, R_OK) != 0) skip();
    ASSERT_HOB(hob_model_open(path, options, &use.model, &error), error);
    ASSERT_HOB(hob_session_new(use.model, &session_options, &use.session, &error), error);
    return use;
}

/* disabled_passes: see hob_model_options; NULL for none. n_threads 0: all. */
static inline struct use use_open(const char *path, const char *disabled_passes, size_t n_threads)
{
    hob_model_options options = {.disabled_passes = disabled_passes};
    return use_open_options(path, &options, n_threads);
}

static inline void use_close(struct use *use)
{
    hob_session_free(use->session);
    hob_model_free(use->model);
}

#endif
