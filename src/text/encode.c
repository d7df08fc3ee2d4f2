/* The way of a text through the parts. See parts.h for the order. */
#include "base/error.h"
#include "base/memory.h"
#include "text/parts.h"

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
typedef hob_status between(struct encoding *encoding, unsigned flags, struct piece piece, hob_error *error);

static hob_status cut_added(struct encoding *encoding, const struct added_tokens *added, unsigned flags,
                            struct piece piece, between *handle, hob_error *error)
{
    struct added_match match = {0};
    for (size_t done = 0;; done = match.end) {
        bool is_found =
            added_tokens_next(added, piece.text, piece.n_bytes, !(flags & HOB_PARSE_SPECIAL), &match);
        struct piece gap = {piece.text + done, (is_found ? match.begin : piece.n_bytes) - done,
                            piece.is_first && done == 0};
        if (gap.n_bytes) TRY(handle(encoding, flags, gap, error));
        if (!is_found) return HOB_OK;
        TRY(encoding_append(encoding, match.id, error));
    }
}

static hob_status split_piece(struct encoding *encoding, unsigned flags, struct piece piece, hob_error *error)
{
    (void)flags;
    return split_from(encoding, 0, &piece, error);
}

static hob_status normalize_piece(struct encoding *encoding, unsigned flags, struct piece piece, hob_error *error)
{
    TRY(normalizers_apply(encoding, &piece, error));
    return cut_added(encoding, &encoding->tokenizer->added_normalized, flags, piece, split_piece, error);
}

static hob_status encode_around(struct encoding *encoding, unsigned flags, struct piece piece, hob_error *error)
{
    const struct tokenizer *tokenizer = encoding->tokenizer;
    const struct id_list *template = &tokenizer->single.ids;
    if (!(flags & HOB_ADD_SPECIAL) || template->n_ids == 0)
        return cut_added(encoding, &tokenizer->added, flags, piece, normalize_piece, error);
    for (size_t i = 0; i < template->n_ids; i++) {
        int32_t id = template->ids[i];
        if (id == TEMPLATE_TEXT)
            TRY(cut_added(encoding, &tokenizer->added, flags, piece, normalize_piece, error));
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
    regex_scratch_release(&encoding->regex);
}

hob_status tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t n_bytes, unsigned flags,
                            struct id_list *ids, hob_error *error)
{
    if (n_bytes > MAX_TEXT_BYTES)
        FAIL(error, HOB_LIMIT, "text: found %zu bytes, at most %d are tokenized at once", n_bytes, MAX_TEXT_BYTES);
    struct encoding encoding = {.tokenizer = tokenizer, .ids = ids};
    struct buffer repaired = {0};
    struct piece piece = {text, n_bytes, true};
    size_t n_before = ids->n_ids;
    hob_status status = HOB_OK;
    if (!tokenizer->keeps_broken && !unicode_is_valid(text, n_bytes)) {
        unicode_repair(text, n_bytes, tokenizer->broken, &repaired);
        if (repaired.is_failed) TRY_CLEANUP(text_no_memory(error));
        piece = (struct piece){repaired.bytes, repaired.n_bytes, true};
    }
    TRY_CLEANUP(encode_around(&encoding, flags, piece, error));
cleanup:
    if (status != HOB_OK) ids->n_ids = n_before;
    buffer_release(&repaired);
    encoding_release(&encoding);
    return status;
}
