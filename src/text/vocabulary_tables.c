/* A vocabulary as a record: everything that encoding and decoding need, ready to be used where it lies. */
#include "text/vocabulary_tables.h"
#include "base/error.h"
#include "base/memory.h"
#include "hob/tokenizer.h"

#include <string.h>

/* A table in which spellings collide more than this was made to: neither written nor read. */
enum { RECORD_SEED = 0x5EED, MOST_PROBES = 4096 };

/* ---- reading ---- */

static const char *spelling_at(const struct vocabulary_tables *tables, size_t index, size_t *ret_n_bytes)
{
    *ret_n_bytes = tables->offsets[index + 1] - tables->offsets[index] - 1;
    return tables->bytes + tables->offsets[index];
}

int32_t vocabulary_tables_find(const struct vocabulary *vocabulary, const char *text, size_t n_bytes)
{
    const struct vocabulary_tables *tables = &vocabulary->tables;
    uint64_t hash = string_map_hash(tables->seed, text, n_bytes);
    uint32_t tag = (uint32_t)(hash >> 32);
    for (size_t i = 0; i < tables->most_probes; i++) {
        const struct vocabulary_slot *slot = &tables->slots[(hash + i) & (tables->n_slots - 1)];
        if (!slot->spelling) break;
        if (slot->tag != tag) continue;
        size_t index = slot->spelling - 1, n_found;
        const char *found = spelling_at(tables, index, &n_found);
        if (n_found != n_bytes || (n_bytes && memcmp(found, text, n_bytes))) continue;
        return index < vocabulary->n_tokens ? (int32_t)index : tables->alias_ids[index - vocabulary->n_tokens];
    }
    return HOB_NO_TOKEN;
}

/* Each spelling lies inside the bytes and ends in a NUL; each slot leads to a spelling, each spelling to an id. */
static bool is_sound(const struct vocabulary_tables *tables, size_t n_bytes, size_t n_tokens)
{
    const uint32_t *offsets = tables->offsets;
    if (offsets[0] || offsets[tables->n_spellings] != n_bytes) return false;
    for (size_t i = 0; i < tables->n_spellings; i++)
        if (offsets[i] >= offsets[i + 1] || offsets[i + 1] > n_bytes || tables->bytes[offsets[i + 1] - 1]) return false;
    bool is_sound = true;
    for (size_t i = 0; i < tables->n_slots; i++) is_sound &= tables->slots[i].spelling <= tables->n_spellings;
    for (size_t i = 0; i < tables->n_spellings - n_tokens; i++)
        is_sound &= tables->alias_ids[i] >= 0 && (size_t)tables->alias_ids[i] < n_tokens;
    return is_sound;
}

void vocabulary_read(struct vocabulary *vocabulary, struct record_reader *reader)
{
    struct vocabulary_tables tables = {0};
    size_t n_types, n_bytes, n_offsets, n_aliases;
    const void *types = record_array(reader, 1, &n_types);
    tables.bytes = record_array(reader, 1, &n_bytes);
    tables.offsets = record_array(reader, sizeof *tables.offsets, &n_offsets);
    tables.alias_ids = record_array(reader, sizeof *tables.alias_ids, &n_aliases);
    tables.seed = record_u64(reader);
    tables.most_probes = (size_t)record_u64(reader);
    tables.slots = record_array(reader, sizeof *tables.slots, &tables.n_slots);
    tables.n_spellings = n_types + n_aliases;
    bool is_power = tables.n_slots && !(tables.n_slots & (tables.n_slots - 1));
    if (reader->is_bad || !is_power || n_types > INT32_MAX || n_offsets != tables.n_spellings + 1 || tables.most_probes > MOST_PROBES ||
        !is_sound(&tables, n_bytes, n_types)) {
        record_fail(reader);
        return;
    }
    *vocabulary = (struct vocabulary){
        .types = (unsigned char *)(uintptr_t)types, .n_tokens = n_types, .is_mapped = true, .tables = tables};
}

void vocabulary_read_ids(const struct vocabulary *vocabulary, struct record_reader *reader, size_t n_ids, int32_t *ret_ids)
{
    size_t n_found;
    const void *ids = record_array(reader, sizeof *ret_ids, &n_found);
    if (!ids || n_found != n_ids) {
        record_fail(reader);
        return;
    }
    memcpy(ret_ids, ids, n_ids * sizeof *ret_ids);
    for (size_t i = 0; i < n_ids; i++)
        if (ret_ids[i] < HOB_NO_TOKEN || ret_ids[i] >= (int64_t)vocabulary->n_tokens) record_fail(reader);
}

/* ---- writing ---- */

struct alias {
    const char *text;
    size_t n_bytes;
    int32_t id;
};

struct table_writer {
    const struct vocabulary *vocabulary;
    struct alias *aliases;
    size_t n_aliases;
    struct vocabulary_slot *slots;
    size_t n_slots, most_probes;
};

static int compare_aliases(const void *left, const void *right)
{
    const struct alias *a = left, *b = right;
    size_t n = a->n_bytes < b->n_bytes ? a->n_bytes : b->n_bytes;
    int order = n ? memcmp(a->text, b->text, n) : 0;
    return order ? order : (a->n_bytes > b->n_bytes) - (a->n_bytes < b->n_bytes);
}

static bool is_spelt(const struct vocabulary *vocabulary, size_t id, const void *text, size_t n_bytes)
{
    size_t n_found;
    const char *found = vocabulary_text(vocabulary, id, &n_found);
    return found && n_found == n_bytes && !memcmp(found, text, n_bytes);
}

/* Spellings of ids that have another one now: an added token may take the id of a token of the model. */
static void find_aliases(struct table_writer *writer)
{
    const struct string_map *ids = &writer->vocabulary->ids;
    for (size_t i = 0; i < ids->n_slots; i++) {
        const void *text;
        size_t n_bytes;
        uint64_t id;
        if (!string_map_at(ids, i, &text, &n_bytes, &id) || is_spelt(writer->vocabulary, (size_t)id, text, n_bytes)) continue;
        writer->aliases[writer->n_aliases++] = (struct alias){text, n_bytes, (int32_t)id};
    }
    if (writer->n_aliases) qsort(writer->aliases, writer->n_aliases, sizeof *writer->aliases, compare_aliases);
}

static void put_slot(struct table_writer *writer, const char *text, size_t n_bytes, size_t index)
{
    uint64_t hash = string_map_hash(RECORD_SEED, text, n_bytes);
    size_t n_probes = 0;
    while (writer->slots[(hash + n_probes) & (writer->n_slots - 1)].spelling) n_probes++;
    writer->slots[(hash + n_probes) & (writer->n_slots - 1)] = (struct vocabulary_slot){(uint32_t)(hash >> 32), (uint32_t)index + 1};
    if (n_probes + 1 > writer->most_probes) writer->most_probes = n_probes + 1;
}

/* Of ids that are spelt alike one counts: the one that finding gives. */
static void fill_slots(struct table_writer *writer)
{
    const struct vocabulary *vocabulary = writer->vocabulary;
    for (size_t i = 0; i < vocabulary->n_tokens; i++) {
        size_t n_bytes;
        const char *text = vocabulary_text(vocabulary, i, &n_bytes);
        uint64_t id;
        if (text && string_map_get(&vocabulary->ids, text, n_bytes, &id) && id == i) put_slot(writer, text, n_bytes, i);
    }
    for (size_t i = 0; i < writer->n_aliases; i++)
        put_slot(writer, writer->aliases[i].text, writer->aliases[i].n_bytes, vocabulary->n_tokens + i);
}

static void append_spelling(const char *text, size_t n_bytes, struct buffer *spellings, uint32_t *ret_end)
{
    if (text) buffer_append(spellings, text, n_bytes);
    buffer_append_byte(spellings, 0);
    *ret_end = (uint32_t)spellings->n_bytes;
}

static hob_status write_spellings(const struct table_writer *writer, struct buffer *bytes, hob_error *error)
{
    const struct vocabulary *vocabulary = writer->vocabulary;
    size_t n_spellings = vocabulary->n_tokens + writer->n_aliases, n_bytes;
    struct buffer spellings = {.cap_bytes = UINT32_MAX};
    uint32_t *offsets = memory_new(n_spellings + 1, sizeof *offsets);
    for (size_t i = 0; offsets && i < vocabulary->n_tokens; i++) {
        const char *text = vocabulary_text(vocabulary, i, &n_bytes);
        append_spelling(text, n_bytes, &spellings, &offsets[i + 1]);
    }
    for (size_t i = 0; offsets && i < writer->n_aliases; i++)
        append_spelling(writer->aliases[i].text, writer->aliases[i].n_bytes, &spellings, &offsets[vocabulary->n_tokens + i + 1]);
    bool is_done = offsets && !spellings.is_failed;
    if (is_done) {
        record_put_array(bytes, spellings.bytes, spellings.n_bytes, 1);
        record_put_array(bytes, offsets, n_spellings + 1, sizeof *offsets);
    }
    buffer_release(&spellings);
    memory_free(offsets);
    if (!is_done) FAIL(error, HOB_NO_MEMORY, "vocabulary: no memory for %zu spellings", n_spellings);
    return HOB_OK;
}

static hob_status write_tables(struct table_writer *writer, struct buffer *bytes, hob_error *error)
{
    find_aliases(writer);
    fill_slots(writer);
    if (writer->most_probes > MOST_PROBES)
        FAIL(error, HOB_LIMIT, "vocabulary: found spellings of which %zu collide, expected at most %d", writer->most_probes, MOST_PROBES);
    record_put_array(bytes, writer->vocabulary->types, writer->vocabulary->n_tokens, 1);
    TRY(write_spellings(writer, bytes, error));
    int32_t *alias_ids = memory_new(writer->n_aliases, sizeof *alias_ids);
    if (!alias_ids) FAIL(error, HOB_NO_MEMORY, "vocabulary: no memory for %zu spellings", writer->n_aliases);
    for (size_t i = 0; i < writer->n_aliases; i++) alias_ids[i] = writer->aliases[i].id;
    record_put_array(bytes, alias_ids, writer->n_aliases, sizeof *alias_ids);
    record_put_u64(bytes, RECORD_SEED);
    record_put_u64(bytes, writer->most_probes);
    record_put_array(bytes, writer->slots, writer->n_slots, sizeof *writer->slots);
    memory_free(alias_ids);
    return HOB_OK;
}

hob_status vocabulary_write(const struct vocabulary *vocabulary, struct buffer *bytes, hob_error *error)
{
    if (vocabulary->is_mapped)
        FAIL(error, HOB_UNSUPPORTED, "found a tokenizer that comes from a pack, expected one from a model or a tokenizer.json");
    struct table_writer writer = {.vocabulary = vocabulary, .n_slots = 16};
    size_t n_spellings = vocabulary->ids.n_items;
    while (writer.n_slots / 3 * 2 < n_spellings) writer.n_slots *= 2;
    writer.aliases = memory_new(n_spellings, sizeof *writer.aliases);
    writer.slots = memory_new(writer.n_slots, sizeof *writer.slots);
    hob_status status = HOB_OK;
    if (!writer.aliases || !writer.slots) FAIL_CLEANUP(error, HOB_NO_MEMORY, "vocabulary: no memory for %zu spellings", n_spellings);
    TRY_CLEANUP(write_tables(&writer, bytes, error));
cleanup:
    memory_free(writer.aliases);
    memory_free(writer.slots);
    return status;
}
