/* What the decoder stage "Strip" takes off a token. */
#ifndef TEXT_STRIP_H
#define TEXT_STRIP_H

#include "text/parts.h"

struct strip {
    uint32_t character;
    size_t n_start, n_stop; /* at most so many */
};

#endif
