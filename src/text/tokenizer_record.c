/* A tokenizer as a record: the parts by the names of their rows with what they were configured with, and the tables of vocabulary and
 * model ready for use. Reading compiles the patterns and builds nothing else. */
#include "base/error.h"
#include "base/memory.h"
#include "base/size.h"
#include "text/config_record.h"
#include "text/tokenizer.h"

#include <string.h>

struct row {
    const char *name;
    const void *def;
};

static const struct row tokenizers[] = {
#define TOKENIZER(name) {#name, &tokenizer_##name},
#include "text/tokenizers.def"
#undef TOKENIZER
};
static const struct row normalizers[] = {
#define NORMALIZER(name) {#name, &normalizer_##name},
#include "text/normalizers.def"
#undef NORMALIZER
};
static const struct row pretokenizers[] = {
#define PRETOKENIZER(name) {#name, &pretokenizer_##name},
#include "text/pretokenizers.def"
#undef PRETOKENIZER
};
static const struct row stages[] = {
#define DECODER(name) {#name, &stage_##name},
#include "text/decoders.def"
#undef DECODER
};

enum sort { NORMALIZERS, PRETOKENIZERS, STAGES };

static const struct {
    const char *what;
    const struct row *rows;
    size_t n_rows;
} sorts[] = {
    [NORMALIZERS] = {"normalizer", normalizers, ARRAY_LENGTH(normalizers)},
    [PRETOKENIZERS] = {"pre-tokenizer", pretokenizers, ARRAY_LENGTH(pretokenizers)},
    [STAGES] = {"decoder", stages, ARRAY_LENGTH(stages)},
};

static void find_fields(enum sort sort, const void *def, const struct config_field **ret_fields, size_t *ret_config_bytes)
{
    if (sort == NORMALIZERS) {
        const struct normalizer_def *normalizer = def;
        *ret_fields = normalizer->fields;
        *ret_config_bytes = normalizer->config_bytes;
    } else if (sort == PRETOKENIZERS) {
        const struct pretokenizer_def *pretokenizer = def;
        *ret_fields = pretokenizer->fields;
        *ret_config_bytes = pretokenizer->config_bytes;
    } else {
        const struct stage_def *stage = def;
        *ret_fields = stage->fields;
        *ret_config_bytes = stage->config_bytes;
    }
}

static const char *name_of(const struct row *rows, size_t n_rows, const void *def)
{
    for (size_t i = 0; i < n_rows; i++)
        if (rows[i].def == def) return rows[i].name;
    return ""; /* cannot be: all definitions are rows */
}

static const void *def_of(const struct row *rows, size_t n_rows, const char *name)
{
    for (size_t i = 0; i < n_rows; i++)
        if (!strcmp(rows[i].name, name)) return rows[i].def;
    return NULL;
}

const char *tokenizer_kind(const struct tokenizer *tokenizer)
{
    return name_of(tokenizers, ARRAY_LENGTH(tokenizers), tokenizer->def);
}

/* ---- writing ---- */

static void write_parts(enum sort sort, const struct part_list *list, struct buffer *bytes)
{
    record_put_u32(bytes, (uint32_t)list->n_parts);
    for (size_t i = 0; i < list->n_parts; i++) {
        const struct part *part = &list->parts[i];
        const struct config_field *fields;
        size_t config_bytes;
        const char *name = name_of(sorts[sort].rows, sorts[sort].n_rows, part->def);
        find_fields(sort, part->def, &fields, &config_bytes);
        record_put_text(bytes, name, strlen(name));
        if (fields) config_write(fields, part->config, bytes);
    }
}

static void write_template(const struct template *template, struct buffer *bytes)
{
    record_put_array(bytes, template->ids.ids, template->ids.n_ids, sizeof *template->ids.ids);
    record_put_array(bytes, template->types.ids, template->types.n_ids, sizeof *template->types.ids);
}

hob_status tokenizer_write(const struct tokenizer *tokenizer, struct buffer *bytes, hob_error *error)
{
    const char *name = tokenizer_kind(tokenizer);
    record_put_text(bytes, name, strlen(name));
    record_put_u8(bytes, tokenizer->is_gguf);
    record_put_u8(bytes, tokenizer->keeps_broken);
    record_put_u8(bytes, tokenizer->is_byte_mapped);
    record_put_u8(bytes, (uint8_t)tokenizer->broken);
    TRY(vocabulary_write(&tokenizer->vocabulary, bytes, error));
    record_put_array(bytes, tokenizer->roles, HOB_N_TOKEN_ROLES, sizeof *tokenizer->roles);
    write_template(&tokenizer->single, bytes);
    write_template(&tokenizer->pair, bytes);
    added_tokens_write(&tokenizer->added, bytes);
    added_tokens_write(&tokenizer->added_normalized, bytes);
    write_parts(NORMALIZERS, &tokenizer->normalizers, bytes);
    write_parts(PRETOKENIZERS, &tokenizer->pretokenizers, bytes);
    write_parts(STAGES, &tokenizer->stages, bytes);
    if (tokenizer->def->write) TRY(tokenizer->def->write(tokenizer, bytes, error));
    return bytes->is_failed ? text_no_memory(error) : HOB_OK;
}

/* ---- reading ---- */

static hob_status read_part(struct tokenizer *tokenizer, enum sort sort, struct part_list *list, struct record_reader *reader,
                            hob_error *error)
{
    const char *name = record_name(reader);
    const void *def = def_of(sorts[sort].rows, sorts[sort].n_rows, name);
    const struct config_field *fields;
    size_t config_bytes;
    void *config = NULL;
    if (!def) FAIL(error, HOB_BAD_FILE, "found %s \"%.40s\", which hob does not have", sorts[sort].what, name);
    find_fields(sort, def, &fields, &config_bytes);
    if (fields) {
        config = arena_new(&tokenizer->arena, config_bytes, 1, 16);
        if (!config) return text_no_memory(error);
        TRY(config_read(tokenizer, fields, config, reader, error));
    }
    return part_list_append(list, def, config, error);
}

static hob_status read_parts(struct tokenizer *tokenizer, enum sort sort, struct part_list *list, struct record_reader *reader,
                             hob_error *error)
{
    for (uint32_t i = 0, n = record_count(reader, sizeof(uint32_t)); i < n && !reader->is_bad; i++)
        TRY(read_part(tokenizer, sort, list, reader, error));
    return HOB_OK;
}

static void read_head(struct tokenizer *tokenizer, struct record_reader *reader)
{
    tokenizer->def = def_of(tokenizers, ARRAY_LENGTH(tokenizers), record_name(reader));
    tokenizer->is_gguf = record_bool(reader);
    tokenizer->keeps_broken = record_bool(reader);
    tokenizer->is_byte_mapped = record_bool(reader);
    tokenizer->broken = record_u8(reader) == BROKEN_PER_BYTE ? BROKEN_PER_BYTE : BROKEN_MAXIMAL;
    if (!tokenizer->def) record_fail(reader);
}

static bool is_template_id(const struct tokenizer *tokenizer, bool is_pair, int32_t id)
{
    return id == TEMPLATE_TEXT || (is_pair && id == TEMPLATE_SECOND) || vocabulary_has(&tokenizer->vocabulary, id);
}

static hob_status read_template(struct tokenizer *tokenizer, bool is_pair, struct record_reader *reader, hob_error *error)
{
    size_t n_ids, n_types;
    const int32_t *ids = record_array(reader, sizeof *ids, &n_ids), *types = record_array(reader, sizeof *types, &n_types);
    if (n_ids != n_types) record_fail(reader);
    for (size_t i = 0; i < n_ids && !reader->is_bad; i++) {
        if (!is_template_id(tokenizer, is_pair, ids[i]) || types[i] < 0 || types[i] > TEMPLATE_MAX_TYPE) record_fail(reader);
        else TRY(template_add(tokenizer, is_pair ? &tokenizer->pair : &tokenizer->single, ids[i], types[i], error));
    }
    return HOB_OK;
}

static hob_status read_ids(struct tokenizer *tokenizer, struct record_reader *reader, hob_error *error)
{
    size_t n_roles;
    const int32_t *roles = record_array(reader, sizeof *roles, &n_roles);
    if (reader->is_bad || n_roles != HOB_N_TOKEN_ROLES) {
        record_fail(reader);
        return HOB_OK;
    }
    for (size_t i = 0; i < n_roles; i++) tokenizer_set_role(tokenizer, (hob_token_role)i, roles[i]);
    TRY(read_template(tokenizer, false, reader, error));
    return read_template(tokenizer, true, reader, error);
}

/* Broken text is for a model of bytes or for a normalizer that repairs it: the rest trusts it to be UTF-8. */
static bool may_keep_broken(const struct tokenizer *tokenizer)
{
    return tokenizer->def == &tokenizer_sentencepiece_bpe ? !tokenizer->normalizers.n_parts && !tokenizer->pretokenizers.n_parts
                                                          : tokenizer->normalizers.n_parts && tokenizer->normalizers.parts[0].def == &normalizer_sentencepiece;
}

static hob_status read_all(struct tokenizer *tokenizer, struct record_reader *reader, hob_error *error)
{
    read_head(tokenizer, reader);
    vocabulary_read(&tokenizer->vocabulary, reader);
    TRY(read_ids(tokenizer, reader, error));
    TRY(added_tokens_read(&tokenizer->added, reader, tokenizer->vocabulary.n_tokens, error));
    TRY(added_tokens_read(&tokenizer->added_normalized, reader, tokenizer->vocabulary.n_tokens, error));
    TRY(read_parts(tokenizer, NORMALIZERS, &tokenizer->normalizers, reader, error));
    TRY(read_parts(tokenizer, PRETOKENIZERS, &tokenizer->pretokenizers, reader, error));
    TRY(read_parts(tokenizer, STAGES, &tokenizer->stages, reader, error));
    if (!reader->is_bad && tokenizer->def->read) TRY(tokenizer->def->read(tokenizer, reader, error));
    if (tokenizer->keeps_broken && !may_keep_broken(tokenizer)) record_fail(reader);
    if (!record_is_read(reader)) FAIL(error, HOB_BAD_FILE, "the record is damaged at byte %zu", (size_t)(reader->at - reader->start));
    return HOB_OK;
}

hob_status tokenizer_read(struct record_reader *reader, struct tokenizer **ret_tokenizer, hob_error *error)
{
    struct tokenizer *tokenizer = memory_new(1, sizeof *tokenizer);
    if (!tokenizer) return text_no_memory(error);
    arena_init(&tokenizer->arena, 4 * 1024);
    for (size_t i = 0; i < HOB_N_TOKEN_ROLES; i++) tokenizer->roles[i] = HOB_NO_TOKEN;
    hob_status status = read_all(tokenizer, reader, error);
    if (status != HOB_OK) {
        tokenizer_free(tokenizer);
        return error_prefix(error, status, "tokenizer");
    }
    *ret_tokenizer = tokenizer;
    return HOB_OK;
}
