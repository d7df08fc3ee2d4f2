/* The quality report of a pack, as JSON text: its section "report", which hob inspect shows.
 *
 *     {"quality": {"tokens", "perplexity", "source_perplexity", "kl_divergence", "top1_agreement"} or {"lines", "cosine_mean", "cosine_min"},
 *      "weight_errors": [{"name", "type", "shape", "relative_error", "largest_error"}, …]}
 */
#ifndef ENGINE_QUALITY_REPORT_H
#define ENGINE_QUALITY_REPORT_H

#include "base/buffer.h"
#include "engine/quality.h"
#include "graph/weight_errors.h"

/* quality NULL: no text was given. Appends to text. Fails: HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status quality_report_write(const struct weight_errors *errors, const struct quality *quality,
                                               struct buffer *text, hob_error *error);

#endif
