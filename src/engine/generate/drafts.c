#include "engine/generate/drafts.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/size.h"

enum { FIRST_WANTED = 4 };

#define DRAFTER(name) extern const struct drafter_def drafter_##name;
#include "engine/generate/drafters.def"
#undef DRAFTER

static const struct drafter_def *const drafters[] = {
#define DRAFTER(name) &drafter_##name,
#include "engine/generate/drafters.def"
#undef DRAFTER
};

static size_t least_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

hob_status drafts_init(struct drafts *drafts, const struct request *request, size_t n_past, hob_error *error)
{
    struct drafts made = {.n_most = request->options.n_draft_tokens};
    for (size_t i = 0; made.n_most && !made.drafter && i < ARRAY_LENGTH(drafters); i++)
        if (drafters[i]->is_for(&request->options)) made.drafter = drafters[i];
    if (made.drafter) {
        made.n_wanted = least_of(FIRST_WANTED, made.n_most);
        made.ids = memory_new(1 + made.n_most, sizeof *made.ids);
        if (!made.ids) FAIL(error, HOB_NO_MEMORY, "drafts: out of memory");
        hob_status status = made.drafter->init(request, n_past, made.n_most, &made.state, error);
        if (status != HOB_OK) {
            memory_free(made.ids);
            return status;
        }
    }
    *drafts = made;
    return HOB_OK;
}

void drafts_release(struct drafts *drafts)
{
    if (drafts->drafter) drafts->drafter->release(drafts->state);
    memory_free(drafts->ids);
    *drafts = (struct drafts){0};
}

hob_status drafts_make(struct drafts *drafts, struct sampler_chain *chain, int32_t last_id, size_t n_room, hob_error *error)
{
    drafts->ids[0] = last_id;
    drafts->n_ids = 0;
    size_t n_wanted = least_of(drafts->n_wanted, n_room);
    if (n_wanted) TRY(drafts->drafter->guess(drafts->state, chain, n_wanted, drafts->ids + 1, &drafts->n_ids, error));
    drafts->n_made += drafts->n_ids;
    return HOB_OK;
}

void drafts_forget(struct drafts *drafts)
{
    if (drafts->drafter && drafts->drafter->forget) drafts->drafter->forget(drafts->state);
}

void drafts_note(struct drafts *drafts, size_t n_right)
{
    drafts->n_right += n_right;
    if (!drafts->n_ids) return;
    drafts->n_wanted = least_of(n_right == drafts->n_ids ? drafts->n_wanted + 2 : n_right + 1, drafts->n_most);
}
