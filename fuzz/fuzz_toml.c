/* TOML: whatever parses can be walked, and each key found again; going on behind faults ends, and finds none where parsing finds none. */
#include "config/toml.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct toml_value *value)
{
    if (value->kind == TOML_ARRAY)
        for (size_t i = 0; i < value->array->n_items; i++) walk(&value->array->items[i]);
    if (value->kind != TOML_TABLE) return;
    for (const struct toml_entry *entry = toml_first(value->table); entry; entry = entry->next) {
        bool is_plain = strlen(entry->key) == entry->n_key_bytes;
        if (is_plain && toml_find(value->table, entry->key) != &entry->value) abort();
        walk(&entry->value);
    }
}

static void count_fault(void *context, const hob_error *fault)
{
    *(size_t *)context += fault->message[0] != '\0';
}

static void parse_all(const uint8_t *data, size_t size, hob_status expected)
{
    size_t n_faults = 0;
    struct toml *document;
    if (toml_parse_all((const char *)data, size, "input", count_fault, &n_faults, &document, NULL) != HOB_OK) return;
    if ((n_faults == 0) != (expected == HOB_OK)) abort();
    for (const struct toml_entry *entry = toml_first(toml_root(document)); entry; entry = entry->next)
        walk(&entry->value);
    toml_free(document);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct toml *document;
    hob_error error;
    hob_status status = toml_parse((const char *)data, size, "input", &document, &error);
    parse_all(data, size, status);
    if (status != HOB_OK) return 0;
    for (const struct toml_entry *entry = toml_first(toml_root(document)); entry; entry = entry->next)
        walk(&entry->value);
    toml_free(document);
    return 0;
}
