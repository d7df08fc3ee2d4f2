/* Pieces of a description. */
#include "engine/describe.h"
#include "models/model.h"

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

void describe_labels(const struct model_labels *labels, json_t *root)
{
    if (!labels->n) return;
    json_t *names = json_array();
    for (size_t i = 0; i < labels->n; i++) json_array_append_new(names, describe_text(labels->names[i], strlen(labels->names[i])));
    json_object_set_new(root, "labels", names);
}

json_t *describe_text(const char *bytes, size_t n_bytes)
{
    if (n_bytes > SHOWN_TEXT_BYTES) n_bytes = SHOWN_TEXT_BYTES;
    json_t *text = json_stringn(bytes, n_bytes);
    return text ? text : json_string("(not UTF-8)");
}
