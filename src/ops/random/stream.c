#include "ops/random/stream.h"

#include <string.h>

/* FNV-1a. */
static uint64_t hash_text(const char *text)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (; *text; text++) hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001B3);
    return hash;
}

void random_stream_prepare(const struct op_prepare *node, struct random_stream *ret_stream)
{
    const struct attribute *seed = attributes_find(node->attributes, "seed");
    *ret_stream = (struct random_stream){.stream = hash_text(node->node_name)};
    if (!seed || (seed->kind != ATTRIBUTE_FLOAT && seed->kind != ATTRIBUTE_INT)) return;
    uint32_t bits;
    memcpy(&bits, &seed->number, sizeof bits);
    /* Bit 32 keeps seeds of either kind apart from the 0 of nodes that have none. */
    ret_stream->seed = seed->kind == ATTRIBUTE_INT ? (uint64_t)seed->integer ^ UINT64_C(1) << 32 : bits | UINT64_C(1) << 32;
    ret_stream->stream = 0;
}

struct rng random_stream_at(const struct op_context *ctx, const struct random_stream *stream, int64_t element)
{
    return (struct rng){.seed = stream->seed, .stream = stream->stream ^ ctx->iteration,
                        .position = (uint64_t)element * RANDOM_WORDS};
}
