/* Fill in the middle: the prompt that makes a code model write what belongs between two texts.
 *
 * Every family has tokens and an order of its own; which one a model speaks shows in its vocabulary, else a GGUF file may say. Generation from such a prompt ends
 * at the model's end tokens; hob_fim_ends tells those that end a middle as well and belong into hob_generate_options.stop_ids.
 *
 *     hob_fim fim = {.prefix = before, .n_prefix_bytes = n, .suffix = behind, .n_suffix_bytes = m};
 *     if (hob_fim_prompt(tokenizer, &fim, &ids, &n_ids, &error) != HOB_OK) …      a model without such tokens: HOB_UNSUPPORTED
 */
#ifndef HOB_FIM_H
#define HOB_FIM_H

#include "hob/tokenizer.h"

typedef struct hob_fim_file {
    const char *path, *text;
    size_t n_text_bytes;
} hob_fim_file;

typedef struct hob_fim {
    const char *prefix, *suffix; /* any bytes; tokens written in them are text */
    size_t n_prefix_bytes, n_suffix_bytes;
    /* The repository around it, where the model knows of such; all or nothing: */
    const char *repo_name;     /* NULL: only the one text */
    const char *path;          /* of the file that is being filled */
    const hob_fim_file *files; /* others of the repository, the most important last */
    size_t n_files;
} hob_fim;

enum { HOB_FIM_MOST_ENDS = 8 };

/* The family whose tokens the tokenizer has: "qwen", "starcoder", "codellama", …; "gguf": tokens of another spelling, which the file's
 * metadata names; NULL: none. Static string. */
HOB_API const char *hob_fim_style(const hob_tokenizer *tokenizer);

/* ret_ids: free with hob_free. Fails: HOB_UNSUPPORTED (no such tokens: the message lists what was looked for; no tokens for a
 * repository), HOB_BAD_ARGUMENT (a repository without path, files without name), what encoding reports. */
HOB_API HOB_MUST_CHECK hob_status hob_fim_prompt(const hob_tokenizer *tokenizer, const hob_fim *fim, int32_t **ret_ids,
                                                 size_t *ret_n_ids, hob_error *error);

/* Tokens that end a middle: those of the family itself, end of text, padding, the next file. Returns how many. */
HOB_API size_t hob_fim_ends(const hob_tokenizer *tokenizer, int32_t ret_ids[HOB_FIM_MOST_ENDS]);

#endif
