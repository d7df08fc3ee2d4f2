# The daemon from its start to its end: sockets and who may have them, reload, drain, crash and restart, what service managers do.

load daemon
python=$(command -v /usr/bin/python3 || command -v python3)

setup() {
    need_shared
    folder=$BATS_TEST_TMPDIR
    socket=$folder/run/hob.sock
    export XDG_CONFIG_HOME=$folder XDG_CONFIG_DIRS=$folder XDG_RUNTIME_DIR=$folder
    unset HOB_MODEL
    pids=()
}

teardown() {
    for pid in "${pids[@]}"; do
        kill -9 "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
}

answers() { [ "$(curl -s -m 5 --unix-socket "${1:-$socket}" http://h/health)" = '{"status":"ok"}' ]; }

# serve ARGUMENT…: in the background, until it answers at $socket.
serve() {
    "$HOB" serve -m "$models/stories260k/model-f32.gguf" --socket "$socket" "$@" >>"$folder/log" 2>&1 3>&- &
    pid=$!
    pids+=("$pid")
    until_true answers || { cat "$folder/log"; return 1; }
}

is_gone() { ! kill -0 "$pid" 2>/dev/null; }
ends_with_0() { until_true is_gone && wait "$pid"; }
logs() { grep -q -- "$1" "$folder/log"; }

# A stream that takes a while.
long='{"prompt":"Once upon a time","max_tokens":300,"n":4,"temperature":1,"stream":true}'
stream() { curl -sN -m 60 --unix-socket "$socket" http://h/v1/completions -d "$long"; }

@test "the socket is 0600 in a folder of 0700, and goes with the daemon" {
    serve
    [ "$(stat -c %a "$socket")" = 600 ]
    [ "$(stat -c %a "$folder/run")" = 700 ]
    kill -TERM "$pid"
    ends_with_0
    [ ! -e "$socket" ]
    [ ! -e "$socket.lock" ]
}

@test "a folder that others may write to is refused" {
    mkdir -m 777 "$folder/run"
    run timeout 10 "$HOB" serve --socket "$socket"
    [ "$status" -eq 1 ]
    [[ $output == *"mode 0777"* ]]
}

@test "a second daemon on the same socket gives up, and the first goes on" {
    serve
    run timeout 10 "$HOB" serve --socket "$socket"
    [ "$status" -eq 1 ]
    [[ $output == *"another daemon"* ]]
    answers
}

@test "a file that is no socket is left alone" {
    mkdir -m 700 "$folder/run"
    echo mine >"$socket"
    run timeout 10 "$HOB" serve --socket "$socket"
    [ "$status" -eq 1 ]
    [ "$(<"$socket")" = mine ]
}

@test "killed under load, it starts again" {
    serve
    stream >/dev/null 3>&- &
    kill -9 "$pid"
    wait "$pid" || true
    [ -e "$socket" ]
    serve
    answers
}

@test "SIGHUP reads the configuration again, and a broken one changes nothing" {
    printf 'beam_width = 2\n' >"$folder/config.toml"
    serve --config "$folder/config.toml"
    count() { printf 'Once upon' | timeout 10 nc -N -U "$socket" | jq '.suggestions | length'; }
    [ "$(count)" = 2 ]
    printf 'beam_width = 4\n' >"$folder/config.toml"
    kill -HUP "$pid"
    until_true logs "was read again"
    [ "$(count)" = 4 ]
    printf 'beam_width = = 4\n' >"$folder/config.toml"
    kill -HUP "$pid"
    until_true logs "stays as it was"
    [ "$(count)" = 4 ]
    printf '[server]\nlisten = ["127.0.0.1:0"]\n' >"$folder/config.toml"
    kill -HUP "$pid"
    until_true logs "restart for the new ones"
}

@test "SIGHUP under load drops no request" {
    printf 'beam_width = 2\n' >"$folder/config.toml"
    serve --config "$folder/config.toml"
    ask() { curl -s -m 30 --unix-socket "$socket" http://h/v1/completions -d '{"prompt":"Once upon a time","max_tokens":300,"temperature":0}' | jq -r '.choices[0].text'; }
    wanted=$(ask)
    [ "${#wanted}" -gt 100 ]
    for i in {1..8}; do
        (for _ in {1..5}; do ask; done >"$folder/answers.$i") 3>&- &
        askers[i]=$!
    done
    for _ in {1..10}; do kill -HUP "$pid"; sleep 0.02; done
    wait "${askers[@]}"
    for i in {1..8}; do
        [ "$(<"$folder/answers.$i")" = "$(for _ in {1..5}; do echo "$wanted"; done)" ]
    done
}

@test "SIGTERM lets running requests end, and takes no new ones" {
    serve --set server.stop_timeout_s=120
    stream >"$folder/stream" 3>&- &
    client=$!
    until_true test -s "$folder/stream"
    kill -TERM "$pid"
    wait "$client"
    [ "$(tail -n 2 "$folder/stream" | head -n 1)" = "data: [DONE]" ]
    ends_with_0
    ! answers
}

@test "a second signal ends it at once" {
    serve --set scheduler.max_running=1
    for _ in {1..6}; do stream >/dev/null 3>&- & done
    until_true logs "listening"
    kill -TERM "$pid"
    kill -INT "$pid"
    ends_with_0
    wait
}

@test "signals in the middle of requests that go on coming" {
    body='{"prompt":"Once","max_tokens":2,"temperature":1}'
    has_answered_many() { [ "$(grep -c "path=/v1/completions status=200" "$folder/log")" -gt 100 ]; }
    for _ in {1..6}; do
        serve
        timeout 30 "$python" tests/server/sockets.py "$socket" flood \
            "POST /v1/completions HTTP/1.1\\r\\nHost: h\\r\\nContent-Length: ${#body}\\r\\n\\r\\n$body" 6 3>&- &
        client=$!
        until_true has_answered_many
        kill -TERM "$pid"
        kill -INT "$pid"
        ends_with_0
        wait "$client"
        rm "$folder/log"
    done
}

@test "hob ps and hob stop" {
    serve
    run "$HOB" ps --socket "$socket"
    [ "$status" -eq 0 ]
    [[ $output == *"model-f32"*"ready"* ]]
    run --separate-stderr "$HOB" ps --socket "$socket" --json
    [ "$(jq -r '.models[] | select(.state == "ready") | .name' <<<"$output")" = model-f32 ]
    run curl -s --unix-socket "$socket" http://h/hob/status
    [ "$(jq .pid <<<"$output")" = "$pid" ]
    run "$HOB" stop --socket "$socket"
    [ "$status" -eq 0 ]
    is_gone
    run --separate-stderr "$HOB" stop --socket "$socket"
    [ "$status" -eq 1 ]
    [[ $stderr == *"no daemon runs at"* ]]
    run "$HOB" ps --socket "$socket"
    [ "$status" -eq 1 ]
}

@test "TCP: keys are asked for, but not of this user's socket; no stop; no other machines without keys" {
    printf 'secret\n' >"$folder/keys"
    serve --port 0 --api-key-file "$folder/keys"
    url=$(grep -om1 'http://127.0.0.1:[0-9]*' "$folder/log")
    [ "$(curl -s -o /dev/null -w '%{http_code}' "$url/v1/models")" = 401 ]
    [ "$(curl -s -o /dev/null -w '%{http_code}' -H 'Authorization: Bearer wrong' "$url/v1/models")" = 401 ]
    [ "$(curl -s -o /dev/null -w '%{http_code}' -H 'Authorization: Bearer secret' "$url/v1/models")" = 200 ]
    [ "$(curl -s -o /dev/null -w '%{http_code}' -H 'x-api-key: secret' "$url/v1/models")" = 200 ]
    [ "$(curl -s -o /dev/null -w '%{http_code}' "$url/health")" = 200 ]
    [ "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$socket" http://h/v1/models)" = 200 ]
    [ "$(curl -s -o /dev/null -w '%{http_code}' -X POST -H 'x-api-key: secret' "$url/hob/stop")" = 403 ]
    run timeout 10 "$HOB" serve --socket "$folder/other.sock" --host 0.0.0.0 --port 0
    [ "$status" -eq 1 ]
    [[ $output == *"api_key_file"* ]]
}

@test "SIGHUP does not take the keys from where other machines can ask" {
    printf 'secret\n' >"$folder/keys"
    printf '[server]\nlisten = ["0.0.0.0:0"]\napi_key_file = "%s/keys"\n' "$folder" >"$folder/config.toml"
    serve --config "$folder/config.toml"
    port=$(grep -om1 'http://0.0.0.0:[0-9]*' "$folder/log")
    port=${port##*:}
    printf '[server]\nlisten = ["0.0.0.0:0"]\n' >"$folder/config.toml"
    kill -HUP "$pid"
    until_true grep -qE "stays as it was|was read again" "$folder/log"
    [ "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/v1/models")" = 401 ]
    logs "server.api_key_file: found none"
}

@test "more connections than are allowed are closed at once" {
    serve --set server.max_connections=5
    run timeout 20 "$python" - "$socket" <<'END'
import socket, sys
clients = []
for _ in range(8):
    client = socket.socket(socket.AF_UNIX)
    client.connect(sys.argv[1])
    clients.append(client)
closed = 0
for client in clients:
    client.settimeout(0.3)
    try:
        closed += client.recv(1) == b""
    except TimeoutError:
        pass
assert 3 <= closed <= 4, closed  # one place may still be a probe's
END
    [ "$status" -eq 0 ]
    until_true answers
}

@test "TCP connections that say nothing are closed, those of the UNIX socket stay" {
    serve --port 0 --set server.idle_timeout_s=0.3
    url=$(grep -om1 'http://127.0.0.1:[0-9]*' "$folder/log")
    run timeout 20 "$python" - "$socket" "${url#http://127.0.0.1:}" <<'END'
import socket, sys
silent, between = (socket.create_connection(("127.0.0.1", int(sys.argv[2]))) for _ in range(2))
local = socket.socket(socket.AF_UNIX)
local.connect(sys.argv[1])
between.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
assert between.recv(4096).startswith(b"HTTP/1.1 200")
assert silent.recv(1) == b"" and between.recv(1) == b""
local.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
assert local.recv(4096).startswith(b"HTTP/1.1 200")
END
    [ "$status" -eq 0 ]
}

@test "abstract sockets, other UNIX sockets and relative paths" {
    serve --listen "@hob-test-$$" --listen "unix://$folder/run/second.sock"
    answers "$folder/run/second.sock"
    [ "$(curl -s --abstract-unix-socket "hob-test-$$" http://h/health)" = '{"status":"ok"}' ]
}

@test "a socket of the service manager's: used instead of ours, left when idle" {
    mkdir -m 700 "$folder/run"
    "$python" tests/server/sockets.py "$socket" activate "$HOB" serve -m "$models/stories260k/model-f32.gguf" \
        --socket "$folder/run/never.sock" --idle-exit 1 >"$folder/log" 2>&1 3>&- &
    pid=$!
    pids+=("$pid")
    until_true answers
    [ ! -e "$folder/run/never.sock" ]
    ends_with_0
    [ -S "$socket" ] # it is the manager's
    logs "nobody came"
}

@test "a connection keeps it from leaving" {
    serve --idle-exit 1
    mkfifo "$folder/end"
    timeout 20 "$python" tests/server/sockets.py "$socket" hold 1 <"$folder/end" >"$folder/held" 3>&- &
    exec 9>"$folder/end"
    until_true grep -q held "$folder/held"
    sleep 1.5
    kill -0 "$pid"
    exec 9>&-
    ends_with_0
}

@test "the service manager is told: ready, status, watchdog, reloading, stopping" {
    mkdir -m 700 "$folder/run"
    timeout 30 "$python" tests/server/sockets.py "$folder/notify" notified "$HOB" serve -m "$models/stories260k/model-f32.gguf" \
        --socket "$socket" >"$folder/told" 2>"$folder/log" 3>&- &
    until_true grep -q READY=1 "$folder/told"
    pid=$(sed -n 's/^PID=//p' "$folder/told")
    pids+=("$pid")
    until_true answers
    until_true grep -q STATUS=Ready "$folder/told"
    until_true grep -q WATCHDOG=1 "$folder/told"
    kill -HUP "$pid"
    until_true grep -Eq 'RELOADING=1 MONOTONIC_USEC=[0-9]+' "$folder/told"
    kill -TERM "$pid"
    until_true grep -q STOPPING=1 "$folder/told"
    wait
}

@test "no network: the UNIX socket works, TCP is refused" {
    serve --no-network
    [ "$(curl -s --unix-socket "$socket" http://h/hob/status | jq .network_off)" = true ]
    run timeout 10 "$HOB" serve --no-network --socket "$folder/other.sock" --port 0
    [ "$status" -eq 1 ]
    [[ $output == *"the network is off"* ]]
}

@test "usage" {
    run timeout 10 "$HOB" serve what
    [ "$status" -eq 2 ]
    run timeout 10 "$HOB" serve --alias name
    [ "$status" -eq 2 ]
    run timeout 10 "$HOB" serve --socket "$socket" --ctx-size many
    [ "$status" -eq 2 ]
    [[ $output == *"serve: --ctx-size: found 'many'"* ]]
    run timeout 10 "$HOB" serve --socket "$socket" --port 99999
    [ "$status" -eq 2 ]
    [[ $output == *"serve: --port: "*99999* ]]
    run timeout 10 "$HOB" serve --socket "$socket" --set threads=999
    [ "$status" -eq 2 ]
    [[ $output == *"serve: threads: found '999'"* ]]
    run timeout 10 "$HOB" serve --socket "$socket" --listen ftp://x
    [ "$status" -eq 2 ]
    [[ $output == *"ftp://x"* ]]
}

@test "files of any name are models of a folder, by names that can be asked for" {
    mkdir "$folder/all"
    for name in "a b" $'b\xff' $'two\nlines' 'quo"te'; do ln -s "$models/stories260k/model-f32.gguf" "$folder/all/$name.gguf"; done
    HOB_MODELS=$folder/all serve --set quantization=true
    [ "$(curl -s --unix-socket "$socket" http://h/v1/models | jq -c '.data | map(.id) | map(select(test("^(a b|b_|two|quo)"))) | sort')" = '["a b","b_","quo\"te","two\nlines"]' ]
    [ "$(curl -s --unix-socket "$socket" http://h/v1/completions -d '{"model":"b_","prompt":"Once","max_tokens":1}' | jq -r .model)" = b_ ]
    [ "$("$HOB" ps --socket "$socket" --json | jq -r '.models[] | select(.name == "model-f32") | .quant')" = q8_0 ]
    command -v promtool >/dev/null || skip "promtool is absent"
    curl -s --unix-socket "$socket" http://h/metrics | promtool check metrics
}

@test "the model goes by its alias" {
    serve --alias tiny
    [ "$(curl -s --unix-socket "$socket" http://h/v1/completions -d '{"model":"tiny","prompt":"Once","max_tokens":1}' | jq -r .model)" = tiny ]
}
