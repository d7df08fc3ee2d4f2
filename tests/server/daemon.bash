# What the tests of the daemon load: a daemon in the test's own folder, on a socket and a TCP port of its own, that ends with the test.
#
#     setup_file() { start_daemon; }
#     teardown_file() { stop_daemon; }
#     @test … { post /v1/completions '{"prompt": "x"}'; … }              $status: HTTP's; $output: the body

bats_require_minimum_version 1.5.0
HOB=$(realpath -m "${HOB:-build/hob}")
models=$(cd .. && pwd)/shared/models
clients=${HOB_CLIENTS:-${XDG_CACHE_HOME:-$HOME/.cache}/hob-clients}

need_shared() {
    [ -d "$models" ] || skip "../shared is absent"
}

# need_clients PACKAGE: npm packages that tools/deps installs.
need_clients() {
    command -v node >/dev/null || skip "node is absent"
    [ -d "$clients/node_modules/$1" ] || skip "the npm package $1 is absent: tools/deps clients"
    if [ -d "$clients" ]; then export HOB_CLIENTS=$clients; fi
}

# until_true COMMAND…: tried for ten seconds.
until_true() {
    for ((i = 0; i < 400; i++)); do
        if "$@" >/dev/null 2>&1; then return 0; fi
        sleep 0.025
    done
    echo "never true: $*" >&2
    return 1
}

listens_by_tcp() {
    url=$(grep -om1 'http://127.0.0.1:[0-9]*' "$folder/log") && curl -fs "$url/health"
}

# start_daemon ARGUMENT…: of hob serve. Sets url, socket and folder for the file's tests. $more_config is added to the configuration.
start_daemon() {
    export folder=$BATS_FILE_TMPDIR
    export socket=$folder/hob.sock
    cat >"$folder/config.toml" <<EOF
[models.stories]
path = "$models/stories260k/model-f32.gguf"
pinned = true
[models.embedder]
path = "$models/bert-tiny-random"
${more_config-}
EOF
    env -u HOB_MODEL XDG_RUNTIME_DIR="$folder" "$HOB" serve --config "$folder/config.toml" --socket "$socket" --port 0 "$@" \
        >"$folder/log" 2>&1 3>&- &
    echo $! >"$folder/pid"
    until_true listens_by_tcp || { cat "$folder/log" >&2; return 1; }
    url=$(grep -om1 'http://127.0.0.1:[0-9]*' "$folder/log")
    export url
}

is_gone() {
    ! kill -0 "$1"
}

# Ends it and looks at what it said last: a sanitizer speaks up there.
stop_daemon() {
    [ -f "$BATS_FILE_TMPDIR/pid" ] || return 0
    local pid
    pid=$(<"$BATS_FILE_TMPDIR/pid")
    kill "$pid"
    until_true is_gone "$pid" || kill -9 "$pid"
    if grep -qE 'Sanitizer|runtime error' "$BATS_FILE_TMPDIR/log"; then
        grep -v ' info ' "$BATS_FILE_TMPDIR/log" >&2
        return 1
    fi
}

# request METHOD PATH [BODY] [CURL'S ARGUMENT…]: $status is HTTP's, $output the body; headers are in $folder/headers.
request() {
    local method=$1 path=$2 body=${3-}
    shift 2
    [ $# -gt 0 ] && shift
    status=$(curl -sS -X "$method" ${body:+-H 'Content-Type: application/json' --data-binary "$body"} -D "$folder/headers" -o "$folder/body" \
        -w '%{http_code}' "$@" "$url$path")
    output=$(<"$folder/body")
}

post() {
    request POST "$@"
}

get() {
    request GET "$@"
}

# field FILTER: of the last reply, by jq.
field() {
    jq -r "$1" <<<"$output"
}
