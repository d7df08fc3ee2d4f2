/* Where keys go. A table remembers how it came about, because the specification lets each table be defined only once:
 *   implicit   a header named something below it; a header may still define it
 *   header     by [name] or as an element of [[name]]
 *   dotted     by the dots of a key; only keys of the same section may add to it
 *   inline     by { }; nothing may add to it */
#include "config/toml.h"
#include "base/memory.h"
#include "base/string_map.h"
#include "config/toml_scan.h"

#include <string.h>

enum { MOST_FAULTS = 100 }; /* that are told of one document */

enum table_origin { ORIGIN_IMPLICIT, ORIGIN_HEADER, ORIGIN_DOTTED, ORIGIN_INLINE };

struct toml_table {
    uint32_t number; /* of the table: with a key, what the document's map is keyed by */
    uint32_t section; /* that dotted keys made it in */
    enum table_origin origin;
    const struct toml *document;
    struct toml_entry *first, *last;
};

struct toml {
    struct arena arena;
    struct string_map entries; /* of all tables: number and key → entry */
    struct toml_table *root;
    uint32_t n_tables;
};

/* Parsing under way. */
struct parser {
    struct toml_scan scan;
    struct toml *document;
    struct toml_table *table; /* that keys go to */
    uint32_t section, n_sections;
    int depth;
    bool is_in_header;
    toml_on_fault *on_fault; /* NULL: the first fault ends it */
    void *fault_context;
    int n_faults;
};

struct key_part {
    const char *text;
    size_t n_bytes;
    int line, column;
};

enum { MAX_KEY_PARTS = TOML_MAX_DEPTH };

struct key {
    struct key_part parts[MAX_KEY_PARTS];
    size_t n_parts;
};

static hob_status no_memory(struct parser *parser)
{
    FAIL(parser->scan.error, HOB_NO_MEMORY, "%s: out of memory", parser->scan.name);
}

#define KEY_FAIL(parser, part, format, ...)                                                                           \
    FAIL((parser)->scan.error, HOB_BAD_FILE, "%s:%d:%d: " format, (parser)->scan.name, (part)->line, (part)->column, ##__VA_ARGS__)

/* ---- tables ---- */

static struct toml_table *new_table(struct parser *parser, enum table_origin origin)
{
    struct toml_table *table = ARENA_NEW(&parser->document->arena, struct toml_table, 1);
    if (!table) return NULL;
    table->number = parser->document->n_tables++;
    table->origin = origin;
    table->section = parser->section;
    table->document = parser->document;
    return table;
}

/* The bytes by which the document's map knows an entry: the table's number, then the key. */
static char *map_key(struct arena *arena, const struct toml_table *table, const char *key, size_t n_bytes)
{
    char *bytes = arena_alloc(arena, sizeof table->number + n_bytes + 1, _Alignof(uint32_t));
    if (!bytes) return NULL;
    memcpy(bytes, &table->number, sizeof table->number);
    memcpy(bytes + sizeof table->number, key, n_bytes);
    bytes[sizeof table->number + n_bytes] = '\0';
    return bytes;
}

static struct toml_entry *find_entry(const struct toml_table *table, const char *key, size_t n_bytes)
{
    struct arena scratch;
    uint64_t entry = 0;
    arena_init(&scratch, 256);
    const char *bytes = map_key(&scratch, table, key, n_bytes);
    bool is_found = bytes && string_map_get(&table->document->entries, bytes, sizeof table->number + n_bytes, &entry);
    arena_release(&scratch);
    return is_found ? (struct toml_entry *)(uintptr_t)entry : NULL;
}

static hob_status add_entry(struct parser *parser, struct toml_table *table, const struct key_part *part,
                            const struct toml_value *value, struct toml_entry **ret_entry)
{
    struct arena *arena = &parser->document->arena;
    char *bytes = map_key(arena, table, part->text, part->n_bytes);
    struct toml_entry *entry = ARENA_NEW(arena, struct toml_entry, 1);
    if (!bytes || !entry) return no_memory(parser);
    *entry = (struct toml_entry){.key = bytes + sizeof table->number, .n_key_bytes = part->n_bytes, .line = part->line,
                                 .column = part->column, .value = *value};
    if (!string_map_put(&parser->document->entries, bytes, sizeof table->number + part->n_bytes, (uint64_t)(uintptr_t)entry))
        return no_memory(parser);
    if (table->last) table->last->next = entry;
    else table->first = entry;
    table->last = entry;
    if (ret_entry) *ret_entry = entry;
    return HOB_OK;
}

static hob_status add_table(struct parser *parser, struct toml_table *table, const struct key_part *part,
                            enum table_origin origin, struct toml_table **ret_table)
{
    struct toml_table *child = new_table(parser, origin);
    if (!child) return no_memory(parser);
    struct toml_value value = {.kind = TOML_TABLE, .line = part->line, .column = part->column, .table = child};
    TRY(add_entry(parser, table, part, &value, NULL));
    *ret_table = child;
    return HOB_OK;
}

static hob_status append_item(struct parser *parser, struct toml_array *array, const struct toml_value *value)
{
    if (array->n_items == array->n_reserved) {
        size_t n_reserved = array->n_reserved ? array->n_reserved * 2 : 4;
        struct toml_value *items = ARENA_NEW(&parser->document->arena, struct toml_value, n_reserved);
        if (!items) return no_memory(parser);
        if (array->n_items) memcpy(items, array->items, array->n_items * sizeof *items);
        array->items = items;
        array->n_reserved = n_reserved;
    }
    array->items[array->n_items++] = *value;
    return HOB_OK;
}

/* ---- keys ---- */

static hob_status parse_key(struct parser *parser, struct key *ret_key)
{
    struct toml_scan *scan = &parser->scan;
    struct key key = {.n_parts = 0};
    do {
        toml_skip_blanks(scan);
        if (key.n_parts == MAX_KEY_PARTS)
            FAIL(scan->error, HOB_LIMIT, "%s:%d:%d: found a key of more than %d parts", scan->name, scan->line, toml_column(scan),
                 MAX_KEY_PARTS);
        struct key_part *part = &key.parts[key.n_parts++];
        part->line = scan->line;
        part->column = toml_column(scan);
        TRY(toml_scan_key(scan, &part->text, &part->n_bytes));
        toml_skip_blanks(scan);
    } while (toml_take(scan, '.'));
    *ret_key = key;
    return HOB_OK;
}

static hob_status refuse_again(struct parser *parser, const struct key_part *part, const struct toml_entry *entry)
{
    KEY_FAIL(parser, part, "found %s again, after line %d", part->text, entry->line);
}

/* The table that a key's dots lead to, one part at a time. */
static hob_status enter_dotted(struct parser *parser, struct toml_table *table, const struct key_part *part,
                               struct toml_table **ret_table)
{
    struct toml_entry *entry = find_entry(table, part->text, part->n_bytes);
    if (!entry) return add_table(parser, table, part, ORIGIN_DOTTED, ret_table);
    struct toml_table *child = entry->value.kind == TOML_TABLE ? entry->value.table : NULL;
    if (!child) KEY_FAIL(parser, part, "found a key below %s, which line %d makes %s", part->text, entry->line, toml_kind_name(entry->value.kind));
    if (child->origin == ORIGIN_IMPLICIT) {
        child->origin = ORIGIN_DOTTED;
        child->section = parser->section;
    }
    if (child->origin != ORIGIN_DOTTED || child->section != parser->section)
        KEY_FAIL(parser, part, "found a key for the table %s, which line %d has defined and closed", part->text, entry->line);
    *ret_table = child;
    return HOB_OK;
}

static hob_status parse_value(struct parser *parser, struct toml_value *ret_value);

static hob_status parse_key_value(struct parser *parser, struct toml_table *table)
{
    struct toml_scan *scan = &parser->scan;
    struct key key;
    struct toml_value value;
    char found[32];
    TRY(parse_key(parser, &key));
    if (!toml_take(scan, '=')) TOML_FAIL(scan, "found %s, expected = behind a key", toml_found(scan, found));
    for (size_t i = 0; i + 1 < key.n_parts; i++) TRY(enter_dotted(parser, table, &key.parts[i], &table));
    const struct key_part *last = &key.parts[key.n_parts - 1];
    const struct toml_entry *entry = find_entry(table, last->text, last->n_bytes);
    if (entry) return refuse_again(parser, last, entry);
    toml_skip_blanks(scan);
    TRY(parse_value(parser, &value));
    return add_entry(parser, table, last, &value, NULL);
}

/* ---- values ---- */

static hob_status parse_array(struct parser *parser, struct toml_value *value)
{
    struct toml_scan *scan = &parser->scan;
    char found[32];
    value->kind = TOML_ARRAY;
    value->array = ARENA_NEW(&parser->document->arena, struct toml_array, 1);
    if (!value->array) return no_memory(parser);
    scan->at++;
    for (;;) {
        struct toml_value item;
        TRY(toml_skip_lines(scan));
        if (toml_take(scan, ']')) return HOB_OK;
        TRY(parse_value(parser, &item));
        TRY(append_item(parser, value->array, &item));
        TRY(toml_skip_lines(scan));
        if (toml_take(scan, ',')) continue;
        if (toml_take(scan, ']')) return HOB_OK;
        TOML_FAIL(scan, "found %s in an array, expected , or ]", toml_found(scan, found));
    }
}

static hob_status parse_inline_entries(struct parser *parser, struct toml_table *table)
{
    struct toml_scan *scan = &parser->scan;
    char found[32];
    toml_skip_blanks(scan);
    if (toml_take(scan, '}')) return HOB_OK;
    for (;;) {
        TRY(parse_key_value(parser, table));
        toml_skip_blanks(scan);
        if (toml_take(scan, '}')) return HOB_OK;
        if (!toml_take(scan, ',')) TOML_FAIL(scan, "found %s in an inline table, expected , or }", toml_found(scan, found));
    }
}

static hob_status parse_inline_table(struct parser *parser, struct toml_value *value)
{
    uint32_t outer = parser->section;
    parser->section = parser->n_sections++;
    value->kind = TOML_TABLE;
    value->table = new_table(parser, ORIGIN_INLINE);
    if (!value->table) return no_memory(parser);
    parser->scan.at++;
    TRY(parse_inline_entries(parser, value->table));
    parser->section = outer;
    return HOB_OK;
}

static hob_status parse_nested(struct parser *parser, struct toml_value *value)
{
    const struct toml_scan *scan = &parser->scan;
    if (parser->depth == TOML_MAX_DEPTH)
        FAIL(scan->error, HOB_LIMIT, "%s:%d:%d: found arrays and tables nested more than %d deep", scan->name, scan->line,
             toml_column(scan), TOML_MAX_DEPTH);
    parser->depth++;
    TRY(toml_peek(scan) == '[' ? parse_array(parser, value) : parse_inline_table(parser, value));
    parser->depth--;
    return HOB_OK;
}

static hob_status parse_value(struct parser *parser, struct toml_value *ret_value)
{
    struct toml_scan *scan = &parser->scan;
    struct toml_value value = {.line = scan->line, .column = toml_column(scan)};
    switch (toml_peek(scan)) {
    case '"':
    case '\'':
        value.kind = TOML_STRING;
        TRY(toml_scan_string(scan, false, &value.text, &value.n_text_bytes));
        break;
    case '[':
    case '{': TRY(parse_nested(parser, &value)); break;
    default: TRY(toml_scan_plain(scan, &value)); break;
    }
    *ret_value = value;
    return HOB_OK;
}

/* ---- headers ---- */

/* Down one part of a header that is not its last. */
static hob_status enter_header(struct parser *parser, struct toml_table *table, const struct key_part *part,
                               struct toml_table **ret_table)
{
    struct toml_entry *entry = find_entry(table, part->text, part->n_bytes);
    if (!entry) return add_table(parser, table, part, ORIGIN_IMPLICIT, ret_table);
    struct toml_table *child = NULL;
    if (entry->value.kind == TOML_TABLE && entry->value.table->origin != ORIGIN_INLINE) child = entry->value.table;
    if (entry->value.kind == TOML_ARRAY && entry->value.array->is_of_tables)
        child = entry->value.array->items[entry->value.array->n_items - 1].table;
    if (!child)
        KEY_FAIL(parser, part, "found a table below %s, which line %d makes %s", part->text, entry->line,
                 entry->value.kind == TOML_TABLE ? "an inline table" : toml_kind_name(entry->value.kind));
    *ret_table = child;
    return HOB_OK;
}

static hob_status open_table(struct parser *parser, struct toml_table *table, const struct key_part *part)
{
    struct toml_entry *entry = find_entry(table, part->text, part->n_bytes);
    if (!entry) return add_table(parser, table, part, ORIGIN_HEADER, &parser->table);
    bool is_free = entry->value.kind == TOML_TABLE && entry->value.table->origin == ORIGIN_IMPLICIT;
    if (!is_free) return refuse_again(parser, part, entry);
    parser->table = entry->value.table;
    parser->table->origin = ORIGIN_HEADER;
    entry->line = part->line;
    return HOB_OK;
}

static hob_status open_table_of_array(struct parser *parser, struct toml_table *table, const struct key_part *part)
{
    struct toml_entry *entry = find_entry(table, part->text, part->n_bytes);
    struct toml_value value = {.kind = TOML_ARRAY, .line = part->line, .column = part->column};
    if (!entry) {
        value.array = ARENA_NEW(&parser->document->arena, struct toml_array, 1);
        if (!value.array) return no_memory(parser);
        value.array->is_of_tables = true;
        TRY(add_entry(parser, table, part, &value, &entry));
    }
    if (entry->value.kind != TOML_ARRAY || !entry->value.array->is_of_tables) return refuse_again(parser, part, entry);
    struct toml_value item = {.kind = TOML_TABLE, .line = part->line, .column = part->column};
    item.table = new_table(parser, ORIGIN_HEADER);
    if (!item.table) return no_memory(parser);
    parser->table = item.table;
    return append_item(parser, entry->value.array, &item);
}

static hob_status parse_header(struct parser *parser)
{
    struct toml_scan *scan = &parser->scan;
    struct toml_table *table = parser->document->root;
    struct key key;
    char found[32];
    scan->at++;
    bool is_of_array = toml_take(scan, '[');
    TRY(parse_key(parser, &key));
    if (!toml_take(scan, ']') || (is_of_array && !toml_take(scan, ']')))
        TOML_FAIL(scan, "found %s in a header, expected %s", toml_found(scan, found), is_of_array ? "]]" : "]");
    parser->section = parser->n_sections++;
    for (size_t i = 0; i + 1 < key.n_parts; i++) TRY(enter_header(parser, table, &key.parts[i], &table));
    const struct key_part *last = &key.parts[key.n_parts - 1];
    return is_of_array ? open_table_of_array(parser, table, last) : open_table(parser, table, last);
}

/* ---- the document ---- */

/* Bytes of the UTF-8 character here; 0: it is none, or one that is written too long or stands for no character. */
static size_t character_bytes(const unsigned char *at, size_t n_left)
{
    if (at[0] < 0x80) return 1;
    size_t n = at[0] >= 0xF0 ? 4 : at[0] >= 0xE0 ? 3 : 2;
    if (at[0] < 0xC2 || at[0] > 0xF4 || n > n_left) return 0;
    for (size_t i = 1; i < n; i++)
        if ((at[i] & 0xC0) != 0x80) return 0;
    bool is_odd = (at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xED && at[1] > 0x9F) || (at[0] == 0xF0 && at[1] < 0x90) ||
                  (at[0] == 0xF4 && at[1] > 0x8F);
    return is_odd ? 0 : n;
}

static hob_status check_text(struct parser *parser)
{
    struct toml_scan scan = parser->scan;
    while (scan.at < scan.end) {
        if (toml_take_line_end(&scan)) continue;
        size_t n_bytes = character_bytes((const unsigned char *)scan.at, (size_t)(scan.end - scan.at));
        if (!n_bytes) TOML_FAIL(&scan, "found byte 0x%02X, expected UTF-8", (unsigned char)*scan.at);
        if (!*scan.at) TOML_FAIL(&scan, "found a NUL, expected text");
        scan.at += n_bytes;
    }
    return HOB_OK;
}

static hob_status parse_statement(struct parser *parser)
{
    struct toml_scan *scan = &parser->scan;
    parser->is_in_header = false;
    TRY(toml_skip_lines(scan));
    if (scan->at == scan->end) return HOB_OK;
    parser->is_in_header = toml_peek(scan) == '[';
    TRY(parser->is_in_header ? parse_header(parser) : parse_key_value(parser, parser->table));
    return toml_end_line(scan);
}

/* Keys below a header that could not be read belong to nobody knows what. */
static hob_status pass_fault(struct parser *parser, hob_status status)
{
    if (status == HOB_NO_MEMORY || !parser->on_fault || parser->n_faults == MOST_FAULTS) return status;
    parser->n_faults++;
    parser->on_fault(parser->fault_context, parser->scan.error);
    parser->depth = 0;
    toml_skip_to_statement(&parser->scan, parser->is_in_header);
    return HOB_OK;
}

static hob_status parse_lines(struct parser *parser)
{
    while (parser->scan.at < parser->scan.end) {
        hob_status status = parse_statement(parser);
        if (status != HOB_OK) TRY(pass_fault(parser, status));
    }
    return HOB_OK;
}

static hob_status parse(struct parser *parser)
{
    parser->table = parser->document->root = new_table(parser, ORIGIN_HEADER);
    if (!parser->table) return no_memory(parser);
    hob_status status = check_text(parser);
    if (status == HOB_OK) return parse_lines(parser);
    parser->scan.at = parser->scan.end; /* no text: nothing more can be told */
    return pass_fault(parser, status);
}

static hob_status parse_document(const char *text, size_t n_bytes, const char *name, struct parser *parser, struct toml **ret_document,
                                 hob_error *error)
{
    if (n_bytes > TOML_MAX_BYTES) FAIL(error, HOB_LIMIT, "%s: found %zu bytes, expected at most %d", name, n_bytes, TOML_MAX_BYTES);
    struct toml *document = memory_new(1, sizeof *document);
    if (!document) FAIL(error, HOB_NO_MEMORY, "%s: out of memory", name);
    arena_init(&document->arena, 16 * 1024);
    bool has_mark = n_bytes >= 3 && !memcmp(text, "\xEF\xBB\xBF", 3);
    struct toml_scan scan = {.name = name, .at = text + (has_mark ? 3 : 0), .end = text + n_bytes, .line = 1,
                             .arena = &document->arena, .error = error};
    scan.line_start = scan.at;
    parser->scan = scan;
    parser->document = document;
    parser->n_sections = 1;
    hob_status status = parse(parser);
    if (status != HOB_OK) toml_free(document);
    else *ret_document = document;
    return status;
}

hob_status toml_parse(const char *text, size_t n_bytes, const char *name, struct toml **ret_document, hob_error *error)
{
    struct parser parser = {0};
    return parse_document(text, n_bytes, name, &parser, ret_document, error);
}

hob_status toml_parse_all(const char *text, size_t n_bytes, const char *name, toml_on_fault *on_fault, void *context,
                          struct toml **ret_document, hob_error *error)
{
    hob_error fault;
    struct parser parser = {.on_fault = on_fault, .fault_context = context};
    hob_status status = parse_document(text, n_bytes, name, &parser, ret_document, &fault);
    if (status != HOB_OK && error) *error = fault;
    return status;
}

void toml_free(struct toml *document)
{
    if (!document) return;
    string_map_release(&document->entries);
    arena_release(&document->arena);
    memory_free(document);
}

const struct toml_table *toml_root(const struct toml *document)
{
    return document->root;
}

const struct toml_entry *toml_first(const struct toml_table *table)
{
    return table->first;
}

const struct toml_value *toml_find(const struct toml_table *table, const char *key)
{
    const struct toml_entry *entry = find_entry(table, key, strlen(key));
    return entry ? &entry->value : NULL;
}

const char *toml_kind_name(enum toml_kind kind)
{
    static const char *const names[] = {[TOML_STRING] = "a string", [TOML_INTEGER] = "an integer", [TOML_FLOAT] = "a number",
                                        [TOML_BOOLEAN] = "true or false", [TOML_TIME] = "a date or time", [TOML_ARRAY] = "an array",
                                        [TOML_TABLE] = "a table"};
    return names[kind];
}
