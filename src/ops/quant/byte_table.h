/* A function of one byte as a table of 256: what quantised operators of one operand come down to.
 *
 *     float numbers[BYTE_VALUES];
 *     byte_table_numbers(DTYPE_I8, x, numbers);                 what each byte stands for
 *     … change them …
 *     byte_table_fill(DTYPE_I8, numbers, y, &table);
 */
#ifndef OPS_QUANT_BYTE_TABLE_H
#define OPS_QUANT_BYTE_TABLE_H

#include "ops/elementwise.h"
#include "ops/quant/quantized.h"

enum { BYTE_VALUES = 256 };

struct byte_table {
    uint8_t bytes[BYTE_VALUES]; /* by the input's bits, signed or not */
};

/* dtype: uint8 or int8. Thread-safe. */
void byte_table_numbers(enum dtype dtype, struct quantized x, float ret_numbers[BYTE_VALUES]);
void byte_table_fill(enum dtype dtype, const float numbers[BYTE_VALUES], struct quantized y, struct byte_table *ret_table);
/* A span function (ops/elementwise.h) whose params is the table. */
void byte_table_span(const struct span *span);

#endif
