#include "server/http/request_id.h"

#include <sodium/randombytes.h>
#include <stdbool.h>
#include <string.h>

enum { RANDOM_BYTES = 12 };

/* What can stand in a header and in a line of a log without a second thought. */
static bool is_sound(const char *id)
{
    size_t n_bytes = strlen(id);
    return n_bytes > 0 && n_bytes < REQUEST_ID_BYTES &&
           strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:") == n_bytes;
}

void request_id_choose(const char *given, char ret_id[static REQUEST_ID_BYTES])
{
    if (given && is_sound(given)) {
        memcpy(ret_id, given, strlen(given) + 1);
        return;
    }
    static const char digits[] = "0123456789abcdef";
    unsigned char random[RANDOM_BYTES];
    randombytes_buf(random, sizeof random);
    memcpy(ret_id, "req_", 4);
    for (size_t i = 0; i < RANDOM_BYTES; i++) {
        ret_id[4 + 2 * i] = digits[random[i] >> 4];
        ret_id[5 + 2 * i] = digits[random[i] & 15];
    }
    ret_id[4 + 2 * RANDOM_BYTES] = 0;
}
