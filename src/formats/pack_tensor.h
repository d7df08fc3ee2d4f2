/* One constant of a packed graph. See formats/pack_graph.h. */
#ifndef FORMATS_PACK_TENSOR_H
#define FORMATS_PACK_TENSOR_H

#include "formats/pack_graph.h"

HOB_MUST_CHECK hob_status pack_tensor_write(const struct tensor *tensor, struct pack_weights *weights, struct buffer *bytes,
                                            hob_error *error);

/* The weights section; arena takes what is not plain bytes: texts, elements of sequences. */
struct pack_tensor_source {
    struct record_reader *reader;
    const unsigned char *weights;
    size_t n_weight_bytes;
    struct arena *arena;
};
HOB_MUST_CHECK hob_status pack_tensor_read(const struct pack_tensor_source *source, struct tensor *ret_tensor, hob_error *error);
/* Of elements of sequences and of attributes, which no operator takes for weights. Fails: HOB_BAD_FILE. */
HOB_MUST_CHECK hob_status pack_check_plain(const struct tensor *tensor, hob_error *error);

#endif
