/* One request from its beginning to its end, on the session's own sequence. */
#include "base/error.h"
#include "engine/generate/generation.h"

hob_status hob_generate(hob_session *session, const int32_t *ids, size_t n_ids, const hob_generate_options *options,
                        hob_on_generated *on_generated, void *context, hob_generate_result *ret_result, hob_error *error)
{
    hob_generation *generation;
    TRY(generation_new(session, ids, n_ids, options, on_generated, context, true, &generation, error));
    hob_status status = HOB_OK;
    while (status == HOB_OK && !generation->is_done) status = hob_generations_step(session, &generation, 1, error);
    if (status == HOB_OK && ret_result) *ret_result = hob_generation_result(generation);
    hob_generation_free(generation);
    return status;
}
