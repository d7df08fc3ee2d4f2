/* A byte-level tokenizer of the given tokens, made in the test: the 256 bytes first, so that any text can be written, then the
 * tokens. Those from n_plain on are control tokens. */
#ifndef TESTS_TINY_TOKENIZER_H
#define TESTS_TINY_TOKENIZER_H

#include "unit.h"

#include "text/tokenizer.h"

#include <string.h>

enum { TINY_MOST_TOKENS = 64, TINY_FIRST = 256 };

/* GPT-2's alphabet: printable Latin-1 stands for itself, other bytes are written as U+0100 and up. */
static inline size_t tiny_spell_byte(unsigned byte, unsigned *next_hidden, char *ret_text)
{
    bool is_shown = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    unsigned point = is_shown ? byte : 0x100 + (*next_hidden)++;
    if (point < 0x80) return ret_text[0] = (char)point, 1;
    ret_text[0] = (char)(0xC0 | point >> 6);
    ret_text[1] = (char)(0x80 | (point & 0x3F));
    return 2;
}

static inline hob_tokenizer *tiny_tokenizer(const char *const *tokens, size_t n_tokens, size_t n_plain, int32_t bos)
{
    static char bytes[TINY_FIRST][2];
    static const char *texts[TINY_FIRST + TINY_MOST_TOKENS];
    static size_t text_bytes[TINY_FIRST + TINY_MOST_TOKENS];
    static int32_t types[TINY_FIRST + TINY_MOST_TOKENS];
    struct tokenizer_vocabulary vocabulary;
    struct tokenizer *tokenizer;
    hob_error error;
    unsigned next_hidden = 0;
    tokenizer_vocabulary_init(&vocabulary);
    assert_true(n_tokens <= TINY_MOST_TOKENS);
    for (unsigned byte = 0; byte < TINY_FIRST; byte++) {
        texts[byte] = bytes[byte];
        text_bytes[byte] = tiny_spell_byte(byte, &next_hidden, bytes[byte]);
        types[byte] = TOKEN_NORMAL;
    }
    for (size_t i = 0; i < n_tokens; i++) {
        texts[TINY_FIRST + i] = tokens[i];
        text_bytes[TINY_FIRST + i] = strlen(tokens[i]);
        types[TINY_FIRST + i] = i < n_plain ? TOKEN_NORMAL : TOKEN_CONTROL;
    }
    vocabulary.kind = "gpt2";
    vocabulary.n_tokens = TINY_FIRST + n_tokens;
    vocabulary.texts = texts;
    vocabulary.text_bytes = text_bytes;
    vocabulary.types = types;
    vocabulary.roles[HOB_TOKEN_BOS] = bos;
    vocabulary.add_bos = bos != HOB_NO_TOKEN;
    if (tokenizer_new(&vocabulary, "tiny", &tokenizer, &error) != HOB_OK) fail_msg("%s", error.message);
    return (hob_tokenizer *)tokenizer;
}

#endif
