/* tokenizer.json: whatever loads must encode and decode a short text without harm, and stream it as it decodes it. */
#include "text/tokenizer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] = "Hello, w\xC3\xB6rld's  12\n\xE4\xB8\xAD\xF0\x9F\x98\x80<s>\xE2\x96\x81\xFF x";

static void decode_both_ways(const struct tokenizer *tokenizer, const struct id_list *ids)
{
    struct buffer whole = {0}, streamed = {0};
    struct detokenizer *detokenizer = NULL;
    hob_status status = tokenizer_decode(tokenizer, ids->ids, ids->n_ids, 0, &whole, NULL);
    if (status == HOB_OK && detokenizer_new(tokenizer, 0, &detokenizer, NULL) == HOB_OK) {
        for (size_t i = 0; i < ids->n_ids && status == HOB_OK; i++)
            status = detokenizer_push(detokenizer, ids->ids[i], &streamed, NULL);
        if (status == HOB_OK) status = detokenizer_finish(detokenizer, &streamed, NULL);
        bool is_equal = whole.n_bytes == streamed.n_bytes &&
                        !memcmp(buffer_text(&whole), buffer_text(&streamed), whole.n_bytes);
        if (status == HOB_OK && !is_equal) abort();
    }
    detokenizer_free(detokenizer);
    buffer_release(&whole);
    buffer_release(&streamed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tokenizer *tokenizer;
    struct id_list ids = {0};
    hob_error error;
    if (tokenizer_load_json(data, size, "input", &tokenizer, &error) != HOB_OK) return 0;
    if (tokenizer_encode(tokenizer, text, sizeof text - 1, HOB_ADD_SPECIAL | HOB_PARSE_SPECIAL, &ids, &error) == HOB_OK)
        decode_both_ways(tokenizer, &ids);
    id_list_release(&ids);
    tokenizer_free(tokenizer);
    return 0;
}
