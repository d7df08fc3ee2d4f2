/* Text to token ids and back. A tokenizer is assembled from parts (parts.h) that a tokenizer.json names or that a GGUF
 * vocabulary implies, and is immutable afterwards: threads may share it. Encoding keeps its state in the call.
 *
 *     struct tokenizer *tokenizer;
 *     TRY(tokenizer_load_json(bytes, n_bytes, "tokenizer.json", &tokenizer, error));
 *     struct id_list ids = {0};
 *     TRY_CLEANUP(tokenizer_encode(tokenizer, text, n_bytes, HOB_ADD_SPECIAL | HOB_PARSE_SPECIAL, &ids, error));
 *     TRY_CLEANUP(tokenizer_decode(tokenizer, ids.ids, ids.n_ids, HOB_SKIP_SPECIAL, &text_again, error));
 *     id_list_release(&ids);
 *     tokenizer_free(tokenizer);
 */
#ifndef TEXT_TOKENIZER_H
#define TEXT_TOKENIZER_H

#include "base/buffer.h"
#include "hob/tokenizer.h"
#include "text/vocabulary.h"

struct tokenizer;

/* A growable list of ids. */
struct id_list {
    int32_t *ids;
    size_t n_ids, n_reserved;
};
bool id_list_append(struct id_list *list, int32_t id); /* false: memory is out */
void id_list_release(struct id_list *list);            /* takes a zeroed one */

/* What GGUF metadata says of its vocabulary; everything is the caller's and copied. Ids that are not given are
 * HOB_NO_TOKEN, flags that are not given -1: the kind and the pre-split then decide, as llama.cpp does. */
struct tokenizer_vocabulary {
    const char *kind;      /* tokenizer.ggml.model: "gpt2", "llama", "bert", "t5" */
    const char *pre_split; /* tokenizer.ggml.pre: "qwen2", …; NULL when absent */
    size_t n_tokens;
    const char *const *texts; /* not NUL-terminated */
    const size_t *text_bytes;
    const float *scores;      /* NULL when absent */
    const int32_t *types;     /* enum token_type; NULL: all normal */
    size_t n_merges;
    const char *const *merges; /* "left right" */
    const size_t *merge_bytes;
    int32_t roles[HOB_N_TOKEN_ROLES];
    int add_bos, add_eos, add_sep, add_space_prefix, remove_extra_whitespaces;
    const void *charsmap; /* precompiled_charsmap */
    size_t charsmap_bytes;
    bool is_right_stripping; /* Phi-3: special tokens swallow the white space behind them */
};
/* All ids absent, all flags not given. */
void tokenizer_vocabulary_init(struct tokenizer_vocabulary *vocabulary);

/* Fail: HOB_BAD_FILE, HOB_UNSUPPORTED, HOB_LIMIT, HOB_NO_MEMORY; the message begins with name. */
HOB_MUST_CHECK hob_status tokenizer_load_json(const void *bytes, size_t n_bytes, const char *name,
                                              struct tokenizer **ret_tokenizer, hob_error *error);
/* BERT's vocab.txt: a token a line, [UNK] [CLS] [SEP] among them. Lower-cases and strips accents unless the vocabulary
 * has capital letters. */
HOB_MUST_CHECK hob_status tokenizer_load_vocab_txt(const void *bytes, size_t n_bytes, const char *name,
                                                   struct tokenizer **ret_tokenizer, hob_error *error);
HOB_MUST_CHECK hob_status tokenizer_new(const struct tokenizer_vocabulary *vocabulary, const char *name,
                                        struct tokenizer **ret_tokenizer, hob_error *error);
/* As a record (base/record.h) of ready tables, the same for the same tokenizer, and back. The record must live as long as the
 * tokenizer, which points into it. Fail: HOB_UNSUPPORTED (writing one that was read from a record), HOB_BAD_FILE, HOB_NO_MEMORY. */
struct record_reader;
HOB_MUST_CHECK hob_status tokenizer_write(const struct tokenizer *tokenizer, struct buffer *bytes, hob_error *error);
HOB_MUST_CHECK hob_status tokenizer_read(struct record_reader *reader, struct tokenizer **ret_tokenizer, hob_error *error);
/* What the tokenizer points into; it is released with the tokenizer. */
void tokenizer_own(struct tokenizer *tokenizer, void *owned, void (*release)(void *owned));
void tokenizer_free(struct tokenizer *tokenizer); /* takes NULL */

/* Appends ids; flags as hob_tokenizer_encode. Fails: HOB_LIMIT, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t n_bytes,
                                           unsigned flags, struct id_list *ids, hob_error *error);
/* What HOB_ADD_SPECIAL would put around a text, or around two that a model compares, without a text; 0 for none. */
size_t tokenizer_n_around(const struct tokenizer *tokenizer, bool is_pair);
struct token_span {
    const int32_t *ids;
    size_t n_ids;
};
/* Puts it around texts that were encoded without, and perhaps cut since. second NULL: one text. Appends to ids and types (of a token's
 * text: 0 and 1 in BERT; NULL: not wanted). On failure they hold a part. Fails: HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status tokenizer_put_around(const struct tokenizer *tokenizer, const struct token_span *first,
                                               const struct token_span *second, struct id_list *ids, struct id_list *types,
                                               hob_error *error);
/* The same of a text of which some bytes are a stranger's: marks say which (not 0), of its first n_marked bytes; those behind are not. A
 * special token counts as one only where none of its bytes has a mark; else nothing changes, whatever the marks. */
HOB_MUST_CHECK hob_status tokenizer_encode_marked(const struct tokenizer *tokenizer, const char *text, size_t n_bytes, const char *marks,
                                                  size_t n_marked, unsigned flags, struct id_list *ids, hob_error *error);
/* Appends text; flags as hob_tokenizer_decode. Fails: HOB_BAD_ARGUMENT (id outside), HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status tokenizer_decode(const struct tokenizer *tokenizer, const int32_t *ids, size_t n_ids,
                                           unsigned flags, struct buffer *text, hob_error *error);

const char *tokenizer_kind(const struct tokenizer *tokenizer); /* "bpe", …: the row of tokenizers.def; static */
size_t tokenizer_n_tokens(const struct tokenizer *tokenizer);
const char *tokenizer_token(const struct tokenizer *tokenizer, int32_t id, size_t *ret_n_bytes); /* NULL: none */
enum token_type tokenizer_type(const struct tokenizer *tokenizer, int32_t id);
int32_t tokenizer_id(const struct tokenizer *tokenizer, const char *token, size_t n_bytes);
int32_t tokenizer_role(const struct tokenizer *tokenizer, hob_token_role role);
/* For what tokenizer_config.json or config.json says beside a tokenizer.json; before the tokenizer is shared. */
void tokenizer_set_role(struct tokenizer *tokenizer, hob_token_role role, int32_t id);
bool tokenizer_is_end(const struct tokenizer *tokenizer, int32_t id);
/* Those for which tokenizer_is_end holds, at most so many; returns how many. */
size_t tokenizer_end_ids(const struct tokenizer *tokenizer, size_t most, int32_t *ret_ids);

/* Streaming decode: what push and finish append, put together, is what tokenizer_decode appends for all ids. */
struct detokenizer;
HOB_MUST_CHECK hob_status detokenizer_new(const struct tokenizer *tokenizer, unsigned flags, struct detokenizer **ret_detokenizer,
                                      hob_error *error);
void detokenizer_free(struct detokenizer *detokenizer); /* takes NULL */
HOB_MUST_CHECK hob_status detokenizer_push(struct detokenizer *detokenizer, int32_t id, struct buffer *text, hob_error *error);
/* The rest; afterwards the decoder is as new. */
HOB_MUST_CHECK hob_status detokenizer_finish(struct detokenizer *detokenizer, struct buffer *text, hob_error *error);

#endif
