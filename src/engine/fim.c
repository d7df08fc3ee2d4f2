/* A prompt is put together from ids: the family's tokens by their spelling, the texts as plain text. Texts are encoded one by one, as
 * the families' own code does, so no token joins two of them. */
#include "hob/fim.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/size.h"

#include <string.h>

enum fim_order { PSM, SPM };
enum fim_path { PATH_BEFORE, PATH_INSIDE };

struct fim_style {
    const char *name, *prefix, *suffix, *middle;
    enum fim_order order;
    const char *repo, *file;
    enum fim_path path;
    const char *ends[HOB_FIM_MOST_ENDS];
};

static const struct fim_style styles[] = {
#define FIM(name, prefix, suffix, middle, order, repo, file, path, ...) \
    {#name, prefix, suffix, middle, order, repo, file, path, {__VA_ARGS__}},
#include "engine/fim.def"
#undef FIM
};

/* What a model has of a family's tokens. HOB_NO_TOKEN: it lacks that one, or the family does. */
struct fim_tokens {
    const char *name;
    enum fim_order order;
    enum fim_path path;
    int32_t prefix, suffix, middle, repo, file;
    int32_t ends[HOB_FIM_MOST_ENDS];
    size_t n_ends;
};

/* A prompt under way. */
struct prompt {
    const hob_tokenizer *tokenizer;
    struct buffer ids; /* int32_t */
};

static int32_t id_of(const hob_tokenizer *tokenizer, const char *token)
{
    return token ? hob_tokenizer_id(tokenizer, token, strlen(token)) : HOB_NO_TOKEN;
}

static bool has(const hob_tokenizer *tokenizer, const char *token)
{
    return !token || id_of(tokenizer, token) != HOB_NO_TOKEN;
}

static const struct fim_style *find_style(const hob_tokenizer *tokenizer)
{
    for (size_t i = 0; i < ARRAY_LENGTH(styles); i++) {
        const struct fim_style *style = &styles[i];
        if (has(tokenizer, style->prefix) && has(tokenizer, style->suffix) && has(tokenizer, style->middle) &&
            has(tokenizer, style->repo) && has(tokenizer, style->file))
            return style;
    }
    return NULL;
}

static void add_end(struct fim_tokens *tokens, int32_t id)
{
    for (size_t i = 0; i < tokens->n_ends; i++)
        if (tokens->ends[i] == id) return;
    if (id != HOB_NO_TOKEN && tokens->n_ends < HOB_FIM_MOST_ENDS) tokens->ends[tokens->n_ends++] = id;
}

static struct fim_tokens tokens_of_style(const hob_tokenizer *tokenizer, const struct fim_style *style)
{
    struct fim_tokens tokens = {.name = style->name,
                                .order = style->order,
                                .path = style->path,
                                .prefix = id_of(tokenizer, style->prefix),
                                .suffix = id_of(tokenizer, style->suffix),
                                .middle = id_of(tokenizer, style->middle),
                                .repo = id_of(tokenizer, style->repo),
                                .file = id_of(tokenizer, style->file)};
    for (size_t i = 0; i < HOB_FIM_MOST_ENDS && style->ends[i]; i++) add_end(&tokens, id_of(tokenizer, style->ends[i]));
    return tokens;
}

/* Those that a GGUF's metadata names, whatever they are spelt like, put together as llama.cpp does. */
static bool find_named_tokens(const hob_tokenizer *tokenizer, struct fim_tokens *ret_tokens)
{
    static const hob_token_role ends[] = {HOB_TOKEN_EOS, HOB_TOKEN_EOT, HOB_TOKEN_FIM_PAD, HOB_TOKEN_FIM_REPO, HOB_TOKEN_FIM_FILE};
    struct fim_tokens tokens = {.name = "gguf",
                                .order = PSM,
                                .path = PATH_BEFORE,
                                .prefix = hob_tokenizer_role(tokenizer, HOB_TOKEN_FIM_PREFIX),
                                .suffix = hob_tokenizer_role(tokenizer, HOB_TOKEN_FIM_SUFFIX),
                                .middle = hob_tokenizer_role(tokenizer, HOB_TOKEN_FIM_MIDDLE),
                                .repo = hob_tokenizer_role(tokenizer, HOB_TOKEN_FIM_REPO),
                                .file = hob_tokenizer_role(tokenizer, HOB_TOKEN_FIM_FILE)};
    if (tokens.prefix == HOB_NO_TOKEN || tokens.suffix == HOB_NO_TOKEN || tokens.middle == HOB_NO_TOKEN) return false;
    for (size_t i = 0; i < ARRAY_LENGTH(ends); i++) add_end(&tokens, hob_tokenizer_role(tokenizer, ends[i]));
    *ret_tokens = tokens;
    return true;
}

/* A family is known by its spelling first: it tells the order, and where paths stand. */
static bool find_tokens(const hob_tokenizer *tokenizer, struct fim_tokens *ret_tokens)
{
    const struct fim_style *style = tokenizer ? find_style(tokenizer) : NULL;
    if (!style) return tokenizer && find_named_tokens(tokenizer, ret_tokens);
    *ret_tokens = tokens_of_style(tokenizer, style);
    return true;
}

const char *hob_fim_style(const hob_tokenizer *tokenizer)
{
    struct fim_tokens tokens;
    return find_tokens(tokenizer, &tokens) ? tokens.name : NULL;
}

size_t hob_fim_ends(const hob_tokenizer *tokenizer, int32_t ret_ids[HOB_FIM_MOST_ENDS])
{
    struct fim_tokens tokens;
    if (!find_tokens(tokenizer, &tokens)) return 0;
    memcpy(ret_ids, tokens.ends, tokens.n_ends * sizeof *ret_ids);
    return tokens.n_ends;
}

/* ---- pieces ---- */

static void add_token(struct prompt *prompt, int32_t id)
{
    if (id != HOB_NO_TOKEN) buffer_append(&prompt->ids, &id, sizeof id);
}

static hob_status add_text(struct prompt *prompt, const char *text, size_t n_bytes, hob_error *error)
{
    int32_t *ids;
    size_t n_ids;
    TRY(hob_tokenizer_encode(prompt->tokenizer, text, n_bytes, 0, &ids, &n_ids, error));
    buffer_append(&prompt->ids, ids, n_ids * sizeof *ids);
    hob_free(ids);
    return HOB_OK;
}

/* SentencePiece puts a space before every text, but a suffix goes on in the middle of one. So a character that joins nothing is put in
 * front, and its ids, the space's among them, are taken off: what Code Llama and mistral-common do. */
static hob_status add_continued(struct prompt *prompt, const char *text, size_t n_bytes, hob_error *error)
{
    static const char mark[] = "\n";
    struct buffer marked = {0};
    int32_t *front = NULL, *ids = NULL;
    size_t n_front = 0, n_ids = 0;
    hob_status status = HOB_OK;
    if (!buffer_append(&marked, mark, 1) || !buffer_append(&marked, text, n_bytes))
        FAIL_CLEANUP(error, HOB_NO_MEMORY, "fill in the middle: no memory for a text of %zu bytes", n_bytes);
    TRY_CLEANUP(hob_tokenizer_encode(prompt->tokenizer, mark, 1, 0, &front, &n_front, error));
    TRY_CLEANUP(hob_tokenizer_encode(prompt->tokenizer, marked.bytes, marked.n_bytes, 0, &ids, &n_ids, error));
    bool is_marked = n_ids >= n_front && !memcmp(ids, front, n_front * sizeof *ids);
    if (is_marked) buffer_append(&prompt->ids, ids + n_front, (n_ids - n_front) * sizeof *ids);
    else status = add_text(prompt, text, n_bytes, error);
cleanup:
    buffer_release(&marked);
    hob_free(front);
    hob_free(ids);
    return status;
}

/* Whether every text begins with a space that nobody wrote. */
static bool puts_space_in_front(const hob_tokenizer *tokenizer)
{
    int32_t *ids;
    size_t n_ids;
    if (hob_tokenizer_encode(tokenizer, "\n", 1, 0, &ids, &n_ids, NULL) != HOB_OK) return false;
    const char *first = n_ids > 1 ? hob_tokenizer_token(tokenizer, ids[0], NULL) : NULL;
    bool is_space = first && !strcmp(first, "▁");
    hob_free(ids);
    return is_space;
}

static hob_status add_suffix(struct prompt *prompt, const hob_fim *fim, hob_error *error)
{
    return puts_space_in_front(prompt->tokenizer) ? add_continued(prompt, fim->suffix, fim->n_suffix_bytes, error)
                                                  : add_text(prompt, fim->suffix, fim->n_suffix_bytes, error);
}

/* What the tokenizer puts in front of any text. */
static hob_status add_beginning(struct prompt *prompt, hob_error *error)
{
    int32_t *ids, bos = hob_tokenizer_role(prompt->tokenizer, HOB_TOKEN_BOS);
    size_t n_ids;
    TRY(hob_tokenizer_encode(prompt->tokenizer, "", 0, HOB_ADD_SPECIAL, &ids, &n_ids, error));
    if (n_ids && ids[0] == bos) buffer_append(&prompt->ids, ids, sizeof *ids);
    hob_free(ids);
    return HOB_OK;
}

/* ---- the whole ---- */

/* The path and, where it stands before the prefix's token or inside it, the line end behind it. */
static hob_status add_path(struct prompt *prompt, const char *path, hob_error *error)
{
    struct buffer line = {0};
    hob_status status = HOB_OK;
    if (!buffer_append_string(&line, path) || !buffer_append(&line, "\n", 1))
        FAIL_CLEANUP(error, HOB_NO_MEMORY, "fill in the middle: no memory for a path");
    TRY_CLEANUP(add_text(prompt, line.bytes, line.n_bytes, error));
cleanup:
    buffer_release(&line);
    return status;
}

/* A file's path, line end and text are one text. */
static hob_status add_file(struct prompt *prompt, const struct fim_tokens *tokens, const hob_fim_file *file,
                           hob_error *error)
{
    struct buffer text = {0};
    hob_status status = HOB_OK;
    buffer_append_string(&text, file->path);
    buffer_append(&text, "\n", 1);
    buffer_append(&text, file->text, file->n_text_bytes);
    bool ends_line = !file->n_text_bytes || file->text[file->n_text_bytes - 1] == '\n';
    if (tokens->path == PATH_BEFORE && !ends_line) buffer_append(&text, "\n", 1);
    if (text.is_failed) FAIL_CLEANUP(error, HOB_NO_MEMORY, "fill in the middle: no memory for %s", file->path);
    add_token(prompt, tokens->file);
    TRY_CLEANUP(add_text(prompt, text.bytes, text.n_bytes, error));
cleanup:
    buffer_release(&text);
    return status;
}

static hob_status add_repository(struct prompt *prompt, const struct fim_tokens *tokens, const hob_fim *fim,
                                 hob_error *error)
{
    add_token(prompt, tokens->repo);
    TRY(tokens->path == PATH_BEFORE ? add_path(prompt, fim->repo_name, error)
                                   : add_text(prompt, fim->repo_name, strlen(fim->repo_name), error));
    for (size_t i = 0; i < fim->n_files; i++) TRY(add_file(prompt, tokens, &fim->files[i], error));
    add_token(prompt, tokens->file);
    return tokens->path == PATH_BEFORE ? add_path(prompt, fim->path, error) : HOB_OK;
}

static hob_status add_prefix(struct prompt *prompt, const struct fim_tokens *tokens, const hob_fim *fim, hob_error *error)
{
    add_token(prompt, tokens->prefix);
    if (fim->repo_name && tokens->path == PATH_INSIDE) TRY(add_path(prompt, fim->path, error));
    return add_text(prompt, fim->prefix, fim->n_prefix_bytes, error);
}

static hob_status build(struct prompt *prompt, const struct fim_tokens *tokens, const hob_fim *fim, hob_error *error)
{
    TRY(add_beginning(prompt, error));
    if (fim->repo_name) TRY(add_repository(prompt, tokens, fim, error));
    if (tokens->order == PSM) TRY(add_prefix(prompt, tokens, fim, error));
    add_token(prompt, tokens->suffix);
    TRY(add_suffix(prompt, fim, error));
    if (tokens->order == SPM) TRY(add_prefix(prompt, tokens, fim, error));
    add_token(prompt, tokens->middle);
    if (prompt->ids.is_failed) FAIL(error, HOB_NO_MEMORY, "fill in the middle: no memory for the prompt");
    return HOB_OK;
}

static hob_status refuse(hob_error *error)
{
    struct buffer names = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(styles); i++)
        if (i == 0 || strcmp(styles[i].prefix, styles[i - 1].prefix))
            buffer_printf(&names, "%s%s %s", i ? ", " : "", styles[i].prefix, styles[i].suffix);
    hob_status status = error_set(error, HOB_UNSUPPORTED, ERROR_HERE,
                                  "the model cannot fill in the middle: found none of the tokens %s in its vocabulary",
                                  buffer_text(&names));
    buffer_release(&names);
    return status;
}

static hob_status check(const hob_fim *fim, const struct fim_tokens *tokens, hob_error *error)
{
    if (!fim->repo_name && (fim->n_files || fim->path))
        FAIL(error, HOB_BAD_ARGUMENT, "fill in the middle: found files of a repository, expected its name too");
    if (!fim->repo_name) return HOB_OK;
    if (tokens->repo == HOB_NO_TOKEN || tokens->file == HOB_NO_TOKEN)
        FAIL(error, HOB_UNSUPPORTED,
             "the model (%s) knows no repositories: found none of the tokens <|repo_name|>, <repo_name>", tokens->name);
    if (!fim->path || (fim->n_files && !fim->files))
        FAIL(error, HOB_BAD_ARGUMENT,
             "fill in the middle: found a repository, expected the path of the file to fill too");
    for (size_t i = 0; i < fim->n_files; i++)
        if (!fim->files[i].path || (!fim->files[i].text && fim->files[i].n_text_bytes))
            FAIL(error, HOB_BAD_ARGUMENT, "fill in the middle: file %zu: expected a path and a text", i);
    return HOB_OK;
}

hob_status hob_fim_prompt(const hob_tokenizer *tokenizer, const hob_fim *fim, int32_t **ret_ids, size_t *ret_n_ids,
                          hob_error *error)
{
    if (!tokenizer || !fim || !ret_ids || !ret_n_ids || (!fim->prefix && fim->n_prefix_bytes) ||
        (!fim->suffix && fim->n_suffix_bytes))
        FAIL(error, HOB_BAD_ARGUMENT, "hob_fim_prompt: tokenizer, texts, ret_ids and ret_n_ids must be given");
    struct fim_tokens tokens;
    if (!find_tokens(tokenizer, &tokens)) return refuse(error);
    TRY(check(fim, &tokens, error));
    struct prompt prompt = {.tokenizer = tokenizer};
    hob_status status = build(&prompt, &tokens, fim, error);
    if (status != HOB_OK) {
        buffer_release(&prompt.ids);
        return status;
    }
    *ret_n_ids = prompt.ids.n_bytes / sizeof(int32_t);
    *ret_ids = (int32_t *)(void *)prompt.ids.bytes;
    return HOB_OK;
}
