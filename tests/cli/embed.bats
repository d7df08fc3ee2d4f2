# hob embed: PyTorch's vectors, one by one, as a batch and line by line.

load program

# Compares lines of JSON arrays in a file with an array of vectors; every number within 1e-5.
is_close() {
    "$python" - "$1" "$2" <<'PYTHON'
import json, sys
found = [json.loads(line) for line in open(sys.argv[1])]
expected = json.load(open(sys.argv[2]))
assert len(found) == len(expected), (len(found), len(expected))
for a, b in zip(found, expected):
    assert len(a) == len(b), (len(a), len(b))
    assert max(abs(x - y) for x, y in zip(a, b)) < 1e-5
PYTHON
}

sentences_into_files() {
    jq -c '[.[].embedding]' "$bert/sentences.json" >"$BATS_TEST_TMPDIR/expected"
    mapfile -t texts < <(jq -r '.[].text' "$bert/sentences.json")
}

@test "bert-tiny-random from its folder and from ONNX equals PyTorch" {
    need_shared
    sentences_into_files
    for model in "$bert" "$bert/model.onnx"; do
        "$HOB" embed -m "$model" -- "${texts[@]}" >"$BATS_TEST_TMPDIR/batch"
        is_close "$BATS_TEST_TMPDIR/batch" "$BATS_TEST_TMPDIR/expected"
    done
}

@test "one by one, as a batch, as lines and with other threads: the same bytes" {
    need_shared
    sentences_into_files
    for model in "$bert" "$bert/model.onnx"; do
        for text in "${texts[@]}"; do "$HOB" embed -m "$model" -- "$text"; done >"$BATS_TEST_TMPDIR/single"
        "$HOB" embed -m "$model" -- "${texts[@]}" >"$BATS_TEST_TMPDIR/batch"
        printf '%s\n' "${texts[@]}" | "$HOB" embed -m "$model" --threads 1 - >"$BATS_TEST_TMPDIR/lines"
        cmp "$BATS_TEST_TMPDIR/single" "$BATS_TEST_TMPDIR/batch"
        cmp "$BATS_TEST_TMPDIR/single" "$BATS_TEST_TMPDIR/lines"
    done
}

@test "model2vec equals its Python library" {
    need_shared
    text=$("$python" -c 'print(" ".join(["hello"] * 1000))')
    "$HOB" embed -m "$models/model2vec" "$text" >"$BATS_TEST_TMPDIR/found"
    jq -c 'if (.[0] | type) == "array" then . else [.] end' "$models/model2vec/reference.json" >"$BATS_TEST_TMPDIR/expected"
    is_close "$BATS_TEST_TMPDIR/found" "$BATS_TEST_TMPDIR/expected"
}

@test "each line is JSON, as wide as the model, of length 1" {
    need_shared
    hob embed -m "$bert" one "two words" ""
    [ "$status" -eq 0 ]
    [ -z "$errors" ]
    [ "${#lines[@]}" -eq 3 ]
    for line in "${lines[@]}"; do
        jq -e 'length == 64 and ((map(. * .) | add) - 1 | fabs) < 1e-5' <<<"$line"
    done
}

@test "--no-normalize and --pooling change the vectors as they say" {
    need_shared
    hob embed -m "$bert" --no-normalize "a sentence"
    jq -e '((map(. * .) | add) - 1 | fabs) > 1e-3' <<<"$output"
    hob embed -m "$bert" "a sentence"
    by_default=$output
    hob embed -m "$bert" --pooling mean "a sentence"
    [ "$output" = "$by_default" ]
    hob embed -m "$bert" --pooling cls "a sentence"
    [ "$output" != "$by_default" ]
    cls=$output
    hob embed -m "$bert" --pooling last "a sentence"
    [ "$output" != "$by_default" ]
    [ "$output" != "$cls" ]
}

# A copy of the model with sentence-transformers' prompts beside it, and a pack of that.
make_prompted() {
    prompted=$BATS_TEST_TMPDIR/prompted
    cp -rL "$bert" "$prompted"
    chmod -R u+w "$prompted"
    rm -f "$prompted"/*.onnx
    echo "{\"prompts\": {\"query\": \"query: \", \"none\": \"\"}, \"default_prompt_name\": $1}" >"$prompted/config_sentence_transformers.json"
}

@test "--prompt puts the model's text in front, from its folder and from a pack" {
    need_shared
    make_prompted null
    hob import "$prompted" -o "$BATS_TEST_TMPDIR/prompted.hob"
    hob embed -m "$bert" "query: a sentence" "a sentence"
    query=${lines[0]} plain=${lines[1]}
    for model in "$prompted" "$BATS_TEST_TMPDIR/prompted.hob"; do
        hob embed -m "$model" --prompt query "a sentence"
        [ "$output" = "$query" ]
        hob embed -m "$model" --prompt none "a sentence"
        [ "$output" = "$plain" ]
        hob embed -m "$model" "a sentence"
        [ "$output" = "$plain" ]
        hob embed -m "$model" --prompt passage "a sentence"
        [ "$status" -eq 1 ]
        [[ $errors == *'prompt: found "passage", expected one of query, none'* ]]
    done
    hob embed -m "$bert" --prompt query "a sentence"
    [ "$status" -eq 1 ]
    [[ $errors == *"the model has no prompts"* ]]
}

@test "a default prompt stands in front unless it is taken away" {
    need_shared
    make_prompted '"query"'
    hob import "$prompted" -o "$BATS_TEST_TMPDIR/prompted.hob"
    hob embed -m "$bert" "query: a sentence" "a sentence"
    query=${lines[0]} plain=${lines[1]}
    for model in "$prompted" "$BATS_TEST_TMPDIR/prompted.hob"; do
        hob embed -m "$model" "a sentence"
        [ "$output" = "$query" ]
        hob embed -m "$model" --prompt "" "a sentence"
        [ "$output" = "$plain" ]
    done
}

@test "--dimensions cuts, then normalises" {
    need_shared
    hob embed -m "$bert" --dimensions 16 "a sentence" "another"
    [ "${#lines[@]}" -eq 2 ]
    jq -e 'length == 16 and ((map(. * .) | add) - 1 | fabs) < 1e-5' <<<"${lines[1]}"
    hob embed -m "$bert" --no-normalize "a sentence"
    whole=$(jq -c '.[:16]' <<<"$output")
    hob embed -m "$bert" --no-normalize --dimensions 16 "a sentence"
    [ "$(jq -c . <<<"$output")" = "$whole" ]
    hob embed -m "$bert" --dimensions 65 x
    [ "$status" -eq 1 ]
    [[ $errors == *"--dimensions: found 65, expected at most 64"* ]]
}

@test "lines from standard input: empty ones count, the last needs no end" {
    need_shared
    script 'printf "a\n\nb" | "$HOB" embed -m "$1" -' "$bert"
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 3 ]
    hob embed -m "$bert" a "" b
    [ "${#lines[@]}" -eq 3 ]
    script '"$HOB" embed -m "$1" - </dev/null' "$bert"
    [ "$status" -eq 0 ]
    [ -z "$output" ]
}

@test "more lines than a batch holds keep their order" {
    need_shared
    seq 150 | "$HOB" embed -m "$bert" - >"$BATS_TEST_TMPDIR/lines"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/lines")" -eq 150 ]
    hob embed -m "$bert" 1 64 65 150
    [ "$output" = "$(sed -n '1p;64p;65p;150p' "$BATS_TEST_TMPDIR/lines")" ]
}

@test "a line is answered before the next one must come" {
    need_shared
    coproc embedder { "$HOB" embed -m "$bert" - 2>/dev/null; }
    embedder_in=${embedder[1]} embedder_out=${embedder[0]} embedder_process=$embedder_PID
    for text in first second; do
        echo "$text" >&"$embedder_in"
        read -r -t 20 answer <&"$embedder_out"
        jq -e 'length == 64' <<<"$answer"
    done
    exec {embedder_in}>&-
    wait "$embedder_process"
}

@test "usage errors" {
    hob embed
    is_usage_error "expected TEXT"
    hob embed --pooling median x
    is_usage_error "--pooling: found 'median', expected one of default, mean, cls, last"
    hob embed --threads -1 x
    is_usage_error "--threads"
}

@test "models that cannot embed" {
    hob embed -m /nonexistent x
    is_failure "/nonexistent"
    need_shared
    hob embed -m "$stories" x
    is_failure "expected an encoder"
}

@test "a full disk is an error, a closed pipe is none" {
    need_shared
    script '"$HOB" embed -m "$1" x >/dev/full' "$bert"
    is_failure "standard output: No space left on device"
    script 'yes | "$HOB" embed -m "$1" - | head -n 1; exit ${PIPESTATUS[1]}' "$bert"
    [ "$status" -eq 0 ]
    [ -z "$errors" ]
    [ "${#lines[@]}" -eq 1 ]
}
