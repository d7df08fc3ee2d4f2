/* Writing a pack: sections that are ready in memory and the weights, laid into a file that appears whole or not at all.
 *
 * The same sections give the same bytes: there is no time, no path and no chance in it.
 *
 *     struct pack_content content = {.weights = &weights};
 *     content.sections[PACK_GRAPH] = graph_bytes;
 *     TRY(pack_write("model.hob", &content, error));
 */
#ifndef FORMATS_PACK_WRITE_H
#define FORMATS_PACK_WRITE_H

#include "formats/pack_graph.h"

struct pack_content {
    unsigned char source_sha256[SHA256_BYTES];
    struct buffer sections[PACK_N_SECTIONS]; /* but PACK_WEIGHTS; the caller's */
    const struct pack_weights *weights;
    /* As hob_model_options has it; may be NULL. */
    void (*progress)(void *context, const char *what, double fraction);
    void *progress_context;
};

/* Fails: HOB_IO (then there is no file), HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status pack_write(const char *path, const struct pack_content *content, hob_error *error);

#endif
