/* Tokenizers made here, small enough to see why each id is right: parts, added tokens, broken UTF-8, streaming, hostile files. */
#include "unit.h"

#include "base/memory.h"
#include "text/charsmap.h"
#include "text/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALPHABET "\"a\":0,\"b\":1,\"c\":2,\" \":3,\"?\":4,\"ab\":5,\"abc\":6,\"1\":7,\"2\":8,\".\":9,\"<x>\":10"
#define BPE_MODEL "\"model\":{\"type\":\"BPE\",\"unk_token\":\"?\",\"vocab\":{" ALPHABET "},\"merges\":[\"a b\",\"ab c\"]}"

static struct tokenizer *load(const char *json)
{
    struct tokenizer *tokenizer;
    hob_error error;
    if (tokenizer_load_json(json, strlen(json), "test", &tokenizer, &error) != HOB_OK) fail_msg("%s", error.message);
    return tokenizer;
}

static char *encode_as(const struct tokenizer *tokenizer, const char *text, size_t n_bytes, unsigned flags)
{
    static char printed[4096];
    struct id_list ids = {0};
    hob_error error;
    if (tokenizer_encode(tokenizer, text, n_bytes, flags, &ids, &error) != HOB_OK) fail_msg("%s", error.message);
    printed[0] = '\0';
    for (size_t i = 0; i < ids.n_ids; i++)
        snprintf(printed + strlen(printed), sizeof printed - strlen(printed), i ? " %d" : "%d", ids.ids[i]);
    id_list_release(&ids);
    return printed;
}

/* Loads, encodes with special tokens parsed and added, compares. */
static void check(const char *json, const char *text, const char *ids)
{
    struct tokenizer *tokenizer = load(json);
    assert_string_equal(encode_as(tokenizer, text, strlen(text), HOB_ADD_SPECIAL | HOB_PARSE_SPECIAL), ids);
    tokenizer_free(tokenizer);
}

static void check_decoded(const char *json, const int32_t *ids, size_t n_ids, const char *text)
{
    struct tokenizer *tokenizer = load(json);
    struct buffer whole = {0}, streamed = {0};
    struct detokenizer *detokenizer;
    assert_int_equal(tokenizer_decode(tokenizer, ids, n_ids, 0, &whole, NULL), HOB_OK);
    assert_string_equal(buffer_text(&whole), text);
    assert_int_equal(detokenizer_new(tokenizer, 0, &detokenizer, NULL), HOB_OK);
    for (int round = 0; round < 2; round++) { /* after finish it is as new */
        buffer_clear(&streamed);
        for (size_t i = 0; i < n_ids; i++) assert_int_equal(detokenizer_push(detokenizer, ids[i], &streamed, NULL), HOB_OK);
        assert_int_equal(detokenizer_finish(detokenizer, &streamed, NULL), HOB_OK);
        assert_string_equal(buffer_text(&streamed), text);
    }
    detokenizer_free(detokenizer);
    buffer_release(&whole);
    buffer_release(&streamed);
    tokenizer_free(tokenizer);
}

static void check_refused(const char *json, hob_status expected)
{
    struct tokenizer *tokenizer = NULL;
    hob_error error = {0};
    hob_status status = tokenizer_load_json(json, strlen(json), "bad.json", &tokenizer, &error);
    if (status != expected) fail_msg("%.200s: found %s (%s)", json, hob_status_name(status), error.message);
    assert_null(tokenizer);
    assert_int_equal(strncmp(error.message, "bad.json: ", 10), 0);
}

static void test_merges_by_rank(void **state)
{
    (void)state;
    check("{" BPE_MODEL "}", "abcab", "6 5");
    check("{" BPE_MODEL "}", "zzab", "4 4 5");
    check("{" BPE_MODEL "}", "", "");
}

/* Long enough for the heap, and the same result as piece by piece. */
static void test_merges_a_long_word(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = load("{" BPE_MODEL "}");
    enum { N = 100000 };
    char *text = memory_new(3 * N, 1);
    for (int i = 0; i < N; i++) memcpy(text + 3 * i, "abc", 3);
    struct id_list ids = {0};
    assert_int_equal(tokenizer_encode(tokenizer, text, 3 * N, 0, &ids, NULL), HOB_OK);
    assert_int_equal(ids.n_ids, N);
    for (size_t i = 0; i < ids.n_ids; i++) assert_int_equal(ids.ids[i], 6);
    id_list_release(&ids);
    memory_free(text);
    tokenizer_free(tokenizer);
}

static void test_split_behaviors(void **state)
{
    (void)state;
    /* WordLevel shows the pieces as they are. */
    static const char form[] = "{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"String\":\"-\"},\"behavior\":\"%s\",\"invert\":%s},"
                               "\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"?\",\"vocab\":{\"?\":0,\"a\":1,\"b\":2,\"-\":3,"
                               "\"--\":4,\"a-\":5,\"-b\":6}}}";
    static const struct {
        const char *behavior, *invert, *ids;
    } cases[] = {{"Removed", "false", "1 2"},          {"Isolated", "false", "1 3 3 2"},
                 {"MergedWithPrevious", "false", "5 3 2"}, {"MergedWithNext", "false", "1 3 6"},
                 {"Contiguous", "false", "1 4 2"},     {"Removed", "true", "3 3"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char json[512];
        snprintf(json, sizeof json, form, cases[i].behavior, cases[i].invert);
        check(json, "a--b", cases[i].ids);
    }
}

static void test_character_classes(void **state)
{
    (void)state;
#define CLASSES(parts)                                                                                             \
    "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[" parts "]},\"model\":{\"type\":\"WordLevel\","        \
    "\"unk_token\":\"?\",\"vocab\":{\"?\":0,\"a\":1,\"12\":2,\"1\":3,\"2\":4,\"!\":5,\"!!\":6}}}"
    check(CLASSES("{\"type\":\"WhitespaceSplit\"},{\"type\":\"Digits\",\"individual_digits\":false}"), "a12 !!", "1 2 6");
    check(CLASSES("{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"Punctuation\"}"), "a12!!", "1 3 4 5 5");
    check(CLASSES("{\"type\":\"Whitespace\"}"), "a !! 12", "1 6 2");
    check(CLASSES("{\"type\":\"BertPreTokenizer\"}"), " a!!\t12 ", "1 5 5 2");
    check(CLASSES("{\"type\":\"CharDelimiterSplit\",\"delimiter\":\"|\"}"), "a||12", "1 2");
    check(CLASSES("{\"type\":\"FixedLength\",\"length\":1}"), "12a", "3 4 1");
#undef CLASSES
}

static void test_normalizers(void **state)
{
    (void)state;
#define NORMALIZED(parts) "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[" parts "]}," BPE_MODEL "}"
    check(NORMALIZED("{\"type\":\"Lowercase\"}"), "ABC", "6");
    check(NORMALIZED("{\"type\":\"NFD\"},{\"type\":\"StripAccents\"}"), "\xC3\xA1" "b", "5");
    check(NORMALIZED("{\"type\":\"NFKC\"}"), "\xEF\xBD\x81\xC2\xB2", "0 8");
    check(NORMALIZED("{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":false}"), " a ", "0 3");
    check(NORMALIZED("{\"type\":\"Prepend\",\"prepend\":\"ab\"}"), "c", "6");
    check(NORMALIZED("{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"[12]+\"},\"content\":\".\"}"), "a12b2", "0 9 1 9");
    check(NORMALIZED("{\"type\":\"Replace\",\"pattern\":{\"String\":\"..\"},\"content\":\"a\"}"), "..b...", "5 0 9");
    check(NORMALIZED("{\"type\":\"Nmt\"}"), "a\x01\tb\xE2\x80\x8B", "0 3 1 3");
    check(NORMALIZED("{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,\"lowercase\":true}"),
          "A\xCC\x81" "B\xE2\x80\x8E\tC", "5 3 2");
#undef NORMALIZED
}

static void test_regular_expressions_of_oniguruma(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *ids; /* of what "ab1 2.c" falls into when matches are isolated */
    } cases[] = {{"[a-z&&[^b]]", "0 1 7 3 8 9 2"},
                 {"[^(\\\\s|[.]a-c)]", "5 7 3 8 9 2"},
                 {"\\\\h+", "5 7 3 8 9 2"},
                 {"(?i:AB)", "5 7 3 8 9 2"},
                 {"\\\\p{Alpha}{1,1}+", "5 7 3 8 9 2"},
                 {"[[:alpha:]]", "0 1 7 3 8 9 2"},
                 {"\\\\ba", "0 1 7 3 8 9 2"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char json[1024];
        snprintf(json, sizeof json,
                 "{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"%s\"},\"behavior\":\"Isolated\",\"invert\":false},%s}",
                 cases[i].pattern, BPE_MODEL);
        check(json, "ab1 2.c", cases[i].ids);
    }
}

static void test_added_tokens(void **state)
{
    (void)state;
#define ADDED(flags) "{\"added_tokens\":[{\"id\":10,\"content\":\"<x>\"," flags "}]," BPE_MODEL "}"
    check(ADDED("\"special\":true"), "a<x>b", "0 10 1");
    check(ADDED("\"lstrip\":true,\"rstrip\":true"), "a <x> b", "0 10 1");
    check(ADDED("\"single_word\":true"), "a<x>b <x>", "0 4 4 4 1 3 10");
    check("{\"normalizer\":{\"type\":\"Lowercase\"}," "\"added_tokens\":[{\"id\":10,\"content\":\"<X>\",\"normalized\":true}]," BPE_MODEL "}",
          "A<x>", "0 10");
    struct tokenizer *tokenizer = load(ADDED("\"special\":true"));
    assert_string_equal(encode_as(tokenizer, "<x>", 3, 0), "4 4 4");
    assert_int_equal(tokenizer_type(tokenizer, 10), TOKEN_CONTROL);
    struct buffer text = {0};
    assert_int_equal(tokenizer_decode(tokenizer, (const int32_t[]){0, 10}, 2, HOB_SKIP_SPECIAL, &text, NULL), HOB_OK);
    assert_string_equal(buffer_text(&text), "a");
    buffer_release(&text);
    tokenizer_free(tokenizer);
#undef ADDED
}

static void test_longest_added_token_wins(void **state)
{
    (void)state;
    check("{\"added_tokens\":[{\"id\":11,\"content\":\"ab\"},{\"id\":12,\"content\":\"abca\"}]," BPE_MODEL "}", "abcabcab", "12 1 2 11");
}

static void test_templates(void **state)
{
    (void)state;
    check("{\"post_processor\":{\"type\":\"RobertaProcessing\",\"cls\":[\"a\",0],\"sep\":[\"b\",1]}," BPE_MODEL "}", "c", "0 2 1");
    check("{\"post_processor\":{\"type\":\"Sequence\",\"processors\":[{\"type\":\"ByteLevel\"},{\"type\":\"TemplateProcessing\","
          "\"single\":[{\"SpecialToken\":{\"id\":\"s\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],"
          "\"special_tokens\":{\"s\":{\"id\":\"s\",\"ids\":[7,8],\"tokens\":[\"1\",\"2\"]}}}]}," BPE_MODEL "}",
          "c", "7 8 2");
}

#define BYTES_MODEL                                                                                                \
    "\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"vocab\":{\"<0xE4>\":0,\"<0xB8>\":1,\"<0xAD>\":2,\"\xE2\x96\x81\":3,\"a\":4,"  \
    "\"\xE2\x96\x81" "a\":5,\"<0xFF>\":6},\"merges\":[]}"
#define LLAMA_DECODER                                                                                              \
    "\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":{\"String\":\"\xE2\x96\x81\"},\"content\":\" \"}," \
    "{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"},{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}]}"

static void test_byte_fallback(void **state)
{
    (void)state;
    check("{" BYTES_MODEL "}", "a\xE4\xB8\xAD", "4 0 1 2");
    check_decoded("{" LLAMA_DECODER "," BYTES_MODEL "}", (const int32_t[]){5, 0, 1, 2, 5}, 5, "a\xE4\xB8\xAD a");
    /* A run that is no UTF-8 is one U+FFFD for each byte, the good ones too. */
    check_decoded("{" LLAMA_DECODER "," BYTES_MODEL "}", (const int32_t[]){0, 1, 2, 6}, 4, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}

/* A byte's character in GPT-2's alphabet takes two bytes, so falling back makes two symbols of one byte. */
static void test_byte_fallback_of_mapped_bytes(void **state)
{
    (void)state;
    enum { N_SPACES = 400 };
    char text[N_SPACES + 1];
    struct id_list ids = {0};
    struct tokenizer *tokenizer = load("{\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"vocab\":{\"a\":0,\"<0xC4>\":1,\"<0xA0>\":2},\"merges\":[]},"
                                       "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}}");
    memset(text, ' ', N_SPACES);
    assert_int_equal(tokenizer_encode(tokenizer, text, N_SPACES, 0, &ids, NULL), HOB_OK);
    assert_int_equal(ids.n_ids, 2 * N_SPACES);
    for (size_t i = 0; i < ids.n_ids; i++) assert_int_equal(ids.ids[i], 1 + i % 2);
    id_list_release(&ids);
    tokenizer_free(tokenizer);
}

/* What a character map puts into the text is trusted to be UTF-8 from there on. */
static void test_character_maps_are_utf8(void **state)
{
    (void)state;
    static const unsigned char broken[] = {4, 0, 0, 0, 0, 0, 0, 0, 'a', 0, 0xC3, 0};
    /* The root's children from unit 1 on; 'a' leads to 'a' ^ 1 … with a leaf whose value is byte 1 of the replacements: inside "\xC3\xA4". */
    static unsigned char inside[4 + 4 * 128 + 3];
    struct charsmap charsmap;
    hob_error error;
    size_t n;
    assert_int_equal(charsmap_init(&charsmap, broken, sizeof broken, &error), HOB_BAD_FILE);
    assert_non_null(strstr(error.message, "no UTF-8"));
    const uint32_t n_trie_bytes = 4 * 128, leaf = 'a' | 1u << 8 | 1u << 10, value = 1u << 31 | 1;
    memcpy(inside, &n_trie_bytes, 4);
    memcpy(inside + 4 + 4 * 'a', &leaf, 4);
    memcpy(inside + 4 + 4 * ('a' ^ 1), &value, 4);
    memcpy(inside + 4 + n_trie_bytes, "\xC3\xA4", 3);
    assert_int_equal(charsmap_init(&charsmap, inside, sizeof inside, &error), HOB_OK);
    assert_null(charsmap_find(&charsmap, "a", 1, true, &n));
    inside[4 + 4 * ('a' ^ 1)] = 0;
    assert_string_equal(charsmap_find(&charsmap, "a", 1, true, &n), "\xC3\xA4");
}

static void test_decoders(void **state)
{
    (void)state;
#define WORDS "\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"un\":0,\"##able\":1,\".\":2,\"a</w>\":3,\"<pad>\":4,\"|\":5,\"\xE2\x96\x81x\":6}}"
    check_decoded("{\"decoder\":{\"type\":\"WordPiece\"}," WORDS "}", (const int32_t[]){0, 1, 2, 0}, 4, "unable. un");
    check_decoded("{\"decoder\":{\"type\":\"BPEDecoder\"}," WORDS "}", (const int32_t[]){3, 3}, 2, "a a");
    check_decoded("{\"decoder\":{\"type\":\"CTC\"}," WORDS "}", (const int32_t[]){0, 0, 4, 0, 5, 2}, 6, "unun .");
    check_decoded("{\"decoder\":{\"type\":\"Metaspace\"}," WORDS "}", (const int32_t[]){6, 6}, 2, "x x");
    check_decoded("{" WORDS "}", (const int32_t[]){0, 2}, 2, "un .");
#undef WORDS
}

static void test_unigram_takes_the_best_sum(void **state)
{
    (void)state;
#define UNIGRAM "\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0],[\"a\",-2],[\"b\",-2],[\"ab\",-5],[\"abc\",-1],[\"c\",-3]]}"
    check("{" UNIGRAM "}", "ab", "1 2");
    check("{" UNIGRAM "}", "abc", "4");
    check("{" UNIGRAM "}", "azzb", "1 0 2"); /* unknown characters in a row are one */
#undef UNIGRAM
}

static void test_metaspace(void **state)
{
    (void)state;
#define SPACED(scheme)                                                                                             \
    "{\"added_tokens\":[{\"id\":10,\"content\":\"<x>\"}],\"pre_tokenizer\":{\"type\":\"Metaspace\",\"prepend_scheme\":\"" scheme          \
    "\"},\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"?\",\"vocab\":{\"?\":0,\"a\":1,\"\xE2\x96\x81" "a\":2}}}"
    check(SPACED("always"), "a a<x>a", "2 2 10 2");
    check(SPACED("first"), "a a<x>a", "2 2 10 1");
    check(SPACED("never"), "a a<x>a", "1 2 10 1");
#undef SPACED
}

static void test_vocab_txt(void **state)
{
    (void)state;
    static const char lines[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhel\n##lo\r\n,\nh\n";
    struct tokenizer *tokenizer;
    assert_int_equal(tokenizer_load_vocab_txt(lines, sizeof lines - 1, "vocab.txt", &tokenizer, NULL), HOB_OK);
    assert_string_equal(encode_as(tokenizer, "Hello, hi", 9, HOB_ADD_SPECIAL), "2 5 6 7 1 3");
    assert_int_equal(tokenizer_role(tokenizer, HOB_TOKEN_CLS), 2);
    assert_int_equal(tokenizer_role(tokenizer, HOB_TOKEN_UNKNOWN), 1);
    tokenizer_free(tokenizer);
    hob_error error;
    static const char doubled[] = "[UNK]\na\na\n";
    assert_int_equal(tokenizer_load_vocab_txt(doubled, sizeof doubled - 1, "v", &tokenizer, &error), HOB_BAD_FILE);
    assert_non_null(strstr(error.message, "found twice"));
}

/* SentencePiece from GGUF keeps broken bytes; byte-level sees U+FFFD for each. */
static void test_gguf_vocabulary(void **state)
{
    (void)state;
    static const char *const texts[] = {"<unk>", "<s>", "</s>", "<0xFF>", "\xE2\x96\x81", "a", "\xE2\x96\x81" "a"};
    static const size_t n_bytes[] = {5, 3, 4, 6, 3, 1, 4};
    static const float scores[] = {0, 0, 0, 0, -3, -2, -1};
    static const int32_t types[] = {TOKEN_UNKNOWN, TOKEN_CONTROL, TOKEN_CONTROL, TOKEN_BYTE, TOKEN_NORMAL, TOKEN_NORMAL, TOKEN_NORMAL};
    struct tokenizer_vocabulary vocabulary;
    struct tokenizer *tokenizer;
    tokenizer_vocabulary_init(&vocabulary);
    vocabulary.kind = "llama";
    vocabulary.n_tokens = 7;
    vocabulary.texts = texts;
    vocabulary.text_bytes = n_bytes;
    vocabulary.scores = scores;
    vocabulary.types = types;
    assert_int_equal(tokenizer_new(&vocabulary, "test", &tokenizer, NULL), HOB_OK);
    assert_string_equal(encode_as(tokenizer, "a a\xFF", 4, HOB_ADD_SPECIAL), "1 6 6 3");
    assert_string_equal(encode_as(tokenizer, "a</s>a", 6, HOB_PARSE_SPECIAL), "6 2 6");
    assert_true(tokenizer_is_end(tokenizer, 2));
    assert_false(tokenizer_is_end(tokenizer, 5));
    struct buffer text = {0};
    assert_int_equal(tokenizer_decode(tokenizer, (const int32_t[]){1, 6, 6, 3}, 4, HOB_SKIP_SPECIAL, &text, NULL), HOB_OK);
    assert_string_equal(buffer_text(&text), "a a\xEF\xBF\xBD");
    assert_int_equal(tokenizer_decode(tokenizer, (const int32_t[]){7}, 1, 0, &text, NULL), HOB_BAD_ARGUMENT);
    buffer_release(&text);
    tokenizer_free(tokenizer);
    hob_error error;
    vocabulary.kind = "rwkv";
    assert_int_equal(tokenizer_new(&vocabulary, "x.gguf", &tokenizer, &error), HOB_UNSUPPORTED);
    assert_non_null(strstr(error.message, "rwkv"));
}

static void test_broken_utf8(void **state)
{
    (void)state;
#define REPLACING "{\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"?\",\"vocab\":{\"?\":0,\"\xEF\xBF\xBD\":1,\"\xEF\xBF\xBD\xEF\xBF\xBD\":2," \
                  "\"\xEF\xBF\xBD" "a\":3}}}"
    check(REPLACING, "\xFF", "1");
    check(REPLACING, "\xE4\xB8", "1");         /* a cut character is one */
    check(REPLACING, "\xC0\xAF", "2");         /* an overlong one is one a byte */
    check(REPLACING, "\xF0\x9F\x98" "a", "3");
#undef REPLACING
}

static void test_hostile_files(void **state)
{
    (void)state;
    check_refused("", HOB_BAD_FILE);
    check_refused("[]", HOB_BAD_FILE);
    check_refused("{\"model\":7}", HOB_BAD_FILE);
    check_refused("{\"model\":{\"type\":\"Magic\"}}", HOB_UNSUPPORTED);
    check_refused("{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0,\"a\":1}}}", HOB_BAD_FILE);
    check_refused("{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0,\"b\":0}}}", HOB_BAD_FILE);
    check_refused("{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":4000000000}}}", HOB_LIMIT);
    check_refused("{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":-1}}}", HOB_LIMIT);
    check_refused("{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":\"b\"}}}", HOB_BAD_FILE);
    check_refused("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a b\"]}}", HOB_BAD_FILE);
    check_refused("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[7]}}", HOB_BAD_FILE);
    check_refused("{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":0}}}", HOB_BAD_FILE);
    check_refused("{\"model\":{\"type\":\"Unigram\",\"unk_id\":5,\"vocab\":[[\"a\",0]]}}", HOB_BAD_FILE);
    check_refused("{\"added_tokens\":[{\"id\":1,\"content\":7}]," BPE_MODEL "}", HOB_BAD_FILE);
    check_refused("{\"added_tokens\":[{\"id\":99999999,\"content\":\"x\"}]," BPE_MODEL "}", HOB_LIMIT);
    check_refused("{\"normalizer\":{\"type\":\"Magic\"}," BPE_MODEL "}", HOB_UNSUPPORTED);
    check_refused("{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(\"}}," BPE_MODEL "}", HOB_BAD_FILE);
    check_refused("{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[a\"}}," BPE_MODEL "}", HOB_BAD_FILE);
    check_refused("{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAAA\"}," BPE_MODEL "}", HOB_BAD_FILE);
    check_refused("{\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"a\",999],\"sep\":[\"b\",1]}," BPE_MODEL "}", HOB_BAD_FILE);
#define TEMPLATE(single, pair)                                                                                                    \
    "{\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[" single "],\"pair\":[" pair "]}," BPE_MODEL "}"
#define SEQUENCE(id, type) "{\"Sequence\":{\"id\":\"" id "\",\"type_id\":" type "}}"
    check_refused(TEMPLATE(SEQUENCE("B", "0"), SEQUENCE("B", "1")), HOB_BAD_FILE);
    check_refused(TEMPLATE(SEQUENCE("A", "0"), SEQUENCE("B", "256")), HOB_BAD_FILE);
    check_refused(TEMPLATE(SEQUENCE("A", "-1"), SEQUENCE("B", "1")), HOB_BAD_FILE);
    check_refused(TEMPLATE(SEQUENCE("A", "0"), SEQUENCE("B", "\"one\"")), HOB_BAD_FILE);
    check_refused(TEMPLATE(SEQUENCE("A", "0"), "7"), HOB_BAD_FILE);
}

static void test_deep_nesting(void **state)
{
    (void)state;
    struct buffer json = {0};
    buffer_append_string(&json, "{\"normalizer\":");
    for (int i = 0; i < 500; i++) buffer_append_string(&json, "{\"type\":\"Sequence\",\"normalizers\":[");
    for (int i = 0; i < 500; i++) buffer_append_string(&json, "]}");
    buffer_append_string(&json, "," BPE_MODEL "}");
    check_refused(buffer_text(&json), HOB_LIMIT);
    buffer_release(&json);
}

/* A pattern that would run for ever ends in an error. */
static void test_runaway_pattern(void **state)
{
    (void)state;
    struct tokenizer *tokenizer =
        load("{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(a+)+(a+)+(a+)+$x\"},\"behavior\":\"Isolated\"}," BPE_MODEL "}");
    struct id_list ids = {0};
    char text[200];
    memset(text, 'a', sizeof text);
    hob_status status = tokenizer_encode(tokenizer, text, sizeof text, 0, &ids, NULL);
    assert_true(status == HOB_LIMIT || status == HOB_OK); /* OK: PCRE2 saw at once that x cannot match */
    if (status == HOB_LIMIT) assert_int_equal(ids.n_ids, 0);
    id_list_release(&ids);
    tokenizer_free(tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merges_by_rank),
        cmocka_unit_test(test_merges_a_long_word),
        cmocka_unit_test(test_split_behaviors),
        cmocka_unit_test(test_character_classes),
        cmocka_unit_test(test_normalizers),
        cmocka_unit_test(test_regular_expressions_of_oniguruma),
        cmocka_unit_test(test_added_tokens),
        cmocka_unit_test(test_longest_added_token_wins),
        cmocka_unit_test(test_templates),
        cmocka_unit_test(test_byte_fallback),
        cmocka_unit_test(test_byte_fallback_of_mapped_bytes),
        cmocka_unit_test(test_character_maps_are_utf8),
        cmocka_unit_test(test_decoders),
        cmocka_unit_test(test_unigram_takes_the_best_sum),
        cmocka_unit_test(test_metaspace),
        cmocka_unit_test(test_vocab_txt),
        cmocka_unit_test(test_gguf_vocabulary),
        cmocka_unit_test(test_broken_utf8),
        cmocka_unit_test(test_hostile_files),
        cmocka_unit_test(test_deep_nesting),
        cmocka_unit_test(test_runaway_pattern),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
