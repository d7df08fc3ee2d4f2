/* The library says that a text is too long in words; clients want numbers, so the texts are counted again then, uncut. */
#include "server/jobs/encoding.h"

static size_t most_tokens(const struct loaded_model *model)
{
    const hob_model_info *info = &model->info;
    return (size_t)(info->n_text_tokens > 0 ? info->n_text_tokens : info->n_context);
}

bool encoding_too_long(const struct loaded_model *model, size_t index, size_t n_found, struct problem *ret_problem)
{
    size_t n_allowed = most_tokens(model);
    problem_set(ret_problem, PROBLEM_CONTEXT, "input %zu has %zu tokens, and model %s takes at most %zu", index, n_found, model->name, n_allowed);
    ret_problem->n_found = n_found;
    ret_problem->n_allowed = n_allowed;
    return false;
}

static size_t count_tokens(const struct loaded_model *model, const char *text, size_t n_bytes)
{
    int32_t *ids;
    size_t n_ids;
    const hob_tokenizer *tokenizer = hob_model_tokenizer(model->model);
    if (!tokenizer || hob_tokenizer_encode(tokenizer, text, n_bytes, HOB_ADD_SPECIAL, &ids, &n_ids, NULL) != HOB_OK) return 0;
    hob_free(ids);
    return n_ids;
}

/* The first text that is too long; a prompt in front of it may be what makes it so. */
static bool explain(const struct loaded_model *model, const struct encoding_texts *texts, const hob_error *error, struct problem *ret_problem)
{
    size_t n_allowed = most_tokens(model), n_first = texts->first ? count_tokens(model, texts->first, texts->n_first_bytes) : 0;
    for (size_t i = 0; i < texts->n_texts; i++) {
        size_t n_found = n_first + count_tokens(model, texts->texts[i], texts->text_bytes[i]);
        if (n_found > n_allowed) return encoding_too_long(model, i, n_found, ret_problem);
    }
    problem_set(ret_problem, PROBLEM_CONTEXT, "%s", error->message);
    ret_problem->n_found = n_allowed + 1; /* at least */
    ret_problem->n_allowed = n_allowed;
    return false;
}

bool encoding_make(const struct loaded_model *model, const struct encoding_texts *texts, const hob_encode_options *options,
                   hob_encodings *ret_encodings, struct problem *ret_problem)
{
    hob_error error;
    hob_status status =
        texts->first ? hob_encode_pairs(model->model, texts->first, texts->n_first_bytes, texts->texts, texts->text_bytes, texts->n_texts, options,
                                        ret_encodings, &error)
                     : hob_encode_texts(model->model, texts->texts, texts->text_bytes, texts->n_texts, options, ret_encodings, &error);
    if (status == HOB_OK) return true;
    if (status == HOB_LIMIT && options->is_strict) return explain(model, texts, &error, ret_problem);
    return problem_from(ret_problem, &error);
}

bool encoding_check(const struct loaded_model *model, const int32_t *ids, size_t n_ids, size_t index, struct problem *ret_problem)
{
    int64_t n_vocab = model->info.n_vocab;
    size_t n_allowed = most_tokens(model);
    if (!n_ids) return problem_set(ret_problem, PROBLEM_BAD_REQUEST, "input %zu: found no tokens, expected at least one", index);
    if (n_allowed && n_ids > n_allowed) return encoding_too_long(model, index, n_ids, ret_problem);
    for (size_t i = 0; i < n_ids; i++)
        if (ids[i] < 0 || (n_vocab > 0 && ids[i] >= n_vocab))
            return problem_set(ret_problem, PROBLEM_BAD_REQUEST, "input %zu: token %zu: found id %d, expected 0 to %lld", index, i, ids[i],
                               (long long)n_vocab - 1);
    return true;
}
