/* Drafts without a model: the last few tokens stood in the prompt or the text before; what followed them then is likely to follow now. Good where
 * a text repeats much of its prompt: edits of code, summaries, answers from documents.
 *
 * For runs of each length a table tells where such a run ended last. A table has no chains: of two runs in one place the later one stays.
 * Source: Saxena 2023, "Prompt lookup decoding"; the longest run that is found wins, as the surest. */
#include "base/error.h"
#include "base/memory.h"
#include "base/string_map.h"
#include "engine/generate/drafter.h"

#include <string.h>

enum { LONGEST_RUN = 4, SHORTEST_RUN = 2, N_TABLES = LONGEST_RUN - SHORTEST_RUN + 1, MOST_SLOTS = 1 << 22 };

struct prompt_lookup {
    uint32_t *ends[N_TABLES]; /* by hash of a run: the place behind it in the past; 0: none */
    size_t n_slots;           /* a power of two */
    size_t n_noted;           /* ids of the past whose runs are in the tables */
};

static bool is_for(const hob_generate_options *options)
{
    return !options->draft_session;
}

static void release(void *state)
{
    struct prompt_lookup *lookup = state;
    for (int i = 0; lookup && i < N_TABLES; i++) memory_free(lookup->ends[i]);
    memory_free(lookup);
}

static size_t count_slots(size_t n_past)
{
    size_t n_slots = 64;
    while (n_slots < 2 * n_past && n_slots < MOST_SLOTS) n_slots *= 2;
    return n_slots;
}

static hob_status init(const struct request *request, size_t n_past, size_t n_most, void **ret_state, hob_error *error)
{
    (void)request;
    (void)n_most;
    struct prompt_lookup *lookup = memory_new(1, sizeof *lookup);
    if (!lookup) FAIL(error, HOB_NO_MEMORY, "prompt lookup: out of memory");
    lookup->n_slots = count_slots(n_past);
    for (int i = 0; i < N_TABLES; i++) {
        lookup->ends[i] = memory_new(lookup->n_slots, sizeof *lookup->ends[i]);
        if (lookup->ends[i]) continue;
        release(lookup);
        FAIL(error, HOB_NO_MEMORY, "prompt lookup: out of memory for tables of %zu places", lookup->n_slots);
    }
    *ret_state = lookup;
    return HOB_OK;
}

/* Where the run of n_run ids that ends at ids[end] (not included) is noted. */
static uint32_t *slot_of(struct prompt_lookup *lookup, const int32_t *ids, size_t end, size_t n_run)
{
    uint64_t hash = string_map_hash(0, ids + end - n_run, n_run * sizeof *ids);
    return &lookup->ends[n_run - SHORTEST_RUN][hash & (lookup->n_slots - 1)];
}

/* Runs that something follows: those that end at or before the last id. */
static void note_runs(struct prompt_lookup *lookup, const int32_t *ids, size_t n_ids)
{
    for (; lookup->n_noted < n_ids; lookup->n_noted++)
        for (size_t n_run = SHORTEST_RUN; n_run <= LONGEST_RUN; n_run++)
            if (lookup->n_noted >= n_run) *slot_of(lookup, ids, lookup->n_noted, n_run) = (uint32_t)lookup->n_noted;
}

/* The place behind the latest earlier occurrence of the past's last ids; 0: there is none. */
static size_t find_place(struct prompt_lookup *lookup, const int32_t *ids, size_t n_ids)
{
    for (size_t n_run = LONGEST_RUN; n_run >= SHORTEST_RUN; n_run--) {
        if (n_ids <= n_run) continue;
        size_t end = *slot_of(lookup, ids, n_ids, n_run);
        if (end && !memcmp(ids + end - n_run, ids + n_ids - n_run, n_run * sizeof *ids)) return end;
    }
    return 0;
}

static hob_status guess(void *state, struct sampler_chain *chain, size_t n_wanted, int32_t *ret_ids, size_t *ret_n_ids, hob_error *error)
{
    (void)error;
    struct prompt_lookup *lookup = state;
    const int32_t *ids = chain->ids;
    size_t n_ids = chain->now.n_ids;
    note_runs(lookup, ids, n_ids);
    size_t place = find_place(lookup, ids, n_ids);
    *ret_n_ids = place ? n_wanted : 0;
    for (size_t i = 0; i < *ret_n_ids; i++) /* a text in a loop goes on with its own drafts */
        ret_ids[i] = place + i < n_ids ? ids[place + i] : ret_ids[place + i - n_ids];
    return HOB_OK;
}

const struct drafter_def drafter_prompt_lookup = {
    .name = "prompt_lookup", .is_for = is_for, .init = init, .release = release, .guess = guess};
