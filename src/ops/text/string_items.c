#include "ops/text/string_items.h"

#include "base/size.h"

#include <string.h>

hob_status string_items_load(struct op_context *ctx, const struct tensor *x, const struct tensor_string **ret_items)
{
    if (tensor_is_contiguous(x) && tensor_n_items(x)) {
        *ret_items = x->data;
        return HOB_OK;
    }
    struct tensor_string *items = ARENA_NEW(ctx->scratch, struct tensor_string, (size_t)tensor_n_items(x));
    if (!items) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    tensor_copy_contiguous(x, items);
    *ret_items = items;
    return HOB_OK;
}

hob_status string_items_room(struct op_context *ctx, size_t n_bytes, char **ret_bytes)
{
    void *bytes;
    TRY(ctx->allocate(ctx, n_bytes, &bytes));
    *ret_bytes = bytes;
    return HOB_OK;
}

hob_status string_items_copy(struct op_context *ctx, const struct tensor_string *items, size_t n_items,
                             struct tensor_string *ret_copies)
{
    size_t n_bytes = 0;
    char *bytes;
    for (size_t i = 0; i < n_items; i++)
        if (!size_add(n_bytes, items[i].n_bytes, &n_bytes)) OP_FAIL(ctx, HOB_LIMIT, "found strings of too many bytes");
    TRY(string_items_room(ctx, n_bytes, &bytes));
    for (size_t i = 0; i < n_items; i++) {
        struct tensor_string item = items[i];
        if (item.n_bytes) memcpy(bytes, item.bytes, item.n_bytes);
        ret_copies[i] = (struct tensor_string){bytes, item.n_bytes};
        bytes += item.n_bytes;
    }
    return HOB_OK;
}
