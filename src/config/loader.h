/* A configuration being put together: what the layers share. A fault is told and remembered, and reading goes on, so that all are found;
 * only running out of memory ends it at once. */
#ifndef CONFIG_LOADER_H
#define CONFIG_LOADER_H

#include "config/options.h"
#include "config/toml.h"

struct loader {
    struct config *config;
    const struct config_sources *sources;
    hob_error *error; /* of the first fault */
    hob_status first_fault;
    size_t n_faults;
    bool has_unread; /* of some file not all could be read: what is missing may be there */
};

/* Where values go: the keys of one section or of one named table. */
struct loader_table {
    const char *section; /* "", "server", …, "models", "backends" */
    const char *name;    /* of a model or backend; NULL elsewhere */
    const struct config_option *options;
    size_t n_options;
    void *structure;
    struct config_origin *origins;
};

struct loader_table loader_section(struct loader *loader, const char *section);
/* Makes the model or backend, with defaults, where there is none of that name. section: "models" or "backends". The table is valid until
 * the next is made. Fails: HOB_LIMIT (too many; the fault is told), HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status loader_named_table(struct loader *loader, const char *section, const char *name,
                                             const struct config_origin *origin, struct loader_table *ret_table);

/* toml NULL: text is given. folder: of relative paths; NULL: none. */
HOB_MUST_CHECK hob_status loader_set(struct loader *loader, const struct loader_table *table, size_t option,
                                     const struct toml_value *toml, const char *text, const char *folder,
                                     const struct config_origin *origin);
HOB_MUST_CHECK hob_status loader_set_defaults(struct loader *loader, const struct loader_table *table);

/* Of a fault there: the file's, or the caller's. */
hob_status loader_code(const struct config_origin *origin);
/* The message begins with the place: "FILE:LINE:COLUMN: ", the variable's or the flag's name. origin NULL: no place. */
void loader_fault(struct loader *loader, hob_status code, const struct config_origin *origin, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void loader_note(const struct loader *loader, const struct config_origin *origin, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A fault that is already in error, with its place in the message. */
void loader_fault_error(struct loader *loader, const hob_error *error);
HOB_MUST_CHECK hob_status loader_no_memory(struct loader *loader);

#endif
