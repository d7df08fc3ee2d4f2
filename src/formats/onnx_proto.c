#include "formats/onnx_proto.h"
#include "base/error.h"

#include <string.h>

enum { SHOWN_NAME_BYTES = 80 };

hob_status onnx_copy_name(const struct onnx_reader *reader, struct arena *arena, struct wire_span span,
                          const char **ret_name)
{
    if (span.n_bytes > GRAPH_MAX_NAME_BYTES)
        FAIL(reader->error, HOB_LIMIT, "found a name of %zu bytes, expected at most %d", span.n_bytes,
             GRAPH_MAX_NAME_BYTES);
    if (span.n_bytes && memchr(span.bytes, '\0', span.n_bytes))
        FAIL(reader->error, HOB_BAD_FILE, "name %.*s: found a NUL in it",
             (int)(span.n_bytes < SHOWN_NAME_BYTES ? span.n_bytes : SHOWN_NAME_BYTES), (const char *)span.bytes);
    const char *name = arena_copy_string(arena, (const char *)span.bytes, span.n_bytes);
    if (!name) FAIL(reader->error, HOB_NO_MEMORY, "out of memory");
    *ret_name = name;
    return HOB_OK;
}
