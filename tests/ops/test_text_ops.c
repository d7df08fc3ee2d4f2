/* Operators on strings: what ONNX's own cases do not reach. Expected values by hand, from Python's str.split, RE2's syntax page and ONNX's
 * text. */
#include "unit.h"

#include "ops/run_op.h"

static struct tensor strings(struct op_bench *bench, int rank, const int64_t *dims, const char *const *texts)
{
    struct tensor x;
    assert_int_equal(tensor_init(&x, DTYPE_STRING, rank, dims, NULL, &bench->error), HOB_OK);
    struct tensor_string *items = x.data = arena_alloc(&bench->arena, tensor_n_bytes(&x) + 1, 64);
    for (int64_t i = 0; i < tensor_n_items(&x); i++)
        items[i] = (struct tensor_string){texts[i][0] ? texts[i] : NULL, strlen(texts[i])};
    return x;
}

static void assert_strings(const struct tensor *found, int rank, const int64_t *dims, const char *const *expected)
{
    assert_int_equal(found->dtype, DTYPE_STRING);
    assert_true(tensor_has_shape(found, rank, dims));
    const struct tensor_string *items = found->data;
    for (int64_t i = 0; i < tensor_n_items(found); i++) {
        if (items[i].n_bytes == strlen(expected[i]) &&
            !memcmp(items[i].bytes ? items[i].bytes : "", expected[i], items[i].n_bytes))
            continue;
        print_error("item %ld: found \"%.*s\", expected \"%s\"\n", (long)i, (int)items[i].n_bytes, items[i].bytes,
                    expected[i]);
        fail();
    }
}

static struct attribute text_attribute(const char *name, const char *text)
{
    return (struct attribute){.name = name, .kind = ATTRIBUTE_STRING, .n_items = 1, .string = {text, strlen(text)}};
}

#define LIST(...) ((const char *const[]){__VA_ARGS__})
#define DIMS(...) ((const int64_t[]){__VA_ARGS__})
#define INTS_ATTRIBUTE(attribute_name, ...)                                                       \
    {                                                                                             \
        .name = attribute_name, .kind = ATTRIBUTE_INTS, .n_items = sizeof(DIMS(__VA_ARGS__)) / 8, \
        .integers = DIMS(__VA_ARGS__)                                                             \
    }

/* ---- StringConcat, StringSplit ---- */

static void test_concat_broadcasts_strided(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = strings(bench, 2, DIMS(2, 2), LIST("a", "", "c", "ä")),
                  y = strings(bench, 2, DIMS(2, 1), LIST("1", "")), z;
    struct tensor turned = tensor_transpose(&x, (const int[]){1, 0});
    run_op(bench, "", "StringConcat", 20, NULL, 0, (const struct tensor *[]){&turned, &y}, 2, &z, 1);
    assert_strings(&z, 2, DIMS(2, 2), LIST("a1", "c1", "", "ä"));
}

static void check_split(struct op_bench *bench, const char *delimiter, int64_t max_splits, int64_t n_texts,
                        const char *const *texts, const int64_t *counts, int64_t width, const char *const *expected)
{
    struct tensor x = strings(bench, 1, &n_texts, texts), outputs[2];
    struct attribute attributes[] = {text_attribute("delimiter", delimiter), int_attribute("maxsplit", max_splits)};
    run_op(bench, "", "StringSplit", 20, attributes, max_splits < 0 ? 1 : 2, (const struct tensor *[]){&x}, 1, outputs,
           2);
    assert_strings(&outputs[0], 2, DIMS(n_texts, width), expected);
    assert_memory_equal(outputs[1].data, counts, (size_t)n_texts * sizeof *counts);
}

static void test_split_like_python(void **state)
{
    struct op_bench *bench = *state;
    check_split(bench, "", -1, 3, LIST("  a\tb\u2003c ", "", " \n"), DIMS(3, 0, 0), 3,
                LIST("a", "b", "c", "", "", "", "", "", ""));
    check_split(bench, "", 1, 2, LIST(" a  b  c ", "x "), DIMS(2, 1), 2, LIST("a", "b  c ", "x", ""));
    check_split(bench, "--", -1, 3, LIST("a--b----c", "", "--"), DIMS(4, 1, 2), 4,
                LIST("a", "b", "", "c", "", "", "", "", "", "", "", ""));
    check_split(bench, ",", 0, 1, LIST("a,b"), DIMS(1), 1, LIST("a,b"));
    check_split(bench, "", -1, 2, LIST(" ", ""), DIMS(0, 0), 0, LIST(""));
}

static void test_split_of_highest_rank(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = strings(bench, 8, DIMS(1, 1, 1, 1, 1, 1, 1, 1), LIST("a")), outputs[2];
    assert_int_equal(try_op(bench, "", "StringSplit", 20, NULL, 0, (const struct tensor *[]){&x}, 1, outputs, 2),
                     HOB_BAD_SHAPE);
}

/* ---- StringNormalizer ---- */

static void check_normalizer(struct op_bench *bench, const char *action, const char *locale, bool is_case_sensitive,
                             const char *stop_word, int64_t n_found, const char *const *expected)
{
    struct tensor x = strings(bench, 2, DIMS(1, 5), LIST("Ärger", "IiI", "straße", "Stop", "\xff")), y;
    struct tensor_string stop_words[] = {{stop_word, strlen(stop_word)}};
    struct attribute attributes[] = {
        text_attribute("case_change_action", action),
        text_attribute("locale", locale),
        int_attribute("is_case_sensitive", is_case_sensitive),
        {.name = "stopwords", .kind = ATTRIBUTE_STRINGS, .n_items = 1, .strings = stop_words}};
    run_op(bench, "", "StringNormalizer", 10, attributes, 4, (const struct tensor *[]){&x}, 1, &y, 1);
    assert_strings(&y, 2, DIMS(1, n_found), expected);
}

static void test_normalizer(void **state)
{
    struct op_bench *bench = *state;
    check_normalizer(bench, "UPPER", "en_US", false, "sTOP", 4, LIST("ÄRGER", "III", "STRAßE", "\xff"));
    check_normalizer(bench, "UPPER", "en_US", true, "sTOP", 5, LIST("ÄRGER", "III", "STRAßE", "STOP", "\xff"));
    check_normalizer(bench, "LOWER", "en_US", false, "ÄRGER", 4, LIST("iii", "straße", "stop", "\xff"));
    check_normalizer(bench, "LOWER", "tr_TR", true, "Stop", 4, LIST("ärger", "ıiı", "straße", "\xff"));
    check_normalizer(bench, "UPPER", "tr_TR", true, "Stop", 4, LIST("ÄRGER", "IİI", "STRAßE", "\xff"));
    check_normalizer(bench, "NONE", "C", true, "", 5, LIST("Ärger", "IiI", "straße", "Stop", "\xff"));
}

static void test_normalizer_of_nothing_and_errors(void **state)
{
    struct op_bench *bench = *state;
    struct tensor none = strings(bench, 1, DIMS(0), NULL), matrix = strings(bench, 2, DIMS(2, 1), LIST("a", "b")), y;
    struct attribute wrong = text_attribute("case_change_action", "TITLE");
    run_op(bench, "", "StringNormalizer", 10, NULL, 0, (const struct tensor *[]){&none}, 1, &y, 1);
    assert_strings(&y, 1, DIMS(1), LIST(""));
    assert_int_equal(try_op(bench, "", "StringNormalizer", 10, NULL, 0, (const struct tensor *[]){&matrix}, 1, &y, 1),
                     HOB_BAD_SHAPE);
    assert_int_equal(try_op(bench, "", "StringNormalizer", 10, &wrong, 1, (const struct tensor *[]){&none}, 1, &y, 1),
                     HOB_BAD_GRAPH);
}

/* ---- RegexFullMatch ---- */

static void test_regex_matches(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool is_match;
    } cases[] = {
        {"a+", "aaa", true},
        {"a+", "aab", false},
        {"a|ab", "ab", true},
        {"", "", true},
        {".", "\n", false},
        {"(?s).", "\n", true},
        {".", "é", true},
        {"[^a]", "é", true},
        {"a$", "a\n", false},
        {"(?m)a$\nb", "a\nb", true},
        {"(?m)a\n^", "a\n", true},
        {"a$\n", "a\n", false},
        {"(?m:a$)\n$", "a\n", true},
        {"((?m)a)$\n", "a\n", false},
        {"^a$", "a", true},
        {"\\s", "\v", false},
        {"\\S", "\v", true},
        {"[\\s]", "\v", false},
        {"[^\\S]", " ", true},
        {"[[:space:]]", "\v", true},
        {"\\v", "\v", true},
        {"\\v", "\n", false},
        {"\\d", "٣", false},
        {"\\pN", "٣", true},
        {"\\p{Greek}+", "αβγ", true},
        {"\\p{^Greek}", "a", true},
        {"\\P{Lu}", "A", false},
        {"(?i)straSSe", "STRASSE", true},
        {"(?i:a)b", "Ab", true},
        {"(?i:a)b", "AB", false},
        {"a{,2}", "a{,2}", true},
        {"a{2}", "aa", true},
        {"a{2,3}", "aaaa", false},
        {"a{2,}?", "aaaa", true},
        {"\\x41\\x{1F600}", "A😀", true},
        {"\\101\\0", "A", false},
        {"\\101", "A", true},
        {"\\Qa.b\\E.", "a.bc", true},
        {"\\Qa.b", "a.b", true},
        {"[]a]+", "]a", true},
        {"[a-c-]+", "a-c", true},
        {"[\\x41-\\x43]", "B", true},
        {"(?P<n>a)(?:b)", "ab", true},
        {"(?<n>a)", "a", true},
        {"\\bfoo\\b", "foo", true},
        {"^*a", "a", true},
        {"[[:^alpha:]\\d]", "1", true},
        {"(a|b)*c|", "abac", true},
        {"(?U)a*", "aa", true},
        {"\\-\\/\\#", "-/#", true},
        {"x#y z", "x#y z", true},
        {"(?:(?i)a|b)c", "Bc", true},
        {"{", "{", true},
        {"a{1", "a{1", true},
        {"\\A\\z", "", true},
    };
    struct op_bench *bench = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tensor x = strings(bench, 0, NULL, LIST(cases[i].text)), y;
        struct attribute pattern = text_attribute("pattern", cases[i].pattern);
        run_op(bench, "", "RegexFullMatch", 20, &pattern, 1, (const struct tensor *[]){&x}, 1, &y, 1);
        if (*(const bool *)y.data != cases[i].is_match)
            print_error("pattern %s, text %s\n", cases[i].pattern, cases[i].text);
        assert_int_equal(*(const bool *)y.data, cases[i].is_match);
    }
}

/* A NUL is no flag: what follows it would have been dropped. */
static void test_regex_with_nul(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = strings(bench, 0, NULL, LIST("a")), y;
    struct attribute pattern = {.name = "pattern", .kind = ATTRIBUTE_STRING, .n_items = 1, .string = {"(?\0:a)", 6}};
    assert_int_equal(try_op(bench, "", "RegexFullMatch", 20, &pattern, 1, (const struct tensor *[]){&x}, 1, &y, 1), HOB_BAD_GRAPH);
    assert_non_null(strstr(bench->error.message, "a group of a kind that RE2 does not have"));
}

static void test_regex_refuses_what_re2_refuses(void **state)
{
    static const char *const patterns[] = {
        "(a)\\1",  "(?=a)",       "(?!a)", "(?<=a)", "(?<!a)",  "(?>a)", "a**",       "a++",
        "*a",      "(*UTF)",      "a|*",   "(?R)",   "(?1)",    "(?#c)", "(?|a)",     "\\R",
        "\\X",     "\\K",         "\\G",   "\\Z",    "\\h",     "\\cA",  "\\e",       "\\C",
        "a{1001}", "a{2,1}",      "[b-a]", "[a",     "(a",      "a)",    "[[:x:]]",   "\\p{Klingon}",
        "\\p{",    "\\x{110000}", "\\xZ",  "\\",     "(?-)",    "(?i",   "(?P<1>a)",  "(?P=n)",
        "\\E",     "[[:<:]]",     "\\8",   "\xff",   "a{1}{2}", "(?i)*", "[\\d-\\q]", "(?C)"};
    struct op_bench *bench = *state;
    struct tensor x = strings(bench, 0, NULL, LIST("a")), y;
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        struct attribute pattern = text_attribute("pattern", patterns[i]);
        hob_status status =
            try_op(bench, "", "RegexFullMatch", 20, &pattern, 1, (const struct tensor *[]){&x}, 1, &y, 1);
        if (status != HOB_BAD_GRAPH) print_error("pattern %s\n", patterns[i]);
        assert_int_equal(status, HOB_BAD_GRAPH);
    }
}

/* What makes a backtracking matcher try every way to cut the text. */
static void test_regex_does_not_backtrack(void **state)
{
    static const char *const patterns[] = {"(a+)+b",          "(a|aa)+b",         "(.*)*(.*)*(.*)*b",
                                           "(a*)*(a|b|ab)*c", "(?:a?){30}a{30}b", "(x+x+)+y"};
    struct op_bench *bench = *state;
    static char text[4001];
    memset(text, 'a', sizeof text - 1);
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        struct tensor x = strings(bench, 0, NULL, LIST(text)), y;
        struct attribute pattern = text_attribute("pattern", patterns[i]);
        run_op(bench, "", "RegexFullMatch", 20, &pattern, 1, (const struct tensor *[]){&x}, 1, &y, 1);
        assert_false(*(const bool *)y.data);
    }
}

static void test_regex_of_broken_text(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = strings(bench, 0, NULL, LIST("a\xff")), y;
    struct attribute pattern = text_attribute("pattern", ".*");
    assert_int_equal(try_op(bench, "", "RegexFullMatch", 20, &pattern, 1, (const struct tensor *[]){&x}, 1, &y, 1),
                     HOB_BAD_ARGUMENT);
    assert_int_equal(try_op(bench, "", "RegexFullMatch", 20, NULL, 0, (const struct tensor *[]){&x}, 1, &y, 1),
                     HOB_BAD_GRAPH);
}

/* ---- TfIdfVectorizer ---- */

/* Weights belong to n-grams, not to outputs: ONNX Runtime's answer for the first row of the first case is 20 30 10. */
static void test_tf_idf_weights(void **state)
{
    struct op_bench *bench = *state;
    static const float weights[] = {10, 20, 30};
    static const struct {
        const char *mode;
        float expected[6];
    } cases[] = {{"TFIDF", {20, 30, 10, 40, 0, 10}}, {"IDF", {20, 30, 10, 20, 0, 10}}, {"TF", {1, 1, 1, 2, 0, 1}}};
    static const int32_t numbers[] = {5, 6, 7, 6, 5, 6};
    struct tensor x, y;
    assert_int_equal(tensor_init(&x, DTYPE_I32, 2, DIMS(2, 3), (void *)(uintptr_t)numbers, &bench->error), HOB_OK);
    for (size_t i = 0; i < 3; i++) {
        const struct attribute attributes[] = {
            text_attribute("mode", cases[i].mode),
            int_attribute("min_gram_length", 1),
            int_attribute("max_gram_length", 1),
            int_attribute("max_skip_count", 0),
            INTS_ATTRIBUTE("ngram_counts", 0),
            INTS_ATTRIBUTE("ngram_indexes", 2, 0, 1),
            INTS_ATTRIBUTE("pool_int64s", 5, 6, 7),
            {.name = "weights", .kind = ATTRIBUTE_FLOATS, .n_items = 3, .numbers = weights}};
        run_op(bench, "", "TfIdfVectorizer", 9, attributes, 8, (const struct tensor *[]){&x}, 1, &y, 1);
        assert_true(tensor_has_shape(&y, 2, DIMS(2, 3)));
        assert_memory_equal(y.data, cases[i].expected, sizeof cases[i].expected);
    }
}

/* Pool: a; b c, a c; a b c. Row "a b c" with up to one skip: a once, b c, a c (skipping b), a b c. */
static void test_tf_idf_strings_and_skips(void **state)
{
    struct op_bench *bench = *state;
    const struct tensor_string pool[] = {{"a", 1}, {"b", 1}, {"c", 1}, {"a", 1},
                                         {"c", 1}, {"a", 1}, {"b", 1}, {"c", 1}};
    struct attribute attributes[] = {
        text_attribute("mode", "TF"),
        int_attribute("min_gram_length", 1),
        int_attribute("max_gram_length", 3),
        int_attribute("max_skip_count", INT64_MAX - 1),
        INTS_ATTRIBUTE("ngram_counts", 0, 1, 5),
        INTS_ATTRIBUTE("ngram_indexes", 0, 1, 2, 4),
        {.name = "pool_strings", .kind = ATTRIBUTE_STRINGS, .n_items = 8, .strings = pool}};
    struct tensor x = strings(bench, 1, DIMS(4), LIST("a", "b", "c", "x")), y, none = strings(bench, 1, DIMS(0), NULL);
    static const float expected[] = {1, 1, 1, 0, 1}, zeros[5] = {0};
    run_op(bench, "", "TfIdfVectorizer", 9, attributes, 7, (const struct tensor *[]){&x}, 1, &y, 1);
    assert_true(tensor_has_shape(&y, 1, DIMS(5)));
    assert_memory_equal(y.data, expected, sizeof expected);
    run_op(bench, "", "TfIdfVectorizer", 9, attributes, 7, (const struct tensor *[]){&none}, 1, &y, 1);
    assert_memory_equal(y.data, zeros, sizeof zeros);
    attributes[4].n_items = 2; /* the last three tokens become half a 2-gram too many */
    assert_int_equal(try_op(bench, "", "TfIdfVectorizer", 9, attributes, 7, (const struct tensor *[]){&x}, 1, &y, 1),
                     HOB_BAD_GRAPH);
}

static int setup(void **state)
{
    static struct op_bench bench;
    op_bench_init(&bench, 2);
    *state = &bench;
    return 0;
}

static int teardown(void **state)
{
    op_bench_release(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_concat_broadcasts_strided),
                                       cmocka_unit_test(test_split_like_python),
                                       cmocka_unit_test(test_split_of_highest_rank),
                                       cmocka_unit_test(test_normalizer),
                                       cmocka_unit_test(test_normalizer_of_nothing_and_errors),
                                       cmocka_unit_test(test_regex_matches),
                                       cmocka_unit_test(test_regex_with_nul),
                                       cmocka_unit_test(test_regex_refuses_what_re2_refuses),
                                       cmocka_unit_test(test_regex_does_not_backtrack),
                                       cmocka_unit_test(test_regex_of_broken_text),
                                       cmocka_unit_test(test_tf_idf_weights),
                                       cmocka_unit_test(test_tf_idf_strings_and_skips)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
