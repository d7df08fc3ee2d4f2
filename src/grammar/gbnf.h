/* GBNF, llama.cpp's notation for grammars, read into a builder.
 *
 *     root  ::= "{" pair ("," pair)* "}"      # comment to the end of the line
 *     pair  ::= [a-z_]+ ":" [^,}]{1,20}
 *
 * Rules are names of letters, digits, "-" and "_"; text is "…" with \n \r \t \" \\ \[ \] \xHH \uHHHH \UHHHHHHHH; classes are
 * […], [^…] and "." for any character; ( ) | ? * + {m} {m,} {m,n} as everywhere. A rule goes on over line ends until the next
 * name with "::=". Anything is counted in Unicode characters; the text must be UTF-8. llama.cpp's tokens (<[1234]>, <|name|>) are
 * refused: what a token is called is no business of a grammar.
 *
 *     TRY(gbnf_parse(&builder, text, n_bytes, "root", &root, error));
 */
#ifndef GRAMMAR_GBNF_H
#define GRAMMAR_GBNF_H

#include "grammar/builder.h"

/* root: the rule to begin with. Fails: HOB_BAD_FILE with "line:column: …", HOB_LIMIT, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status gbnf_parse(struct grammar_builder *builder, const char *text, size_t n_bytes,
                                     const char *root, uint32_t *ret_root, hob_error *error);

#endif
