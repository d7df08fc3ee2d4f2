# The daemon by the npm clients that people have, over TCP and through its socket.

load daemon

setup_file() {
    if [ -d "$models" ]; then start_daemon; fi
}

teardown_file() {
    stop_daemon
}

setup() {
    need_shared
}

# by_client PACKAGE SCRIPT: all of the script's checks.
by_client() {
    need_clients "$1"
    run node "tests/server/clients/$2" "$url" "$socket"
    echo "$output"
    [ "$status" -eq 0 ]
}

@test "npm openai" {
    by_client openai openai.mjs
}

@test "npm @anthropic-ai/sdk" {
    by_client @anthropic-ai/sdk anthropic.mjs
}

@test "npm ai with @ai-sdk/openai-compatible" {
    by_client @ai-sdk/openai-compatible ai-sdk.mjs
}
