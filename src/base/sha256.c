#include "base/sha256.h"

/* Not sodium.h: it declares things with __attribute__((malloc)), and that word is banned here. */
#include <sodium/crypto_hash_sha256.h>

_Static_assert(SHA256_BYTES == crypto_hash_sha256_BYTES, "a digest of SHA-256");

void sha256_of(const void *bytes, size_t n_bytes, unsigned char ret_digest[SHA256_BYTES])
{
    crypto_hash_sha256(ret_digest, bytes, n_bytes);
}

const char *sha256_text(const unsigned char digest[SHA256_BYTES], char text[SHA256_TEXT_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        text[2 * i] = digits[digest[i] >> 4];
        text[2 * i + 1] = digits[digest[i] & 15];
    }
    text[2 * SHA256_BYTES] = '\0';
    return text;
}
