#include "text/cleanup.h"
#include "base/size.h"

#include <string.h>

/* In this order: Hugging Face's WordPiece decoder. */
static const char *const cleanups[][2] = {
    {" .", "."},     {" ?", "?"},   {" !", "!"},           {" ,", ","},   {" ' ", "'"},   {" n't", "n't"},
    {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
};

void cleanup_replace(struct buffer *text, const char *from, const char *to)
{
    size_t n_from = strlen(from), n_to = strlen(to), n_out = 0;
    if (n_from == 0) return;
    for (size_t at = 0; at < text->n_bytes;) {
        if (text->n_bytes - at >= n_from && !memcmp(text->bytes + at, from, n_from)) {
            memcpy(text->bytes + n_out, to, n_to);
            n_out += n_to;
            at += n_from;
        } else {
            text->bytes[n_out++] = text->bytes[at++];
        }
    }
    text->n_bytes = n_out;
    if (text->bytes) text->bytes[n_out] = '\0';
}

void cleanup_text(struct buffer *text)
{
    for (size_t i = 0; i < ARRAY_LENGTH(cleanups); i++) cleanup_replace(text, cleanups[i][0], cleanups[i][1]);
}
