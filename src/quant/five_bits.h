/* Thirty-two codes of five bits in twenty bytes, as Q5_0 and Q5_1 have them: four bytes with the fifth bits, item i in bit i (little
 * endian), then sixteen whose low four bits are item i and whose high four bits are item i + 16. */
#ifndef QUANT_FIVE_BITS_H
#define QUANT_FIVE_BITS_H

#include "quant/block.h"

static inline int five_bits_get(const unsigned char *codes, int item)
{
    int nibble = codes[4 + item % 16] >> (item / 16 * 4) & 15;
    return nibble | (codes[item / 8] >> item % 8 & 1) << 4;
}

/* Into zeros. */
static inline void five_bits_put(unsigned code, int item, unsigned char *codes)
{
    codes[4 + item % 16] |= (unsigned char)((code & 15) << (item / 16 * 4));
    codes[item / 8] |= (unsigned char)((code >> 4) << item % 8);
}

#endif
