# What goes wrong around the daemon, and what comes of it: the rows of docs/daemon.md's table that http.bats, line.bats and life.bats lack.

load daemon
python=$(command -v /usr/bin/python3 || command -v python3)

setup() {
    need_shared
}

teardown() {
    stop_daemon
}

# The daemon's own.
pid() { echo "$(<"$folder/pid")"; }
by_socket() { curl -s -m 60 --unix-socket "$socket" "$@"; }
is_idle() { [ "$(by_socket http://h/hob/status | jq '.running + .queued')" = 0 ]; }
metric() { by_socket http://h/metrics | sed -n "s/^$1 //p"; }
logs() { grep -q -- "$1" "$folder/log"; }

# say MODEL SEED TOKENS: the text, drawn at random.
say() {
    by_socket http://h/v1/completions -d "{\"model\":\"$1\",\"prompt\":\"Once upon a time there was\",\"seed\":$2,\"max_tokens\":$3,\"temperature\":0.9,\"ignore_eos\":true}" |
        jq -er '.choices[0].text'
}

# Streams many long texts to a file, in the background.
stream() {
    curl -sN -m 120 --unix-socket "$socket" http://h/v1/completions \
        -d "{\"prompt\":\"Once\",\"n\":8,\"seed\":$1,\"max_tokens\":${3-400},\"ignore_eos\":true,\"stream\":true}" >"$2" 3>&- &
}

# load ARGUMENT…: of load.py; fails with what it found.
load_it() {
    "$python" tests/server/load.py "$socket" "$@"
}

@test "garbage of every form is refused, and nobody else notices" {
    start_daemon --set server.read_timeout_s=1
    wanted=$(say stories 5 200)
    (for _ in {1..20}; do say stories 5 200; done >"$folder/others") 3>&- &
    others=$!
    "$python" tests/server/garbage.py "$socket" "${url#http://}"
    wait $others
    [ "$(sort -u "$folder/others")" = "$(sort <<<"$wanted")" ]
    until_true is_idle
}

@test "clients vanish in mid-stream: their jobs end, their part of the cache is free" {
    start_daemon --set memory.cache_tokens=512 --set memory.prefix_cache_bytes=0 --set results.max_entries=0
    wanted=$(say stories 5 500)
    clients=()
    for i in {1..12}; do
        stream "$i" "$folder/stream.$i"
        clients+=($!)
    done
    for i in {1..3}; do until_true test -s "$folder/stream.$i"; done
    kill -9 "${clients[@]}"
    wait "${clients[@]}" || true
    until_true is_idle
    [ "$(metric hob_running_jobs)" = 0 ]
    [ "$(say stories 5 500)" = "$wanted" ] # which needs the whole cache
}

@test "killed under load, it starts again and says the same, from what is on disk too" {
    start_daemon --set memory.prefix_cache_folder="$BATS_TEST_TMPDIR/kv" --set results.max_entries=0
    long=$(printf 'there was a little girl and %.0s' {1..30})
    ask() { by_socket http://h/v1/completions -d "{\"prompt\":\"$long$1\",\"seed\":1,\"max_tokens\":20}" | jq -er '.choices[0].text'; }
    wanted=$(for i in {1..5}; do ask "$i"; done)
    for i in {1..6}; do stream "$i" "$folder/stream.$i"; done
    until_true test -s "$folder/stream.1"
    kill -9 "$(pid)"
    wait || true
    [ -n "$(find "$folder/kv" -type f)" ]
    start_daemon --set memory.prefix_cache_folder="$BATS_TEST_TMPDIR/kv" --set results.max_entries=0
    [ "$(for i in {1..5}; do ask "$i"; done)" = "$wanted" ]
    stop_daemon
    find "$folder/kv" -type f -exec sh -c 'printf garbage | dd of="$1" bs=1 seek=100 conv=notrunc status=none' _ {} \;
    start_daemon --set memory.prefix_cache_folder="$BATS_TEST_TMPDIR/kv" --set results.max_entries=0
    [ "$(for i in {1..5}; do ask "$i"; done)" = "$wanted" ]
}

@test "the disk is full: caches on disk are given up, answers go on" {
    unshare -rm sh -c "mkdir '$BATS_TEST_TMPDIR/small' && mount -t tmpfs -o size=64k,mode=700 tmpfs '$BATS_TEST_TMPDIR/small'" || skip "nothing can be mounted here"
    cat >"$BATS_TEST_TMPDIR/launch" <<'END'
#!/bin/sh
mount -t tmpfs -o size=64k,mode=700 tmpfs "$SMALL" && exec "$@"
END
    chmod +x "$BATS_TEST_TMPDIR/launch"
    export SMALL=$BATS_TEST_TMPDIR/small
    launch="unshare -rm $BATS_TEST_TMPDIR/launch" start_daemon --set memory.prefix_cache_folder="$SMALL" --set results.max_entries=0
    ask() { by_socket http://h/v1/completions -d "{\"prompt\":\"$(printf "$1 there was a little girl %.0s" {1..30})\",\"seed\":1,\"max_tokens\":20}" | jq -er '.choices[0].text'; }
    first=$(for i in {1..6}; do ask "$i"; done)
    [ "$(for i in {1..6}; do ask "$i"; done)" = "$first" ]
    until_true logs "$SMALL"
    [ "$(grep -c "warning.*$SMALL" "$folder/log")" = 1 ]
}

@test "nobody takes the log: answers go on" {
    start_daemon
    kill -TERM "$(pid)"
    until_true is_gone "$(pid)"
    env -u HOB_MODEL "$HOB" serve --config "$folder/config.toml" --socket "$socket" 2>/dev/full 3>&- &
    echo $! >"$folder/pid"
    until_true is_idle
    say stories 1 10
}

@test "a model's file disappears: what is open goes on, opening it anew is refused until it is back" {
    cp "$models/stories260k/model-q8_0.gguf" "$BATS_TEST_TMPDIR/mine.gguf"
    more_config="
[models.mine]
path = \"$BATS_TEST_TMPDIR/mine.gguf\"" start_daemon
    wanted=$(say mine 3 40)
    mv "$folder/mine.gguf" "$folder/away.gguf"
    [ "$(say mine 3 40)" = "$wanted" ]
    post /api/generate '{"model":"mine","keep_alive":0}'
    is_cold() { by_socket http://h/hob/status | jq -e '.models[] | select(.name == "mine") | .state == "cold"'; }
    until_true is_cold
    post /v1/completions '{"model":"mine","prompt":"x"}'
    [ "$status" -eq 404 ]
    [ "$(field .error.code)" = model_not_found ]
    [[ $(field .error.message) == *mine.gguf* ]]
    post /api/generate '{"model":"mine","prompt":"x"}'
    [ "$status" -eq 404 ]
    [[ $(field .error) == *mine.gguf* ]]
    post /v1/messages '{"model":"mine","max_tokens":1,"messages":[{"role":"user","content":"x"}]}'
    [ "$status" -eq 404 ]
    [ "$(field .error.type)" = not_found_error ]
    say stories 3 4
    mv "$folder/away.gguf" "$folder/mine.gguf"
    is_back() { [ "$(say mine 3 40)" = "$wanted" ]; }
    until_true is_back
}

@test "a model's file becomes another thing while it is open, and broken when it is opened" {
    cp "$models/stories260k/model-q8_0.gguf" "$BATS_TEST_TMPDIR/mine.gguf"
    more_config="
[models.mine]
path = \"$BATS_TEST_TMPDIR/mine.gguf\"" start_daemon
    wanted=$(say mine 3 40)
    head -c 100000 "$folder/mine.gguf" >"$folder/half.gguf"
    mv "$folder/half.gguf" "$folder/mine.gguf" # as every installer does it: the old file lives on for those who have it
    [ "$(say mine 3 40)" = "$wanted" ]
    post /api/generate '{"model":"mine","keep_alive":0}'
    fails() {
        post /v1/completions '{"model":"mine","prompt":"x"}'
        [ "$status" -eq 500 ]
    }
    until_true fails
    [[ $(field .error.message) == *mine.gguf* ]]
    say stories 3 4
}

@test "SIGHUP under load: no request is lost, new names come, a broken file changes nothing" {
    start_daemon --set results.max_entries=0
    cp "$folder/config.toml" "$folder/one"
    (cat "$folder/one"; printf '[models.newcomer]\npath = "%s"\n' "$models/stories260k/model-q8_0.gguf") >"$folder/two"
    (cat "$folder/two"; printf 'what = = this\n') >"$folder/broken"
    load_it --seconds 3 --clients 12 --requests 12 --embedder embedder --aborts 0.05 3>&- &
    load=$!
    for _ in {1..10}; do
        for config in two broken one; do
            cp "$folder/$config" "$folder/config.new"
            mv "$folder/config.new" "$folder/config.toml"
            kill -HUP "$(pid)"
            sleep 0.05
        done
    done
    cp "$folder/two" "$folder/config.toml"
    kill -HUP "$(pid)"
    wait $load
    has() { by_socket http://h/v1/models | jq -e '.data | any(.id == "newcomer")'; }
    until_true has
    logs "stays as it was"
    say newcomer 1 4
}

@test "a queue that is full and clients that are too many: each is answered or told when to come again" {
    start_daemon --set scheduler.max_running=1 --set scheduler.max_queue=2 --set results.max_entries=0
    wanted=$(say stories 5 100)
    ask() {
        curl -s -m 60 --unix-socket "$socket" -o "$folder/answer.$1" -D "$folder/head.$1" -w '%{http_code}\n' http://h/v1/completions \
            -d '{"model":"stories","prompt":"Once upon a time there was","seed":5,"max_tokens":100,"temperature":0.9,"ignore_eos":true}'
    }
    askers=()
    for i in {1..24}; do
        ask "$i" >"$folder/status.$i" 3>&- &
        askers+=($!)
    done
    wait "${askers[@]}"
    served=0
    for i in {1..24}; do
        case $(<"$folder/status.$i") in
            200) served=$((served + 1)) && [ "$(jq -r '.choices[0].text' "$folder/answer.$i")" = "$wanted" ] ;;
            429) grep -qi '^retry-after: [1-9]' "$folder/head.$i" ;;
            *) false ;;
        esac
    done
    [ "$served" -ge 1 ]
    [ "$(say stories 5 100)" = "$wanted" ]
}

@test "a deadline passes in the queue: 504" {
    start_daemon --set scheduler.max_running=1 --set scheduler.deadline_s=0.5 --set results.max_entries=0
    clients=()
    for i in {1..8}; do
        stream "$i" "$folder/stream.$i" # each of them for longer than all may take
        clients+=($!)
    done
    post /v1/chat/completions '{"n":128,"max_tokens":400,"ignore_eos":true,"messages":[{"role":"user","content":"x"}]}'
    [ "$status" = 504 ]
    wait "${clients[@]}"
    until_true is_idle
    say stories 1 4
}

@test "memory that holds no model: it is refused with both numbers" {
    launch_daemon --set memory.max_bytes=500000
    post /v1/completions '{"model":"stories","prompt":"x"}'
    [ "$status" -eq 500 ]
    [ "$(field .error.code)" = out_of_memory ]
    [[ $(field .error.message) =~ [0-9.]+\ MiB.*found\ [0-9.]+\ MiB ]]
    get /health
    [ "$status" -eq 503 ]
}

@test "little memory: what is kept of finished texts keeps no model out" {
    start_daemon --set memory.max_bytes=8MiB --set memory.cache_tokens=512
    say stories 1 4
}

@test "descriptors run out: who is there is served, others wait" {
    launch="prlimit --nofile=48" start_daemon
    mkfifo "$folder/end"
    timeout 60 "$python" tests/server/sockets.py "$socket" hold 60 <"$folder/end" >"$folder/held" 3>&- &
    holder=$!
    exec 9>"$folder/end"
    until_true logs "no connection can be accepted"
    kill -0 "$(pid)"
    exec 9>&-
    wait $holder
    until_true is_idle
    say stories 1 4
}

@test "a stop under load: what is under way ends as it would have, new clients find nobody" {
    start_daemon --set results.max_entries=0 --set server.stop_timeout_s=200
    for i in {1..4}; do
        stream "$i" "$folder/alone.$i" 100
        wait $!
    done
    clients=()
    for i in {1..4}; do
        stream "$i" "$folder/stream.$i" 100
        clients+=($!)
    done
    for i in {1..4}; do until_true test -s "$folder/stream.$i"; done
    kill -TERM "$(pid)"
    for client in "${clients[@]}"; do wait "$client"; done
    until_true is_gone "$(pid)"
    wait "$(pid)" # which fails where it did not end with 0
    texts() { sed -n 's/^data: {/{/p' "$1" | jq -c '.choices[0] | select(. != null) | [.index, .text]' | jq -sc 'group_by(.[0]) | map(map(.[1]) | add)'; }
    for i in {1..4}; do [ "$(texts "$folder/stream.$i")" = "$(texts "$folder/alone.$i")" ]; done
    rm "$folder/pid"
    run ! by_socket http://h/health
}

@test "a stop that takes too long: after stop_timeout_s it ends anyway" {
    start_daemon --set server.stop_timeout_s=0.2 --set scheduler.max_running=1
    for i in {1..12}; do stream "$i" "$folder/stream.$i"; done
    until_true test -s "$folder/stream.1"
    kill -TERM "$(pid)"
    until_true is_gone "$(pid)"
    wait "$(pid)"
    rm "$folder/pid"
    logs "stop_timeout_s is over" || logs "stopped"
}
