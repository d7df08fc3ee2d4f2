/* SentencePiece's BPE as llama.cpp runs it: no merge list; of all neighbours that make a token, those with the best score go
 * first. Any bytes are taken: what the vocabulary cannot spell becomes byte tokens. */
#include "base/error.h"
#include "text/parts.h"

#include <math.h>
#include <string.h>

struct spm {
    const float *scores;
    int32_t byte_ids[256];
    bool adds_space_prefix;
};

struct spm_symbol {
    const char *text;
    size_t n_bytes; /* 0: merged into the one before */
    uint32_t prev, next;
};

/* Two neighbours that make a token; stale once their length has changed. */
struct spm_merge {
    float score;
    uint32_t left;
    size_t n_bytes;
};

#define SPM_NONE UINT32_MAX

static hob_status load_vocabulary(struct tokenizer *tokenizer, const struct tokenizer_vocabulary *vocabulary,
                                  hob_error *error)
{
    struct spm *spm = CONFIG_NEW(tokenizer, struct spm);
    float *scores = ARENA_NEW(&tokenizer->arena, float, vocabulary->n_tokens);
    if (!spm || !scores) return text_no_memory(error);
    for (size_t i = 0; i < vocabulary->n_tokens && vocabulary->scores; i++)
        scores[i] = isnan(vocabulary->scores[i]) ? -INFINITY : vocabulary->scores[i];
    spm->scores = scores;
    spm->adds_space_prefix = vocabulary->add_space_prefix != 0;
    for (int byte = 0; byte < 256; byte++) {
        char text = (char)byte;
        spm->byte_ids[byte] = vocabulary_find_byte(&tokenizer->vocabulary, (unsigned char)byte);
        if (spm->byte_ids[byte] < 0) spm->byte_ids[byte] = vocabulary_find(&tokenizer->vocabulary, &text, 1);
        if (spm->byte_ids[byte] < 0) spm->byte_ids[byte] = tokenizer->roles[HOB_TOKEN_UNKNOWN];
    }
    tokenizer->config = spm;
    tokenizer->keeps_broken = true;
    TRY(gguf_set_template(tokenizer, vocabulary, true, false, false, error));
    TRY(part_list_append(&tokenizer->stages, &stage_utf8, NULL, error));
    return spm->adds_space_prefix ? gguf_strip_space(tokenizer, error) : HOB_OK;
}

static hob_status write(const struct tokenizer *tokenizer, struct buffer *bytes, hob_error *error)
{
    const struct spm *spm = tokenizer->config;
    (void)error;
    record_put_array(bytes, spm->scores, tokenizer->vocabulary.n_tokens, sizeof *spm->scores);
    record_put_array(bytes, spm->byte_ids, 256, sizeof *spm->byte_ids);
    record_put_u8(bytes, spm->adds_space_prefix);
    return HOB_OK;
}

static hob_status read(struct tokenizer *tokenizer, struct record_reader *reader, hob_error *error)
{
    struct spm *spm = CONFIG_NEW(tokenizer, struct spm);
    size_t n_scores;
    if (!spm) return text_no_memory(error);
    tokenizer->config = spm;
    spm->scores = record_array(reader, sizeof *spm->scores, &n_scores);
    vocabulary_read_ids(&tokenizer->vocabulary, reader, 256, spm->byte_ids);
    spm->adds_space_prefix = record_bool(reader);
    if (n_scores != tokenizer->vocabulary.n_tokens) record_fail(reader);
    return HOB_OK;
}

/* By the first byte alone: a continuation byte counts as a character. */
static size_t claimed_bytes(char lead)
{
    unsigned char byte = (unsigned char)lead;
    return byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

static bool is_before(const struct spm_merge *a, const struct spm_merge *b)
{
    return a->score > b->score || (a->score == b->score && a->left < b->left);
}

static bool heap_push(struct buffer *heap, struct spm_merge merge)
{
    if (!buffer_reserve(heap, sizeof merge)) return false;
    struct spm_merge *entries = (struct spm_merge *)(void *)heap->bytes;
    size_t at = heap->n_bytes / sizeof merge;
    heap->n_bytes += sizeof merge;
    for (size_t parent; at > 0 && is_before(&merge, &entries[parent = (at - 1) / 2]); at = parent)
        entries[at] = entries[parent];
    entries[at] = merge;
    return true;
}

static struct spm_merge heap_pop(struct buffer *heap)
{
    struct spm_merge *entries = (struct spm_merge *)(void *)heap->bytes, best = entries[0];
    heap->n_bytes -= sizeof best;
    size_t n = heap->n_bytes / sizeof best, at = 0;
    struct spm_merge moved = entries[n];
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && is_before(&entries[child + 1], &entries[child])) child++;
        if (!is_before(&entries[child], &moved)) break;
        entries[at] = entries[child];
    }
    entries[at] = moved;
    return best;
}

struct spm_run {
    const struct tokenizer *tokenizer;
    struct spm_symbol *symbols;
    struct buffer *heap;
};

static bool try_merge(struct spm_run *run, uint32_t left, uint32_t right)
{
    if (left == SPM_NONE || right == SPM_NONE) return true;
    const struct spm *spm = run->tokenizer->config;
    size_t n_bytes = run->symbols[left].n_bytes + run->symbols[right].n_bytes;
    int32_t id = vocabulary_find(&run->tokenizer->vocabulary, run->symbols[left].text, n_bytes);
    return id < 0 || heap_push(run->heap, (struct spm_merge){spm->scores[id], left, n_bytes});
}

static bool merge_all(struct spm_run *run)
{
    while (run->heap->n_bytes) {
        struct spm_merge merge = heap_pop(run->heap);
        struct spm_symbol *left = &run->symbols[merge.left];
        if (left->n_bytes == 0 || left->next == SPM_NONE) continue;
        struct spm_symbol *right = &run->symbols[left->next];
        if (left->n_bytes + right->n_bytes != merge.n_bytes) continue;
        left->n_bytes += right->n_bytes;
        left->next = right->next;
        right->n_bytes = 0;
        if (left->next != SPM_NONE) run->symbols[left->next].prev = merge.left;
        if (!try_merge(run, left->prev, merge.left) || !try_merge(run, merge.left, left->next)) return false;
    }
    return true;
}

static size_t cut_symbols(const struct buffer *text, struct spm_symbol *symbols)
{
    uint32_t n = 0;
    for (size_t at = 0; at < text->n_bytes; n++) {
        size_t claimed = claimed_bytes(text->bytes[at]), rest = text->n_bytes - at;
        symbols[n] = (struct spm_symbol){text->bytes + at, claimed < rest ? claimed : rest, n ? n - 1 : SPM_NONE, n + 1};
        at += symbols[n].n_bytes;
    }
    symbols[n - 1].next = SPM_NONE;
    return n;
}

static hob_status append_ids(const struct spm_run *run, struct encoding *encoding, hob_error *error)
{
    const struct spm *spm = run->tokenizer->config;
    for (uint32_t at = 0; at != SPM_NONE; at = run->symbols[at].next) {
        const struct spm_symbol *symbol = &run->symbols[at];
        int32_t id = vocabulary_find(&run->tokenizer->vocabulary, symbol->text, symbol->n_bytes);
        if (id >= 0) {
            TRY(encoding_append(encoding, id, error));
            continue;
        }
        for (size_t i = 0; i < symbol->n_bytes; i++) {
            int32_t byte_id = spm->byte_ids[(unsigned char)symbol->text[i]];
            if (byte_id >= 0) TRY(encoding_append(encoding, byte_id, error));
        }
    }
    return HOB_OK;
}

/* Every stretch between special tokens gets its own space in front. */
static hob_status encode(const struct tokenizer *tokenizer, struct encoding *encoding, const struct piece *piece,
                         hob_error *error)
{
    const struct spm *spm = tokenizer->config;
    struct buffer *text = &encoding->normalized[0], *symbols = &encoding->model_scratch[0];
    struct spm_run run = {.tokenizer = tokenizer, .heap = &encoding->model_scratch[1]};
    buffer_clear(text);
    buffer_clear(symbols);
    buffer_clear(run.heap);
    if (spm->adds_space_prefix) buffer_append(text, "\xE2\x96\x81", 3);
    for (size_t i = 0; i < piece->n_bytes; i++)
        buffer_append(text, piece->text[i] == ' ' ? "\xE2\x96\x81" : &piece->text[i], piece->text[i] == ' ' ? 3 : 1);
    if (text->is_failed || !buffer_reserve(symbols, text->n_bytes * sizeof(struct spm_symbol)))
        return text_no_memory(error);
    run.symbols = (struct spm_symbol *)(void *)symbols->bytes;
    size_t n = cut_symbols(text, run.symbols);
    for (uint32_t i = 1; i < n; i++)
        if (!try_merge(&run, i - 1, i)) return text_no_memory(error);
    if (!merge_all(&run)) return text_no_memory(error);
    return append_ids(&run, encoding, error);
}

const struct tokenizer_def tokenizer_sentencepiece_bpe = {
    .gguf_name = "llama",
    .load_vocabulary = load_vocabulary,
    .encode = encode,
    .write = write,
    .read = read,
};
