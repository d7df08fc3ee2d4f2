/* Streams of remote backends: the first byte says which API, the second how large the pieces are that the rest comes in. */
#include "server/remote/remote_reply.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    if (n_bytes < 2) return 0;
    struct remote_reply reply = {.transcript = transcript_new(),
                                 .api = data[0] & 1 ? CONFIG_API_ANTHROPIC : CONFIG_API_OPENAI};
    struct problem problem;
    size_t piece = (size_t)data[1] + 1;
    for (size_t at = 2; at < n_bytes; at += piece)
        remote_reply_push(&reply, (const char *)data + at, n_bytes - at < piece ? n_bytes - at : piece);
    (void)remote_reply_finish(&reply, &problem);
    remote_reply_release(&reply);
    transcript_unref(reply.transcript);
    return 0;
}
