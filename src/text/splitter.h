/* Turns matches and the gaps between them into pieces, in the five ways tokenizer.json has: the delimiter (a match) is dropped,
 * stands alone, joins the piece before or behind it, or runs of delimiters are one piece.
 *
 *     struct splitter splitter = splitter_start(SPLIT_ISOLATED, encoding, stage, piece);
 *     TRY(splitter_feed(&splitter, end, is_match, error));     segments in order, without holes
 *     TRY(splitter_finish(&splitter, error));
 */
#ifndef TEXT_SPLITTER_H
#define TEXT_SPLITTER_H

#include "text/parts.h"

enum split_behavior {
    SPLIT_REMOVED,
    SPLIT_ISOLATED,
    SPLIT_MERGED_WITH_PREVIOUS,
    SPLIT_MERGED_WITH_NEXT,
    SPLIT_CONTIGUOUS,
};

struct splitter {
    enum split_behavior behavior;
    struct encoding *encoding;
    size_t stage;
    const struct piece *piece;
    size_t begin, end; /* of what waits for its neighbour */
    bool is_waiting, is_waiting_match;
};

struct splitter splitter_start(enum split_behavior behavior, struct encoding *encoding, size_t stage,
                               const struct piece *piece);
/* The segment from the end of the one before up to `end`. */
HOB_MUST_CHECK hob_status splitter_feed(struct splitter *splitter, size_t end, bool is_match, hob_error *error);
HOB_MUST_CHECK hob_status splitter_finish(struct splitter *splitter, hob_error *error);

/* "behavior": absent means `absent`. */
HOB_MUST_CHECK hob_status split_behavior_load(const json_t *json, enum split_behavior absent,
                                              enum split_behavior *ret_behavior, hob_error *error);

/* All matches of regex, or with is_inverted all that lies between them, are delimiters. */
HOB_MUST_CHECK hob_status split_by_regex(const struct regex *regex, bool is_inverted, enum split_behavior behavior,
                                         struct encoding *encoding, size_t stage, const struct piece *piece,
                                         hob_error *error);

#endif
