# hob bench: the keys of its JSON, numbers that fit together, and no times, which are the machine's.

load program

# The lines of JSON fit: every key is there, times are positive, the best is not above the median, tokens a second are the median's.
is_sane_embed() {
    jq -es 'all(.[]; (keys | contains(["case", "tokens", "median_ms", "best_ms", "cpu_ms", "tokens_per_s", "runs", "peak_rss_mb",
                "anon_rss_mb", "load_ms", "threads"]))
            and .best_ms > 0 and .best_ms <= .median_ms and .cpu_ms > 0 and .load_ms > 0
            and (.tokens_per_s * .median_ms / 1000 / .tokens - 1 | fabs) < 1e-3
            and .runs > 0 and .anon_rss_mb > 0 and .anon_rss_mb <= .peak_rss_mb)' <<<"$1" >/dev/null
}

@test "bench embed: an object a length, from its folder and from ONNX" {
    need_shared
    for model in "$bert" "$bert/model.onnx"; do
        hob bench embed "$model" --lengths 3,16 --runs 3 --threads 1 --json
        [ "$status" -eq 0 ] && [ -z "$errors" ]
        is_sane_embed "$output"
        [ "$(jq -sc 'map([.case, .tokens, .runs, .threads])' <<<"$output")" = '[["1x3",3,3,1],["1x16",16,3,1]]' ]
    done
}

@test "bench embed --batch: one object of all" {
    hob bench embed "$PWD/models/embed" --lengths 3,16,20 --batch --runs 2 --threads 2 --json
    [ "$status" -eq 0 ]
    is_sane_embed "$output"
    [ "$(jq -c '[.case, .tokens, .runs, .threads]' <<<"$output")" = '["batch of 3",39,2,2]' ]
}

@test "bench embed measures the usual lengths until there are enough runs" {
    hob bench embed "$PWD/models/embed" --threads 1 --json
    [ "$status" -eq 0 ]
    is_sane_embed "$output"
    [ "$(jq -sc 'map(.tokens)' <<<"$output")" = '[16,32,128]' ]
    [ "$(jq -s 'map(.runs >= 5) | all' <<<"$output")" = true ]
}

@test "bench generate: the keys fit together, from GGUF and safetensors and ONNX" {
    need_shared
    for model in "$stories/model-f32.gguf" "$stories" "$stories/model.onnx"; do
        hob bench generate "$model" --prompt 20 --generate 10 --runs 3 --threads 1 --json
        [ "$status" -eq 0 ] && [ -z "$errors" ]
        jq -e '.load_ms > 0 and .first_token_ms > .load_ms and .prompt == 20 and .generate == 10 and .runs == 3 and .threads == 1
            and (.prefill_tokens_per_s * .prefill_ms / 1000 / 20 - 1 | fabs) < 1e-3
            and (.decode_tokens_per_s * .decode_ms / 1000 - 1 | fabs) < 1e-3
            and .prefill_best_tokens_per_s >= .prefill_tokens_per_s * 0.999
            and .decode_best_tokens_per_s >= .decode_tokens_per_s * 0.999
            and (.cpu_ms / (.prefill_cpu_ms + 10 * .decode_cpu_ms) - 1 | fabs) < 1e-3
            and .anon_rss_mb > 0 and .anon_rss_mb <= .peak_rss_mb' <<<"$output" >/dev/null
    done
}

@test "bench generate without tokens behind the prompt" {
    hob bench generate "$PWD/models/default.gguf" --prompt 5 --generate 0 --runs 1 --json
    [ "$status" -eq 0 ]
    jq -e '.decode_ms == 0 and .decode_tokens_per_s == 0 and .prefill_ms > 0' <<<"$output" >/dev/null
}

@test "bench prints a table for a person" {
    hob bench embed "$PWD/models/embed" --lengths 4,8 --runs 1
    [ "$status" -eq 0 ] && [ "${#lines[@]}" -eq 4 ]
    [[ ${lines[1]} == case*tokens*"median ms"* && ${lines[2]} == 1x4* && ${lines[3]} == 1x8* ]]
    hob bench generate "$PWD/models/default.gguf" --prompt 4 --generate 3 --runs 1
    [ "$status" -eq 0 ] && [ "${#lines[@]}" -eq 5 ]
    [[ ${lines[2]} == prefill* && ${lines[3]} == decode* && ${lines[4]} == memory:* ]]
}

@test "bench called wrongly" {
    hob bench
    is_usage_error "found 0 words"
    hob bench embed
    is_usage_error "found 1 words"
    hob bench train model
    is_usage_error "'train' cannot be measured"
    for lengths in '' , 5, 0 -3 5x 5,,6 99999999999999999999 2000000; do
        hob bench embed "$PWD/models/embed" --lengths "$lengths"
        is_usage_error "--lengths"
    done
    hob bench generate "$PWD/models/default.gguf" --prompt 0
    is_usage_error "--prompt 0"
    hob bench generate "$PWD/models/default.gguf" --runs 99999999999
    is_usage_error "--runs"
}

@test "bench of a model that cannot do it" {
    hob bench embed "$PWD/models/default.gguf"
    is_failure "expected an encoder"
    hob bench generate "$PWD/models/embed"
    is_failure "expected a language model"
    hob bench embed "$BATS_TEST_TMPDIR/none.gguf"
    is_failure "none.gguf"
    hob bench generate "$PWD/models/default.gguf" --prompt 100000
    is_failure "100129"
}
