/* GPT-2's: perhaps a space in front, perhaps cut by GPT-2's pattern, then bytes become characters of its alphabet. A BPE that
 * comes next takes the bytes as they are (tokenizer.is_byte_mapped), which spares the detour. */
#include "base/error.h"
#include "text/json_read.h"
#include "text/splitter.h"

struct byte_level_config {
    bool adds_prefix_space, maps_bytes;
    const struct regex *regex; /* NULL: the text stays whole */
};

static const char gpt2_pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

static hob_status load(struct tokenizer *tokenizer, const json_t *json, const void **ret_config, hob_error *error)
{
    struct byte_level_config *config = CONFIG_NEW(tokenizer, struct byte_level_config);
    bool uses_regex;
    if (!config) return text_no_memory(error);
    TRY(json_read_bool(json, "add_prefix_space", true, &config->adds_prefix_space, error));
    TRY(json_read_bool(json, "use_regex", true, &uses_regex, error));
    config->maps_bytes = !tokenizer->is_byte_mapped;
    if (uses_regex) {
        struct regex *regex;
        TRY(regex_new(gpt2_pattern, sizeof gpt2_pattern - 1, &regex, error));
        TRY(tokenizer_keep_regex(tokenizer, regex, error));
        config->regex = regex;
    }
    *ret_config = config;
    return HOB_OK;
}

static hob_status map_piece(struct encoding *encoding, size_t stage, const struct piece *piece, hob_error *error)
{
    struct buffer mapped = {0};
    for (size_t i = 0; i < piece->n_bytes; i++)
        unicode_append(&mapped, unicode_of_byte((unsigned char)piece->text[i]));
    struct piece next = {buffer_text(&mapped), mapped.n_bytes, piece->is_first};
    hob_status status = mapped.is_failed ? text_no_memory(error) : encoding_next(encoding, stage, &next, error);
    buffer_release(&mapped);
    return status;
}

static hob_status cut_and_map(const struct byte_level_config *config, struct encoding *encoding, size_t stage,
                              const struct piece *piece, hob_error *error)
{
    if (!config->regex) return map_piece(encoding, stage, piece, error);
    struct regex_search search = {.text = piece->text, .n_bytes = piece->n_bytes};
    for (;;) { /* GPT-2's pattern leaves no gap */
        bool is_found;
        TRY(regex_next(config->regex, &encoding->regex, &search, &is_found, error));
        if (!is_found) return HOB_OK;
        struct piece cut = {piece->text + search.begin, search.end - search.begin, piece->is_first && !search.begin};
        TRY(map_piece(encoding, stage, &cut, error));
    }
}

static hob_status split(const void *config, struct encoding *encoding, size_t stage, const struct piece *piece,
                        hob_error *error)
{
    const struct byte_level_config *byte_level = config;
    struct piece whole = *piece;
    if (byte_level->adds_prefix_space && piece->text[0] != ' ') {
        struct buffer *prefixed = &encoding->scratch[stage];
        buffer_clear(prefixed);
        buffer_append_byte(prefixed, ' ');
        if (!buffer_append(prefixed, piece->text, piece->n_bytes)) return text_no_memory(error);
        whole = (struct piece){prefixed->bytes, prefixed->n_bytes, piece->is_first};
    }
    if (byte_level->maps_bytes) return cut_and_map(byte_level, encoding, stage, &whole, error);
    if (!byte_level->regex) return encoding_next(encoding, stage, &whole, error);
    return split_by_regex(byte_level->regex, false, SPLIT_ISOLATED, encoding, stage, &whole, error);
}

static const struct config_field fields[] = {
    {.kind = CONFIG_BOOL, .offset = offsetof(struct byte_level_config, adds_prefix_space)},
    {.kind = CONFIG_BOOL, .offset = offsetof(struct byte_level_config, maps_bytes)},
    {.kind = CONFIG_REGEX, .offset = offsetof(struct byte_level_config, regex), .is_optional = true},
    {.kind = CONFIG_END},
};

const struct pretokenizer_def pretokenizer_byte_level = {
    .names = {"ByteLevel"},
    .config_bytes = sizeof(struct byte_level_config),
    .fields = fields,
    .load = load,
    .split = split,
};
