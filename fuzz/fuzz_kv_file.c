/* Blocks of a KV cache from files: nothing but what was asked for is taken, whatever the header says. Every other input has its
 * checksums made right again, so that what stands behind them is looked at too. */
#include "base/checksum.h"
#include "engine/kv/cache_file.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { N_BYTES = 128, CHECKSUM_AT = 24, RESERVED_AT = CACHE_FILE_HEADER_BYTES - 32, HEADER_CHECKSUM_AT = CACHE_FILE_HEADER_BYTES - 8 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static void resum(uint8_t *file)
{
    uint64_t sum = checksum_bytes(file + CACHE_FILE_HEADER_BYTES, N_BYTES);
    memcpy(file + CHECKSUM_AT, &sum, sizeof sum);
    sum = checksum_bytes(file, HEADER_CHECKSUM_AT);
    memcpy(file + HEADER_CHECKSUM_AT, &sum, sizeof sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    static const unsigned char model[SHA256_BYTES] = {1}, parent[SHA256_BYTES] = {2};
    static const int32_t ids[PAGED_POSITIONS] = {3, 4, 5};
    const struct cache_file_block block = {.model = model, .parent = parent, .ids = ids, .n_bytes = N_BYTES};
    uint8_t file[CACHE_FILE_HEADER_BYTES + N_BYTES] = {0};
    unsigned char expected[CACHE_FILE_HEADER_BYTES];
    hob_error error;
    memcpy(file, bytes, n_bytes < sizeof file ? n_bytes : sizeof file);
    if (n_bytes % 2) resum(file);
    cache_file_header(&block, file + CACHE_FILE_HEADER_BYTES, expected);
    bool is_right = !memcmp(file, expected, RESERVED_AT);
    hob_status status = cache_file_check(&block, file, file + CACHE_FILE_HEADER_BYTES, &error);
    if (status == HOB_OK && !is_right) abort();
    return 0;
}
