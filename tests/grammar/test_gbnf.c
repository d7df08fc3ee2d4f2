/* GBNF: what grammars take and refuse, and what is said of broken ones. */
#include "unit.h"

#include "base/buffer.h"
#include "grammar/gbnf.h"
#include "grammar/state.h"

#include <string.h>

static hob_status parse(const char *text, size_t n_bytes, struct grammar **ret_grammar, hob_error *error)
{
    struct grammar_builder builder;
    uint32_t root;
    hob_status status = grammar_builder_init(&builder, error);
    if (status == HOB_OK) status = gbnf_parse(&builder, text, n_bytes, "root", &root, error);
    if (status == HOB_OK) status = grammar_new(&builder, root, ret_grammar, error);
    grammar_builder_release(&builder);
    return status;
}

static bool takes(const struct grammar *grammar, const char *text)
{
    struct grammar_state state;
    grammar_state_start(&state, grammar);
    return grammar_state_accept(&state, grammar, text, strlen(text)) && grammar_state_is_complete(&state);
}

/* One grammar, texts that it takes, and texts that it does not; NULL ends a list. */
struct example {
    const char *grammar;
    const char *good[8], *bad[12];
};

static const struct example examples[] = {
    {"root ::= \"a\"", {"a"}, {"", "b", "aa"}},
    {"root ::= \"yes\" | \"no\"", {"yes", "no"}, {"ye", "yesno", "n", "yo"}},
    {"root ::= | \"x\"", {"", "x"}, {"xx"}},
    {"root ::= \"\\n\\t\\r\\\"\\\\\\x41\\u00e9\\U0001F600\"", {"\n\t\r\"\\A\xC3\xA9\xF0\x9F\x98\x80"}, {"\n"}},
    {"root ::= [a-c0-9_-]+", {"a", "c9", "_-b"}, {"", "d", "A"}},
    {"root ::= [^a-c\\n]*",
     {"", "xyz", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"},
     {"a", "x\n", "\xC3", "\xFF", "\xED\xA0\x80", "\xC0\x80"}},
    {"root ::= [\\]\\[\\\\-]+", {"]", "[", "-\\"}, {"a"}},
    {"root ::= . .", {"ab", "\xC3\xA9\n"}, {"a", "abc"}},
    {"root ::= [\xC3\xA4-\xC3\xBC\xE2\x82\xAC]",
     {"\xC3\xA4", "\xC3\xBC", "\xE2\x82\xAC"},
     {"a", "\xC3\xA3", "\xC3\xBD", "\xE2\x82\xAD"}},
    {"root ::= \"a\"{3}", {"aaa"}, {"aa", "aaaa", ""}},
    {"root ::= \"ab\"{2,}", {"abab", "ababab"}, {"ab", "aba"}},
    {"root ::= \"a\"{1,3} \"b\"", {"ab", "aaab"}, {"b", "aaaab"}},
    {"root ::= \"a\"{,2}", {"", "aa"}, {"aaa"}},
    {"root ::= \"a\"{0} \"b\"", {"b"}, {"ab", ""}},
    {"root ::= (\"a\" | \"bc\")? \"d\"", {"d", "ad", "bcd"}, {"bd", "abcd"}},
    {"root ::= ((\"a\"* \"b\")* \"c\")*", {"", "c", "aabc", "bbbcabc"}, {"a", "ab", "ca"}},
    {"root ::= (\"\" | \"a\")* \"b\"", {"b", "aab"}, {"a"}},
    {"root ::= a-rule b_rule # comment\na-rule ::= \"1\"\n  | \"2\"\n# more\nb_rule ::=\n  \"x\"\n  \"y\"",
     {"1xy", "2xy"},
     {"1x", "12"}},
    {"root ::= \"(\" root \")\" | \"\"", {"", "()", "((()))"}, {"(", "())", ")("}},
    {"root ::= \"a\" root | \"b\"", {"b", "aaaab"}, {"a", "ba"}},
    {"root ::= \"a\" root \"b\"? | \"c\"", {"c", "acb", "aac", "aacbb"}, {"acbb", "cb"}},
    {"root ::= expr\nexpr ::= term ([-+] term)*\nterm ::= num | \"(\" expr \")\"\nnum ::= [0-9]+",
     {"1", "1+2-(3)", "((12))"},
     {"", "1+", "()", "1 "}},
    {"root ::= word (\" \" word)*\nword ::= [a-z]+ | [a-z]* [0-9]", {"ab", "ab c9", "9 x"}, {"ab ", " ", "9a"}},
    {"root ::= ([a-z] [a-z0-9]{0,9} \",\"){2,3}", {"a,b,", "a1b2c3,zz9,q,"}, {"a,", "a,b,c,d,", "a1234567890,b,"}},
    {"root ::= (\"abc\" [0-9]){5,7}", {"abc1abc2abc3abc4abc5"}, {"abc1", "abc1abc2abc3abc4abc5abc6abc7abc8"}},
};

static void test_examples(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        const struct example *example = &examples[i];
        struct grammar *grammar;
        hob_error error;
        if (parse(example->grammar, strlen(example->grammar), &grammar, &error) != HOB_OK)
            fail_msg("%s: %s", example->grammar, error.message);
        for (size_t t = 0; t < 8 && example->good[t]; t++)
            if (!takes(grammar, example->good[t])) fail_msg("%s: refuses \"%s\"", example->grammar, example->good[t]);
        for (size_t t = 0; t < 12 && example->bad[t]; t++)
            if (takes(grammar, example->bad[t])) fail_msg("%s: takes \"%s\"", example->grammar, example->bad[t]);
        grammar_unref(grammar);
    }
}

static const struct {
    const char *grammar, *message;
} broken[] = {
    {"", "no rule \"root\""},
    {"other ::= \"a\"", "no rule \"root\""},
    {"root ::= \"a", "1:12: found the end of the text, expected a closing '\"'"},
    {"root ::= [a", "1:12: found the end of the text, expected a closing ']'"},
    {"root ::= (\"a\"", "expected ')'"},
    {"root ::= \"a\")", "1:13: found ')', expected a symbol"},
    {"root ::= \"\\q\"", "1:12: found 'q', expected an escape"},
    {"root ::= \"\\xZZ\"", "1:13: found 'Z', expected a hexadecimal digit"},
    {"root ::= \"\\uD800\"", "expected a Unicode character"},
    {"root ::= \"\\U00110000\"", "expected a Unicode character"},
    {"root ::= [z-a]", "from the lower to the higher"},
    {"root ::= \"a\"{3,1}", "from the lower to the higher"},
    {"root ::= \"a\"{x}", "1:14: found 'x', expected a number"},
    {"root ::= \"a\"{1", "expected ',' or '}'"},
    {"root ::= \"a\"{99999999999}", "repetitions"},
    {"root = \"a\"", "1:6: found '=', expected \"::=\""},
    {"root ::= \"a\"\n\nroot ::= \"b\"", "3:1: found 'r', expected a name that no rule above has"},
    {"root ::= \"a\"\n  missing", "2:3: found 'm', expected the name of a rule that is defined"},
    {"root ::= <[12]>", "tokens by name"},
    {"root ::= * \"a\"", "1:10: found '*'"},
    {"root ::= \"\xFF\"", "1:11: found"},
    {"root ::= root \"a\" | \"b\"", "left recursion"},
    {"root ::= a\na ::= b \"x\"\nb ::= \"\"? a | \"y\"", "left recursion"},
    {"root ::= \"a\" root", "no text that it can end with"},
    {"root ::= (((((\"abcdefgh\"{1000}){1000}){1000}", "expected ')'"},
};

static void test_messages(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct grammar *grammar = NULL;
        hob_error error;
        hob_status status = parse(broken[i].grammar, strlen(broken[i].grammar), &grammar, &error);
        if (status != HOB_BAD_FILE || grammar) fail_msg("%s: status %d", broken[i].grammar, status);
        if (!strstr(error.message, broken[i].message)) fail_msg("%s: %s", broken[i].grammar, error.message);
    }
}

static void test_explosions_end(void **unused)
{
    static const char *const texts[] = {
        "root ::= (([a-z] \"b\"){1000} \"c\"){1000}",
        "root ::= ((((\"abcdefgh\"{1000}){1000}){1000}){1000}){1000}",
        "root ::= [a-z]{500000}",
        "root ::= \"a\"{524288}{524288}",
        "root ::= ([ab]* \"a\" [ab]{30})",
        "root ::= (\"a\"?){2000}",
    };
    (void)unused;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct grammar *grammar = NULL;
        hob_error error;
        hob_status status = parse(texts[i], strlen(texts[i]), &grammar, &error);
        if (status != HOB_OK && status != HOB_LIMIT) fail_msg("%s: %s", texts[i], error.message);
        grammar_unref(grammar);
    }
}

/* A chain of rules must not be a chain of C calls, and ways of recursion must not nest where nothing is left to do. */
static void test_depth(void **unused)
{
    struct buffer text = {0};
    (void)unused;
    buffer_append_string(&text, "root ::= r0\n");
    for (int i = 0; i < 20000; i++) buffer_printf(&text, "r%d ::= \"a\" r%d | \"b\" r%d\n", i, i + 1, i + 1);
    buffer_append_string(&text, "r20000 ::= \"c\"\n");
    struct grammar *grammar;
    hob_error error;
    if (parse(text.bytes, text.n_bytes, &grammar, &error) != HOB_OK) fail_msg("%s", error.message);
    struct grammar_state state;
    grammar_state_start(&state, grammar);
    for (int i = 0; i < 20000; i++) assert_true(grammar_state_accept(&state, grammar, i & 1 ? "a" : "b", 1));
    assert_false(grammar_state_is_complete(&state));
    assert_true(grammar_state_accept(&state, grammar, "c", 1) && grammar_state_is_over(&state));
    grammar_unref(grammar);
    buffer_release(&text);
}

static void test_nesting_has_a_limit(void **unused)
{
    static const char text[] = "root ::= \"(\" root \")\" | \"\"";
    struct grammar *grammar;
    struct grammar_state state, before;
    (void)unused;
    assert_int_equal(parse(text, sizeof text - 1, &grammar, NULL), HOB_OK);
    grammar_state_start(&state, grammar);
    size_t depth = 0;
    while (depth < 10000 && grammar_state_accept(&state, grammar, "(", 1)) depth++;
    assert_true(depth > 400 && depth < 600);
    grammar_state_copy(&before, &state);
    assert_false(grammar_state_accept(&state, grammar, "x", 1));
    for (; depth > 0; depth--) assert_true(grammar_state_accept(&state, grammar, ")", 1));
    assert_true(grammar_state_is_over(&state));
    grammar_state_copy(&state, &before); /* a snapshot to rewind to */
    assert_true(grammar_state_accept(&state, grammar, "))", 2));
    grammar_unref(grammar);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_explosions_end),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_nesting_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
