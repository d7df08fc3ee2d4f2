#!/usr/bin/env bats
# Remote backends: what stands in for a model that fails, what of it is on disk, and that nothing goes out where nothing may.

load daemon

setup_file() {
    [ -d "$models" ] || return 0
    python3 tests/server/fake_backend.py "$BATS_FILE_TMPDIR/requests" >"$BATS_FILE_TMPDIR/port" 3>&- &
    echo $! >"$BATS_FILE_TMPDIR/backend.pid"
    until_true test -s "$BATS_FILE_TMPDIR/port"
    printf 'secret-key\n' >"$BATS_FILE_TMPDIR/key"
    more_config="$(backends "$(<"$BATS_FILE_TMPDIR/port")")" start_daemon
}

teardown_file() {
    stop_daemon
    [ ! -f "$BATS_FILE_TMPDIR/backend.pid" ] || kill "$(<"$BATS_FILE_TMPDIR/backend.pid")"
}

setup() {
    need_shared
}

# backends PORT: models whose files are not there, and who stands in for them.
backends() {
    for name in gone gone-too alone unlogged; do
        printf '[models.%s]\npath = "%s/%s.gguf"\n' $name "$BATS_FILE_TMPDIR" $name
    done
    cat <<EOF
[backends.one]
url = "http://127.0.0.1:$1/v1"
api_key_file = "$BATS_FILE_TMPDIR/key"
model = "theirs"
for = ["gone"]
log_file = "$BATS_FILE_TMPDIR/backends/sent"
[backends.two]
url = "http://127.0.0.1:$1/v1/"
api = "anthropic"
api_key_file = "$BATS_FILE_TMPDIR/key"
for = ["gone-too"]
log_file = "$BATS_FILE_TMPDIR/backends/sent"
[backends.three]
url = "http://127.0.0.1:$1/v1"
for = ["unlogged"]
log_file = "/proc/nowhere/sent"
EOF
}

chat='"messages": [{"role": "user", "content": "Hi there"}]'

n_requests() {
    if [ -f "$folder/requests" ]; then wc -l <"$folder/requests"; else echo 0; fi
}

@test "a chat goes to OpenAI's API, whole and streamed" {
    post /v1/chat/completions "{\"model\": \"gone\", $chat, \"max_tokens\": 5}"
    [ "$status" = 200 ]
    [ "$(field '.choices[0].message.content')" = "from afar" ]
    [ "$(field '.choices[0].finish_reason')" = stop ]
    [ "$(field '.usage.completion_tokens')" = 2 ]
    post /v1/chat/completions "{\"model\": \"gone\", $chat, \"stream\": true}"
    [ "$(sed -n 's/^data: {/{/p' "$folder/body" | jq -rs 'map(.choices[0].delta.content // "") | join("")')" = "from afar" ]
    [ "$(tail -1 "$folder/requests" | jq -c '[.path, .authorization, .body.model, .body.stream, .expect]')" = \
        '["/v1/chat/completions","Bearer secret-key","theirs",true,null]' ]
}

@test "a text and a conversation in another API's words" {
    post /v1/completions '{"model": "gone", "prompt": "Once", "max_tokens": 2}'
    [ "$(field '.choices[0].text')" = "from afar" ]
    [ "$(field '.choices[0].finish_reason')" = length ]
    post /api/chat "{\"model\": \"gone-too\", $chat, \"stream\": false}"
    [ "$(field '.message.content')" = "from afar" ]
    [ "$(tail -1 "$folder/requests" | jq -c '[.path, ."x-api-key", .body.messages[0].content]')" = '["/v1/messages","secret-key","Hi there"]' ]
}

@test "what went out is in the log, whole, and the key is not" {
    post /v1/completions '{"model": "gone", "prompt": "a mark that is mine", "max_tokens": 2}'
    grep -q 'a mark that is mine' "$folder/backends/sent"
    grep -q "POST http://127.0.0.1:$(<"$folder/port")/v1/completions" "$folder/backends/sent"
    run ! grep -q secret-key "$folder/backends/sent"
    [ "$(stat -c %a "$folder/backends/sent")" = 600 ]
    grep -q 'a remote backend is asked' "$folder/log"
}

@test "without a log nothing goes out" {
    before=$(n_requests)
    post /v1/completions '{"model": "unlogged", "prompt": "x"}'
    [ "$status" -ge 500 ]
    [[ "$output" == *"was not asked"* ]]
    [ "$(n_requests)" = "$before" ]
    get /metrics
    run ! grep -q 'hob_cloud_requests_total{kind="failed"}' <<<"$output"
}

@test "what nobody stands in for fails; what the backend refuses fails with both reasons" {
    before=$(n_requests)
    post /v1/completions '{"model": "alone", "prompt": "x"}'
    [ "$status" -ge 400 ]
    [ "$(n_requests)" = "$before" ]
    post /v1/completions '{"model": "gone", "prompt": "refuse this"}'
    [ "$status" -ge 500 ]
    [[ "$output" == *gone.gguf* && "$output" == *"HTTP 418"* ]]
}

@test "a fault of the request itself stays here" {
    before=$(n_requests)
    post /v1/completions '{"model": "stories", "prompt": "x", "temperature": -3}'
    [ "$status" = 400 ]
    post /v1/completions "{\"model\": \"stories\", \"prompt\": \"$(printf 'word %.0s' {1..2000})\"}"
    [ "$status" = 400 ]
    [ "$(n_requests)" = "$before" ]
}

@test "requests and bytes are counted" {
    get /metrics
    [[ "$output" == *'hob_cloud_requests_total{kind="ok"}'* && "$output" == *'hob_cloud_bytes_total{kind="sent"}'* ]]
}

@test "with --no-network there are none, and libcurl is not loaded" {
    backends 1 >"$BATS_TEST_TMPDIR/config.toml"
    env -u HOB_MODEL XDG_RUNTIME_DIR="$BATS_TEST_TMPDIR" "$HOB" serve --config "$BATS_TEST_TMPDIR/config.toml" --no-network \
        --socket "$BATS_TEST_TMPDIR/hob.sock" >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
    pid=$!
    until_true curl -s --unix-socket "$BATS_TEST_TMPDIR/hob.sock" http://hob/health
    run curl -s --unix-socket "$BATS_TEST_TMPDIR/hob.sock" http://hob/v1/completions -d '{"model": "gone", "prompt": "x"}'
    [[ "$output" == *error* && "$output" != *afar* ]]
    run ! grep -q libcurl "/proc/$pid/maps"
    grep -q 'not used: the network is off' "$BATS_TEST_TMPDIR/log"
    kill $pid
}
