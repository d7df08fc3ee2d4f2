/* The arithmetic that other operators apply too: the reductions of the Scatter family. */
#ifndef OPS_ARITHMETIC_H
#define OPS_ARITHMETIC_H

#include "ops/elementwise.h"

extern const struct span_table arithmetic_add, arithmetic_mul, arithmetic_max, arithmetic_min;

#endif
