# What the tests of the daemon load: a daemon in the test's own folder, on a socket and a TCP port of its own, that ends with the test.
#
#     setup_file() { start_daemon; }
#     teardown_file() { stop_daemon; }
#     @test … { post /v1/completions '{"prompt": "x"}'; … }              $status: HTTP's; $output: the body
#
# Started in a test (or in setup), the daemon is that test's: its folder is the test's, and teardown stops it.
#
# The tests read what is set here:
# shellcheck disable=SC2034

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

# until_true COMMAND…: tried for a minute, since the machine may be busy with other things.
until_true() {
    local i
    for ((i = 0; i < 2400; i++)); do
        if "$@" >/dev/null 2>&1; then return 0; fi
        sleep 0.025
    done
    echo "never true: $*" >&2
    return 1
}

is_ready() {
    curl -fs "$url/health"
}

# launch_daemon ARGUMENT…: of hob serve. Sets url, socket and folder; it answers, though not yet for its models. $more_config is added to
# the configuration; pinned=false: nothing is opened before it is asked for; $launch stands before hob.
launch_daemon() {
    export folder=${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}
    export socket=$folder/hob.sock
    cat >"$folder/config.toml" <<EOF
[models.stories]
path = "$models/stories260k/model-f32.gguf"
pinned = ${pinned-true}
[models.embedder]
path = "$models/bert-tiny-random"
${more_config-}
EOF
    rm -f "$folder/log" # of an earlier one
    # shellcheck disable=SC2086
    env -u HOB_MODEL XDG_RUNTIME_DIR="$folder" ${launch-} "$HOB" serve --config "$folder/config.toml" --socket "$socket" --port 0 "$@" \
        >"$folder/log" 2>&1 3>&- &
    echo $! >"$folder/pid"
    until_true grep -q 'http://127.0.0.1:' "$folder/log" || { cat "$folder/log" >&2; return 1; }
    url=$(grep -om1 'http://127.0.0.1:[0-9]*' "$folder/log")
    export url
}

# start_daemon ARGUMENT…: the same, and its pinned models are open.
start_daemon() {
    launch_daemon "$@"
    until_true is_ready || { tail -n 20 "$folder/log" >&2; return 1; }
}

is_gone() {
    ! kill -0 "$1"
}

# Ends it and looks at what it said last: a sanitizer speaks up there.
stop_daemon() {
    local pid where=${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}
    [ -f "$where/pid" ] || return 0
    pid=$(<"$where/pid")
    kill "$pid"
    until_true is_gone "$pid" || kill -9 "$pid"
    if grep -qE 'Sanitizer|runtime error' "$where/log"; then
        grep -v ' info ' "$where/log" >&2
        return 1
    fi
}

# A sanitizer makes it many times slower, and keeps memory that was given back.
is_sanitized() {
    grep -qE '__(asan|tsan)_init' "$HOB"
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
