/* What a session has taken of memory, as sums of what its parts know, and giving back what idle ones can do without. */
#include "base/memory.h"
#include "engine/decoder.h"
#include "engine/kv/cache_folder.h"
#include "engine/kv/kv_cache.h"
#include "engine/kv/paged_batch.h"
#include "engine/kv/prefix_cache.h"
#include "engine/kv/sequence.h"

static void add_pool(const struct hob_session *session, hob_session_memory *memory)
{
    struct kv_cache_usage usage = kv_cache_usage(session->kv_cache);
    uint64_t n_kept = session->prefixes ? prefix_cache_count_droppable(session->prefixes) : 0;
    memory->cache_bytes += usage.memory_bytes;
    memory->cache_kept_bytes += n_kept * usage.block_bytes;
    memory->cache_used_bytes += (usage.n_used - n_kept) * usage.block_bytes;
    memory->cache_most_bytes += (uint64_t)usage.n_blocks * usage.block_bytes;
}

/* A sequence with caches of its own has them while it lives; how many there will be, nobody knows. */
static void add_decoders(const struct hob_session *session, hob_session_memory *memory)
{
    uint64_t n_bytes = 0;
    for (const struct decoder *decoder = session->decoders; decoder; decoder = decoder_next(decoder)) {
        struct decoder_usage usage = decoder_usage(decoder);
        n_bytes += usage.cache_bytes;
        memory->activations_bytes += usage.activation_bytes;
        memory->other_bytes += usage.other_bytes;
    }
    memory->cache_bytes += n_bytes;
    memory->cache_used_bytes += n_bytes;
    memory->cache_most_bytes += n_bytes;
}

static void add_executor(const struct hob_session *session, hob_session_memory *memory)
{
    struct executor_usage usage = executor_usage(session->executor);
    memory->cache_bytes += usage.state_bytes;
    memory->cache_used_bytes += usage.state_bytes;
    memory->cache_most_bytes += usage.state_bytes;
    memory->activations_bytes += usage.activation_bytes + session->run_arena.total_bytes;
    memory->other_bytes += usage.other_bytes;
}

static uint64_t sequence_table_bytes(const struct hob_session *session)
{
    uint64_t n_ids = (uint64_t)session->n_context_tokens;
    uint64_t n_blocks = session->kv_cache ? (uint64_t)kv_cache_count_blocks(session->n_context_tokens) : 0;
    return n_ids * sizeof(int32_t) + n_blocks * sizeof(uint32_t);
}

hob_session_memory hob_session_get_memory(const hob_session *session)
{
    hob_session_memory memory = {.other_bytes = sizeof *session + session->arena.total_bytes};
    add_executor(session, &memory);
    if (session->kv_cache) add_pool(session, &memory);
    if (session->batch) memory.activations_bytes += paged_batch_n_bytes(session->batch);
    add_decoders(session, &memory);
    memory.other_bytes += session->n_sequences * sequence_table_bytes(session) + session->n_reserved_entries * sizeof *session->entries;
    if (session->cache_folder) memory.other_bytes += cache_folder_n_bytes(session->cache_folder);
    memory.total_bytes = memory.cache_bytes + memory.activations_bytes + memory.other_bytes;
    return memory;
}

void hob_session_trim(hob_session *session)
{
    session->logits = NULL;
    executor_trim(session->executor);
    if (session->kv_cache) kv_cache_trim(session->kv_cache);
    if (session->batch) paged_batch_trim(session->batch);
    for (struct decoder *decoder = session->decoders; decoder; decoder = decoder_next(decoder)) decoder_trim(decoder);
    sequence_free_spares(session);
    arena_release(&session->run_arena);
    arena_init(&session->run_arena, SESSION_RUN_ARENA_BYTES);
    memory_give_back();
}
