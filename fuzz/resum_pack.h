/* Makes a mutated pack pass the checks of its container again: size, version and checksums are set right, so that what the sections
 * hold gets read. Whatever lies outside the file is left as it is, to be refused.
 *
 *     resum_pack(bytes, n_bytes);                     in place
 */
#ifndef FUZZ_RESUM_PACK_H
#define FUZZ_RESUM_PACK_H

#include "base/checksum.h"
#include "formats/pack_file.h"

#include <string.h>

static inline uint64_t resum_read_u64(const uint8_t *bytes)
{
    uint64_t number;
    memcpy(&number, bytes, sizeof number);
    return number;
}

static inline void resum_pack(uint8_t *bytes, size_t n_bytes)
{
    enum { VERSION_AT = 8, SECTIONS_AT = 12, SIZE_AT = 16, CHECKSUM_AT = 24 };
    const size_t n_table = PACK_HEADER_BYTES + (size_t)PACK_N_SECTIONS * PACK_ENTRY_BYTES;
    const uint32_t version = PACK_VERSION, n_sections = PACK_N_SECTIONS;
    const uint64_t file_bytes = n_bytes, zero = 0;
    if (n_bytes < n_table) return;
    memcpy(bytes, pack_magic, sizeof pack_magic);
    memcpy(bytes + VERSION_AT, &version, sizeof version);
    memcpy(bytes + SECTIONS_AT, &n_sections, sizeof n_sections);
    memcpy(bytes + SIZE_AT, &file_bytes, sizeof file_bytes);
    for (size_t i = 0; i < PACK_N_SECTIONS; i++) {
        uint8_t *entry = bytes + PACK_HEADER_BYTES + i * PACK_ENTRY_BYTES;
        uint64_t offset = resum_read_u64(entry + PACK_NAME_BYTES), size = resum_read_u64(entry + PACK_NAME_BYTES + 8);
        if (offset > n_bytes || size > n_bytes - offset) continue;
        uint64_t sum = checksum_bytes(bytes + offset, size);
        memcpy(entry + PACK_NAME_BYTES + 16, &sum, sizeof sum);
    }
    memcpy(bytes + CHECKSUM_AT, &zero, sizeof zero);
    uint64_t sum = checksum_bytes(bytes, n_table);
    memcpy(bytes + CHECKSUM_AT, &sum, sizeof sum);
}

#endif
