/* The table of storage formats. */
#include "quant/quant.h"

#include "base/size.h"

#define QUANT(name) extern const struct quant_def quant_##name;
#include "quant/quant.def"
#undef QUANT

static const struct quant_def *const quants[] = {
#define QUANT(name) &quant_##name,
#include "quant/quant.def"
#undef QUANT
};

const struct quant_def *quant_at(size_t index)
{
    return index < ARRAY_LENGTH(quants) ? quants[index] : NULL;
}

const struct quant_def *quant_find(enum dtype dtype)
{
    for (size_t i = 0; i < ARRAY_LENGTH(quants); i++)
        if (quants[i]->dtype == dtype) return quants[i];
    return NULL;
}

const struct quant_def *quant_find_gguf(int gguf_id)
{
    for (size_t i = 0; i < ARRAY_LENGTH(quants); i++)
        if (quants[i]->gguf_id == gguf_id) return quants[i];
    return NULL;
}
