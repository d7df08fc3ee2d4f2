/* Lays the instruction sets that this machine has over each other, once, and picks the best or the one asked for.
 *
 * The finished tables are one of the two mutable globals of the house; they are written once, before anyone can see them. */
#include "kernels/table.h"

#include "base/error.h"

#include <pthread.h>

#define TABLE(name) extern const struct kernel_table_def kernel_table_##name;
#include "kernels/tables.def"
#undef TABLE

static const struct kernel_table_def *const known_tables[] = {
#define TABLE(name) &kernel_table_##name,
#include "kernels/tables.def"
#undef TABLE
};

#define VARIABLE "HOB_KERNELS"
enum { NAMES_BYTES = 160 };

static struct kernels usable[ARRAY_LENGTH(known_tables)];
static size_t n_usable;
static const struct kernels *selected;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void overlay(struct kernels *table, const struct kernels *better)
{
    table->name = better->name;
#define KERNEL(returns, slot, parameters)                                                                  \
    if (better->slot) table->slot = better->slot;
#include "kernels/kernels.def"
#undef KERNEL
}

static const struct kernels *find(const char *name)
{
    for (size_t i = 0; i < n_usable; i++)
        if (strcmp(usable[i].name, name) == 0) return &usable[i];
    return NULL;
}

static void build_tables(void)
{
    struct kernels table = {0}; /* each laid over those before it */
    for (size_t i = 0; i < ARRAY_LENGTH(known_tables); i++) {
        if (!known_tables[i]->is_supported()) continue;
        overlay(&table, &known_tables[i]->kernels);
        usable[n_usable++] = table;
    }
    const char *wanted = getenv(VARIABLE);
    selected = wanted ? find(wanted) : NULL;
    if (!selected) selected = &usable[n_usable - 1];
}

const struct kernels *kernels_select(void)
{
    pthread_once(&once, build_tables);
    return selected;
}

/* The table names that can be asked for, with commas between. */
static const char *usable_names(char text[NAMES_BYTES])
{
    size_t n_bytes = 0;
    text[0] = '\0';
    for (size_t i = 0; i < n_usable && n_bytes < NAMES_BYTES; i++)
        n_bytes += (size_t)snprintf(text + n_bytes, NAMES_BYTES - n_bytes, "%s%s", i ? ", " : "", usable[i].name);
    return text;
}

hob_status kernels_check_choice(hob_error *error)
{
    char names[NAMES_BYTES];
    const char *wanted = getenv(VARIABLE);
    pthread_once(&once, build_tables);
    if (wanted && !find(wanted))
        FAIL(error, HOB_BAD_ARGUMENT, "%s: found %s, expected one of %s", VARIABLE, wanted, usable_names(names));
    return HOB_OK;
}

const struct kernels *kernels_by_name(const char *name)
{
    pthread_once(&once, build_tables);
    return find(name);
}

const struct kernels *kernels_at(size_t index)
{
    pthread_once(&once, build_tables);
    return index < n_usable ? &usable[index] : NULL;
}
