/* Which layers of a decoder see a sliding window only, and which have no positions: one flag a layer, from the many ways in which
 * files say it (a period, a list of flags, a list of names, the first layer).
 *
 * The flags live in the draft's graph. Thread-safe for different drafts.
 *
 *     struct layer_windows windows;
 *     TRY(layer_windows_read(draft, &(struct window_rule){.is_on = true, .period = 6}, &windows, error));
 *     if (windows.is_windowed[layer]) … keys above position - windows.width
 */
#ifndef MODELS_LAYER_PATTERN_H
#define MODELS_LAYER_PATTERN_H

#include "models/draft.h"

/* What the architecture means where the file does not say. */
struct window_rule {
    bool is_on;     /* a window in the file counts unless the file says it is off */
    int64_t period; /* the last of each so many layers sees everything; 0: every layer has the window */
};

struct layer_windows {
    int64_t width;           /* keys that a query sees, itself among them; 0: the file names none */
    const bool *is_windowed; /* [n_layers] */
};

/* Fails: HOB_BAD_FILE, HOB_UNSUPPORTED (other kinds of layers), HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status layer_windows_read(struct draft *draft, const struct window_rule *rule,
                                             struct layer_windows *ret_windows, hob_error *error);
/* Layers whose heads do not turn: as the file lists them, otherwise the last of each `period` (0: none). */
HOB_MUST_CHECK hob_status layer_positions_read(struct draft *draft, int64_t period, const bool **ret_is_unturned,
                                               hob_error *error);

#endif
