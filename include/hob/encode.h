/* Texts to the ids that encoders and classifiers take: prompt in front, special tokens around, cut or refused where too long.
 *
 * Apart from computing, so that one thread encodes while another computes. Needs no session; any number of threads may encode with one
 * model at once.
 *
 *     hob_encodings encoded;
 *     if (hob_encode_texts(model, texts, NULL, n_texts, NULL, &encoded, &error) != HOB_OK) …
 *     … hob_embed_ids(session, encoded.ids + 8, encoded.n_ids + 8, 4, NULL, vectors, &error): any piece of them, the same bytes
 *     hob_encodings_release(&encoded);
 */
#ifndef HOB_ENCODE_H
#define HOB_ENCODE_H

#include "hob/model.h"

typedef struct hob_encode_options {
    const char *prompt;   /* name of the model's prompt to put in front of each text; NULL: its default one, "": none. Not for pairs */
    size_t max_tokens;    /* of a text, special ones included, or of both of a pair; 0, or more than the model takes: what it takes
                           * (hob_model_info.n_text_tokens) */
    bool is_strict;       /* a longer text is refused instead of cut */
    bool cuts_beginning;  /* a longer text loses its beginning; else its end */
    bool keeps_first;     /* of a pair, the second text alone is cut; else the longer one, then both alike */
} hob_encode_options;

/* Give all back with hob_encodings_release. */
typedef struct hob_encodings {
    const int32_t *const *ids;   /* a list a text or pair, special tokens included */
    const int32_t *const *types; /* of a pair's tokens: 0 of the first text's, and what the tokenizer says for the second's; all 0 for texts */
    const size_t *n_ids;         /* what the model computes: "usage" */
    size_t n_texts;
    size_t n_tokens;             /* sum of n_ids */
    void *memory;
} hob_encodings;

/* texts: n_texts, text_bytes[i] bytes each, or NUL-terminated where text_bytes is NULL. options NULL: none of them. Cuts as transformers
 * does: special tokens stay, the text between them gets shorter.
 * Fails: HOB_UNSUPPORTED (a model that takes no whole texts, or has no tokenizer), HOB_BAD_ARGUMENT (no such prompt), HOB_LIMIT (too long
 * and is_strict: the message names text, tokens found and tokens allowed; or no room but for special tokens), HOB_NO_MEMORY. */
HOB_API HOB_MUST_CHECK hob_status hob_encode_texts(const hob_model *model, const char *const *texts, const size_t *text_bytes,
                                                   size_t n_texts, const hob_encode_options *options, hob_encodings *ret_encodings,
                                                   hob_error *error);

/* Each text behind the same first one (a query), as the tokenizer writes pairs: "[CLS] query [SEP] text [SEP]", "<s> query </s></s>
 * text </s>". Fails as above; HOB_LIMIT too where keeps_first leaves the second no token. */
HOB_API HOB_MUST_CHECK hob_status hob_encode_pairs(const hob_model *model, const char *first, size_t first_bytes,
                                                   const char *const *texts, const size_t *text_bytes, size_t n_texts,
                                                   const hob_encode_options *options, hob_encodings *ret_encodings, hob_error *error);

HOB_API void hob_encodings_release(hob_encodings *encodings); /* takes zeroed ones */

#endif
