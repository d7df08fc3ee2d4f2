/* Attributes of a node, as an op's prepare reads them. Everything points into memory that lives as long as the graph. */
#ifndef OPS_ATTRIBUTE_H
#define OPS_ATTRIBUTE_H

#include "tensor/tensor.h"

struct graph;

enum attribute_kind { /* ONNX's AttributeProto.AttributeType */
    ATTRIBUTE_FLOAT = 1,
    ATTRIBUTE_INT = 2,
    ATTRIBUTE_STRING = 3,
    ATTRIBUTE_TENSOR = 4,
    ATTRIBUTE_GRAPH = 5,
    ATTRIBUTE_FLOATS = 6,
    ATTRIBUTE_INTS = 7,
    ATTRIBUTE_STRINGS = 8,
    ATTRIBUTE_TENSORS = 9,
    ATTRIBUTE_GRAPHS = 10
};

struct attribute {
    const char *name;
    enum attribute_kind kind;
    size_t n_items; /* of the list kinds; 1 otherwise */
    union {
        float number;                          /* FLOAT */
        int64_t integer;                       /* INT */
        struct tensor_string string;           /* STRING; a NUL follows the bytes */
        const struct tensor *tensor;           /* TENSOR, TENSORS: n_items of them */
        struct graph *const *graphs;           /* GRAPH, GRAPHS: n_items of them */
        const float *numbers;                  /* FLOATS */
        const int64_t *integers;               /* INTS */
        const struct tensor_string *strings;   /* STRINGS */
    };
};

/* An attribute that is there, but of another kind than was read. */
struct attribute_misread {
    const struct attribute *attribute; /* NULL: none */
    enum attribute_kind expected;
};

struct attributes {
    const struct attribute *items;
    size_t n_items;
    struct attribute_misread *ret_misread; /* where to note it; may be NULL */
};

/* "text", "whole number", "list of numbers", …: for messages. */
const char *attribute_kind_name(enum attribute_kind kind);
/* NULL when there is none of that name. */
const struct attribute *attributes_find(const struct attributes *attributes, const char *name);
/* The default when there is none of that name and kind. */
int64_t attributes_int(const struct attributes *attributes, const char *name, int64_t fallback);
float attributes_float(const struct attributes *attributes, const char *name, float fallback);
const char *attributes_string(const struct attributes *attributes, const char *name, const char *fallback);
/* NULL and 0 when there is none. */
const int64_t *attributes_ints(const struct attributes *attributes, const char *name, size_t *ret_n_items);
const float *attributes_floats(const struct attributes *attributes, const char *name, size_t *ret_n_items);
/* Which of the node's subgraphs, in the order of its graph attributes, has this name; -1: none. */
int attributes_graph_index(const struct attributes *attributes, const char *name);

#endif
