#include "ops/attribute.h"

#include <string.h>

const struct attribute *attributes_find(const struct attributes *attributes, const char *name)
{
    for (size_t i = 0; i < attributes->n_items; i++)
        if (!strcmp(attributes->items[i].name, name)) return &attributes->items[i];
    return NULL;
}

static const struct attribute *find_kind(const struct attributes *attributes, const char *name, enum attribute_kind kind)
{
    const struct attribute *attribute = attributes_find(attributes, name);
    return attribute && attribute->kind == kind ? attribute : NULL;
}

int64_t attributes_int(const struct attributes *attributes, const char *name, int64_t fallback)
{
    const struct attribute *attribute = find_kind(attributes, name, ATTRIBUTE_INT);
    return attribute ? attribute->integer : fallback;
}

float attributes_float(const struct attributes *attributes, const char *name, float fallback)
{
    const struct attribute *attribute = find_kind(attributes, name, ATTRIBUTE_FLOAT);
    return attribute ? attribute->number : fallback;
}

const char *attributes_string(const struct attributes *attributes, const char *name, const char *fallback)
{
    const struct attribute *attribute = find_kind(attributes, name, ATTRIBUTE_STRING);
    return attribute ? attribute->string.bytes : fallback;
}

const int64_t *attributes_ints(const struct attributes *attributes, const char *name, size_t *ret_n_items)
{
    const struct attribute *attribute = find_kind(attributes, name, ATTRIBUTE_INTS);
    *ret_n_items = attribute ? attribute->n_items : 0;
    return attribute ? attribute->integers : NULL;
}

const float *attributes_floats(const struct attributes *attributes, const char *name, size_t *ret_n_items)
{
    const struct attribute *attribute = find_kind(attributes, name, ATTRIBUTE_FLOATS);
    *ret_n_items = attribute ? attribute->n_items : 0;
    return attribute ? attribute->numbers : NULL;
}
