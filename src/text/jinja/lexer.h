/* A template's text cut into tokens, with white space control done: the parser sees text as it will be written. */
#ifndef TEXT_JINJA_LEXER_H
#define TEXT_JINJA_LEXER_H

#include "base/arena.h"
#include "text/jinja/run.h"
#include "text/jinja/value.h"

enum token_kind {
    TOKEN_END,
    TOKEN_TEXT,
    TOKEN_PRINT_BEGIN, /* {{ */
    TOKEN_PRINT_END,
    TOKEN_BLOCK_BEGIN, /* {% */
    TOKEN_BLOCK_END,
    TOKEN_NAME,
    TOKEN_INTEGER,
    TOKEN_FLOAT,
    TOKEN_STRING, /* text: escapes undone */
    TOKEN_OPERATOR,
};

struct token {
    enum token_kind kind;
    size_t offset;
    struct text text; /* as written, but for strings */
    int64_t integer;
    double number;
};

struct tokens {
    struct token *items; /* the last is TOKEN_END */
    size_t n_items, n_reserved;
};

/* Tokens and texts lie in the arena or in the source. Fails: HOB_BAD_FILE, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status lex(const struct source *source, struct arena *arena, struct tokens *ret_tokens, hob_error *error);

#endif
