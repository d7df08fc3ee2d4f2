# hob perplexity and hob complete --score: against llama.cpp's figures and against each other.

load program

@test "perplexity is llama.cpp's within 0.5 %" {
    need_shared
    n=$(jq length tests/data/perplexity.json)
    for ((index = 0; index < n; index++)); do
        eval "$(jq -r ".[$index] | @sh \"model=\(.model) bytes=\(.bytes) context=\(.context)\"" tests/data/perplexity.json)"
        head -c "$bytes" "$shared/data/text/wikitext2-valid.txt" >"$BATS_TEST_TMPDIR/text"
        hob perplexity -m "$models/$model" --context "$context" --json "$BATS_TEST_TMPDIR/text"
        [ "$status" -eq 0 ]
        [ -z "$errors" ]
        echo "$output"
        jq -e --slurpfile golden tests/data/perplexity.json --argjson i "$index" '$golden[0][$i] as $g |
            .n_tokens == $g.n_tokens and .n_windows == $g.n_windows and (.perplexity / $g.perplexity - 1 | fabs) < 0.005 and
            (.error / $g.error - 1 | fabs) < 0.02' <<<"$output"
    done
}

@test "perplexity: standard input, plain output, threads and stride" {
    need_shared
    head -c 9000 "$shared/data/text/wikitext2-valid.txt" >"$BATS_TEST_TMPDIR/text"
    hob perplexity -m "$stories" --context 128 -t 1 "$BATS_TEST_TMPDIR/text"
    [ "$status" -eq 0 ]
    [[ $output == *" ± "*" windows of 128)" ]]
    plain=$output
    script '"$HOB" perplexity -m "$1" --context 128 -t 3 - <"$2"' "$stories" "$BATS_TEST_TMPDIR/text"
    [ "$output" = "$plain" ]
    hob perplexity -m "$stories" --context 128 --stride 32 --json "$BATS_TEST_TMPDIR/text"
    jq -e '.stride == 32 and .n_tokens == 32 * .n_windows and .perplexity > 1' <<<"$output"
}

@test "perplexity: what it refuses" {
    hob perplexity
    is_usage_error "expected one FILE"
    hob perplexity a b
    is_usage_error "expected one FILE"
    need_shared
    hob perplexity -m "$stories" /nonexistent.txt
    is_failure "/nonexistent.txt"
    echo short >"$BATS_TEST_TMPDIR/short"
    hob perplexity -m "$stories" "$BATS_TEST_TMPDIR/short"
    is_failure "expected two windows of 512"
    hob perplexity -m "$stories" --context 1000000 "$BATS_TEST_TMPDIR/short"
    is_failure "1000000"
    hob perplexity -m "$stories" --context 64 --stride 64 "$BATS_TEST_TMPDIR/short"
    is_failure "stride of 64"
    hob perplexity -m "$bert" "$BATS_TEST_TMPDIR/short"
    is_failure "expected a language model"
}
