#!/usr/bin/env bats
# hob prove-local: of a daemon without the network, of one with TCP, of none.

load daemon

setup() {
    need_shared
}

teardown() {
    if [ -f "$BATS_TEST_TMPDIR/pid" ]; then kill "$(<"$BATS_TEST_TMPDIR/pid")" || true; fi
}

# serve ARGUMENT…: a daemon on the test's own socket.
serve() {
    env -u HOB_MODEL XDG_RUNTIME_DIR="$BATS_TEST_TMPDIR" "$HOB" serve --socket "$BATS_TEST_TMPDIR/hob.sock" "$@" >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
    echo $! >"$BATS_TEST_TMPDIR/pid"
    until_true curl -s --unix-socket "$BATS_TEST_TMPDIR/hob.sock" http://hob/hob/status
}

prove() {
    run --separate-stderr "$HOB" prove-local --socket "$BATS_TEST_TMPDIR/hob.sock" "$@"
}

@test "without a daemon: what the filter refuses" {
    prove
    [ "$status" -eq 0 ]
    [[ "$output" == "yes  the filter of --no-network works on this kernel (11 of 11 ways to a network refused)" ]]
    [[ "$stderr" == *"no daemon runs"* ]]
    prove --json
    [ "$(jq -c '[.proven, .daemon, (.claims | length)]' <<<"$output")" = '[true,false,1]' ]
}

@test "a daemon without the network: everything holds" {
    serve --no-network
    prove --json
    [ "$status" -eq 0 ]
    [ "$(jq -c '[.proven, .daemon]' <<<"$output")" = '[true,true]' ]
    [ "$(jq -c '[.claims[] | select(.required) | .holds] | all' <<<"$output")" = true ]
    [[ "$output" == *"0 of a network"* ]]
    prove
    [[ "$output" == *"yes  it has no socket but UNIX ones"* ]]
}

@test "a daemon on TCP: its sockets are this machine's, the filter is off" {
    serve --port 0
    prove
    [ "$status" -eq 0 ]
    [[ "$output" == *"no   it was started with --no-network"* ]]
    [[ "$output" == *"yes  none of its sockets leads beyond this machine"*"tcp 127.0.0.1:"* ]]
}

# Somebody who listens to the world is told.
@test "a daemon that listens to others: it does not hold" {
    echo key >"$BATS_TEST_TMPDIR/key"
    serve --listen tcp://0.0.0.0:0 --api-key-file "$BATS_TEST_TMPDIR/key"
    prove
    [ "$status" -eq 1 ]
    [[ "$output" == *"NO   none of its sockets leads beyond this machine"* ]]
}
