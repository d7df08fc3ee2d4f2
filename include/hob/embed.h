/* Embeddings from an encoder: a vector a text, or one a token.
 *
 * Texts of different length are laid end to end: nothing is computed for padding, and a text's embedding has the same bytes
 * alone and in any batch.
 *
 *     float *vectors = …;   n_texts * width
 *     if (hob_embed(session, texts, NULL, n_texts, NULL, vectors, &error) != HOB_OK) …
 *     float likeness = hob_similarity(vectors, vectors + width, width);
 */
#ifndef HOB_EMBED_H
#define HOB_EMBED_H

#include "hob/encode.h"
#include "hob/session.h"

typedef struct hob_embed_options {
    hob_pooling pooling;   /* HOB_POOLING_DEFAULT: what the model says */
    bool is_raw;           /* do not normalise, even if the model says so */
    bool is_normalized;    /* normalise, even if the model does not say so */
    const char *prompt;    /* name of the model's prompt to put in front of each text; NULL: its default one, "": none */
    size_t n_dimensions;   /* only so many first numbers of each vector, cut off before normalising; 0: all. Sound for models trained for it
                            * (Matryoshka) */
    size_t max_tokens;     /* these three of hob_embed alone, as in hob_encode_options */
    bool is_strict;
    bool cuts_beginning;
} hob_embed_options;

/* texts: n_texts, text_bytes[i] bytes each, or NUL-terminated where text_bytes is NULL. options NULL: the model's own.
 * ret_vectors: room for n_texts * hob_model_get_info(model).width floats
 * (n_texts * n_dimensions where that is set). A text longer than the model's context is cut at its end,
 * as sentence-transformers does, unless the options say otherwise.
 * Fails: HOB_UNSUPPORTED (not an encoder, or no tokenizer), HOB_BAD_ARGUMENT (no such prompt, more dimensions than there are),
 * HOB_LIMIT (longer than allowed, where is_strict), HOB_NO_MEMORY. Accuracy: 1e-5 to PyTorch in f32. */
HOB_API HOB_MUST_CHECK hob_status hob_embed(hob_session *session, const char *const *texts, const size_t *text_bytes,
                                            size_t n_texts, const hob_embed_options *options, float *ret_vectors,
                                            hob_error *error);

/* The same for texts that are token ids already (hob_encode_texts): n_ids[i] of them in ids[i], special tokens and prompt
 * included; nothing is cut off. Called for pieces of a batch it gives the same bytes.
 * Fails: HOB_UNSUPPORTED (not an encoder), HOB_LIMIT (longer than the model's context), HOB_BAD_ARGUMENT (an id outside the
 * vocabulary, a prompt, more dimensions than there are), HOB_NO_MEMORY. */
HOB_API HOB_MUST_CHECK hob_status hob_embed_ids(hob_session *session, const int32_t *const *ids, const size_t *n_ids, size_t n_texts,
                                                const hob_embed_options *options, float *ret_vectors, hob_error *error);

/* Every token's vector, special tokens' too, text by text: as many rows as there are ids, each of width (or n_dimensions) floats. As
 * the model has them, normalised only where options say so; nothing is pooled.
 * Fails: as hob_embed_ids; HOB_UNSUPPORTED too where the model gives vectors of whole texts only. */
HOB_API HOB_MUST_CHECK hob_status hob_embed_tokens(hob_session *session, const int32_t *const *ids, const size_t *n_ids, size_t n_texts,
                                                   const hob_embed_options *options, float *ret_vectors, hob_error *error);

/* The cosine of two vectors of n numbers, -1 to 1; 0 where one has no length. Sums in double, from the first number to the last.
 * Accuracy: the nearest float to what double precision gives, or the one beside it. */
HOB_API float hob_similarity(const float *a, const float *b, size_t n);

#endif
