#include "server/routes/openai_logprobs.h"

#include "base/buffer.h"
#include "server/routes/answer_parts.h"
#include "server/routes/piece_json.h"

#include <math.h>

/* ---- chats ---- */

static json_t *token(hob_pieces *pieces, const hob_tokenizer *tokenizer, int32_t id, float logprob)
{
    json_t *bytes = piece_json_bytes(pieces, id);
    bool has_bytes = json_array_size(bytes) > 0;
    json_t *json = json_pack("{s:o,s:o,s:O?}", "token", piece_json_text(pieces, tokenizer, id), "logprob",
                             answer_logprob(logprob), "bytes", has_bytes ? bytes : NULL);
    json_decref(bytes);
    return json;
}

json_t *openai_logprob(hob_pieces *pieces, const hob_tokenizer *tokenizer, const struct event *delta)
{
    json_t *json = token(pieces, tokenizer, delta->id, delta->logprob), *top = json_array();
    int failed = 0;
    for (size_t i = 0; i < delta->n_top_logprobs; i++)
        failed |= json_array_append_new(
            top, token(pieces, tokenizer, delta->top_logprobs[i].id, delta->top_logprobs[i].logprob));
    failed |= json_object_set_new(json, "top_logprobs", top);
    if (!failed) return json;
    json_decref(json);
    return NULL;
}

/* ---- completions ---- */

json_t *openai_completion_logprobs(void)
{
    return json_pack("{s:[],s:[],s:[],s:[]}", "tokens", "token_logprobs", "top_logprobs", "text_offset");
}

/* NULL: memory is out. */
static json_t *spelling(hob_pieces *pieces, const hob_tokenizer *tokenizer, int32_t id)
{
    const char *bytes;
    size_t n_bytes;
    struct buffer text = {0};
    if (hob_pieces_get(pieces, id, &bytes, &n_bytes, NULL) != HOB_OK) return NULL;
    json_t *whole = n_bytes ? json_stringn(bytes, n_bytes) : piece_json_text(pieces, tokenizer, id);
    if (whole) return whole;
    buffer_append_string(&text, "bytes:"); /* no UTF-8 by itself */
    for (size_t i = 0; i < n_bytes; i++) buffer_printf(&text, "\\x%02x", (unsigned char)bytes[i]);
    json_t *escaped = json_string(buffer_text(&text));
    buffer_release(&text);
    return escaped;
}

/* The most probable tokens and the one that was chosen, by text; of tokens with one text the more probable one. */
static json_t *top_of(hob_pieces *pieces, const hob_tokenizer *tokenizer, const struct event *delta)
{
    json_t *map = json_object();
    hob_logprob chosen = {delta->id, delta->logprob};
    int failed = 0;
    for (size_t i = 0; i <= delta->n_top_logprobs; i++) {
        const hob_logprob *one = i < delta->n_top_logprobs ? &delta->top_logprobs[i] : &chosen;
        json_t *name = spelling(pieces, tokenizer, one->id);
        if (!name || !json_object_get(map, json_string_value(name)))
            failed |= json_object_set_new(map, json_string_value(name), answer_logprob(one->logprob));
        json_decref(name);
    }
    if (!failed) return map;
    json_decref(map);
    return NULL;
}

static size_t n_characters(const char *bytes, size_t n_bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < n_bytes; i++) n += ((unsigned char)bytes[i] & 0xC0) != 0x80;
    return n;
}

/* What is echoed may begin without the space that its first token has by itself: there the text itself counts. Of what is generated the
 * text may be held back for a while, so there the tokens count. */
static size_t n_characters_of(hob_pieces *pieces, const struct event *delta)
{
    const char *bytes;
    size_t n_bytes;
    if (delta->is_echo) return n_characters(delta->text, delta->n_text_bytes);
    return hob_pieces_get(pieces, delta->id, &bytes, &n_bytes, NULL) == HOB_OK ? n_characters(bytes, n_bytes) : 0;
}

bool openai_completion_logprobs_add(json_t *logprobs, hob_pieces *pieces, const hob_tokenizer *tokenizer,
                                    const struct event *delta, size_t *offset)
{
    bool is_foretold = !isnan(delta->logprob); /* the first token of an echo is not */
    json_t *logprob = is_foretold ? answer_logprob(delta->logprob) : json_null();
    json_t *top = is_foretold ? top_of(pieces, tokenizer, delta) : json_null();
    int failed = json_array_append_new(json_object_get(logprobs, "tokens"), spelling(pieces, tokenizer, delta->id));
    failed |= json_array_append_new(json_object_get(logprobs, "token_logprobs"), logprob);
    failed |= json_array_append_new(json_object_get(logprobs, "top_logprobs"), top);
    failed |= json_array_append_new(json_object_get(logprobs, "text_offset"), json_integer((json_int_t)*offset));
    *offset += n_characters_of(pieces, delta);
    return !failed;
}
