/* Text to token ids and back, exactly as the model was trained.
 *
 * A tokenizer is immutable after opening: any number of threads may use one at once. A decoder (streaming) belongs to
 * one thread at a time and must not outlive its tokenizer.
 *
 * Broken UTF-8 never fails. Each tokenizer sees what its reference implementation sees: one from tokenizer.json or vocab.txt
 * U+FFFD for each maximal broken sequence (the WHATWG decoder); a byte-level one from GGUF U+FFFD for each broken byte;
 * a SentencePiece one from GGUF the bytes themselves. Overlong forms are broken everywhere, also where llama.cpp decodes them.
 *
 *     hob_tokenizer *tokenizer;
 *     int32_t *ids;
 *     size_t n_ids;
 *     if (hob_tokenizer_open("model.gguf", &tokenizer, &error) != HOB_OK) …
 *     if (hob_tokenizer_encode(tokenizer, "Hello", 5, HOB_ADD_SPECIAL, &ids, &n_ids, &error) != HOB_OK) …
 *     hob_free(ids);
 *     hob_tokenizer_free(tokenizer);
 */
#ifndef HOB_TOKENIZER_H
#define HOB_TOKENIZER_H

#include "hob/memory.h"
#include "hob/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct hob_tokenizer hob_tokenizer;
typedef struct hob_decoder hob_decoder;
typedef struct hob_pieces hob_pieces;

#define HOB_NO_TOKEN (-1)

/* For encoding; 0 is plain text only. */
enum {
    HOB_ADD_SPECIAL = 1,   /* put what the model expects around a text: BOS, [CLS] … [SEP], </s> */
    HOB_PARSE_SPECIAL = 2, /* special tokens written in the text ("<|im_end|>") become their id, not characters:
                              for templates and trusted prompts, not for a stranger's text */
};
/* For decoding. */
enum {
    HOB_SKIP_SPECIAL = 1, /* leave special tokens out of the text */
};

/* Tokens with a role; a model lacks some of them. */
typedef enum hob_token_role {
    HOB_TOKEN_BOS,     /* begins a text */
    HOB_TOKEN_EOS,     /* ends a text */
    HOB_TOKEN_EOT,     /* ends a turn of a chat */
    HOB_TOKEN_UNKNOWN, /* stands for what the vocabulary cannot write */
    HOB_TOKEN_PAD,
    HOB_TOKEN_SEP,
    HOB_TOKEN_CLS,
    HOB_TOKEN_MASK,
    HOB_TOKEN_FIM_PREFIX, /* before the text in front of a gap that is to be filled (fim.h) … */
    HOB_TOKEN_FIM_SUFFIX, /* … before the text behind it … */
    HOB_TOKEN_FIM_MIDDLE, /* … and before what fills it */
    HOB_TOKEN_FIM_PAD,
    HOB_TOKEN_FIM_REPO,   /* before a repository's name */
    HOB_TOKEN_FIM_FILE,   /* before a file's path */
    HOB_N_TOKEN_ROLES,
} hob_token_role;

/* path: a tokenizer.json, a vocab.txt, a .gguf, a folder that holds one of the first two, or a model file (.onnx,
 * .safetensors) with one of them beside it; a .hob, which holds its own.
 * Fails: HOB_NOT_FOUND, HOB_IO, HOB_BAD_FILE, HOB_UNSUPPORTED (a kind of tokenizer hob does not have), HOB_LIMIT. */
HOB_API HOB_MUST_CHECK hob_status hob_tokenizer_open(const char *path, hob_tokenizer **ret_tokenizer,
                                                     hob_error *error);
HOB_API void hob_tokenizer_free(hob_tokenizer *tokenizer); /* takes NULL */

/* text: n_bytes, any bytes, NUL included. ret_ids: free with hob_free; never NULL on success, even for no ids.
 * Fails: HOB_NO_MEMORY, HOB_LIMIT (a text above 256 MiB). */
HOB_API HOB_MUST_CHECK hob_status hob_tokenizer_encode(const hob_tokenizer *tokenizer, const char *text,
                                                       size_t n_bytes, unsigned flags, int32_t **ret_ids,
                                                       size_t *ret_n_ids, hob_error *error);

/* ret_text: UTF-8 (bytes that are none come out as U+FFFD), NUL-terminated; free with hob_free. ret_n_bytes may be
 * NULL. Fails: HOB_BAD_ARGUMENT (an id outside the vocabulary), HOB_NO_MEMORY. */
HOB_API HOB_MUST_CHECK hob_status hob_tokenizer_decode(const hob_tokenizer *tokenizer, const int32_t *ids,
                                                       size_t n_ids, unsigned flags, char **ret_text,
                                                       size_t *ret_n_bytes, hob_error *error);

/* Ids run from 0 to the count less one; a vocabulary may have holes. */
HOB_API size_t hob_tokenizer_n_tokens(const hob_tokenizer *tokenizer);
/* The token as the vocabulary spells it ("Ġhello", "##ing"), NUL-terminated, owned by the tokenizer; NULL for a hole or
 * an id outside. ret_n_bytes may be NULL. */
HOB_API const char *hob_tokenizer_token(const hob_tokenizer *tokenizer, int32_t id, size_t *ret_n_bytes);
/* The id of a token spelt so, or HOB_NO_TOKEN. */
HOB_API int32_t hob_tokenizer_id(const hob_tokenizer *tokenizer, const char *token, size_t n_bytes);
/* The id with that role, or HOB_NO_TOKEN. */
HOB_API int32_t hob_tokenizer_role(const hob_tokenizer *tokenizer, hob_token_role role);
/* Control tokens, which stand for no text. */
HOB_API bool hob_tokenizer_is_special(const hob_tokenizer *tokenizer, int32_t id);
/* Tokens after which generation stops: end of text, of turn, of message. */
HOB_API bool hob_tokenizer_is_end(const hob_tokenizer *tokenizer, int32_t id);

/* Streaming: ids in one by one, text out as soon as it is final, cut at whole characters only. What all calls give,
 * finish included, is byte for byte what hob_tokenizer_decode gives for all ids. The beginning of a text is special to many
 * tokenizers (a leading space is dropped), so for a continuation push the prompt's ids first and drop the text they give. */
HOB_API HOB_MUST_CHECK hob_status hob_decoder_new(const hob_tokenizer *tokenizer, unsigned flags,
                                                  hob_decoder **ret_decoder, hob_error *error);
HOB_API void hob_decoder_free(hob_decoder *decoder); /* takes NULL */
/* ret_text: possibly empty, NUL-terminated, valid until the next call on this decoder. ret_n_bytes may be NULL. */
HOB_API HOB_MUST_CHECK hob_status hob_decoder_push(hob_decoder *decoder, int32_t id, const char **ret_text,
                                                   size_t *ret_n_bytes, hob_error *error);
/* The rest; afterwards the decoder is as new. */
HOB_API HOB_MUST_CHECK hob_status hob_decoder_finish(hob_decoder *decoder, const char **ret_text,
                                                     size_t *ret_n_bytes, hob_error *error);

/* What single tokens stand for in the middle of a text, as bytes that need not be whole characters: " the" for "▁the", "ing" for "##ing",
 * one byte for "<0xE2>"; nothing for control tokens. One thread at a time; not longer than the tokenizer. */
HOB_API HOB_MUST_CHECK hob_status hob_pieces_new(const hob_tokenizer *tokenizer, hob_pieces **ret_pieces, hob_error *error);
HOB_API void hob_pieces_free(hob_pieces *pieces); /* takes NULL */
/* ret_bytes: NUL-terminated, valid until the next call; empty for an id outside. ret_n_bytes may be NULL. Fails: HOB_NO_MEMORY. */
HOB_API HOB_MUST_CHECK hob_status hob_pieces_get(hob_pieces *pieces, int32_t id, const char **ret_bytes, size_t *ret_n_bytes,
                                                 hob_error *error);

#endif
