/* POST /tokenize: two APIs share the path. "inputs" is text-embeddings-inference's: tokens with their places in the text. "content" is
 * llama.cpp's (llama_tokenize.c).
 *
 * Places are found by looking for a token's letters behind those before it; where a normaliser changed them beyond upper and lower case
 * there are none (null), as for special tokens. */
#include "server/jobs/tokens.h"
#include "server/routes/answer_parts.h"
#include "server/routes/api_tei.h"
#include "server/routes/job_inputs.h"
#include "server/routes/piece_json.h"

#include <ctype.h>

struct inputs {
    struct tei_reading reading;
    const json_t *inputs;
    bool adds_special;
};

static const struct field_def fields[] = {
    {.name = "inputs",
     .kind = FIELD_TEXTS,
     .is_required = true,
     .offset = offsetof(struct inputs, inputs),
     .help = "a text or a list of texts"},
    TEI_READING_FIELDS(struct inputs, reading),
    {.name = "add_special_tokens",
     .kind = FIELD_BOOL,
     .offset = offsetof(struct inputs, adds_special),
     .help = "with what the model expects around a text (default)"},
};

/* How far the text was read: bytes and characters. */
struct cursor {
    const char *text;
    size_t n_bytes, at_byte, at_character;
    bool has_lost; /* the last token was not found */
};

enum { MOST_PASSED_BYTES = 64 };

static bool matches(const struct cursor *cursor, size_t at, const char *letters, size_t n_letters)
{
    if (n_letters > cursor->n_bytes - at) return false;
    for (size_t i = 0; i < n_letters; i++)
        if (tolower((unsigned char)cursor->text[at + i]) != tolower((unsigned char)letters[i])) return false;
    return true;
}

static size_t count_characters(const char *text, size_t n_bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < n_bytes; i++) n += ((unsigned char)text[i] & 0xC0) != 0x80;
    return n;
}

/* Where a token stands: characters for the reply, bytes for its text. */
struct place {
    size_t start, stop, at_byte, n_bytes;
};

/* White space before a token belongs to none. What could not be found before is passed over, as long as it is no more than a long word. */
static bool find_place(struct cursor *cursor, const char *letters, size_t n_letters, struct place *ret_place)
{
    while (n_letters && isspace((unsigned char)*letters)) letters++, n_letters--;
    size_t at = cursor->at_byte, last = cursor->has_lost ? at + MOST_PASSED_BYTES : at;
    while (at < cursor->n_bytes && isspace((unsigned char)cursor->text[at])) at++, last++;
    while (at < last && at < cursor->n_bytes && !matches(cursor, at, letters, n_letters)) at++;
    cursor->has_lost = !n_letters || at > cursor->n_bytes || !matches(cursor, at, letters, n_letters);
    if (cursor->has_lost) return false;
    size_t start = cursor->at_character + count_characters(cursor->text + cursor->at_byte, at - cursor->at_byte);
    *ret_place = (struct place){start, start + count_characters(cursor->text + at, n_letters), at, n_letters};
    cursor->at_byte = at + n_letters;
    cursor->at_character = ret_place->stop;
    return true;
}

static json_t *token_json(const hob_tokenizer *tokenizer, hob_pieces *pieces, int32_t id, struct cursor *cursor)
{
    const char *letters = "";
    size_t n_letters = 0;
    struct place place;
    bool is_special = hob_tokenizer_is_special(tokenizer, id);
    hob_status status = is_special ? HOB_NOT_FOUND : hob_pieces_get(pieces, id, &letters, &n_letters, NULL);
    bool has_place = status == HOB_OK && find_place(cursor, letters, n_letters, &place);
    json_t *text =
        has_place ? json_text(cursor->text + place.at_byte, place.n_bytes) : piece_json_text(pieces, tokenizer, id);
    return json_pack("{s:i,s:o,s:b,s:o,s:o}", "id", (int)id, "text", text, "special", is_special, "start",
                     has_place ? json_integer((json_int_t)place.start) : json_null(), "stop",
                     has_place ? json_integer((json_int_t)place.stop) : json_null());
}

static json_t *whole(struct exchange *exchange, void *state)
{
    const struct tokens_job *job = (const struct tokens_job *)exchange_job(exchange, 0);
    json_t *texts = json_array();
    hob_pieces *pieces = NULL;
    (void)state;
    if (hob_pieces_new(job->tokenizer, &pieces, NULL) != HOB_OK) return NULL;
    ANSWER_EVENTS(event, exchange, 0)
    {
        if (event->kind != EVENT_IDS) continue;
        struct cursor cursor = {.text = job->inputs.texts[event->first_row],
                                .n_bytes = job->inputs.text_bytes[event->first_row]};
        json_t *tokens = json_array();
        for (size_t i = 0; i < event->n_ids; i++)
            json_append(&tokens, token_json(job->tokenizer, pieces, event->ids[i], &cursor));
        json_append(&texts, tokens);
    }
    hob_pieces_free(pieces);
    return texts;
}

static const struct answer_def answer = {.whole = whole};

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    struct inputs inputs = {.adds_special = true};
    if (!json_object_get(exchange_body(exchange), "inputs")) return llama_tokenize(exchange, ret_problem);
    if (!fields_read(exchange_body(exchange), fields, sizeof fields / sizeof fields[0], &inputs, ret_problem))
        return false;
    struct tokens_job *job = tokens_job_new(tei_model(&inputs.reading));
    if (!exchange_add(exchange, (struct job *)job, ret_problem)) return false;
    job->job.use = USE_EMBED;
    job->inputs.task = TOKENS_ENCODE;
    job->inputs.flags = inputs.adds_special ? HOB_ADD_SPECIAL : 0;
    if (!tei_check_count(json_is_array(inputs.inputs) ? json_array_size(inputs.inputs) : 1, "inputs", ret_problem) ||
        !inputs_copy_texts(&job->job, inputs.inputs, "inputs", &job->inputs.texts, &job->inputs.text_bytes,
                           &job->inputs.n_texts, ret_problem))
        return false;
    exchange_run(exchange, &answer, NULL, false);
    return true;
}

const struct route_def route_tei_tokenize = {
    .method = "POST",
    .path = "/tokenize",
    .api = &api_tei,
    .summary = "Cut texts into tokens; with \"content\" instead of \"inputs\" as llama.cpp does it",
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
    .reply = "For each text a list of id, text, special, start and stop (characters)",
    .handle = handle,
};
