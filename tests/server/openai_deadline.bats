# A request that is stopped in the middle of its stream: the stream says so in each API's words.

load daemon

setup_file() {
    if [ -d "$models" ]; then start_daemon --set scheduler.deadline_s=0.3 --set scheduler.max_running=4; fi
}

teardown_file() {
    stop_daemon
}

setup() {
    need_shared
}

@test "a completion that takes too long ends with an error and [DONE]" {
    post /v1/completions '{"prompt":"Once","n":128,"max_tokens":-1,"ignore_eos":true,"stream":true}' -N
    [ "$status" -eq 200 ]
    [ "$(grep '^data: ' "$folder/body" | tail -1)" = "data: [DONE]" ]
    grep '^data: {' "$folder/body" | tail -1 | cut -c7- | jq -e '.error | .type == "server_error" and .code == "timeout" and (.message | length) > 0'
    post /v1/completions '{"prompt":"Once","n":128,"max_tokens":-1,"ignore_eos":true}'
    [ "$status" -eq 504 ]
    [ "$(field .error.code)" = timeout ]
}
