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

@test "complete --score: each token, the sums, and greedy continuations are the best of each place" {
    need_shared
    hob complete -m "$stories" --score "Once upon a time"
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 5 ]
    [[ ${lines[0]} == 403$'\t'-0.24*$'\t''"Once"' ]]
    [[ ${lines[4]} == "sum -0.27"*"(4 tokens)" ]]
    hob complete -m "$stories" -n 12 --json --logprobs 3 "Once upon a time"
    jq -e '(.logprobs | length) == 12 and all(.logprobs[]; (.top_logprobs | length) == 3 and .top_logprobs[0].id == .id)' <<<"$output"
    generated=$(jq -c '[.logprobs[] | [.id, (.logprob * 1e4 | round)]]' <<<"$output")
    hob complete -m "$stories" --score --json --logprobs 1 "Once upon a time$(jq -r .text <<<"$output")"
    jq -e '(.tokens[4:] | all(.top_logprobs[0].id == .id)) and (.sum_logprob - (.tokens | map(.logprob) | add) | fabs) < 1e-4' <<<"$output"
    [ "$(jq -c '[.tokens[4:][] | [.id, (.logprob * 1e4 | round)]]' <<<"$output")" = "$generated" ]
    hob complete -m "$stories" --logprobs 1 x
    is_usage_error "--logprobs: expected --json"
    hob complete -m "$stories" --json --logprobs 101 x
    is_usage_error "--logprobs: found 101"
}

@test "penalties, biases and the other samplers from the command line" {
    need_shared
    hob complete -m "$stories" -n 30 "Once upon a time"
    greedy=$output
    [[ $greedy == *Lily* ]]
    hob complete -m "$stories" -n 5 --json --logit-bias 432-inf "Once upon a time"
    jq -e '.ids | index(432) == null' <<<"$output"
    for how in "--repeat-penalty 1.5" "--presence-penalty 2" "--frequency-penalty 2" "--dry-multiplier 5 --dry-allowed-length 1 --dry-sequence-breaker none"; do
        hob complete -m "$stories" -n 100 $how "Once upon a time"
        [ "$status" -eq 0 ]
        [ "${output:0:30}" = "${greedy:0:30}" ] || [ -n "$output" ]
        changed=$output
        hob complete -m "$stories" -n 100 "Once upon a time"
        [ "$output" != "$changed" ]
    done
    for how in "--typical 0.5" "--top-n-sigma 1" "--xtc-probability 1 --xtc-threshold 0.05" "--mirostat-ent 2 --mirostat-lr 0.2"; do
        hob complete -m "$stories" -n 40 --temperature 1 --seed 3 $how "Once upon a time"
        first=$output
        hob complete -m "$stories" -n 40 --temperature 1 --seed 3 -t 1 $how "Once upon a time"
        [ "$output" = "$first" ]
        hob complete -m "$stories" -n 40 --temperature 1 --seed 3 "Once upon a time"
        [ "$output" != "$first" ]
    done
    for bias in x 5 5x1 5+ 5+-1 "5+nan" 5+1x; do
        hob complete --logit-bias "$bias" x
        is_usage_error "--logit-bias: found '$bias'"
    done
    hob complete -m "$stories" --logit-bias 99999+1 x
    is_failure "found id 99999"
}

@test "complete --suffix: an honest error where the model cannot" {
    need_shared
    hob complete -m "$stories" --suffix b a
    is_failure "cannot fill in the middle"
    hob complete --repo-name r --file-path p a
    is_usage_error "expected --suffix too"
    hob complete --suffix b --repo-name r a
    is_usage_error "expected both --repo-name and --file-path"
}
