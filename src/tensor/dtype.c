/* Facts about element types, one row each in dtype.def. */
#include "tensor/tensor.h"

#include <string.h>

const struct dtype_facts dtype_facts[DTYPE_END] = {
#define DTYPE(NAME, id, name, npy, block_items, block_bytes) [DTYPE_##NAME] = {name, npy, block_items, block_bytes},
#include "tensor/dtype.def"
#undef DTYPE
};

/* An element of a sequence is a struct tensor, one of a string tensor a struct tensor_string: memory is theirs to share. */
_Static_assert(sizeof(struct tensor) == 144, "the SEQUENCE row of dtype.def says how large a struct tensor is");
_Static_assert(sizeof(struct tensor_string) == 16,
               "the STRING row of dtype.def says how large a struct tensor_string is");

bool dtype_is_known(int id)
{
    return id > 0 && id < DTYPE_END && dtype_facts[id].name;
}

const char *dtype_name(enum dtype dtype)
{
    return dtype_is_known((int)dtype) ? dtype_facts[dtype].name : "undefined";
}

const char *dtype_npy(enum dtype dtype)
{
    return dtype_is_known((int)dtype) ? dtype_facts[dtype].npy : "";
}

size_t dtype_alignment(enum dtype dtype)
{
    switch (dtype) {
    case DTYPE_C64:
        return _Alignof(float);
    case DTYPE_C128:
        return _Alignof(double);
    case DTYPE_STRING:
        return _Alignof(struct tensor_string);
    case DTYPE_SEQUENCE:
        return _Alignof(struct tensor);
    default:
        break;
    }
    if (dtype_block_items(dtype) > 1) return _Alignof(uint16_t); /* a block begins with its half-precision scale */
    return dtype_block_bytes(dtype) ? dtype_block_bytes(dtype) : 1;
}

/* The first character says the byte order; any that reads the same on this machine will do. */
enum dtype dtype_from_npy(const char *npy, size_t n_bytes)
{
    if (n_bytes < 3 || !memchr("<=|", npy[0], 3)) return DTYPE_NONE;
    for (int id = 1; id < DTYPE_END; id++) {
        if (!dtype_facts[id].name || strlen(dtype_facts[id].npy) != n_bytes || memcmp(dtype_facts[id].npy + 1, npy + 1, n_bytes - 1))
            continue;
        bool has_order = dtype_facts[id].npy[0] == '<';
        return has_order && npy[0] == '|' ? DTYPE_NONE : (enum dtype)id;
    }
    return DTYPE_NONE;
}

bool dtype_is_float(enum dtype dtype)
{
    switch (dtype) {
    case DTYPE_F16:
    case DTYPE_BF16:
    case DTYPE_F32:
    case DTYPE_F64:
    case DTYPE_F8E4M3FN:
    case DTYPE_F8E4M3FNUZ:
    case DTYPE_F8E5M2:
    case DTYPE_F8E5M2FNUZ:
    case DTYPE_F8E8M0:
    case DTYPE_F4E2M1:
        return true;
    default:
        return false;
    }
}

bool dtype_is_integer(enum dtype dtype)
{
    switch (dtype) {
    case DTYPE_I2:
    case DTYPE_U2:
    case DTYPE_I4:
    case DTYPE_U4:
    case DTYPE_I8:
    case DTYPE_U8:
    case DTYPE_I16:
    case DTYPE_U16:
    case DTYPE_I32:
    case DTYPE_U32:
    case DTYPE_I64:
    case DTYPE_U64:
        return true;
    default:
        return false;
    }
}
