#include "engine/past.h"

#include "base/error.h"
#include "base/memory.h"

struct past past_window(const struct sampler_chain *chain, size_t first, size_t n_most)
{
    size_t n_ids = chain->now.n_ids;
    if (n_most == 0) n_most = PAST_DEFAULT_WINDOW;
    if (n_ids - first > n_most) first = n_ids - n_most;
    return (struct past){n_ids ? chain->ids + first : NULL, n_ids - first};
}

hob_status past_need_counts(struct sampler_chain *chain, hob_error *error)
{
    if (chain->counts) return HOB_OK;
    chain->counts = memory_new(chain->n_vocab, sizeof *chain->counts);
    if (!chain->counts) FAIL(error, HOB_NO_MEMORY, "no memory for counts of %zu tokens", chain->n_vocab);
    return HOB_OK;
}
