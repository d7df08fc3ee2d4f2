# HTTP as such: who may ask, bodies and headers of every size, connections that are slow, silent or gone.

load daemon
python=$(command -v /usr/bin/python3 || command -v python3)

setup_file() {
    [ -d "$models" ] || return 0
    printf '# keys\nsecret-key\n' >"$BATS_FILE_TMPDIR/keys"
    start_daemon --set server.allowed_origins=https://good.example --set server.read_timeout_s=1 --set server.write_timeout_s=1
}
teardown_file() { stop_daemon; }
setup() { need_shared; }

by_socket() { curl -s -m 20 --unix-socket "$socket" "$@"; }
code_of() { by_socket -o /dev/null -w '%{http_code}' "$@"; }
sockets() { timeout 30 "$python" tests/server/sockets.py "$@"; }
value_of() { by_socket http://h/hob/status | jq "$1"; }
resident_kb() { awk '/^RssAnon/ {print $2}' "/proc/$(<"$folder/pid")/status"; }

@test "the same answer by UNIX socket and TCP, with HEAD and HTTP/1.0, on one connection" {
    [ "$(by_socket http://h/health)" = '{"status":"ok"}' ]
    [ "$(curl -s "$url/v1/health")" = '{"status":"ok"}' ]
    [ "$(by_socket -0 http://h/health)" = '{"status":"ok"}' ]
    [ "$(by_socket http://h/)" = "Ollama is running" ]
    head=$(by_socket -I http://h/health)
    [[ $head == "HTTP/1.1 200"* && $head == *"Content-Length: 15"* && $head == *"Server: hob/"* ]]
    [ "$(by_socket -o /dev/null -o /dev/null -w '%{num_connects} ' http://h/health http://h/health)" = "1 0 " ]
}

@test "paths and methods that are none" {
    [ "$(code_of http://h/nope)" = 404 ]
    [ "$(by_socket -X DELETE http://h/health | jq -r .error.type)" = "method not allowed" ]
    by_socket -i -X DELETE http://h/health | grep -qi '^allow: GET, HEAD'
}

@test "request ids are the client's where they are sound" {
    by_socket -i -H 'x-request-id: mine-1' http://h/health | grep -q '^x-request-id: mine-1'
    by_socket -i -H 'x-request-id: a b"c' http://h/health | grep -q '^x-request-id: req_'
    grep -q 'id=mine-1' "$folder/log"
}

@test "headers that mean two things are refused" {
    for twice in 'Host: evil.com' 'Origin: http://localhost\r\nOrigin: https://good.example' 'Content-Length: 0\r\nTransfer-Encoding: chunked' \
        'x-api-key: a\r\nX-API-Key: b' 'Content-Length: 0\r\nContent-Length: 1'; do
        run sockets "${url#http://}" half "GET /health HTTP/1.1\r\nHost: localhost\r\n$twice\r\n\r\n0\r\n\r\n"
        [[ $output == "HTTP/1.1 400"* && $output == *"expected one"* ]]
    done
}

@test "foreign hosts and origins are refused, by TCP" {
    [ "$(curl -s -o /dev/null -w '%{http_code}' -H 'Host: evil.com' "$url/health")" = 403 ]
    [ "$(curl -s -o /dev/null -w '%{http_code}' -H 'Host: localhost:1' "$url/health")" = 200 ]
    [ "$(curl -s -o /dev/null -w '%{http_code}' -H 'Origin: https://evil.com' "$url/health")" = 403 ]
    [ "$(by_socket -o /dev/null -w '%{http_code}' -H 'Host: evil.com' http://h/health)" = 200 ]
}

@test "CORS for configured origins alone" {
    run curl -s -i -H 'Origin: https://good.example' "$url/health"
    [[ $output == *"Access-Control-Allow-Origin: https://good.example"* ]]
    run curl -s -i -X OPTIONS -H 'Origin: https://good.example' -H 'Access-Control-Request-Method: POST' \
        -H 'Access-Control-Request-Headers: content-type' "$url/v1/completions"
    [[ $output == "HTTP/1.1 204"* && $output == *"Access-Control-Allow-Headers: content-type"* ]]
    run curl -s -i "$url/health"
    [[ $output != *"Access-Control"* ]]
    run curl -s -i -X OPTIONS -H 'Origin: https://evil.com' -H 'Access-Control-Request-Method: POST' "$url/v1/completions"
    [[ $output == "HTTP/1.1 403"* && $output != *"Access-Control"* ]]
}

@test "bodies that are no JSON object" {
    post='http://h/v1/completions'
    run by_socket $post -H 'Content-Type: application/json' -d $'{"prompt":\n "a" "b"}'
    [[ $output == *"line 2, column"* ]]
    [ "$(code_of $post -d '{"prompt":')" = 400 ]
    [ "$(code_of $post -H 'Content-Type: application/json' -d '[]')" = 400 ]
    [ "$(code_of $post -d '')" = 400 ]
    [ "$(code_of $post -d 'a=1')" = 415 ]
    [ "$(code_of $post -H 'Content-Type: text/plain' -d '{}')" = 415 ]
    [ "$(code_of $post -H 'Content-Type: application/json' -d "$(printf '[%.0s' {1..5000})")" = 400 ]
}

@test "curl's own type will do, and of keys that come twice the last counts" {
    run by_socket http://h/v1/completions -d '{"prompt": "x", "prompt": "Once upon", "max_tokens": 900, "max_tokens": 2, "temperature": 0}'
    [ "$(jq .usage.completion_tokens <<<"$output")" = 2 ]
    [ "$(jq .usage.prompt_tokens <<<"$output")" = 3 ]
}

@test "100 MB bodies are refused and not kept" {
    before=$(resident_kb)
    for how in "-H x:y" "-H Expect:" "-H Expect: -H Transfer-Encoding:chunked"; do
        # shellcheck disable=SC2086
        code=$(head -c 100000000 /dev/zero | by_socket -o /dev/null -w '%{http_code}' $how -H 'Content-Type: application/json' \
            --data-binary @- http://h/v1/completions)
        [ "$code" = 413 ]
    done
    after=$(resident_kb)
    echo "resident before $before kB, behind it $after kB"
    case $HOB in *-address* | *-thread*) ;; *) ((after < before + 60000)) ;; esac # sanitizers keep what is freed
    [ "$(code_of http://h/health)" = 200 ]
}

@test "headers that are too large" {
    [[ $(code_of -H "x-long: $(head -c 110000 /dev/zero | tr '\0' a)" http://h/health) == 4* ]]
    [ "$(code_of http://h/health)" = 200 ]
}

@test "a request that arrives too slowly gets 408" {
    for address in "$socket" "${url#http://}"; do
        run sockets "$address" trickle 'GET /health HTTP/1.1\r\nHost: localhost\r\nx-one: 1\r\n' 0.05
        [[ $output == "HTTP/1.1 408 "* ]]
    done
    run sockets "$socket" trickle 'GET /health HTTP/1.0\r\n\r\n' 0.01
    [[ $output == *'{"status":"ok"}' ]]
}

@test "garbage by TCP" {
    run sockets "${url#http://}" half '\0\1\2\n\r\n\r\n'
    [[ $output != *'suggestions'* ]]
    run sockets "${url#http://}" half 'the quick brown\r\n\r\n'
    [[ $output != *'suggestions'* ]]
    [ "$(code_of http://h/health)" = 200 ]
}

@test "a client that ends its sending is answered by the UNIX socket" {
    run sockets "$socket" half 'GET /health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n'
    [[ $output == *'{"status":"ok"}' ]]
}

long='{"prompt":"Once upon a time","max_tokens":450,"n":16,"temperature":1,"stream":true}'
request="POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${#long}\r\n\r\n$long"
is_idle() { [ "$(value_of '.running + .queued')" = 0 ]; }
has_cancelled() { grep -q 'path=/v1/completions status=499' "$folder/log"; }

@test "a client that goes away in the middle of a stream ends its job" {
    for address in "$socket" "${url#http://}"; do
        : >"$folder/log"
        sockets "$address" cut "$request" 200
        until_true has_cancelled
        until_true is_idle
    done
}

@test "a client that reads nothing is cut, and its job ends" {
    run sockets "$socket" stuck "$request"
    [ "$output" = closed ]
    until_true is_idle
    [ "$(code_of http://h/health)" = 200 ]
}

@test "ten thousand connections that say nothing" {
    (($(ulimit -Hn) >= 20000)) || skip "at most $(ulimit -Hn) descriptors"
    ulimit -n "$(ulimit -Hn)"
    before=$(resident_kb)
    mkfifo "$BATS_TEST_TMPDIR/end"
    timeout 60 "$python" tests/server/sockets.py "$socket" hold 10000 <"$BATS_TEST_TMPDIR/end" >"$BATS_TEST_TMPDIR/held" 3>&- &
    exec 9>"$BATS_TEST_TMPDIR/end"
    until_true grep -q held "$BATS_TEST_TMPDIR/held"
    holds() { by_socket http://h/metrics | grep -Eq '^hob_connections\{kind="idle"\} (10000|1e\+04)$'; }
    until_true holds
    [ "$(by_socket http://h/health)" = '{"status":"ok"}' ]
    after=$(resident_kb)
    echo "resident before $before kB, with them $after kB"
    exec 9>&-
    wait
    let_go() { by_socket http://h/metrics | grep -Eq '^hob_connections\{kind="idle"\} [0-9]$'; }
    until_true let_go
}

@test "the document of the routes has them all" {
    run by_socket http://h/openapi.json
    [ "$(jq -r .openapi <<<"$output")" = 3.1.0 ]
    # every row that is not hidden, by its method and path, has a summary, a reply, and a schema where it takes a body
    jq -e '[.paths[][] | select((.summary | length) > 0 and .responses["200"].description and (.operationId | length) > 0)] | length > 20' \
        <<<"$output"
    jq -e '[.paths[][].operationId] | length == (unique | length)' <<<"$output"
    jq -e '.paths["/v1/completions"].post.requestBody.content["application/json"].schema.properties.prompt' <<<"$output"
    jq -e '.paths | to_entries | all(.key as $path | .value[] |
           ([$path | scan("{[a-z_]+}")] | length) == (.parameters | map(select(.in == "path")) | length))' <<<"$output"
    jq -e '.paths["/health"].get.security == []' <<<"$output"
}

@test "every row of routes.def that is not hidden is in the document" {
    document=$(by_socket http://h/openapi.json)
    "$python" - "$document" <<'END'
import json, pathlib, re, sys
paths = json.loads(sys.argv[1])["paths"]
shown = {(method.upper(), path) for path, methods in paths.items() for method in methods}
rows = set()
for file in pathlib.Path("src/server/routes").glob("*.c"):
    text = file.read_text()
    for body in re.findall(r"const struct route_def route_\w+ = \{(.*?)\n\};", text, re.S):
        method, path = re.search(r'\.method = "(\w+)"', body), re.search(r'\.path = "([^"]+)"', body)
        if method and path and "ROUTE_IS_HIDDEN" not in body:
            rows.add((method[1], path[1]))
assert rows == shown, rows ^ shown
END
}
