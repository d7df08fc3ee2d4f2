/* POST /v1/embeddings: texts or ids in, a vector each out, as numbers or as base64 of little-endian floats. */
#include "server/jobs/embed.h"
#include "server/routes/answer_parts.h"
#include "server/routes/api_openai.h"
#include "server/routes/openai_prompts.h"
#include "server/routes/route.h"

enum { MOST_TEXTS = 4096 };

static const char *const formats[] = {"float", "base64", NULL};
enum { FORMAT_FLOAT, FORMAT_BASE64 };

struct inputs {
    const char *model, *prompt_name;
    const json_t *input;
    int format;
    size_t n_dimensions;
    struct openai_prompts texts;
};

#define FIELD(name_, kind_, member, ...)                                                     \
    {                                                                                        \
        .name = name_, .kind = kind_, .offset = offsetof(struct inputs, member), __VA_ARGS__ \
    }

static const struct field_def fields[] = {
    FIELD("model", FIELD_TEXT, model, .help = "a name from /v1/models; without it the default embedder"),
    FIELD("input", FIELD_ANY, input, .is_required = true,
          .help = "a text, a list of texts, a list of token ids, or a list of such lists"),
    FIELD("encoding_format", FIELD_CHOICE, format, .choices = formats,
          .help = "numbers, or base64 of 32-bit floats, the lowest byte first"),
    FIELD("dimensions", FIELD_COUNT, n_dimensions, .least = 1, .most = 1 << 20,
          .help = "only so many first numbers of each vector, made length 1 again"),
    FIELD("prompt_name", FIELD_TEXT, prompt_name,
          .help = "the model's prompt to put before each text (query, document); \"\": none"),
    {.name = "user", .kind = FIELD_IGNORED},
};

/* ---- reading ---- */

static bool add_texts(const struct openai_prompts *texts, struct embed_job *embed, struct problem *ret_problem)
{
    const char **copies = ARENA_NEW(&embed->job.arena, const char *, texts->n_prompts);
    size_t *n_bytes = ARENA_NEW(&embed->job.arena, size_t, texts->n_prompts);
    if (!copies || !n_bytes) return problem_no_memory(ret_problem);
    embed->inputs.texts = copies;
    embed->inputs.text_bytes = n_bytes;
    for (size_t i = 0; i < texts->n_prompts; i++)
        if (!openai_prompts_text(texts, i, &embed->job, &copies[i], &n_bytes[i], ret_problem)) return false;
    return true;
}

static bool add_ids(const struct openai_prompts *texts, struct embed_job *embed, struct problem *ret_problem)
{
    const int32_t **copies = ARENA_NEW(&embed->job.arena, const int32_t *, texts->n_prompts);
    size_t *n_ids = ARENA_NEW(&embed->job.arena, size_t, texts->n_prompts);
    if (!copies || !n_ids) return problem_no_memory(ret_problem);
    embed->inputs.ids = copies;
    embed->inputs.n_ids = n_ids;
    for (size_t i = 0; i < texts->n_prompts; i++)
        if (!openai_prompts_ids(texts, i, &embed->job, &copies[i], &n_ids[i], ret_problem)) return false;
    return true;
}

static bool set_job(const struct inputs *inputs, struct embed_job *embed, struct problem *ret_problem)
{
    embed->job.priority = PRIORITY_BATCH;
    embed->inputs.n_texts = inputs->texts.n_prompts;
    embed->inputs.how.n_dimensions = inputs->n_dimensions;
    if (inputs->prompt_name) {
        embed->inputs.how.prompt = job_copy(&embed->job, inputs->prompt_name, strlen(inputs->prompt_name));
        if (!embed->inputs.how.prompt) return problem_no_memory(ret_problem);
    }
    return inputs->texts.are_ids ? add_ids(&inputs->texts, embed, ret_problem)
                                 : add_texts(&inputs->texts, embed, ret_problem);
}

/* ---- answering ---- */

/* Little-endian on any machine. */
static unsigned char byte_at(const float *numbers, size_t index)
{
    uint32_t bits;
    memcpy(&bits, &numbers[index / sizeof bits], sizeof bits);
    return (unsigned char)(bits >> 8 * (index % sizeof bits));
}

/* RFC 4648: three bytes are four characters; what is missing of the last three is written as "=". Not by libsodium, whose header has a
 * word that is banned here. */
static json_t *base64(const float *numbers, size_t n_numbers)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct buffer text = {0};
    size_t n_bytes = n_numbers * sizeof *numbers;
    for (size_t i = 0; i < n_bytes; i += 3) {
        unsigned three = 0;
        for (size_t j = 0; j < 3; j++) three = three << 8 | (i + j < n_bytes ? byte_at(numbers, i + j) : 0u);
        for (size_t j = 0; j < 4; j++)
            buffer_append_byte(&text, i + j <= n_bytes ? (unsigned char)alphabet[three >> (18 - 6 * j) & 63] : '=');
    }
    json_t *json = text.is_failed ? NULL : json_string(buffer_text(&text));
    buffer_release(&text);
    return json;
}

struct state {
    int format;
};

static int append_rows(json_t *data, const struct event *vectors, int format)
{
    int failed = 0;
    for (size_t i = 0; i < vectors->n_rows; i++) {
        const float *row = vectors->numbers + i * vectors->n_columns;
        json_t *numbers =
            format == FORMAT_BASE64 ? base64(row, vectors->n_columns) : answer_vector(row, vectors->n_columns);
        failed |= json_array_append_new(data, json_pack("{s:s,s:I,s:o}", "object", "embedding", "index",
                                                        (json_int_t)vectors->first_row + (json_int_t)i, "embedding", numbers));
    }
    return failed;
}

static json_t *whole(struct exchange *exchange, void *context)
{
    const struct state *state = context;
    json_t *data = json_array();
    int failed = 0;
    ANSWER_EVENTS(event, exchange, 0)
    if (event->kind == EVENT_VECTORS) failed |= append_rows(data, event, state->format);
    struct usage usage = generation_usage(exchange);
    json_int_t n_tokens = (json_int_t)usage.n_prompt_tokens;
    json_t *body = json_pack("{s:s,s:o,s:s,s:{s:I,s:I}}", "object", "list", "data", data, "model",
                             generation_model_name(exchange_job(exchange, 0)), "usage", "prompt_tokens", n_tokens,
                             "total_tokens", n_tokens);
    if (!failed) return body;
    json_decref(body);
    return NULL;
}

static const struct answer_def answer = {.whole = whole};

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    struct inputs inputs = {.model = ""};
    if (!fields_read(exchange_body(exchange), fields, sizeof fields / sizeof fields[0], &inputs, ret_problem) ||
        !openai_prompts_read(inputs.input, "input", MOST_TEXTS, &inputs.texts, ret_problem))
        return false;
    struct embed_job *embed = embed_job_new(inputs.model);
    if (!exchange_add(exchange, (struct job *)embed, ret_problem) || !set_job(&inputs, embed, ret_problem))
        return false;
    struct state *state = ARENA_NEW(exchange_arena(exchange), struct state, 1);
    if (!state) return problem_no_memory(ret_problem);
    state->format = inputs.format;
    exchange_run(exchange, &answer, state, false);
    return true;
}

const struct route_def route_openai_embeddings = {
    .method = "POST",
    .path = "/v1/embeddings",
    .api = &api_openai,
    .summary = "Embeds texts: a vector for each.",
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
    .reply = "A list of embeddings in the order of the texts, and how many tokens they were.",
    .handle = handle,
};
