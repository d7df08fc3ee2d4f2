/* Token ids as text: decimal numbers with spaces between. */
#ifndef CLI_IDS_H
#define CLI_IDS_H

#include "cli/output.h"
#include "hob/status.h"

#include <stdint.h>

/* Without a line end. */
void ids_print(struct output *output, const int32_t *ids, size_t n_ids);
/* Numbers with white space or commas between them. ret_ids: free with memory_free.
 * Fails: HOB_BAD_ARGUMENT, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status ids_parse(const char *text, int32_t **ret_ids, size_t *ret_n_ids, hob_error *error);

#endif
