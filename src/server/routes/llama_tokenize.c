/* POST /tokenize with "content": token ids of a text. The path is text-embeddings-inference's as well, whose route hands on what is not for it. */
#include "server/jobs/tokens.h"
#include "server/routes/answer_parts.h"
#include "server/routes/api_llama.h"
#include "server/routes/api_tei.h"
#include "server/routes/generation.h"
#include "server/routes/job_inputs.h"
#include "server/routes/piece_json.h"

struct inputs {
    const char *model;
    const json_t *content;
    bool adds_special, parses_special, has_pieces;
};

static const struct field_def fields[] = {
    {.name = "content",
     .kind = FIELD_TEXTS,
     .is_required = true,
     .most_items = 1,
     .offset = offsetof(struct inputs, content),
     .help = "a text"},
    {.name = "model", .kind = FIELD_TEXT, .offset = offsetof(struct inputs, model)},
    {.name = "add_special",
     .kind = FIELD_BOOL,
     .offset = offsetof(struct inputs, adds_special),
     .help = "with what the model expects around a text"},
    {.name = "parse_special",
     .kind = FIELD_BOOL,
     .offset = offsetof(struct inputs, parses_special),
     .help = "special tokens in the text become their ids (default)"},
    {.name = "with_pieces",
     .kind = FIELD_BOOL,
     .offset = offsetof(struct inputs, has_pieces),
     .help = "each token with its text, or its bytes where they are no text"},
};

/* Its text; where that is no UTF-8 by itself, its bytes. */
static json_t *piece_of(hob_pieces *pieces, const hob_tokenizer *tokenizer, int32_t id)
{
    const char *bytes;
    size_t n_bytes;
    bool is_text = hob_pieces_get(pieces, id, &bytes, &n_bytes, NULL) != HOB_OK || !n_bytes;
    json_t *text = is_text ? piece_json_text(pieces, tokenizer, id) : json_stringn(bytes, n_bytes);
    return text || is_text ? text : piece_json_bytes(pieces, id);
}

static json_t *with_pieces(struct exchange *exchange)
{
    const struct job *job = exchange_job(exchange, 0);
    hob_pieces *pieces = generation_pieces(job);
    json_t *tokens = pieces ? json_array() : NULL;
    ANSWER_EVENTS(event, exchange, 0)
    for (size_t i = 0; tokens && event->kind == EVENT_IDS && i < event->n_ids; i++)
        json_append(&tokens, json_pack("{s:i,s:o}", "id", (int)event->ids[i], "piece",
                                       piece_of(pieces, generation_tokenizer(job), event->ids[i])));
    hob_pieces_free(pieces);
    return tokens;
}

static json_t *whole(struct exchange *exchange, void *state)
{
    if (state) return json_pack("{s:o}", "tokens", with_pieces(exchange));
    json_t *tokens = json_array();
    ANSWER_EVENTS(event, exchange, 0)
    for (size_t i = 0; event->kind == EVENT_IDS && i < event->n_ids; i++)
        json_append(&tokens, json_integer(event->ids[i]));
    return json_pack("{s:o}", "tokens", tokens);
}

static const struct answer_def answer = {.whole = whole};

bool llama_tokenize(struct exchange *exchange, struct problem *ret_problem)
{
    struct inputs inputs = {.parses_special = true};
    exchange_set_api(exchange, &api_llama);
    if (!fields_read(exchange_body(exchange), fields, sizeof fields / sizeof fields[0], &inputs, ret_problem))
        return false;
    struct tokens_job *job = tokens_job_new(inputs.model ? inputs.model : "");
    if (!exchange_add(exchange, (struct job *)job, ret_problem)) return false;
    job->inputs.task = TOKENS_ENCODE;
    job->inputs.flags = (inputs.adds_special ? HOB_ADD_SPECIAL : 0) | (inputs.parses_special ? HOB_PARSE_SPECIAL : 0);
    if (!inputs_copy_texts(&job->job, inputs.content, "content", &job->inputs.texts, &job->inputs.text_bytes,
                           &job->inputs.n_texts, ret_problem))
        return false;
    static char has_pieces;
    exchange_run(exchange, &answer, inputs.has_pieces ? &has_pieces : NULL, false);
    return true;
}
