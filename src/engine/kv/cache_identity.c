/* A pack's two sections of a model, its graph and its weights, say all that its results depend on: they are made here as for a pack, and
 * summed instead of written. */
#include "engine/kv/cache_identity.h"

#include "base/checksum.h"
#include "base/error.h"
#include "base/record.h"
#include "formats/pack_graph.h"

/* Raised when the same graph, weights and ids come to give other keys or values: with what kernels.h promises of sums and roundings. */
enum { NUMBERS_VERSION = 1 };

static bool asks_for_capacity(const struct hob_model *model)
{
    for (uint32_t i = 0; i < model->graph->n_inputs; i++)
        if (model->roles.inputs[i] == INPUT_CAPACITY) return true;
    return false;
}

static void put_layout(const struct hob_session *session, struct buffer *text)
{
    const struct paged_layout *layout = &session->layout;
    record_put_u32(text, NUMBERS_VERSION);
    record_put_u32(text, PACK_VERSION);
    record_put_i64(text, asks_for_capacity(session->model) ? session->n_context_tokens : 0);
    record_put_u64(text, layout->block_bytes);
    for (uint32_t i = 0; i < layout->n_states; i++) {
        record_put_u32(text, (uint32_t)layout->places[i].dtype);
        record_put_i64(text, layout->places[i].n_heads);
        record_put_i64(text, layout->places[i].width);
    }
}

hob_status cache_identity(const struct hob_session *session, unsigned char ret_identity[SHA256_BYTES], hob_error *error)
{
    struct buffer text = {0};
    struct pack_weights weights;
    pack_weights_init(&weights);
    put_layout(session, &text);
    hob_status status = pack_graph_write(session->model->graph, &weights, &text, error);
    for (size_t i = 0; status == HOB_OK && i < weights.n_blobs; i++)
        record_put_u64(&text, checksum_bytes(weights.blobs[i].bytes, weights.blobs[i].n_bytes));
    if (status == HOB_OK && text.is_failed)
        status = error_set(error, HOB_NO_MEMORY, ERROR_HERE, "naming a model's caches: out of memory");
    if (status == HOB_OK) sha256_of(buffer_text(&text), text.n_bytes, ret_identity);
    buffer_release(&text);
    pack_weights_release(&weights);
    return status;
}
