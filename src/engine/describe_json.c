/* Pieces of a description. */
#include "engine/describe.h"

#include <string.h>

enum { SHOWN_TEXT_BYTES = 4096 };

json_t *describe_shape(int rank, const int64_t *dims, const char *const *dim_names)
{
    json_t *shape = json_array();
    for (int d = 0; d < rank; d++) {
        if (dims[d] >= 0) json_array_append_new(shape, json_integer(dims[d]));
        else json_array_append_new(shape, json_string(dim_names && dim_names[d] ? dim_names[d] : "?"));
    }
    return shape;
}

json_t *describe_text(const char *bytes, size_t n_bytes)
{
    if (n_bytes > SHOWN_TEXT_BYTES) n_bytes = SHOWN_TEXT_BYTES;
    json_t *text = json_stringn(bytes, n_bytes);
    return text ? text : json_string("(not UTF-8)");
}
