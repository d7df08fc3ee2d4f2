/* Text by whole characters, --ids as numbers, --json as one object. */
#include "cli/completion.h"

#include "cli/ids.h"
#include "cli/interrupt.h"
#include "cli/json.h"
#include "cli/report.h"
#include "cli/token_json.h"

#include <string.h>

/* Shown as it comes: one text, of which each token is final. */
static bool is_streamed(const struct complete_settings *settings)
{
    return !settings->is_json && settings->n_samples == 1 && settings->beam_width == 1;
}

static void print_prompt(const struct completion *completion)
{
    if (completion->settings->shows_ids) ids_print(completion->output, completion->prompt_ids, completion->n_prompt_ids);
    else if (completion->settings->echoes)
        output_write(completion->output, buffer_text(&completion->prompt), completion->prompt.n_bytes);
}

/* Not before the first token is there: a prompt that the model refuses leaves no half a line behind. */
void completion_begin(struct completion *completion)
{
    if (!completion->has_begun && is_streamed(completion->settings)) print_prompt(completion);
    completion->has_begun = true;
}

static bool keep(const struct completion *completion, struct text *text, const hob_generated *generated)
{
    buffer_append(&text->text, generated->text, generated->n_text_bytes);
    if (generated->id != HOB_NO_TOKEN) buffer_append(&text->ids, &generated->id, sizeof generated->id);
    hob_logprob token = {generated->id, generated->logprob};
    if (generated->id != HOB_NO_TOKEN && text->logprobs)
        text->text.is_failed |= json_array_append_new(text->logprobs, json_token(completion->tokenizer, token, generated->top_logprobs,
                                                                                 generated->n_top_logprobs)) != 0;
    return !interrupt_is_asked() && !text->text.is_failed && !text->ids.is_failed;
}

bool completion_take(void *context, const hob_generated *generated)
{
    struct completion *completion = context;
    completion_begin(completion);
    if (!is_streamed(completion->settings)) return keep(completion, &completion->texts[generated->output], generated);
    if (!completion->settings->shows_ids) output_write(completion->output, generated->text, generated->n_text_bytes);
    else if (generated->id != HOB_NO_TOKEN) output_printf(completion->output, " %d", (int)generated->id);
    return output_flush(completion->output) && !interrupt_is_asked();
}

/* ---- what is shown at the end ---- */

static const int32_t *ids_of(const struct text *text, size_t *ret_n_ids)
{
    *ret_n_ids = text->ids.n_bytes / sizeof(int32_t);
    return (const int32_t *)(const void *)text->ids.bytes;
}

static bool add_logprobs(json_t *json, const struct text *text)
{
    return !text->logprobs || json_object_set(json, "logprobs", text->logprobs) == 0;
}

static json_t *json_of_text(const struct completion *completion, size_t index)
{
    size_t n_ids;
    const struct text *text = &completion->texts[index];
    const int32_t *ids = ids_of(text, &n_ids);
    hob_generated_output output = hob_generation_output(completion->generation, index);
    json_t *json = json_pack("{s:o, s:o, s:I, s:s}", "text", json_text(buffer_text(&text->text), text->text.n_bytes), "ids",
                             json_ids(ids, n_ids), "n_tokens", (json_int_t)output.n_tokens, "finish", hob_finish_name(output.finish));
    const struct complete_settings *settings = completion->settings;
    uint64_t seed = settings->sampling.seed + index;
    json_t *more = settings->beam_width > 1 ? json_real(output.score) : json_integer((json_int_t)seed);
    if (json_object_set_new(json, settings->beam_width > 1 ? "score" : "seed", more) == 0 && add_logprobs(json, text)) return json;
    json_decref(json);
    return NULL;
}

/* All of them, where they are several. */
static json_t *json_of_texts(const struct completion *completion)
{
    json_t *array = json_array();
    for (size_t i = 0; array && i < completion->n_texts; i++) {
        if (json_array_append_new(array, json_of_text(completion, i)) == 0) continue;
        json_decref(array);
        array = NULL;
    }
    return array;
}

static json_t *json_of_ids(const struct completion *completion)
{
    size_t n_ids;
    const int32_t *new_ids = ids_of(&completion->texts[0], &n_ids);
    json_t *ids = json_ids(completion->prompt_ids, completion->n_prompt_ids), *more = json_ids(new_ids, n_ids);
    if (ids && more && json_array_extend(ids, more) != 0) {
        json_decref(ids);
        ids = NULL;
    }
    json_decref(more);
    return ids;
}

static json_t *json_of_completion(const struct completion *completion, const char *model)
{
    const struct text *first = &completion->texts[0];
    hob_generate_result result = hob_generation_result(completion->generation);
    double tokens_per_s = result.generate_ms > 0 ? (double)result.n_tokens * 1000 / result.generate_ms : 0;
    json_t *json = json_pack(
        "{s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:s, s:I, s:I, s:f, s:f, s:f}", "model", json_text(model, strlen(model)), "prompt",
        json_text(buffer_text(&completion->prompt), completion->prompt.n_bytes), "text",
        json_text(buffer_text(&first->text), first->text.n_bytes), "ids", json_of_ids(completion), "n_prompt_tokens",
        (json_int_t)result.n_prompt_tokens, "n_cached_tokens", (json_int_t)result.n_cached_tokens, "n_tokens", (json_int_t)result.n_tokens, "finish", hob_finish_name(result.finish),
        "n_drafted", (json_int_t)result.n_drafted, "n_draft_accepted", (json_int_t)result.n_draft_accepted, "prompt_ms", result.prompt_ms, "generate_ms", result.generate_ms, "tokens_per_s", tokens_per_s);
    bool is_one = completion->settings->n_samples == 1 && completion->settings->beam_width == 1;
    bool is_whole = is_one ? add_logprobs(json, first) : json_object_set_new(json, "texts", json_of_texts(completion)) == 0;
    if (!json || is_whole) return json;
    json_decref(json);
    return NULL;
}

/* One after another; texts, unlike lines of ids, with a line between them that tells where one ends. */
static void print_texts(struct completion *completion)
{
    struct output *output = completion->output;
    for (size_t i = 0; i < completion->n_texts; i++) {
        size_t n_ids;
        const int32_t *ids = ids_of(&completion->texts[i], &n_ids);
        bool shows_ids = completion->settings->shows_ids;
        if (i > 0 && !shows_ids) output_printf(output, "---\n");
        print_prompt(completion);
        if (!shows_ids) output_write(output, buffer_text(&completion->texts[i].text), completion->texts[i].text.n_bytes);
        for (size_t n = 0; shows_ids && n < n_ids; n++) output_printf(output, " %d", (int)ids[n]);
        output_write(output, "\n", 1);
    }
}

static bool is_out_of_memory(const struct completion *completion)
{
    for (size_t i = 0; i < completion->settings->n_samples; i++)
        if (completion->texts[i].text.is_failed || completion->texts[i].ids.is_failed) return true;
    return false;
}

int completion_end(struct completion *completion)
{
    int status = STATUS_DONE;
    char *default_path = completion->settings->model_path ? NULL : hob_model_default_path(HOB_MODEL_DECODER);
    const char *model = completion->settings->model_path ? completion->settings->model_path : default_path;
    if (is_out_of_memory(completion)) {
        report("no memory for the text");
        status = STATUS_FAILED;
    } else if (completion->settings->is_json) {
        status = json_print(json_of_completion(completion, model ? model : ""), completion->output);
    } else if (is_streamed(completion->settings)) {
        output_write(completion->output, "\n", 1);
    } else {
        print_texts(completion);
    }
    hob_free(default_path);
    return interrupt_is_asked() ? STATUS_INTERRUPTED : status;
}
