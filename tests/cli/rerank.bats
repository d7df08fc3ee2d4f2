# hob rerank: the best first, from words and from lines, as text and as JSON. What the scores are is tests/engine/test_tiny_classifiers.c's.

load program

model=tests/data/classifiers/onnx/model.onnx
query="what is a hob?"
texts=("milk and bread" "a hob is the spirit of the house" "it keeps the fire going")

@test "every text comes out once, the best first, each with a score" {
    hob rerank -m "$model" "$query" "${texts[@]}"
    [ "$status" -eq 0 ]
    [ -z "$errors" ]
    [ "${#lines[@]}" -eq 3 ]
    scores=$(cut -f1 <<<"$output")
    [ "$scores" = "$(sort -rn <<<"$scores")" ]
    [ "$(cut -f2 <<<"$output" | sort)" = "$(printf '%s\n' "${texts[@]}" | sort)" ]
}

@test "lines of standard input are texts, empty ones too" {
    hob rerank -m "$model" "$query" "${texts[@]}" ""
    by_words=$output
    script 'printf "%s\n" "${@:3}" "" | "$HOB" rerank -m "$1" "$2" -' "$model" "$query" "${texts[@]}"
    [ "$status" -eq 0 ]
    [ "$output" = "$by_words" ]
    [ "${#lines[@]}" -eq 4 ]
    script '"$HOB" rerank -m "$1" "$2" - </dev/null' "$model" "$query"
    [ "$status" -eq 0 ]
    [ -z "$output" ]
}

@test "--json says which text it was; --raw is what the sigmoid is taken of; --top cuts" {
    hob rerank -m "$model" --json "$query" "${texts[@]}"
    scores=$(jq -s -c 'sort_by(.index) | map(.score)' <<<"$output")
    for i in 0 1 2; do
        jq -s -e --arg text "${texts[$i]}" --argjson i "$i" 'any(.[]; .index == $i and .text == $text)' <<<"$output"
    done
    best=${lines[0]}
    hob rerank -m "$model" --json --raw "$query" "${texts[@]}"
    raw=$(jq -s -c 'sort_by(.index) | map(.score)' <<<"$output")
    jq -n -e --argjson raw "$raw" --argjson scores "$scores" \
        '[$raw, $scores] | transpose | all(((1 / (1 + ((- .[0]) | exp))) - .[1]) | fabs < 1e-6)'
    hob rerank -m "$model" --json --top 1 "$query" "${texts[@]}"
    [ "$output" = "$best" ]
}

@test "a text has the same score alone, with any threads, and from a pack" {
    hob rerank -m "$model" --json "$query" "${texts[@]}"
    together=$(jq -c 'del(.index)' <<<"$output" | sort)
    alone=$(for text in "${texts[@]}"; do "$HOB" rerank -m "$model" --threads 1 --json "$query" "$text"; done | jq -c 'del(.index)' | sort)
    [ "$together" = "$alone" ]
    "$HOB" import "$model" -o "$BATS_TEST_TMPDIR/rerank.hob" 2>"$BATS_TEST_TMPDIR/errors"
    [ "$("$HOB" rerank -m "$BATS_TEST_TMPDIR/rerank.hob" --json "$query" "${texts[@]}" | jq -c 'del(.index)' | sort)" = "$together" ]
    [ "$(HOB_RERANK_MODEL=$BATS_TEST_TMPDIR/rerank.hob "$HOB" rerank "$query" "${texts[0]}" | cut -f2)" = "${texts[0]}" ]
    hob inspect --json "$BATS_TEST_TMPDIR/rerank.hob"
    [ "$(jq -r '.kind, .labels[0]' <<<"$output")" = $'classifier\nLABEL_0' ]
}

@test "inspect shows the labels of a folder, a GGUF file and an export" {
    for file in modernbert modernbert/model.gguf distilbert; do
        hob inspect --json "tests/data/classifiers/$file"
        [ "$(jq -c .labels <<<"$output")" = '["good","bad"]' ]
    done
    hob inspect --json "$model"
    [ "$(jq -c .labels <<<"$output")" = '["LABEL_0"]' ]
    hob inspect --json tests/data/encoders/distilbert
    [ "$(jq -c .labels <<<"$output")" = null ]
}

@test "what is no reranker is refused by name" {
    hob rerank -m tests/data/classifiers/bert "$query" text
    is_failure "found 3 labels, expected one"
    hob rerank -m tests/data/encoders/distilbert "$query" text
    is_failure "no reranker (architecture distilbert)"
    hob rerank -m tests/data/classifiers/mpnet "$query" text
    is_failure "no tokenizer"
    hob embed -m "$model" text
    is_failure "found a classifier (see hob rerank), expected an encoder"
    hob rerank -m "$model" "$query"
    is_usage_error "expected QUERY, then TEXT"
}
