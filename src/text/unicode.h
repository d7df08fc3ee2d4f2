/* UTF-8 and the character classes that tokenizers ask for. Tables come from utf8proc (Unicode 15.0); the exceptions made
 * for a reference implementation with older tables stand with the function that needs them.
 *
 * Pure functions: thread-safe. Text is valid UTF-8 unless a function says otherwise; unicode_repair makes it so.
 *
 *     if (!unicode_is_valid(text, n_bytes)) unicode_repair(text, n_bytes, BROKEN_MAXIMAL, &repaired);
 *     for (size_t at = 0, n; at < n_bytes; at += n) {
 *         uint32_t c = unicode_decode(text + at, &n);
 *         if (unicode_is_whitespace(c)) …
 *     }
 */
#ifndef TEXT_UNICODE_H
#define TEXT_UNICODE_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNICODE_REPLACEMENT 0xFFFDu

/* What one U+FFFD stands for in broken text. */
enum unicode_broken {
    BROKEN_MAXIMAL,  /* a maximal part of a character, as browsers do (WHATWG): tokenizer.json's references see this */
    BROKEN_PER_BYTE, /* a byte, as llama.cpp does for byte-level BPE */
};

/* The character at text, which holds a whole one. */
uint32_t unicode_decode(const char *text, size_t *ret_n_bytes);
/* Of any bytes, at least one: the valid character at text, or U+FFFD for a byte that begins none. */
uint32_t unicode_next(const char *text, size_t n_bytes, size_t *ret_n_bytes);
/* Of any bytes: the length of the valid character at text, or 0. */
size_t unicode_char_bytes(const char *text, size_t n_bytes);
/* Of any bytes: how many leading bytes, at least 1, are one broken sequence by WHATWG's rule; is_cut_short tells that more
 * bytes might still complete it. Only where unicode_char_bytes gives 0. */
size_t unicode_broken_bytes(const char *text, size_t n_bytes, bool *ret_is_cut_short);
bool unicode_is_valid(const char *text, size_t n_bytes);
/* Appends text with U+FFFD for what is broken. Memory failure shows in out->is_failed. */
void unicode_repair(const char *text, size_t n_bytes, enum unicode_broken broken, struct buffer *out);
void unicode_append(struct buffer *out, uint32_t c);
/* Where the last character of text[0..n_bytes), n_bytes > 0, begins. */
size_t unicode_last(const char *text, size_t n_bytes);

enum unicode_form { UNICODE_NFC, UNICODE_NFD, UNICODE_NFKC, UNICODE_NFKD };
/* Appends the normal form. false: memory is out. */
bool unicode_normalize(const char *text, size_t n_bytes, enum unicode_form form, struct buffer *out);
/* Appends the full lower case of one character (Rust's char::to_lowercase: no look at its neighbours). */
void unicode_append_lower(struct buffer *out, uint32_t c);

bool unicode_is_whitespace(uint32_t c); /* property White_Space */
bool unicode_is_number(uint32_t c);     /* categories N* */
bool unicode_is_mark(uint32_t c);       /* categories M* */
/* As of Unicode 8, which the reference still asks: categories P* and the other ASCII signs; Mn; Cc, Cf and Co. */
bool unicode_is_punctuation(uint32_t c);
bool unicode_is_nonspacing_mark(uint32_t c);
bool unicode_is_other(uint32_t c);
bool unicode_is_word(uint32_t c);  /* letters, marks, decimal digits, connectors, joiners: \w */
bool unicode_is_chinese(uint32_t c); /* what BERT surrounds with spaces */

/* The alphabet of byte-level BPE (GPT-2): each byte is a printable character. */
uint32_t unicode_of_byte(unsigned char byte);
/* The byte that c stands for, or -1. */
int unicode_to_byte(uint32_t c);

#endif
