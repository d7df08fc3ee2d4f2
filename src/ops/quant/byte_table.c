#include "ops/quant/byte_table.h"

void byte_table_numbers(enum dtype dtype, struct quantized x, float ret_numbers[BYTE_VALUES])
{
    uint8_t bytes[BYTE_VALUES];
    for (int i = 0; i < BYTE_VALUES; i++) bytes[i] = (uint8_t)i;
    quantized_load(dtype, BYTE_VALUES, bytes, x, ret_numbers);
}

void byte_table_fill(enum dtype dtype, const float numbers[BYTE_VALUES], struct quantized y, struct byte_table *ret_table)
{
    float quotients[BYTE_VALUES];
    for (int i = 0; i < BYTE_VALUES; i++) quotients[i] = numbers[i] / y.scale;
    quantized_store(dtype, BYTE_VALUES, quotients, y.zero, ret_table->bytes);
}

void byte_table_span(const struct span *span)
{
    const struct byte_table *table = span->params;
    const uint8_t *x = span->in[0];
    uint8_t *out = span->out;
    for (int64_t i = 0; i < span->n; i++) out[i] = table->bytes[x[i * span->step[0]]];
}
