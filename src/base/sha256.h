/* SHA-256, by libsodium: names the file that something was made from. Thread-safe.
 *
 *     unsigned char digest[SHA256_BYTES];
 *     sha256_of(bytes, n_bytes, digest);
 *     char text[SHA256_TEXT_BYTES];
 *     puts(sha256_text(digest, text));
 */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>

enum { SHA256_BYTES = 32, SHA256_TEXT_BYTES = 65 };

void sha256_of(const void *bytes, size_t n_bytes, unsigned char ret_digest[SHA256_BYTES]);
/* Lower-case hexadecimal with a NUL, as sha256sum prints it; returns text. */
const char *sha256_text(const unsigned char digest[SHA256_BYTES], char text[SHA256_TEXT_BYTES]);

#endif
