#include "models/rope.h"

#include "base/error.h"

hob_status rope_read(struct draft *d, enum model_key base_key, double base, struct rope *ret_rope, hob_error *error)
{
    struct rope rope = {.scale = 1, .factors = VALUE_NONE};
    double fraction;
    TRY(model_source_float(d->source, base_key, base, &rope.base, error));
    TRY(model_source_float(d->source, KEY_ROPE_FRACTION, 1, &fraction, error));
    TRY(model_source_int(d->source, KEY_ROPE_WIDTH, (int64_t)((double)d->head_width * fraction), &rope.width, error));
    if (rope.width < 2 || rope.width % 2 || rope.width > d->head_width)
        FAIL(error, HOB_BAD_FILE, "%s: found %lld rotary dimensions, expected an even number up to %lld",
             d->source->where, (long long)rope.width, (long long)d->head_width);
    *ret_rope = rope;
    return HOB_OK;
}

uint32_t rope_turn(struct draft *d, const struct rope *rope, uint32_t x)
{
    struct attribute attributes[] = {attribute_float("base", (float)rope->base), attribute_int("n_dims", rope->width),
                                     attribute_int("interleaved", rope->is_interleaved),
                                     attribute_float("scale", rope->scale)};
    uint32_t inputs[] = {x, d->positions, rope->factors}, n_inputs = rope->factors == VALUE_NONE ? 2 : 3;
    return builder_op(&d->builder, "hob.RotaryEmbedding", inputs, n_inputs, attributes, rope->scale == 1 ? 3 : 4);
}
