/* What a part of a tokenizer was configured with, to a record and back, by the fields that its definition lists (parts.h). */
#ifndef TEXT_CONFIG_RECORD_H
#define TEXT_CONFIG_RECORD_H

#include "base/record.h"
#include "text/parts.h"

void config_write(const struct config_field *fields, const void *config, struct buffer *bytes);
/* config: zeroed, of the size its definition says. Texts stay in the record. A failure to read shows in the reader; fails: what a regex
 * or a character map says. */
HOB_MUST_CHECK hob_status config_read(struct tokenizer *tokenizer, const struct config_field *fields, void *config,
                                      struct record_reader *reader, hob_error *error);

#endif
