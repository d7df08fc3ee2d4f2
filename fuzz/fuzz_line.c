/* Requests of the line protocols: whatever comes, in whatever state, is told to be whole, partial or bad; what is whole lies within the bytes,
 * and reading goes on behind it to the end. */
#include "server/line/line_request.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static bool is_space(char c)
{
    return c && strchr(" \t\r\n", c);
}

static bool is_blank(const char *bytes, size_t n_bytes)
{
    size_t i = 0;
    while (i < n_bytes && is_space(bytes[i])) i++;
    return i == n_bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    if (n_bytes == 0) return 0;
    enum line_state state = (enum line_state)(bytes[0] % 3);
    const char *at = (const char *)bytes + 1;
    size_t n_left = n_bytes - 1;
    struct line_request request = {0};
    while (n_left) {
        struct problem problem;
        size_t n_used = 0;
        char *text = malloc(n_left + 1); /* of its own, NUL behind it as in a buffer, so that a byte too far is seen */
        memcpy(text, at, n_left);
        text[n_left] = 0;
        enum line_result result = line_request_read(text, n_left, state, &request, &n_used, &problem);
        free(text);
        if (n_used > n_left) abort();
        if (result == LINE_PARTIAL && state == LINE_HAS_ENDED && !is_blank(at, n_left)) abort();
        if (result == LINE_WHOLE && (n_used == 0 || !request.has_text)) abort();
        if (result == LINE_PARTIAL || n_used == 0) break;
        at += n_used;
        n_left -= n_used;
    }
    line_request_release(&request);
    return 0;
}
