/* Giving back memory that a function of the library handed to the caller: arrays of ids, texts.
 *
 *     int32_t *ids;
 *     size_t n_ids;
 *     if (hob_tokenizer_encode(tokenizer, text, n_bytes, 0, &ids, &n_ids, NULL) == HOB_OK) …
 *     hob_free(ids);
 */
#ifndef HOB_MEMORY_H
#define HOB_MEMORY_H

#include "hob/status.h"

/* Takes NULL. Only for what the library says the caller frees with hob_free; objects have their own functions. */
HOB_API void hob_free(void *block);

#endif
