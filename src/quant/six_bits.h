/* The scales and mins of Q4_K and Q5_K: eight and eight numbers of six bits in twelve bytes. The first four of each are the low six bits
 * of bytes 0 … 3 (scales) and 4 … 7 (mins); the others have their low four bits in bytes 8 … 11 (scales low, mins high) and their
 * high two bits above those of the first four. Source: ggml, get_scale_min_k4. */
#ifndef QUANT_SIX_BITS_H
#define QUANT_SIX_BITS_H

static inline int six_bits_scale(const unsigned char *bytes, int index)
{
    return index < 4 ? bytes[index] & 63 : (bytes[index + 4] & 15) | bytes[index - 4] >> 6 << 4;
}

static inline int six_bits_min(const unsigned char *bytes, int index)
{
    return index < 4 ? bytes[index + 4] & 63 : bytes[index + 4] >> 4 | bytes[index] >> 6 << 4;
}

#endif
