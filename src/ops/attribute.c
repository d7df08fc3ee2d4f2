#include "ops/attribute.h"
#include "base/size.h"

#include <string.h>

const char *attribute_kind_name(enum attribute_kind kind)
{
    static const char *const names[] = {[ATTRIBUTE_FLOAT] = "number",
                                        [ATTRIBUTE_INT] = "whole number",
                                        [ATTRIBUTE_STRING] = "text",
                                        [ATTRIBUTE_TENSOR] = "tensor",
                                        [ATTRIBUTE_GRAPH] = "graph",
                                        [ATTRIBUTE_FLOATS] = "list of numbers",
                                        [ATTRIBUTE_INTS] = "list of whole numbers",
                                        [ATTRIBUTE_STRINGS] = "list of texts",
                                        [ATTRIBUTE_TENSORS] = "list of tensors",
                                        [ATTRIBUTE_GRAPHS] = "list of graphs"};
    return (size_t)kind < ARRAY_LENGTH(names) && names[kind] ? names[kind] : "value of unknown kind";
}

const struct attribute *attributes_find(const struct attributes *attributes, const char *name)
{
    for (size_t i = 0; i < attributes->n_items; i++)
        if (!strcmp(attributes->items[i].name, name)) return &attributes->items[i];
    return NULL;
}

static const struct attribute *find_kind(const struct attributes *attributes, const char *name, enum attribute_kind kind)
{
    const struct attribute *attribute = attributes_find(attributes, name);
    if (!attribute || attribute->kind == kind) return attribute;
    if (attributes->ret_misread) *attributes->ret_misread = (struct attribute_misread){attribute, kind};
    return NULL;
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

int attributes_graph_index(const struct attributes *attributes, const char *name)
{
    int index = 0;
    for (size_t i = 0; i < attributes->n_items; i++) {
        const struct attribute *attribute = &attributes->items[i];
        if (attribute->kind != ATTRIBUTE_GRAPH && attribute->kind != ATTRIBUTE_GRAPHS) continue;
        if (attribute->kind == ATTRIBUTE_GRAPH && !strcmp(attribute->name, name)) return index;
        index += (int)attribute->n_items;
    }
    return -1;
}
