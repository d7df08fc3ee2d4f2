/* What the engine keeps of a model in a pack beside its graph: what it is for, its tokenizer and templates, and where it came from.
 *
 *     struct pack_content content = {0};
 *     TRY_CLEANUP(pack_model_write(model, &origin, &content, error));
 *     TRY(pack_model_read(pack, model, error));       model->graph is the pack's
 */
#ifndef ENGINE_PACK_MODEL_H
#define ENGINE_PACK_MODEL_H

#include "engine/model.h"
#include "formats/pack_write.h"
#include "text/tokenizer.h"

/* The section PACK_SOURCE. Texts live as long as the pack, or are the caller's. */
struct pack_origin {
    const char *format;  /* "gguf" */
    uint64_t n_bytes;    /* of the source file; 0 for a folder */
    const char *quant;   /* what the import was asked for; NULL: weights kept their types */
};

/* Fills all sections but PACK_GRAPH, PACK_REPORT and PACK_WEIGHTS. Fails: HOB_UNSUPPORTED, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status pack_model_write(const struct hob_model *model, const struct pack_origin *origin,
                                           struct pack_content *content, hob_error *error);
/* Fills info, pooling, ids, templates. Fails: HOB_BAD_FILE, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status pack_model_read(const struct pack *pack, struct hob_model *model, hob_error *error);

/* ret_passes stands before the passes that made the graph: a name and a count of changes (u32) each. Fails: HOB_BAD_FILE. */
HOB_MUST_CHECK hob_status pack_origin_read(const struct pack *pack, struct pack_origin *ret_origin, struct record_reader *ret_passes,
                                           uint32_t *ret_n_passes, hob_error *error);

/* The tokenizer in a pack, which must outlive it. NULL: there is none. */
HOB_MUST_CHECK hob_status pack_tokenizer_read(const struct pack *pack, struct tokenizer **ret_tokenizer, hob_error *error);

#endif
