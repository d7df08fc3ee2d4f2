# hob tokenize and hob detokenize.

load program

@test "ids of stories260k's prompts, from every kind of file" {
    need_shared
    expected=$(jq -r '.[0].prompt_ids | join(" ")' "$stories/reference.json")
    for model in "$stories" "$stories/tokenizer.json" "$stories/model-f32.gguf" "$stories/model.onnx" \
        "$stories/model.safetensors"; do
        hob tokenize -m "$model" Once upon a time
        [ "$status" -eq 0 ]
        [ -z "$errors" ]
        [ "$output" = "$expected" ]
        hob tokenize -m "$model" --no-special "Once upon a time"
        [ "1 $output" = "$expected" ]
    done
}

@test "ids of bert's sentences" {
    need_shared
    n=$(jq length "$bert/sentences.json")
    for ((index = 0; index < n; index++)); do
        jq -j ".[$index].text" "$bert/sentences.json" >"$BATS_TEST_TMPDIR/text"
        script '"$HOB" tokenize -m "$1" - <"$2"' "$bert" "$BATS_TEST_TMPDIR/text"
        [ "$output" = "$(jq -r ".[$index] | .ids | join(\" \")" "$bert/sentences.json")" ]
    done
}

@test "a vocab.txt alone is a WordPiece tokenizer" {
    printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' hello '##s' world >"$BATS_TEST_TMPDIR/vocab.txt"
    hob tokenize -m "$BATS_TEST_TMPDIR/vocab.txt" "Hellos, world"
    [ "$status" -eq 0 ]
    [ "$output" = "2 5 6 1 7 3" ]
    hob tokenize -m "$BATS_TEST_TMPDIR/vocab.txt" --json --no-special "Hellos"
    [ "$output" = '{"ids":[5,6],"tokens":["hello","##s"]}' ]
    hob detokenize -m "$BATS_TEST_TMPDIR/vocab.txt" 5 6 7
    [ "$output" = "hellos world" ]
}

@test "--json tells ids and tokens" {
    need_shared
    hob tokenize -m "$stories" --json "Once upon"
    [ "$status" -eq 0 ]
    jq -e '(.ids | length) == (.tokens | length) and .ids[0] == 1 and .tokens[0] == "<s>"' <<<"$output"
}

@test "standard input is taken to the byte" {
    need_shared
    gpt2=$models/gpt2-tiny-random
    script 'printf "a\n" | "$HOB" tokenize -m "$1" -' "$gpt2"
    [ "$output" = "64 198" ]
    script 'printf "a" | "$HOB" tokenize -m "$1" -' "$gpt2"
    [ "$output" = "64" ]
    script 'printf "" | "$HOB" tokenize -m "$1" -' "$gpt2"
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    script 'printf "a\0b" | "$HOB" tokenize -m "$1" -' "$gpt2"
    [ "$output" = "64 188 65" ]
}

@test "detokenize gives the text back" {
    need_shared
    gpt2=$models/gpt2-tiny-random
    text='Zwölf  Boxkämpfer 👩‍👩‍👧 – 漢字!'
    script '"$HOB" tokenize -m "$1" "$2" | "$HOB" detokenize -m "$1" -' "$gpt2" "$text"
    [ "$status" -eq 0 ]
    [ "$output" = "$text" ]
    script '"$HOB" tokenize -m "$1" --no-special "$2" | "$HOB" detokenize -m "$1" -' "$stories" "$text"
    [ "$output" = "$text" ]
}

@test "detokenize takes words, commas and lines, and tells JSON" {
    need_shared
    gpt2=$models/gpt2-tiny-random
    hob detokenize -m "$gpt2" 64 65
    [ "$output" = "ab" ]
    hob detokenize -m "$gpt2" 64,65
    [ "$output" = "ab" ]
    script 'printf "64\n65\n" | "$HOB" detokenize -m "$1" -' "$gpt2"
    [ "$output" = "ab" ]
    hob detokenize -m "$gpt2" --json 64 65
    [ "$output" = '{"ids":[64,65],"text":"ab"}' ]
    hob detokenize -m "$stories" --no-special 1 403 407 261 378
    [ "$output" = "Once upon a time" ]
}

@test "usage errors" {
    hob tokenize
    is_usage_error "expected TEXT"
    hob detokenize
    is_usage_error "expected token ids"
    hob tokenize --special x
    is_usage_error "did you mean --no-special?"
}

@test "ids that are none, or not in the vocabulary" {
    hob detokenize -m none 12 abc
    is_failure "token id: found 'abc'"
    hob detokenize -m none -- -1
    is_failure "token id: found '-1'"
    hob detokenize -m none 99999999999
    is_failure "token id: found '99999999999'"
    need_shared
    hob detokenize -m "$stories" 512
    is_failure "512"
}

@test "files that hold no tokenizer" {
    hob tokenize -m /nonexistent/tokenizer.json x
    is_failure "/nonexistent/tokenizer.json"
    echo '{"model": ' >"$BATS_TEST_TMPDIR/tokenizer.json"
    hob tokenize -m "$BATS_TEST_TMPDIR/tokenizer.json" x
    is_failure "tokenizer.json"
    : >"$BATS_TEST_TMPDIR/vocab.txt"
    hob tokenize -m "$BATS_TEST_TMPDIR/vocab.txt" x
    is_failure "vocab.txt"
    mkdir "$BATS_TEST_TMPDIR/folder"
    hob tokenize -m "$BATS_TEST_TMPDIR/folder" x
    is_failure "folder"
}
