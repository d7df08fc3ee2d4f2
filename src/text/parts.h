/* The parts a tokenizer is assembled from, and the struct that holds them. Private to src/text.
 *
 * A text runs through them in this order:
 *
 *     repair broken UTF-8 → cut out added tokens → normalizers → cut out added tokens that are matched normalized
 *       → pre-tokenizers, each cutting the pieces of the one before → model (tokenizers/): ids → template around all
 *
 * Pieces are handed on one by one, depth first, so no list of them is kept. Ids run back through decoder stages.
 *
 * Each kind of part is a struct of constants in a file of its own, a row of the table beside this header, and what it was
 * configured with: `config`, which lives in the tokenizer's arena. Parts hold no state.
 */
#ifndef TEXT_PARTS_H
#define TEXT_PARTS_H

#include "base/arena.h"
#include "base/buffer.h"
#include "text/added_tokens.h"
#include "text/charsmap.h"
#include "text/regex.h"
#include "text/tokenizer.h"
#include "text/unicode.h"
#include "text/vocabulary.h"

#include <jansson.h>

enum { MAX_PARTS = 128 }; /* of one sort in one tokenizer, sequences counted out; model2vec replaces 33 marks one by one */

struct encoding;

/* Text between added tokens. */
struct piece {
    const char *text;
    size_t n_bytes;
    bool is_first; /* begins where the whole text begins, even if normalizers put something before it */
};

/* What a part was configured with, field by field, so that a pack can hold it (config_record.h). */
enum config_kind {
    CONFIG_END,
    CONFIG_BOOL,
    CONFIG_U32,      /* or an enum */
    CONFIG_I64,      /* or a size */
    CONFIG_TEXT,     /* const char *, in a record with a NUL behind it */
    CONFIG_REGEX,    /* const struct regex *: the pattern is kept, and compiled again */
    CONFIG_CHARSMAP, /* struct charsmap, perhaps an empty one */
};

struct config_field {
    enum config_kind kind;
    bool is_optional;   /* a text or a regex may be NULL */
    uint32_t most;      /* of a number; 0: any */
    size_t offset;      /* in the config */
    size_t size_offset; /* of a text: where its bytes are counted (a size_t); 0: nowhere */
};

struct normalizer_def {
    const char *names[5]; /* "type" in tokenizer.json */
    size_t config_bytes;  /* 0: there is no config */
    const struct config_field *fields; /* ends with CONFIG_END */
    hob_status (*load)(struct tokenizer *tokenizer, const json_t *json, const void **ret_config, hob_error *error);
    /* Appends to out. Memory failure may show in out->is_failed alone. Clears *is_first when what the text begins with is
     * dropped, as that moves the text's beginning for pre-tokenizers. */
    hob_status (*apply)(const void *config, struct encoding *encoding, const char *text, size_t n_bytes,
                        struct buffer *out, bool *is_first, hob_error *error);
};

struct pretokenizer_def {
    const char *names[5];
    size_t config_bytes;
    const struct config_field *fields;
    hob_status (*load)(struct tokenizer *tokenizer, const json_t *json, const void **ret_config, hob_error *error);
    /* Hands pieces to encoding_next(encoding, stage, …), in order. */
    hob_status (*split)(const void *config, struct encoding *encoding, size_t stage, const struct piece *piece,
                        hob_error *error);
};

/* A family of tokenizers: the algorithm that makes ids of a piece. */
struct tokenizer_def {
    const char *json_name; /* "model"."type", or NULL */
    const char *gguf_name; /* tokenizer.ggml.model, or NULL */
    /* Fills vocabulary and config from the "model" object. */
    hob_status (*load_json)(struct tokenizer *tokenizer, const json_t *model, hob_error *error);
    /* The tokenizer's vocabulary is there; sets config, template and all other parts as llama.cpp has them. */
    hob_status (*load_vocabulary)(struct tokenizer *tokenizer, const struct tokenizer_vocabulary *vocabulary,
                                  hob_error *error);
    hob_status (*encode)(const struct tokenizer *tokenizer, struct encoding *encoding, const struct piece *piece,
                         hob_error *error);
    void (*release)(struct tokenizer *tokenizer); /* what config holds outside the arena; may be NULL */
    /* Config to a record and back, the vocabulary being there; NULL for a family without a config. Tables stay in the record. A
     * failure to read shows in the reader. */
    hob_status (*write)(const struct tokenizer *tokenizer, struct buffer *bytes, hob_error *error);
    hob_status (*read)(struct tokenizer *tokenizer, struct record_reader *reader, hob_error *error);
};

/* What a decoder stage remembers between parts of text. */
struct stage_state {
    struct buffer held;
    size_t n_tokens; /* finished */
    size_t n_taken;  /* characters, of the token under way */
    bool is_inside;  /* a token is under way */
};

/* A stage takes tokens, each in one or several parts of whole characters (raw bytes only into utf8 and byte_level, but a pack
 * may claim otherwise: no stage trusts it), and hands tokens on in the same way. finish: no more will come. */
struct stage_def {
    const char *names[2];
    size_t config_bytes;
    const struct config_field *fields;
    hob_status (*load)(struct tokenizer *tokenizer, const json_t *json, const void **ret_config, hob_error *error);
    hob_status (*push)(const void *config, struct detokenizer *detokenizer, size_t stage, const char *text, size_t n_bytes,
                       bool is_token_end, hob_error *error);
    hob_status (*finish)(const void *config, struct detokenizer *detokenizer, size_t stage, hob_error *error); /* or NULL */
};

struct part {
    const void *def, *config;
};

struct part_list {
    struct part parts[MAX_PARTS];
    size_t n_parts;
};

#define TEMPLATE_TEXT (-1)
#define TEMPLATE_SECOND (-2)
enum { TEMPLATE_MAX_TYPE = 255 };

/* Ids around a text or two, TEMPLATE_TEXT and TEMPLATE_SECOND where they go; none: the texts alone. */
struct template {
    struct id_list ids, types; /* as many of both */
};

struct tokenizer {
    struct arena arena;
    struct vocabulary vocabulary;
    const struct tokenizer_def *def;
    void *config;
    struct added_tokens added, added_normalized;
    struct part_list normalizers, pretokenizers, stages;
    struct template single, pair;
    int32_t roles[HOB_N_TOKEN_ROLES];
    enum unicode_broken broken;
    bool keeps_broken;   /* the model takes any bytes: nothing is repaired */
    bool is_gguf;        /* token types, not decoder stages, say what a token is as text */
    bool is_byte_mapped; /* tokens are spelt in GPT-2's byte alphabet */
    bool is_from_sentencepiece; /* a tokenizer.json that was converted from a SentencePiece BPE model */
    struct regex *regexes[2 * MAX_PARTS];
    size_t n_regexes;
    void *owned; /* what a tokenizer from a record points into; released last */
    void (*release_owned)(void *owned);
};

/* One call of tokenizer_encode. */
struct encoding {
    const struct tokenizer *tokenizer;
    const char *text;                  /* the whole, which rules' marks belong to */
    struct added_rules rules;
    struct buffer marks;               /* of a piece that was normalized */
    struct id_list *ids;
    struct buffer normalized[2];       /* turn about */
    struct buffer scratch[MAX_PARTS];  /* one for each pre-tokenizer that changes text */
    struct regex_scratch regex;
    struct buffer model_scratch[2];    /* the model's */
};

/* ---- for parts ---- */

/* stage: the caller's. */
HOB_MUST_CHECK hob_status encoding_next(struct encoding *encoding, size_t stage, const struct piece *piece,
                                        hob_error *error);
HOB_MUST_CHECK hob_status encoding_append(struct encoding *encoding, int32_t id, hob_error *error);
HOB_MUST_CHECK hob_status detokenizer_next(struct detokenizer *detokenizer, size_t stage, const char *text, size_t n_bytes,
                                       bool is_token_end, hob_error *error);
struct stage_state *detokenizer_state(struct detokenizer *detokenizer, size_t stage);
/* Collects a token's parts in state->held; true: it is whole (held may be NULL for an empty one). */
HOB_MUST_CHECK hob_status detokenizer_collect(struct stage_state *state, const char *text, size_t n_bytes, bool is_token_end,
                                          bool *ret_is_whole, hob_error *error);

HOB_MUST_CHECK hob_status text_no_memory(hob_error *error);

/* ---- for loaders ---- */

/* The tokenizer frees it. */
HOB_MUST_CHECK hob_status tokenizer_keep_regex(struct tokenizer *tokenizer, struct regex *regex, hob_error *error);
HOB_MUST_CHECK hob_status part_list_append(struct part_list *list, const void *def, const void *config,
                                           hob_error *error);
/* Zeroed memory of the tokenizer's life; NULL when memory is out. */
#define CONFIG_NEW(tokenizer, type) ARENA_NEW(&(tokenizer)->arena, type, 1)

HOB_MUST_CHECK hob_status normalizers_load(struct tokenizer *tokenizer, const json_t *json, hob_error *error);
HOB_MUST_CHECK hob_status pretokenizers_load(struct tokenizer *tokenizer, const json_t *json, hob_error *error);
HOB_MUST_CHECK hob_status stages_load(struct tokenizer *tokenizer, const json_t *json, hob_error *error);
HOB_MUST_CHECK hob_status template_load(struct tokenizer *tokenizer, const json_t *json, hob_error *error);
/* id: one of the vocabulary, TEMPLATE_TEXT or TEMPLATE_SECOND. */
HOB_MUST_CHECK hob_status template_add(struct tokenizer *tokenizer, struct template *template, int64_t id, int64_t type, hob_error *error);
void template_release(struct template *template);

/* The "vocab" object of a model: {"token": id, …}. */
HOB_MUST_CHECK hob_status vocabulary_load_object(struct tokenizer *tokenizer, const json_t *model, hob_error *error);

/* ids around a text by the metadata's flags, or by these where it has none. */
HOB_MUST_CHECK hob_status gguf_set_template(struct tokenizer *tokenizer, const struct tokenizer_vocabulary *vocabulary,
                                            bool adds_bos, bool adds_eos, bool adds_sep, hob_error *error);
/* Adds the decoder stage that takes one space off the beginning of the text. */
HOB_MUST_CHECK hob_status gguf_strip_space(struct tokenizer *tokenizer, hob_error *error);

/* Runs all normalizers; the result is in one of encoding's buffers, or is text itself. */
HOB_MUST_CHECK hob_status normalizers_apply(struct encoding *encoding, struct piece *piece, hob_error *error);

/* Appends the bytes that a token stands for in a GGUF vocabulary. */
HOB_MUST_CHECK hob_status gguf_token_text(const struct tokenizer *tokenizer, int32_t id, struct buffer *out,
                                          hob_error *error);

#define TOKENIZER(name) extern const struct tokenizer_def tokenizer_##name;
#include "text/tokenizers.def"
#undef TOKENIZER
#define NORMALIZER(name) extern const struct normalizer_def normalizer_##name;
#include "text/normalizers.def"
#undef NORMALIZER
#define PRETOKENIZER(name) extern const struct pretokenizer_def pretokenizer_##name;
#include "text/pretokenizers.def"
#undef PRETOKENIZER
#define DECODER(name) extern const struct stage_def stage_##name;
#include "text/decoders.def"
#undef DECODER

#endif
