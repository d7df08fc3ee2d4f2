/* What "Metaspace" says as a pre-tokenizer and as a decoder. */
#ifndef TEXT_METASPACE_H
#define TEXT_METASPACE_H

#include "text/parts.h"

struct metaspace {
    uint32_t replacement;
    enum metaspace_scheme { METASPACE_ALWAYS, METASPACE_FIRST, METASPACE_NEVER } scheme; /* when one goes in front */
    bool is_splitting;
};

HOB_MUST_CHECK hob_status metaspace_load(struct tokenizer *tokenizer, const json_t *json, const void **ret_config,
                                         hob_error *error);

#endif
