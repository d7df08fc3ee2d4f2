/* Texts to ids. They are encoded bare, cut, and only then is what stands around them put there, as transformers does: so special tokens
 * are never cut. Everything goes into one arena, which the encodings hand to the caller. */
#include "engine/encode.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "text/tokenizer.h"

#include <string.h>

enum { CHUNK_BYTES = 16 * 1024 };

struct encoding_job {
    const struct hob_model *model;
    const struct tokenizer *tokenizer;
    hob_encode_options options;
    const char *prompt;  /* the text behind its name */
    size_t most_tokens;  /* SIZE_MAX: any number */
    struct arena *arena; /* of the results */
    const int32_t **ids, **types;
    size_t *n_ids, n_tokens;
};

int64_t encode_most_tokens(const struct hob_model *model)
{
    int64_t most = model->pooling.max_tokens, n_context = model->info.n_context;
    if (n_context > 0 && (most <= 0 || n_context < most)) most = n_context;
    return most > 0 ? most : 0;
}

/* ---- prompts ---- */

static void list_prompts(const struct model_prompts *prompts, struct buffer *list)
{
    for (size_t i = 0; i < prompts->n; i++) buffer_printf(list, "%s%s", i ? ", " : "one of ", prompts->items[i].name);
    if (!prompts->n) buffer_append_string(list, "none: the model has no prompts");
}

/* The text behind a name; "" for no prompt. */
static hob_status find_prompt(const struct hob_model *model, const char *name, const char **ret_text, hob_error *error)
{
    if (!name) name = model->prompts.default_name ? model->prompts.default_name : "";
    const char *text = model_find_prompt(&model->prompts, name);
    if (!text && *name) {
        struct buffer list = {0};
        list_prompts(&model->prompts, &list);
        hob_status status = error_set(error, HOB_BAD_ARGUMENT, ERROR_HERE, "prompt: found \"%.64s\", expected %s", name, buffer_text(&list));
        buffer_release(&list);
        return status;
    }
    *ret_text = text ? text : "";
    return HOB_OK;
}

/* ---- one text ---- */

/* Static models know no unknown token: it is left out, as model2vec does. */
static void drop_unknown(const struct tokenizer *tokenizer, struct id_list *list)
{
    int32_t unknown = tokenizer_role(tokenizer, HOB_TOKEN_UNKNOWN);
    size_t n_kept = 0;
    for (size_t i = 0; i < list->n_ids; i++)
        if (list->ids[i] != unknown) list->ids[n_kept++] = list->ids[i];
    list->n_ids = n_kept;
}

/* Appends to list. The prompt and the text are one text: where one ends, a token need not. */
static hob_status encode_bare(const struct encoding_job *job, const char *prompt, const char *text, size_t n_bytes, struct id_list *list,
                              hob_error *error)
{
    hob_status status = HOB_OK;
    struct buffer whole = {0};
    if (*prompt) {
        buffer_append_string(&whole, prompt);
        buffer_append(&whole, text, n_bytes);
        if (whole.is_failed) FAIL_CLEANUP(error, HOB_NO_MEMORY, "a prompt and its text: out of memory");
        text = buffer_text(&whole);
        n_bytes = whole.n_bytes;
    }
    TRY_CLEANUP(tokenizer_encode(job->tokenizer, text, n_bytes, 0, list, error));
    if (job->model->pooling.is_plain_text) drop_unknown(job->tokenizer, list);
cleanup:
    buffer_release(&whole);
    return status;
}

static struct token_span cut(const struct encoding_job *job, struct token_span span, size_t n_kept)
{
    if (n_kept >= span.n_ids) return span;
    return (struct token_span){span.ids + (job->options.cuts_beginning ? span.n_ids - n_kept : 0), n_kept};
}

static hob_status refuse(const struct encoding_job *job, size_t text, size_t n_found, hob_error *error)
{
    FAIL(error, HOB_LIMIT, "text %zu: found %zu tokens, expected at most %zu", text, n_found, job->most_tokens);
}

/* A copy of the lists as encoding `text`. */
static hob_status keep(struct encoding_job *job, size_t text, const struct id_list *ids, const struct id_list *types, hob_error *error)
{
    size_t n_bytes = ids->n_ids * sizeof *ids->ids;
    job->ids[text] = arena_copy(job->arena, ids->ids ? ids->ids : (const int32_t[]){0}, n_bytes, _Alignof(int32_t));
    job->types[text] = arena_copy(job->arena, types->ids ? types->ids : (const int32_t[]){0}, n_bytes, _Alignof(int32_t));
    if (!job->ids[text] || !job->types[text]) FAIL(error, HOB_NO_MEMORY, "text %zu: no memory for its tokens", text);
    job->n_ids[text] = ids->n_ids;
    job->n_tokens += ids->n_ids;
    return HOB_OK;
}

static hob_status put_around(struct encoding_job *job, size_t text, const struct token_span *first, const struct token_span *second,
                             hob_error *error)
{
    struct id_list ids = {0}, types = {0};
    hob_status status = HOB_OK;
    if (job->model->pooling.is_plain_text) { /* nothing stands around it */
        for (size_t i = 0; i < first->n_ids && status == HOB_OK; i++)
            if (!id_list_append(&ids, first->ids[i]) || !id_list_append(&types, 0))
                status = error_set(error, HOB_NO_MEMORY, ERROR_HERE, "text %zu: no memory for its tokens", text);
    } else {
        status = tokenizer_put_around(job->tokenizer, first, second, &ids, &types, error);
    }
    if (status == HOB_OK) status = keep(job, text, &ids, &types, error);
    id_list_release(&ids);
    id_list_release(&types);
    return status;
}

/* How many ids of texts there is room for beside the special ones. */
static hob_status find_room(const struct encoding_job *job, bool is_pair, size_t *ret_n_room, hob_error *error)
{
    size_t n_around = job->model->pooling.is_plain_text ? 0 : tokenizer_n_around(job->tokenizer, is_pair);
    if (job->most_tokens <= n_around)
        FAIL(error, HOB_LIMIT, "tokens: found at most %zu allowed, expected more than the %zu special ones", job->most_tokens, n_around);
    *ret_n_room = job->most_tokens == SIZE_MAX ? SIZE_MAX : job->most_tokens - n_around;
    return HOB_OK;
}

static hob_status encode_text(struct encoding_job *job, size_t text, const char *bytes, size_t n_bytes, size_t n_room, hob_error *error)
{
    struct id_list list = {0};
    hob_status status = HOB_OK;
    TRY_CLEANUP(encode_bare(job, job->prompt, bytes, n_bytes, &list, error));
    struct token_span span = {list.ids, list.n_ids};
    if (list.n_ids > n_room && job->options.is_strict)
        TRY_CLEANUP(refuse(job, text, list.n_ids + job->most_tokens - n_room, error));
    span = cut(job, span, n_room);
    TRY_CLEANUP(put_around(job, text, &span, NULL, error));
cleanup:
    id_list_release(&list);
    return status;
}

/* ---- pairs ---- */

/* What is left of n1 <= n2 ids where both may lose some: the longer one first, then both to a half, as Hugging Face's tokenizers do. */
static void share(size_t n_room, size_t *n1, size_t *n2)
{
    size_t longer = *n1 > n_room ? *n1 : n_room - *n1 > *n1 ? n_room - *n1 : *n1;
    if (longer < *n2) *n2 = longer;
    if (*n1 <= n_room && *n2 <= n_room - *n1) return;
    *n1 = n_room / 2;
    *n2 = n_room / 2 + n_room % 2;
}

static hob_status shorten(const struct encoding_job *job, size_t text, size_t n_room, struct token_span *first, struct token_span *second,
                          hob_error *error)
{
    size_t n_first = first->n_ids, n_second = second->n_ids;
    if (n_first <= n_room && n_second <= n_room - n_first) return HOB_OK;
    if (job->options.is_strict) return refuse(job, text, n_first + n_second + job->most_tokens - n_room, error);
    if (job->options.keeps_first && n_first >= n_room)
        FAIL(error, HOB_LIMIT, "text %zu: found %zu tokens before it, expected less than the %zu there is room for", text, n_first, n_room);
    if (job->options.keeps_first) n_second = n_room - n_first;
    else if (n_first <= n_second) share(n_room, &n_first, &n_second);
    else share(n_room, &n_second, &n_first);
    *first = cut(job, *first, n_first);
    *second = cut(job, *second, n_second);
    return HOB_OK;
}

static hob_status encode_pair(struct encoding_job *job, size_t text, struct token_span first, const char *bytes, size_t n_bytes,
                              size_t n_room, hob_error *error)
{
    struct id_list list = {0};
    hob_status status = HOB_OK;
    TRY_CLEANUP(encode_bare(job, "", bytes, n_bytes, &list, error));
    struct token_span second = {list.ids, list.n_ids};
    TRY_CLEANUP(shorten(job, text, n_room, &first, &second, error));
    TRY_CLEANUP(put_around(job, text, &first, &second, error));
cleanup:
    id_list_release(&list);
    return status;
}

/* ---- all ---- */

static hob_status check_model(const struct hob_model *model, hob_error *error)
{
    if (model->info.kind != HOB_MODEL_ENCODER && model->info.kind != HOB_MODEL_CLASSIFIER)
        FAIL(error, HOB_UNSUPPORTED, "the model is no sentence encoder or classifier (architecture %s)", model->info.architecture);
    if (!model->tokenizer)
        FAIL(error, HOB_UNSUPPORTED, "the model has no tokenizer: %s", model->tokenizer_error ? model->tokenizer_error : "none was sought");
    return HOB_OK;
}

static size_t find_most_tokens(const struct hob_model *model, size_t wanted)
{
    size_t most = (size_t)encode_most_tokens(model);
    if (!most) most = SIZE_MAX;
    return wanted && wanted < most ? wanted : most;
}

/* job's arena and tables. What there is is released by end. */
static hob_status begin(struct encoding_job *job, const hob_model *model, const hob_encode_options *options, size_t n_texts,
                        hob_error *error)
{
    *job = (struct encoding_job){.model = model, .options = options ? *options : (hob_encode_options){0}};
    TRY(check_model(model, error));
    job->tokenizer = (const struct tokenizer *)model->tokenizer;
    job->most_tokens = find_most_tokens(model, job->options.max_tokens);
    job->arena = memory_new(1, sizeof *job->arena);
    if (!job->arena) FAIL(error, HOB_NO_MEMORY, "%zu texts: out of memory", n_texts);
    arena_init(job->arena, CHUNK_BYTES);
    job->ids = ARENA_NEW(job->arena, const int32_t *, n_texts);
    job->types = ARENA_NEW(job->arena, const int32_t *, n_texts);
    job->n_ids = ARENA_NEW(job->arena, size_t, n_texts);
    if (!job->ids || !job->types || !job->n_ids) FAIL(error, HOB_NO_MEMORY, "%zu texts: out of memory", n_texts);
    return HOB_OK;
}

static void release_arena(struct arena *arena)
{
    if (arena) arena_release(arena);
    memory_free(arena);
}

static hob_status end(struct encoding_job *job, hob_status status, size_t n_texts, hob_encodings *ret_encodings)
{
    if (status == HOB_OK)
        *ret_encodings = (hob_encodings){.ids = job->ids, .types = job->types, .n_ids = job->n_ids, .n_texts = n_texts,
                                         .n_tokens = job->n_tokens, .memory = job->arena};
    else release_arena(job->arena);
    return status;
}

static size_t bytes_of(const char *const *texts, const size_t *text_bytes, size_t i)
{
    return text_bytes ? text_bytes[i] : strlen(texts[i]);
}

hob_status hob_encode_texts(const hob_model *model, const char *const *texts, const size_t *text_bytes, size_t n_texts,
                            const hob_encode_options *options, hob_encodings *ret_encodings, hob_error *error)
{
    struct encoding_job job;
    size_t n_room = 0;
    hob_status status = begin(&job, model, options, n_texts, error);
    if (status == HOB_OK) status = find_prompt(model, job.options.prompt, &job.prompt, error);
    if (status == HOB_OK) status = find_room(&job, false, &n_room, error);
    for (size_t i = 0; i < n_texts && status == HOB_OK; i++)
        status = encode_text(&job, i, texts[i], bytes_of(texts, text_bytes, i), n_room, error);
    return end(&job, status, n_texts, ret_encodings);
}

static hob_status refuse_prompt(const hob_encode_options *options, hob_error *error)
{
    if (options->prompt && *options->prompt)
        FAIL(error, HOB_BAD_ARGUMENT, "prompt: found \"%.64s\" for a pair, expected none", options->prompt);
    return HOB_OK;
}

hob_status hob_encode_pairs(const hob_model *model, const char *first, size_t first_bytes, const char *const *texts,
                            const size_t *text_bytes, size_t n_texts, const hob_encode_options *options, hob_encodings *ret_encodings,
                            hob_error *error)
{
    struct encoding_job job;
    struct id_list list = {0};
    size_t n_room = 0;
    hob_status status = begin(&job, model, options, n_texts, error);
    if (status == HOB_OK) status = refuse_prompt(&job.options, error);
    if (status == HOB_OK) status = find_room(&job, true, &n_room, error);
    if (status == HOB_OK) status = encode_bare(&job, "", first, first_bytes, &list, error);
    for (size_t i = 0; i < n_texts && status == HOB_OK; i++)
        status = encode_pair(&job, i, (struct token_span){list.ids, list.n_ids}, texts[i], bytes_of(texts, text_bytes, i), n_room, error);
    id_list_release(&list);
    return end(&job, status, n_texts, ret_encodings);
}

void hob_encodings_release(hob_encodings *encodings)
{
    release_arena(encodings->memory);
    *encodings = (hob_encodings){0};
}
