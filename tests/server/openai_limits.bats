# What OpenAI's and Anthropic's clients are told when they may not, send too much, or are too many.

load daemon

setup_file() {
    [ -d "$models" ] || return 0
    echo sesame >"$BATS_FILE_TMPDIR/keys"
    chmod 600 "$BATS_FILE_TMPDIR/keys"
    start_daemon --api-key-file "$BATS_FILE_TMPDIR/keys" --set scheduler.max_running=1 --set scheduler.max_queue=1 \
        --set server.max_body_bytes=4096
}

teardown_file() {
    stop_daemon
}

setup() {
    need_shared
}

key=(-H 'Authorization: Bearer sesame')
chat='{"max_tokens":1,"messages":[{"role":"user","content":"x"}]}'

@test "without the key: 401 in each API's words" {
    post /v1/chat/completions "$chat"
    [ "$status" -eq 401 ]
    [ "$(field '.error | [.type, .code] | @json')" = '["invalid_request_error","invalid_api_key"]' ]
    post /v1/messages "$chat" -H 'x-api-key: wrong'
    [ "$status" -eq 401 ]
    [ "$(field .error.type)" = authentication_error ]
    post /v1/messages "$chat" -H 'x-api-key: sesame'
    [ "$status" -eq 200 ]
    post /v1/chat/completions "$chat" "${key[@]}"
    [ "$status" -eq 200 ]
}

@test "a body that is too large: 413 in each API's words" {
    long="{\"prompt\":\"$(printf 'x%.0s' {1..5000})\"}"
    post /v1/completions "$long" "${key[@]}"
    [ "$status" -eq 413 ]
    [ "$(field .error.code)" = request_too_large ]
    post /v1/messages "$long" "${key[@]}"
    [ "$status" -eq 413 ]
    [ "$(field .error.type)" = request_too_large ]
}

# While $folder/busy is there one long request runs and another waits.
keep_busy() {
    for _ in 1 2; do
        while [ -f "$folder/busy" ]; do
            curl -s -m 1 "${key[@]}" "$url/v1/completions" -d '{"prompt":"Once","n":128,"max_tokens":-1,"ignore_eos":true}' >/dev/null
        done 3>&- &
    done
}

is_full() {
    request GET /metrics '' "${key[@]}"
    [[ $output == *'hob_queue_depth{kind="completion"} 1'* ]]
}

is_refused() {
    is_full && post "$1" "$2" "${key[@]}" && [ "$status" -eq 429 ]
}

# Those who went away end with a step, which takes its time for 128 texts.
is_answered() {
    post "$1" "$2" "${key[@]}" && [ "$status" -eq 200 ]
}

@test "a full queue: 429 and Retry-After in each API's words" {
    touch "$folder/busy"
    keep_busy
    until_true is_refused /v1/chat/completions "$chat"
    until_true is_refused /v1/messages "$chat"
    grep -qi '^retry-after: [1-9]' "$folder/headers"
    jq -e '.error.type == "rate_limit_error"' "$folder/body"
    until_true is_refused /v1/chat/completions "$chat"
    grep -qi '^retry-after: [1-9]' "$folder/headers"
    jq -e '.error.code == "rate_limit_exceeded"' "$folder/body"
    rm "$folder/busy"
    wait
    until_true is_answered /v1/chat/completions "$chat"
}
