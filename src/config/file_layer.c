#include "config/file_layer.h"
#include "base/buffer.h"
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct file {
    struct loader *loader;
    const char *path, *folder; /* in the configuration's arena */
};

static struct config_origin origin_at(const struct file *file, int line, int column)
{
    return (struct config_origin){.source = CONFIG_FROM_FILE, .name = file->path, .line = line, .column = column};
}

/* strcmp would take a key with a NUL in it for its beginning. */
static bool is_plain(const struct toml_entry *entry)
{
    return strlen(entry->key) == entry->n_key_bytes;
}

static void refuse_key(const struct file *file, const struct loader_table *table, const struct toml_entry *entry)
{
    char hint[CONFIG_HINT_BYTES];
    struct config_origin origin = origin_at(file, entry->line, entry->column);
    const char *what = !*table->section && entry->value.kind == TOML_TABLE ? "section" : "key";
    config_hint_key(table->options, table->n_options, table->section, entry->key, hint);
    loader_fault(file->loader, HOB_BAD_FILE, &origin, "%s%s%.80s: found an unknown %s%s", table->section,
                 *table->section ? "." : "", entry->key, what, hint);
}

static hob_status read_entry(const struct file *file, const struct loader_table *table, const struct toml_entry *entry)
{
    size_t option = is_plain(entry) ? config_option_find(table->options, table->n_options, table->section, entry->key)
                                    : table->n_options;
    if (option == table->n_options) {
        refuse_key(file, table, entry);
        return HOB_OK;
    }
    struct config_origin origin = origin_at(file, entry->line, entry->column);
    return loader_set(file->loader, table, option, &entry->value, NULL, file->folder, &origin);
}

/* false, and a fault: the entry is no table. */
static bool expect_table(const struct file *file, const struct toml_entry *entry)
{
    if (entry->value.kind == TOML_TABLE) return true;
    struct config_origin origin = origin_at(file, entry->value.line, entry->value.column);
    loader_fault(file->loader, HOB_BAD_FILE, &origin, "%s: found %s, expected a table", entry->key,
                 toml_kind_name(entry->value.kind));
    return false;
}

static hob_status read_section(const struct file *file, const struct toml_entry *section)
{
    if (!expect_table(file, section)) return HOB_OK;
    struct loader_table table = loader_section(file->loader, section->key);
    for (const struct toml_entry *entry = toml_first(section->value.table); entry; entry = entry->next)
        TRY(read_entry(file, &table, entry));
    return HOB_OK;
}

static hob_status read_named(const struct file *file, const char *section, const struct toml_entry *named)
{
    if (!expect_table(file, named)) return HOB_OK;
    struct loader_table table;
    struct config_origin origin = origin_at(file, named->line, named->column);
    TRY(loader_named_table(file->loader, section, is_plain(named) ? named->key : "", &origin, &table));
    for (const struct toml_entry *entry = toml_first(named->value.table); entry; entry = entry->next)
        TRY(read_entry(file, &table, entry));
    return HOB_OK;
}

static hob_status read_all_named(const struct file *file, const struct toml_entry *section)
{
    if (!expect_table(file, section)) return HOB_OK;
    for (const struct toml_entry *entry = toml_first(section->value.table); entry; entry = entry->next)
        TRY(read_named(file, section->key, entry));
    return HOB_OK;
}

static hob_status read_document(const struct file *file, const struct toml *document)
{
    struct loader_table top = loader_section(file->loader, "");
    for (const struct toml_entry *entry = toml_first(toml_root(document)); entry; entry = entry->next) {
        bool is_named = is_plain(entry) && (!strcmp(entry->key, "models") || !strcmp(entry->key, "backends"));
        if (is_named) TRY(read_all_named(file, entry));
        else if (is_plain(entry) && config_is_section(entry->key)) TRY(read_section(file, entry));
        else TRY(read_entry(file, &top, entry));
    }
    return HOB_OK;
}

/* ---- bytes ---- */

static hob_status read_bytes(const char *path, struct buffer *bytes, hob_error *error)
{
    hob_status status = HOB_OK;
    char chunk[16 * 1024];
    FILE *stream = fopen(path, "re");
    if (!stream) FAIL(error, errno == ENOENT ? HOB_NOT_FOUND : HOB_IO, "%s: %s", path, strerror(errno));
    for (size_t n = 1; n && bytes->n_bytes <= TOML_MAX_BYTES && !bytes->is_failed;) {
        n = fread(chunk, 1, sizeof chunk, stream);
        buffer_append(bytes, chunk, n);
    }
    if (ferror(stream)) status = error_set(error, HOB_IO, ERROR_HERE, "%s: %s", path, strerror(errno));
    else if (bytes->is_failed) status = error_set(error, HOB_NO_MEMORY, ERROR_HERE, "%s: out of memory", path);
    fclose(stream);
    return status;
}

/* The path and its folder for as long as the configuration lives. */
static bool keep_paths(struct file *file, const char *path)
{
    struct arena *arena = &file->loader->config->arena;
    const char *slash = strrchr(path, '/');
    size_t n_folder = slash ? (size_t)(slash - path) : 0;
    file->path = arena_copy_string(arena, path, strlen(path));
    file->folder = n_folder ? arena_copy_string(arena, path, n_folder) : slash ? "/" : NULL;
    return file->path && (file->folder || !slash);
}

static bool remember_file(struct config *config, const char *path)
{
    const char **files = ARENA_NEW(&config->arena, const char *, config->files.n_items + 1);
    if (!files) return false;
    if (config->files.n_items) memcpy(files, config->files.items, config->files.n_items * sizeof *files);
    files[config->files.n_items] = path;
    config->files = (struct config_list){.items = files, .n_items = config->files.n_items + 1};
    return true;
}

static void hear_fault(void *context, const hob_error *fault)
{
    struct loader *loader = context;
    loader->has_unread = true;
    loader_fault_error(loader, fault);
}

static hob_status parse_and_read(const struct file *file, const struct buffer *bytes)
{
    hob_error error;
    struct toml *document = NULL;
    hob_status status =
        toml_parse_all(buffer_text(bytes), bytes->n_bytes, file->path, hear_fault, file->loader, &document, &error);
    if (status == HOB_NO_MEMORY) return loader_no_memory(file->loader);
    if (status != HOB_OK) {
        hear_fault(file->loader, &error);
        return HOB_OK;
    }
    status = read_document(file, document);
    toml_free(document);
    return status;
}

hob_status file_layer_read(struct loader *loader, const char *path)
{
    hob_error error;
    struct file file = {.loader = loader};
    struct buffer bytes = {0};
    if (!keep_paths(&file, path) || !remember_file(loader->config, file.path)) return loader_no_memory(loader);
    hob_status status = read_bytes(path, &bytes, &error);
    if (status == HOB_OK) status = parse_and_read(&file, &bytes);
    else if (status == HOB_NO_MEMORY) status = loader_no_memory(loader);
    else {
        loader_fault_error(loader, &error);
        status = HOB_OK;
    }
    buffer_release(&bytes);
    return status;
}
