/* The way of a text through the parts. See parts.h for the order. */
#include "base/error.h"
#include "base/memory.h"
#include "text/parts.h"

#include <string.h>

enum { MAX_TEXT_BYTES = 256 << 20 };

hob_status text_no_memory(hob_error *error)
{
    FAIL(error, HOB_NO_MEMORY, "tokenizer: no memory for the text");
}

bool id_list_append(struct id_list *list, int32_t id)
{
    if (list->n_ids == list->n_reserved) {
        size_t n = list->n_reserved + list->n_reserved / 2 + 32;
        int32_t *ids = memory_resize(list->ids, n, sizeof *ids);
        if (!ids) return false;
        list->ids = ids;
        list->n_reserved = n;
    }
    list->ids[list->n_ids++] = id;
    return true;
}

void id_list_release(struct id_list *list)
{
    memory_free(list->ids);
    *list = (struct id_list){0};
}

hob_status encoding_append(struct encoding *encoding, int32_t id, hob_error *error)
{
    return id_list_append(encoding->ids, id) ? HOB_OK : text_no_memory(error);
}

static hob_status split_from(struct encoding *encoding, size_t stage, const struct piece *piece, hob_error *error)
{
    const struct tokenizer *tokenizer = encoding->tokenizer;
    if (piece->n_bytes == 0) return HOB_OK;
    if (stage == tokenizer->pretokenizers.n_parts) return tokenizer->def->encode(tokenizer, encoding, piece, error);
    const struct part *part = &tokenizer->pretokenizers.parts[stage];
    const struct pretokenizer_def *def = part->def;
    return def->split(part->config, encoding, stage, piece, error);
}

hob_status encoding_next(struct encoding *encoding, size_t stage, const struct piece *piece, hob_error *error)
{
    return split_from(encoding, stage + 1, piece, error);
}

hob_status normalizers_apply(struct encoding *encoding, struct piece *piece, hob_error *error)
{
    const struct part_list *list = &encoding->tokenizer->normalizers;
    for (size_t i = 0; i < list->n_parts; i++) {
        const struct normalizer_def *def = list->parts[i].def;
        struct buffer *out = &encoding->normalized[i % 2];
        buffer_clear(out);
        TRY(def->apply(list->parts[i].config, encoding, piece->text, piece->n_bytes, out, &piece->is_first, error));
        if (out->is_failed) return text_no_memory(error);
        piece->text = buffer_text(out);
        piece->n_bytes = out->n_bytes;
    }
    return HOB_OK;
}

/* What is done with the text between added tokens. */
typedef hob_status between(struct encoding *encoding, struct piece piece, hob_error *error);

static hob_status cut_added(struct encoding *encoding, const struct added_tokens *added, const struct added_rules *rules,
                            struct piece piece, between *handle, hob_error *error)
{
    struct added_match match = {0};
    for (size_t done = 0;; done = match.end) {
        bool is_found = added_tokens_next(added, piece.text, piece.n_bytes, rules, &match);
        struct piece gap = {piece.text + done, (is_found ? match.begin : piece.n_bytes) - done,
                            piece.is_first && done == 0};
        if (gap.n_bytes) TRY(handle(encoding, gap, error));
        if (!is_found) return HOB_OK;
        TRY(encoding_append(encoding, match.id, error));
    }
}

static hob_status split_piece(struct encoding *encoding, struct piece piece, hob_error *error)
{
    return split_from(encoding, 0, &piece, error);
}

/* How often needle begins in text before a place. */
static size_t count_before(const char *text, size_t n_bytes, const char *needle, size_t n_needle, size_t place)
{
    size_t n = 0;
    for (const char *at = text, *end = text + n_bytes; (at = memmem(at, (size_t)(end - at), needle, n_needle)); at++) {
        if ((size_t)(at - text) >= place) break;
        n++;
    }
    return n;
}

/* Whether a token that was found in normalized text is one that a stranger spelt. It was the n-th time that it is spelt so; where
 * normalizing made or took such spellings, nobody can tell, and it counts as the stranger's. */
static bool is_foreign_match(const struct encoding *encoding, const struct piece *raw, const struct piece *piece, const struct added_match *match)
{
    const struct added_rules *rules = &encoding->rules;
    size_t n_spelling, n_marked = rules->n_marked, from = (size_t)(raw->text - encoding->text);
    const char *spelling = vocabulary_text(&encoding->tokenizer->vocabulary, (size_t)match->id, &n_spelling), *at = raw->text, *end = raw->text + raw->n_bytes;
    size_t n_all = count_before(piece->text, piece->n_bytes, spelling, n_spelling, SIZE_MAX);
    if (!n_all || n_all != count_before(raw->text, raw->n_bytes, spelling, n_spelling, SIZE_MAX)) return true;
    size_t n_before = count_before(piece->text, piece->n_bytes, spelling, n_spelling, match->end);
    for (; n_before && (at = memmem(at, (size_t)(end - at), spelling, n_spelling)); at++)
        if (!--n_before) break;
    size_t begin = at ? from + (size_t)(at - raw->text) : n_marked, stop = begin + n_spelling < n_marked ? begin + n_spelling : n_marked;
    return !at || (begin < stop && memchr(rules->marks + begin, 1, stop - begin));
}

/* Marks of the normalized piece: on the special tokens in it that are a stranger's. */
static hob_status mark_normalized(struct encoding *encoding, const struct piece *raw, const struct piece *piece, hob_error *error)
{
    static const struct added_rules all = {0};
    struct added_match match = {0};
    buffer_clear(&encoding->marks);
    if (!buffer_reserve(&encoding->marks, piece->n_bytes + 1)) return text_no_memory(error);
    memset(encoding->marks.bytes, 0, piece->n_bytes);
    while (added_tokens_next(&encoding->tokenizer->added_normalized, piece->text, piece->n_bytes, &all, &match))
        if (is_foreign_match(encoding, raw, piece, &match)) memset(encoding->marks.bytes + match.begin, 1, match.end - match.begin);
    return HOB_OK;
}

static hob_status normalize_piece(struct encoding *encoding, struct piece piece, hob_error *error)
{
    const struct added_tokens *added = &encoding->tokenizer->added_normalized;
    struct added_rules rules = {.ignores_special = encoding->rules.ignores_special};
    struct piece raw = piece;
    TRY(normalizers_apply(encoding, &piece, error));
    if (encoding->rules.marks && !rules.ignores_special && added->n_tokens) {
        TRY(mark_normalized(encoding, &raw, &piece, error));
        rules.marks = encoding->marks.bytes;
        rules.n_marked = piece.n_bytes;
    }
    return cut_added(encoding, added, &rules, piece, split_piece, error);
}

static hob_status encode_around(struct encoding *encoding, unsigned flags, struct piece piece, hob_error *error)
{
    const struct tokenizer *tokenizer = encoding->tokenizer;
    const struct added_rules *rules = &encoding->rules;
    const struct id_list *template = &tokenizer->single.ids;
    if (!(flags & HOB_ADD_SPECIAL) || template->n_ids == 0)
        return cut_added(encoding, &tokenizer->added, rules, piece, normalize_piece, error);
    for (size_t i = 0; i < template->n_ids; i++) {
        int32_t id = template->ids[i];
        if (id == TEMPLATE_TEXT)
            TRY(cut_added(encoding, &tokenizer->added, rules, piece, normalize_piece, error));
        else
            TRY(encoding_append(encoding, id, error));
    }
    return HOB_OK;
}

static void encoding_release(struct encoding *encoding)
{
    for (size_t i = 0; i < 2; i++) {
        buffer_release(&encoding->normalized[i]);
        buffer_release(&encoding->model_scratch[i]);
    }
    for (size_t i = 0; i < MAX_PARTS; i++) buffer_release(&encoding->scratch[i]);
    buffer_release(&encoding->marks);
    regex_scratch_release(&encoding->regex);
}

/* U+FFFD for what is broken, and marks that are as long as what they mark. */
static void repair_marked(const struct tokenizer *tokenizer, const char *text, size_t n_bytes, const char *marks, size_t n_marked,
                          struct buffer *repaired, struct buffer *moved)
{
    for (size_t at = 0, end; at < n_bytes && !repaired->is_failed && !moved->is_failed; at = end) {
        bool is_marked = at < n_marked && marks[at];
        for (end = at + 1; end < n_bytes && (end < n_marked && marks[end]) == is_marked;) end++;
        unicode_repair(text + at, end - at, tokenizer->broken, repaired);
        size_t n_more = repaired->n_bytes - moved->n_bytes;
        if (!buffer_reserve(moved, n_more)) break;
        memset(moved->bytes + moved->n_bytes, is_marked, n_more);
        moved->n_bytes += n_more;
    }
    repaired->is_failed |= moved->is_failed;
}

hob_status tokenizer_encode_marked(const struct tokenizer *tokenizer, const char *text, size_t n_bytes, const char *marks,
                                   size_t n_marked, unsigned flags, struct id_list *ids, hob_error *error)
{
    if (n_bytes > MAX_TEXT_BYTES)
        FAIL(error, HOB_LIMIT, "text: found %zu bytes, at most %d are tokenized at once", n_bytes, MAX_TEXT_BYTES);
    struct encoding encoding = {.tokenizer = tokenizer, .ids = ids};
    struct buffer repaired = {0}, moved = {0};
    struct piece piece = {text, n_bytes, true};
    size_t n_before = ids->n_ids;
    hob_status status = HOB_OK;
    if (!tokenizer->keeps_broken && !unicode_is_valid(text, n_bytes)) {
        repair_marked(tokenizer, text, n_bytes, marks, n_marked, &repaired, &moved);
        if (repaired.is_failed) TRY_CLEANUP(text_no_memory(error));
        piece = (struct piece){repaired.bytes, repaired.n_bytes, true};
        if (n_marked) marks = moved.bytes;
        if (n_marked) n_marked = moved.n_bytes;
    }
    encoding.text = piece.text;
    encoding.rules = (struct added_rules){
        .ignores_special = !(flags & HOB_PARSE_SPECIAL), .marks = n_marked ? marks : NULL, .n_marked = n_marked};
    TRY_CLEANUP(encode_around(&encoding, flags, piece, error));
cleanup:
    if (status != HOB_OK) ids->n_ids = n_before;
    buffer_release(&repaired);
    buffer_release(&moved);
    encoding_release(&encoding);
    return status;
}

hob_status tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t n_bytes, unsigned flags,
                            struct id_list *ids, hob_error *error)
{
    return tokenizer_encode_marked(tokenizer, text, n_bytes, NULL, 0, flags, ids, error);
}
