#include "cli/score_text.h"

#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/report.h"
#include "cli/token_json.h"

#include <math.h>

struct scoring {
    const hob_tokenizer *tokenizer;
    struct output *output;
    json_t *tokens; /* NULL: lines are printed */
    double sum;
    size_t n_tokens;
};

static bool print_line(const struct scoring *scoring, const hob_scored *scored)
{
    json_t *json = json_token_text(scoring->tokenizer, scored->id);
    char *text = json ? json_dumps(json, JSON_ENCODE_ANY) : NULL;
    bool is_printed = text && output_printf(scoring->output, "%d\t%.6f\t%s\n", (int)scored->id, scored->logprob, text);
    free(text);
    json_decref(json);
    return is_printed;
}

static bool on_scored(void *context, const hob_scored *scored)
{
    struct scoring *scoring = context;
    hob_logprob token = {scored->id, (float)scored->logprob};
    scoring->sum += scored->logprob;
    scoring->n_tokens++;
    if (interrupt_is_asked()) return false;
    if (!scoring->tokens) return print_line(scoring, scored);
    return json_array_append_new(scoring->tokens, json_token(scoring->tokenizer, token, scored->top_logprobs,
                                                             scored->n_top_logprobs)) == 0;
}

static json_t *json_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static int print_sums(struct scoring *scoring, bool is_json)
{
    double mean = scoring->n_tokens ? scoring->sum / (double)scoring->n_tokens : 0;
    if (is_json)
        return json_print(json_pack("{s:O, s:I, s:o, s:o, s:o}", "tokens", scoring->tokens, "n_tokens",
                                    (json_int_t)scoring->n_tokens, "sum_logprob", json_number(scoring->sum),
                                    "mean_logprob", json_number(mean), "perplexity", json_number(exp(-mean))),
                          scoring->output);
    output_printf(scoring->output, "sum %.6f  mean %.6f  perplexity %.4f  (%zu tokens)\n", scoring->sum, mean,
                  exp(-mean), scoring->n_tokens);
    return STATUS_DONE;
}

int score_text(hob_session *session, const hob_tokenizer *tokenizer, const int32_t *ids, size_t n_ids, size_t n_top,
               bool is_json, struct output *output)
{
    struct scoring scoring = {.tokenizer = tokenizer, .output = output, .tokens = is_json ? json_array() : NULL};
    hob_error error;
    int status = hob_score(session, ids, n_ids, n_top, on_scored, &scoring, &error) == HOB_OK
                     ? print_sums(&scoring, is_json)
                     : report_error(&error);
    json_decref(scoring.tokens);
    return interrupt_is_asked() ? STATUS_INTERRUPTED : status;
}
