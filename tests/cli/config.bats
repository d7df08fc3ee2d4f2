# hob config: check, show and path, over a home of the test's own.

load program

setup() {
    export HOME=$BATS_TEST_TMPDIR XDG_CONFIG_DIRS=$BATS_TEST_TMPDIR/etc
    unset XDG_CONFIG_HOME XDG_DATA_HOME XDG_STATE_HOME XDG_CACHE_HOME XDG_RUNTIME_DIR HOB_CONFIG
    user=$HOME/.config/hob/config.toml
    mkdir -p "$(dirname "$user")"
}

@test "without files: defaults, valid TOML, and where they come from" {
    hob config show
    [ "$status" -eq 0 ]
    [ -z "$errors" ]
    [[ $output == *$'\nmax_body_bytes = "16MiB"  # default\n'* ]]
    [[ $output == *"socket_path = \"$HOME/.local/state/hob/run/hob/hob.sock\"  # default"* ]]
    hob config check
    [ "$status" -eq 0 ]
    [ "$output" = $'no file to read: defaults and the environment\nnothing wrong' ]
}

@test "show prints each layer's value with its origin" {
    mkdir -p "$XDG_CONFIG_DIRS/hob"
    echo 'beam_width = 2' >"$XDG_CONFIG_DIRS/hob/config.toml"
    printf '\nthreads = 2\n' >"$user"
    HOB_MAX_QUEUE=7 hob config show --set server.listen=127.0.0.1:0,fd:3
    [ "$status" -eq 0 ]
    [[ $output == *"beam_width = 2  # $XDG_CONFIG_DIRS/hob/config.toml:1"* ]]
    [[ $output == *"threads = 2  # $user:2"* ]]
    [[ $output == *"max_queue = 7  # environment HOB_MAX_QUEUE"* ]]
    [[ $output == *'listen = ["127.0.0.1:0", "fd:3"]  # flag server.listen'* ]]
}

@test "what show prints can be read again, by others too" {
    printf 'quantization = "q4_0"\n[models."a \\"b"]\npath = "/dev/null"\n' >"$user"
    hob config show
    [ "$status" -eq 0 ]
    printf '%s\n' "$output" >"$BATS_TEST_TMPDIR/shown.toml"
    hob config check "$BATS_TEST_TMPDIR/shown.toml"
    [ "$status" -eq 0 ]
    "$python" -c 'import sys, tomllib
found = tomllib.load(open(sys.argv[1], "rb"))
assert found["quantization"] == "q4_0" and found["models"]["a \"b"]["path"] == "/dev/null", found' "$BATS_TEST_TMPDIR/shown.toml"
}

@test "show --json has numbers in bytes and seconds, and places" {
    printf '[server]\nmax_body_bytes = "1MiB"\nread_timeout_s = "1m"\n' >"$user"
    hob config show --json
    [ "$status" -eq 0 ]
    [ "$(jq -r '.values["server.max_body_bytes"] | [.value, .from, .name, .line, .column] | @tsv' <<<"$output")" = \
        "1048576	file	$user	2	18" ]
    [ "$(jq '.values["server.read_timeout_s"].value' <<<"$output")" = 60 ] || [ "$(jq '.values["server.read_timeout_s"].value' <<<"$output")" = 60.0 ]
    [ "$(jq -c '.values.model_path' <<<"$output")" = '{"value":null,"from":"default"}' ]
    [ "$(jq -c .files <<<"$output")" = "[\"$user\"]" ]
}

@test "check tells every fault and exits with 1" {
    printf 'beam_widht = 5\nthreads = "2"\n[server]\nmax_body_bytes = "12XB"\n[log\n' >"$user"
    hob config check
    [ "$status" -eq 1 ]
    [ "$output" = "read $user" ]
    [ "${#stderr_lines[@]}" -eq 4 ]
    [[ $errors == *"hob: $user:1:1: beam_widht: found an unknown key; did you mean beam_width?"* ]]
    [[ $errors == *"hob: $user:2:11: threads: found \"2\", expected a whole number from 0 to 256"* ]]
    [[ $errors == *"hob: $user:4:18: server.max_body_bytes: found \"12XB\", expected a size"* ]]
    [[ $errors == *"hob: $user:5:5: found the end of the line in a header, expected ]"* ]]
    hob config check --json
    [ "$status" -eq 1 ]
    [ "$(jq '.faults | length' <<<"$output")" -eq 4 ]
    [ "$(jq -r '.files[] | select(.is_there) | .path' <<<"$output")" = "$user" ]
    hob config show
    [ "$status" -eq 1 ]
    [ -z "$output" ]
}

@test "check of a file reads that one alone" {
    echo 'x = 1' >"$user"
    echo 'threads = 2' >"$BATS_TEST_TMPDIR/good.toml"
    hob config check "$BATS_TEST_TMPDIR/good.toml"
    [ "$status" -eq 0 ]
    hob config check --config "$BATS_TEST_TMPDIR/good.toml"
    [ "$status" -eq 0 ]
    HOB_CONFIG=$BATS_TEST_TMPDIR/good.toml hob config check
    [ "$status" -eq 0 ]
    hob config check "$BATS_TEST_TMPDIR/missing.toml"
    [ "$status" -eq 1 ]
    [[ $errors == "hob: $BATS_TEST_TMPDIR/missing.toml: No such file or directory" ]]
    hob config check
    [ "$status" -eq 1 ]
}

@test "the file that people already have needs no change" {
    need_shared
    hob config check "$shared/seed-config.toml"
    [ "$status" -eq 0 ]
    [[ $output == *"nothing wrong" ]]
    hob config show --config "$shared/seed-config.toml"
    [[ $output == *'socket_path = "/tmp/ai_autocorrect.sock"  # '* ]]
    [[ $output == *'quantization = true  # '* ]]
}

@test "other programs' variables are named, not read" {
    OLLAMA_HOST=0.0.0.0 OLLAMA_KEEP_ALIVE=-1 HOB_MAX_QUEU=1 hob config check
    [ "$status" -eq 0 ]
    [[ $errors == *"hob: note: OLLAMA_HOST: not read; ours is HOB_HOST"* ]]
    [[ $errors == *"hob: note: OLLAMA_KEEP_ALIVE: not read; ours is HOB_KEEP_ALIVE"* ]]
    [[ $errors == *"hob: note: HOB_MAX_QUEU: not read; did you mean HOB_MAX_QUEUE?"* ]]
}

@test "path prints the files in the order in which they are read" {
    touch "$user"
    hob config path
    [ "$status" -eq 0 ]
    [ "$output" = "$XDG_CONFIG_DIRS/hob/config.toml  (not there)"$'\n'"$user" ]
    hob config path --json
    [ "$(jq -c '[.[] | [.kind, .is_there]]' <<<"$output")" = '[["system",false],["user",true]]' ]
}

@test "called wrongly" {
    hob config
    is_usage_error "expected check, show or path"
    hob config chek
    is_usage_error "found 'chek'"
    hob config show a
    is_usage_error "show: found 1 words behind it"
    hob config check a b
    is_usage_error "at most one FILE"
    hob config show --set threads
    is_usage_error "--set: found 'threads', expected KEY=VALUE"
    hob config check --set thread=1
    [ "$status" -eq 1 ]
    [[ $errors == "hob: thread: found an unknown key; did you mean threads?" ]]
}
