# The line protocols of ../shared/seed-clients.md, with nc as people use it.

load daemon
python=$(command -v /usr/bin/python3 || command -v python3)

setup_file() {
    [ -d "$models" ] || return 0
    start_daemon --set beam_width=5 --set server.max_header_bytes=4KiB --set server.read_timeout_s=1
}
teardown_file() { stop_daemon; }
setup() { need_shared; }

ask() { timeout 10 nc -U "$@" "$socket"; }

is_answer() { # COUNT: one line, so many suggestions
    echo "answer: $output"
    [ "${#lines[@]}" -eq 1 ] && [ "$(jq '.suggestions | length' <<<"$output")" = "$1" ] &&
        jq -e '.suggestions | all(length > 0 and (contains("\n") | not)) and length == (unique | length)' <<<"$output"
}

@test "text alone, with a client that ends its sending and one that does not" {
    run bash -c "printf 'Once upon a time' | timeout 10 nc -N -U '$socket'"
    is_answer 5
    first=$output
    run bash -c "printf 'Once upon a time' | timeout 10 nc -U '$socket'"
    [ "$output" = "$first" ]
    run bash -c "echo 'Once upon a time' | timeout 10 nc -U '$socket'"
    [ "$output" = "$first" ]
    [[ $(jq -r '.suggestions[0]' <<<"$first") == ", there was a little"* ]]
}

@test "a paragraph is one text" {
    run bash -c "printf 'Once upon a time.\nThere was\n' | timeout 10 nc -U '$socket'"
    is_answer 5
}

@test "a Lua table as vim.inspect prints it" {
    run bash -c "printf '{ text = \"Once upon a time\" }' | timeout 10 nc -U '$socket'"
    is_answer 5
    table=$output
    run bash -c "printf 'Once upon a time' | timeout 10 nc -U '$socket'"
    [ "$output" = "$table" ]
    run bash -c "printf '{\n  bufnr = 3,\n  n = 2,\n  pos = { 1, 2 },\n  text = \"She said \\\\\"\"\n}' | timeout 10 nc -U '$socket'"
    is_answer 2
}

@test "JSON, a line each, answered in order on one connection" {
    run bash -c "printf '{\"text\":\"Once\",\"n\":2,\"max_tokens\":4}\n{\"n\":3}\n\n{\"text\":\"The dog\",\"n\":1,\"max_tokens\":4}' | timeout 10 nc -N -U '$socket'"
    echo "$output"
    [ "${#lines[@]}" -eq 3 ]
    [ "$(jq '.suggestions | length' <<<"${lines[0]}")" = 2 ]
    [ "$(jq -r .error <<<"${lines[1]}")" = "text: expected a string" ]
    [ "$(jq '.suggestions | length' <<<"${lines[2]}")" = 1 ]
}

@test "many lines at once are all answered" {
    run bash -c "for i in {1..50}; do printf '{\"text\":\"Once %s\",\"n\":1,\"max_tokens\":2}\n' \$i; done | timeout 20 nc -N -U '$socket'"
    [ "${#lines[@]}" -eq 50 ]
}

@test "what makes no sense gets an error and an end" {
    run bash -c "head -c 300 /dev/urandom | timeout 10 nc -U '$socket'"
    jq -e .error <<<"$output"
    run bash -c "printf '{\"text\": garbage\n' | timeout 10 nc -U '$socket'"
    jq -e .error <<<"$output"
    run bash -c "printf '{ text = oops oops }' | timeout 10 nc -U '$socket'"
    jq -e .error <<<"$output"
    run bash -c "head -c 1000000 /dev/zero | tr '\0' a | timeout 10 nc -U '$socket'"
    [[ $(jq -r .error <<<"$output") == *"longer than 4096 bytes"* ]]
    run bash -c "printf '{\"text\":\"a\",\"n\":1000}\n' | timeout 10 nc -N -U '$socket'"
    [[ $(jq -r .error <<<"$output") == "n: found 1000, expected 1 to 64" ]]
    run bash -c "for i in {1..600}; do printf 'word '; done | timeout 10 nc -U '$socket'"
    [[ $(jq -r .error <<<"$output") == *"context"* ]]
}

@test "a table that does not end is given up" {
    run bash -c "printf '{ text = ' | timeout 10 nc -U '$socket'"
    jq -e .error <<<"$output"
}

@test "words that look like HTTP are text" {
    run bash -c "printf 'GET up and go' | timeout 10 nc -U '$socket'"
    is_answer 5
    run bash -c "printf 'POS' | timeout 10 nc -U '$socket'"
    is_answer 5
}

@test "a client that goes away before its answer" {
    timeout 10 "$python" tests/server/sockets.py "$socket" cut '{"text":"Once","n":8,"max_tokens":300}\n' 0 || true
    is_idle() { [ "$(curl -s --unix-socket "$socket" http://h/hob/status | jq '.running + .queued')" = 0 ]; }
    until_true is_idle
}
