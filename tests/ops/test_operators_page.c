/* docs/operators.md, made from ops.def: what hob runs, in which opsets, on which types, which pass makes it and what tests it. The
 * test fails when the page is stale; HOB_OPERATORS_UPDATE=1 (tools/make-operators-page) writes it anew. */
#include "unit.h"

#include "base/buffer.h"
#include "formats/onnx.h"
#include "graph/pass.h"
#include "ops/onnx_cases.h"
#include "ops/op.h"

#include <glob.h>

#define PAGE "docs/operators.md"
#define PASSING "tests/data/onnx_passing.txt"
enum { MAX_OPS = 1024, MAX_TEXT_BYTES = 1 << 20 };

/* One operator, of as many rows of the table as its opsets need. */
struct entry {
    const struct op_def *op;
    int since, until;
    uint64_t types;
    bool takes_all;
    size_t n_cases; /* conformance cases that have it and pass */
};

static struct entry entries[MAX_OPS];
static size_t n_entries;

/* ---- the table ---- */

static int compare_entries(const void *a, const void *b)
{
    const struct op_def *left = ((const struct entry *)a)->op, *right = ((const struct entry *)b)->op;
    int order = strcmp(left->domain, right->domain);
    return order ? order : strcmp(left->name, right->name);
}

static struct entry *find_entry(const char *domain, const char *name)
{
    for (size_t i = 0; i < n_entries; i++)
        if (!strcmp(entries[i].op->name, name) && !strcmp(entries[i].op->domain, domain)) return &entries[i];
    return NULL;
}

static void collect_entries(void)
{
    n_entries = 0;
    for (size_t i = 0; i < op_count(); i++) {
        const struct op_def *op = op_at(i);
        struct entry *entry = find_entry(op->domain, op->name);
        if (!entry) {
            assert_true(n_entries < MAX_OPS);
            entry = &entries[n_entries++];
            *entry = (struct entry){.op = op, .since = op->since, .until = op->until};
        }
        if (op->since < entry->since) entry->since = op->since;
        if (!op->until || (entry->until && op->until > entry->until)) entry->until = op->until;
        entry->types |= op->types;
        entry->takes_all |= !op->types;
    }
    qsort(entries, n_entries, sizeof *entries, compare_entries);
}

/* ---- conformance cases ---- */

static void count_graph(const struct graph *graph, bool *is_seen)
{
    for (uint32_t i = 0; i < graph->n_nodes; i++) {
        struct entry *entry = find_entry(graph->nodes[i].domain, graph->nodes[i].op_type);
        if (entry) is_seen[entry - entries] = true;
    }
    for (uint32_t s = 0; s < graph->n_subgraphs; s++) count_graph(graph->subgraphs[s], is_seen);
}

static void count_cases(void)
{
    static struct case_list passing;
    case_list_read(&passing, PASSING);
    for (size_t i = 0; i < passing.n_names; i++) {
        char path[CASE_PATH_BYTES];
        bool is_seen[MAX_OPS] = {false};
        struct graph *graph;
        snprintf(path, sizeof path, ONNX_CASES_ROOT "/%s/model.onnx", passing.names[i]);
        assert_int_equal(onnx_open(path, &graph, NULL), HOB_OK);
        count_graph(graph, is_seen);
        graph_free(graph);
        for (size_t e = 0; e < n_entries; e++) entries[e].n_cases += is_seen[e];
    }
}

/* ---- columns ---- */

/* Groups first, so that a row stays short. */
static void write_types(struct buffer *page, const struct entry *entry)
{
    static const struct {
        uint64_t types;
        const char *name;
    } groups[] = {{TYPES_NUMBER, "numbers"}, {TYPES_INTEGER, "integers"},  {TYPES_FLOAT, "floats"},
                  {TYPES_SIGNED, "signed"},  {TYPES_UNSIGNED, "unsigned"}, {TYPES_COMPLEX, "complex"},
                  {TYPES_F8, "float8"}};
    uint64_t left = entry->types;
    const char *comma = "";
    if (entry->takes_all) {
        buffer_append_string(page, "any");
        return;
    }
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        if ((left & groups[i].types) != groups[i].types) continue;
        buffer_printf(page, "%s%s", comma, groups[i].name);
        left &= ~groups[i].types;
        comma = ", ";
    }
    for (int id = 1; id < 63; id++) {
        if (!(left >> id & 1)) continue;
        buffer_printf(page, "%s%s", comma, dtype_name((enum dtype)id));
        comma = ", ";
    }
    if (left & TYPE_SEQUENCE) buffer_printf(page, "%ssequence", comma);
}

static bool has_word(const char *text, const char *word)
{
    size_t n_word = strlen(word);
    for (const char *at = text; (at = strstr(at, word)); at += n_word)
        if ((at == text || at[-1] == ' ') && (!at[n_word] || at[n_word] == ' ')) return true;
    return false;
}

static void write_passes(struct buffer *page, const struct op_def *op)
{
    char name[160];
    const char *comma = "";
    snprintf(name, sizeof name, "%s%s%s", op->domain, *op->domain ? "." : "", op->name);
    for (size_t i = 0; i < passes_count(); i++) {
        if (!passes_at(i)->makes || !has_word(passes_at(i)->makes, name)) continue;
        buffer_printf(page, "%s%s", comma, passes_at(i)->name);
        comma = ", ";
    }
}

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = file ? malloc(MAX_TEXT_BYTES) : NULL;
    if (!text) return NULL;
    text[fread(text, 1, MAX_TEXT_BYTES - 1, file)] = '\0';
    fclose(file);
    return text;
}

/* A test of operators names an operator as "Softmax", or "com.microsoft.Gelu", or op_softmax's own name in the table. */
static bool names_operator(const char *text, const struct op_def *op)
{
    char quoted[200];
    snprintf(quoted, sizeof quoted, "\"%s\"", op->name);
    if (strstr(text, quoted)) return true;
    snprintf(quoted, sizeof quoted, "\"%s.%s\"", op->domain, op->name);
    return *op->domain && strstr(text, quoted);
}

struct test_texts {
    glob_t files;
    char **texts;
};

static void write_tests(struct buffer *page, const struct entry *entry, const struct test_texts *tests)
{
    const char *comma = "";
    if (entry->n_cases) {
        buffer_printf(page, "ONNX (%zu)", entry->n_cases);
        comma = ", ";
    }
    for (size_t i = 0; i < tests->files.gl_pathc; i++) {
        const char *name = strrchr(tests->files.gl_pathv[i], '/') + 6; /* without "test_" */
        if (!tests->texts[i] || !names_operator(tests->texts[i], entry->op)) continue;
        buffer_printf(page, "%s%.*s", comma, (int)(strlen(name) - 2), name);
        comma = ", ";
    }
}

/* ---- the page ---- */

static void write_head(struct buffer *page)
{
    buffer_printf(
        page,
        "# Operators\n\n"
        "Made by `tools/make-operators-page` from `src/ops/ops.def`: %zu operators. *Opsets* are those of the domain; "
        "\"on\" means up to the newest, %d for ai.onnx. *Types* are what the main input may have; numbers are all "
        "floats (16 to 64 bits, bfloat16) and integers (8 to 64 bits). *Made by* names the passes that put it in place "
        "of several nodes. *Tested by* counts the passing cases of ONNX 1.12 that have it and names the files "
        "`tests/*/test_….c` that do.\n\n",
        n_entries, OP_NEWEST_OPSET);
}

static void write_row(struct buffer *page, const struct entry *entry, const struct test_texts *tests)
{
    buffer_printf(page, "| %s | %d", entry->op->name, entry->since);
    if (!entry->until) buffer_append_string(page, " on");
    else if (entry->until != entry->since) buffer_printf(page, " to %d", entry->until);
    buffer_append_string(page, " | ");
    write_types(page, entry);
    buffer_append_string(page, " | ");
    write_passes(page, entry->op);
    buffer_append_string(page, " | ");
    write_tests(page, entry, tests);
    buffer_append_string(page, " |\n");
}

static void write_page(struct buffer *page, const struct test_texts *tests)
{
    const char *domain = NULL;
    write_head(page);
    for (size_t i = 0; i < n_entries; i++) {
        const char *own = entries[i].op->domain;
        if (!domain || strcmp(domain, own) != 0)
            buffer_printf(page,
                          "%s## %s\n\n| operator | opsets | types | made by | tested by |\n|---|---|---|---|---|\n",
                          domain ? "\n" : "", *own ? own : "ai.onnx");
        domain = own;
        write_row(page, &entries[i], tests);
    }
}

static void read_tests(struct test_texts *tests)
{
    assert_int_equal(glob("tests/ops/test_*.c", 0, NULL, &tests->files), 0);
    assert_int_equal(glob("tests/graph/test_*.c", GLOB_APPEND, NULL, &tests->files), 0);
    tests->texts = calloc(tests->files.gl_pathc, sizeof *tests->texts);
    assert_non_null(tests->texts);
    for (size_t i = 0; i < tests->files.gl_pathc; i++) tests->texts[i] = read_text(tests->files.gl_pathv[i]);
}

static void release_tests(struct test_texts *tests)
{
    for (size_t i = 0; i < tests->files.gl_pathc; i++) free(tests->texts[i]);
    free(tests->texts);
    globfree(&tests->files);
}

static void check_page(const struct buffer *page)
{
    char *found = read_text(PAGE);
    bool is_same = found && !strcmp(found, page->bytes);
    free(found);
    if (is_same) return;
    if (!getenv("HOB_OPERATORS_UPDATE")) fail_msg(PAGE " is stale: run tools/make-operators-page");
    FILE *file = fopen(PAGE, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(page->bytes, 1, page->n_bytes, file), page->n_bytes);
    assert_int_equal(fclose(file), 0);
}

static void test_page(void **state)
{
    (void)state;
    DIR *folder = opendir(ONNX_CASES_ROOT);
    if (!folder) skip();
    closedir(folder);
    struct buffer page = {0};
    struct test_texts tests;
    collect_entries();
    count_cases();
    read_tests(&tests);
    write_page(&page, &tests);
    release_tests(&tests);
    assert_false(page.is_failed);
    check_page(&page);
    buffer_release(&page);
}

/* A name that no operator has would be a pass's word for nothing. */
static void test_passes_make_operators(void **state)
{
    (void)state;
    for (size_t i = 0; i < passes_count(); i++) {
        char names[512], *rest = names;
        snprintf(names, sizeof names, "%s", passes_at(i)->makes ? passes_at(i)->makes : "");
        for (char *name; (name = strtok_r(rest, " ", &rest));) {
            char *dot = strrchr(name, '.');
            assert_non_null(dot);
            *dot = '\0';
            if (!op_find_any_opset(name, dot + 1))
                fail_msg("%s: no operator is called %s.%s", passes_at(i)->name, name, dot + 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_passes_make_operators), cmocka_unit_test(test_page)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
