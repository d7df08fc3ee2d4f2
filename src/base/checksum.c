/* Four lanes of eight bytes each run side by side; the tail is mixed in afterwards. */
#include "base/checksum.h"

#include <string.h>

#define PRIME_1 0x9E3779B185EBCA87u
#define PRIME_2 0xC2B2AE3D27D4EB4Fu
#define PRIME_3 0x165667B19E3779F9u
#define PRIME_4 0x85EBCA77C2B2AE63u
#define PRIME_5 0x27D4EB2F165667C5u

static uint64_t rotate(uint64_t word, int n_bits)
{
    return word << n_bits | word >> (64 - n_bits);
}

static uint64_t read_u64(const unsigned char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

static uint32_t read_u32(const unsigned char *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

static uint64_t mix_lane(uint64_t lane, uint64_t word)
{
    return rotate(lane + word * PRIME_2, 31) * PRIME_1;
}

/* Whole stripes; the lanes stay in registers. */
static void add_stripes(uint64_t lanes[4], const unsigned char *bytes, size_t n_stripes)
{
    uint64_t a = lanes[0], b = lanes[1], c = lanes[2], d = lanes[3];
    for (; n_stripes; n_stripes--, bytes += CHECKSUM_STRIPE_BYTES) {
        a = mix_lane(a, read_u64(bytes));
        b = mix_lane(b, read_u64(bytes + 8));
        c = mix_lane(c, read_u64(bytes + 16));
        d = mix_lane(d, read_u64(bytes + 24));
    }
    lanes[0] = a, lanes[1] = b, lanes[2] = c, lanes[3] = d;
}

void checksum_init(struct checksum *checksum)
{
    *checksum = (struct checksum){.lanes = {PRIME_1 + PRIME_2, PRIME_2, 0, 0 - PRIME_1}};
}

void checksum_add(struct checksum *checksum, const void *bytes, size_t n_bytes)
{
    const unsigned char *at = bytes;
    size_t n_held = checksum->n_bytes % CHECKSUM_STRIPE_BYTES;
    if (!n_bytes) return;
    checksum->n_bytes += n_bytes;
    if (n_held) {
        size_t n_taken = CHECKSUM_STRIPE_BYTES - n_held < n_bytes ? CHECKSUM_STRIPE_BYTES - n_held : n_bytes;
        memcpy(checksum->held + n_held, at, n_taken);
        if (n_held + n_taken < CHECKSUM_STRIPE_BYTES) return;
        add_stripes(checksum->lanes, checksum->held, 1);
        at += n_taken;
        n_bytes -= n_taken;
    }
    add_stripes(checksum->lanes, at, n_bytes / CHECKSUM_STRIPE_BYTES);
    at += n_bytes / CHECKSUM_STRIPE_BYTES * CHECKSUM_STRIPE_BYTES;
    memcpy(checksum->held, at, n_bytes % CHECKSUM_STRIPE_BYTES);
}

static uint64_t join_lanes(const uint64_t lanes[4])
{
    uint64_t sum = rotate(lanes[0], 1) + rotate(lanes[1], 7) + rotate(lanes[2], 12) + rotate(lanes[3], 18);
    for (int i = 0; i < 4; i++) sum = (sum ^ mix_lane(0, lanes[i])) * PRIME_1 + PRIME_4;
    return sum;
}

static uint64_t add_tail(uint64_t sum, const unsigned char *at, size_t n_bytes)
{
    for (; n_bytes >= 8; at += 8, n_bytes -= 8) sum = rotate(sum ^ mix_lane(0, read_u64(at)), 27) * PRIME_1 + PRIME_4;
    if (n_bytes >= 4) {
        sum = rotate(sum ^ (read_u32(at) * PRIME_1), 23) * PRIME_2 + PRIME_3;
        at += 4;
        n_bytes -= 4;
    }
    for (; n_bytes; at++, n_bytes--) sum = rotate(sum ^ (*at * PRIME_5), 11) * PRIME_1;
    return sum;
}

uint64_t checksum_finish(const struct checksum *checksum)
{
    uint64_t sum = checksum->n_bytes >= CHECKSUM_STRIPE_BYTES ? join_lanes(checksum->lanes) : PRIME_5;
    sum = add_tail(sum + checksum->n_bytes, checksum->held, checksum->n_bytes % CHECKSUM_STRIPE_BYTES);
    sum = (sum ^ sum >> 33) * PRIME_2;
    sum = (sum ^ sum >> 29) * PRIME_3;
    return sum ^ sum >> 32;
}

uint64_t checksum_bytes(const void *bytes, size_t n_bytes)
{
    struct checksum checksum;
    checksum_init(&checksum);
    checksum_add(&checksum, bytes, n_bytes);
    return checksum_finish(&checksum);
}
