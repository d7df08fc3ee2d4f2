/* Bytes that come in parts, cut anywhere, go on as whole characters with U+FFFD for what is broken. */
#ifndef TEXT_UTF8_STREAM_H
#define TEXT_UTF8_STREAM_H

#include "text/parts.h"

/* Hands on what is final of the stage's held bytes, as parts of one token that ends with is_end. */
HOB_MUST_CHECK hob_status utf8_stream_push(struct detokenizer *detokenizer, size_t stage, bool is_end, hob_error *error);

#endif
