# OpenAI's and Anthropic's APIs as bytes: what their own clients (clients.bats) do not show.

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

@test "a streamed completion: chunks, usage, [DONE], a content type" {
    post /v1/completions '{"model":"stories","prompt":"Once upon a time","temperature":0,"max_tokens":3,"stream":true,"stream_options":{"include_usage":true}}'
    [ "$status" -eq 200 ]
    grep -qi '^content-type: text/event-stream' "$folder/headers"
    [ "$(tail -c 16 "$folder/body")" = "$(printf '\n\ndata: [DONE]\n\n')" ]
    grep -v '^$' "$folder/body" | grep -qv '^data: ' && return 1
    chunks=$(grep '^data: {' "$folder/body" | cut -c7-)
    jq -se 'all(.object == "text_completion") and (map(.id) | unique | length) == 1' <<<"$chunks"
    jq -se '.[-1].choices == [] and .[-1].usage.completion_tokens == 3 and .[-2].choices[0].finish_reason == "length"' <<<"$chunks"
}

@test "a streamed chat begins with the role and ends with a reason" {
    post /v1/chat/completions '{"messages":[{"role":"user","content":"Hi"}],"temperature":0,"max_tokens":3,"stream":true}'
    [ "$status" -eq 200 ]
    chunks=$(grep '^data: {' "$folder/body" | cut -c7-)
    jq -se '.[0].choices[0].delta.role == "assistant" and .[-1].choices[0].finish_reason == "length"' <<<"$chunks"
    jq -se 'all(.usage == null)' <<<"$chunks"
    [ "$(grep -c '^data: \[DONE\]' "$folder/body")" -eq 1 ]
}

@test "streamed messages and responses have names for their events" {
    post /v1/messages '{"max_tokens":3,"messages":[{"role":"user","content":"Hi"}],"temperature":0,"stream":true}'
    [ "$status" -eq 200 ]
    [ "$(grep -c '^event: ' "$folder/body")" -eq "$(grep -c '^data: ' "$folder/body")" ]
    [ "$(grep '^event: ' "$folder/body" | head -2 | tr '\n' ' ')" = "event: message_start event: ping " ]
    grep -qi '^request-id: ' "$folder/headers"
    post /v1/responses '{"input":"Hi","max_output_tokens":3,"temperature":0,"stream":true}'
    [ "$status" -eq 200 ]
    [ "$(grep '^event: ' "$folder/body" | tail -1)" = "event: response.incomplete" ]
    while read -r name && read -r data; do [ "$name" = "$(jq -r .type <<<"$data")" ]; done \
        < <(sed -n 's/^event: //p; s/^data: //p' "$folder/body")
}

@test "one seed and one prompt give the same bytes through every API and the command" {
    request='"temperature":0.8,"seed":7,"max_tokens":24'
    expected=$("$HOB" complete -m "$models/stories260k/model-f32.gguf" --temperature 0.8 --seed 7 -n 24 "Once upon a time")
    post /v1/completions "{\"prompt\":\"Once upon a time\",$request}"
    [ "$(field '.choices[0].text')" = "$expected" ]
    stream=$(curl -sS --unix-socket "$socket" http://localhost/v1/completions -d "{\"prompt\":\"Once upon a time\",$request,\"stream\":true}")
    [ "$(grep '^data: {' <<<"$stream" | cut -c7- | jq -rj '.choices[0].text')" = "$expected" ]
    post /completion '{"prompt":"Once upon a time","temperature":0.8,"seed":7,"n_predict":24,"top_k":0,"top_p":1,"min_p":0}'
    [ "$(field .content)" = "$expected" ]
    messages='"messages":[{"role":"user","content":"Tell me a story."}]'
    post /v1/chat/completions "{$messages,$request}"
    expected=$(field '.choices[0].message.content')
    [ -n "$expected" ]
    post /v1/messages "{$messages,$request}"
    [ "$(field '.content[0].text')" = "$expected" ]
    post /v1/responses '{"input":"Tell me a story.","temperature":0.8,"seed":7,"max_output_tokens":24}'
    [ "$(field '.output[0].content[0].text')" = "$expected" ]
    post /api/chat "{\"model\":\"stories\",$messages,\"stream\":false,\"options\":{\"temperature\":0.8,\"seed\":7,\"num_predict\":24,\"top_k\":0,\"top_p\":1,\"repeat_penalty\":1}}"
    [ "$(field .message.content)" = "$expected" ]
}

@test "errors have each API's shape" {
    post /v1/completions '{"prompt":5}'
    [ "$status" -eq 400 ]
    [ "$(field '.error | [.type, .param, .code] | @json')" = '["invalid_request_error","prompt",null]' ]
    post /v1/completions '{"prompt":'
    [ "$status" -eq 400 ]
    [ "$(field .error.type)" = invalid_request_error ]
    post /v1/chat/completions '{"model":"none","messages":[{"role":"user","content":"x"}],"stream":true}'
    [ "$status" -eq 404 ]
    [ "$(field .error.code)" = model_not_found ]
    post /v1/messages '{"model":"none","max_tokens":1,"messages":[{"role":"user","content":"x"}]}'
    [ "$status" -eq 404 ]
    [ "$(field '[.type, .error.type] | @json')" = '["error","not_found_error"]' ]
    request POST /v1/completions '' -H 'Content-Type: text/xml' --data '<prompt/>'
    [ "$status" -eq 415 ]
    [ "$(field .error.code)" = unsupported_media_type ]
    get /v1/completions
    [ "$status" -eq 405 ]
    [ "$(field .error.code)" = method_not_supported ]
}

@test "a prompt beyond the context names both numbers" {
    post /v1/completions "{\"prompt\":\"$(printf 'word %.0s' {1..2000})\",\"stream\":true}"
    [ "$status" -eq 400 ]
    [ "$(field .error.code)" = context_length_exceeded ]
    found=$(field .error.n_prompt_tokens)
    allowed=$(field .error.n_ctx)
    [ "$found" -gt "$allowed" ]
    [[ $(field .error.message) == *"$found"*"$allowed"* ]]
}

@test "embeddings as base64 are the floats" {
    post /v1/embeddings '{"model":"embedder","input":["a cat","a dog"],"encoding_format":"float"}'
    [ "$status" -eq 200 ]
    floats=$(field '.data[1].embedding | @json')
    post /v1/embeddings '{"model":"embedder","input":["a cat","a dog"],"encoding_format":"base64"}'
    field '.data[1].embedding' | base64 -d >"$folder/bytes"
    python3 - "$folder/bytes" "$floats" <<'EOF'
import json, struct, sys
data = open(sys.argv[1], "rb").read()
packed = struct.unpack(f"<{len(data) // 4}f", data)
floats = [struct.unpack("<f", struct.pack("<f", x))[0] for x in json.loads(sys.argv[2])]
assert list(packed) == floats, (packed[:3], floats[:3])
EOF
}

@test "models are listed in the words of the client that asks" {
    get /v1/models
    [ "$(field '.data[] | select(.id == "stories") | .object')" = model ]
    get /v1/models '' -H 'anthropic-version: 2023-06-01'
    [ "$(field '.data[] | select(.id == "stories") | .type')" = model ]
    [ "$(field .has_more)" = false ]
    get /v1/models/none '' -H 'anthropic-version: 2023-06-01'
    [ "$status" -eq 404 ]
    [ "$(field .error.type)" = not_found_error ]
}

@test "an error that quotes a cut character or bytes that are none is told all the same" {
    odd=a$(printf 'é%.0s' {1..80})
    post /embed "{\"inputs\": \"a\", \"truncation_direction\": \"$odd\"}"
    [ "$status" = 400 ]
    [[ "$(field .error)" == truncation_direction:* ]]
    post /completion "{\"prompt\": \"a\", \"logit_bias\": {\"$odd\": 1}}"
    [ "$status" = 400 ]
    [[ "$(field .error.message)" == logit_bias:* ]]
    get /%ff%fe
    [ "$status" = 404 ]
    [[ "$(field .error.message)" == "there is no /"* ]]
    get /api/%ff%fe
    [ "$status" = 404 ]
    [[ "$(field .error)" == "there is no /api/"* ]]
}

@test "roles that the API does not know are refused" {
    post /v1/chat/completions '{"messages": [{"role": "wizard", "content": "x"}], "max_tokens": 1}'
    [ "$status" = 400 ]
    [[ "$(field .error.message)" == 'messages[0].role: found "wizard"'* ]]
    post /v1/responses '{"input": [{"role": "wizard", "content": "x"}], "max_output_tokens": 1}'
    [ "$status" = 400 ]
    [ "$(field .error.param)" = input ]
}

@test "a NUL in a message is told by its place, without the text" {
    post /v1/chat/completions '{"messages": [{"role": "user", "content": "secret \u0000"}]}'
    [ "$status" = 400 ]
    [ "$(field .error.message)" = 'messages[0].content: found a NUL character, expected none' ]
    post /v1/messages '{"max_tokens": 1, "messages": [{"role": "user", "content": [{"type": "text", "text": "secret \u0000"}]}]}'
    [ "$status" = 400 ]
    [ "$(field .error.message)" = 'messages[0].content[0].text: found a NUL character, expected none' ]
}

@test "clients that are pointed at the root without /v1 are answered" {
    post /chat/completions '{"messages": [{"role": "user", "content": "x"}], "max_tokens": 1}'
    [ "$(field .object)" = chat.completion ]
    get /models
    [ "$(field .object)" = list ]
}

@test "top_k -1 is vLLM's word for off" {
    post /v1/completions '{"prompt": "Once", "max_tokens": 1, "top_k": -1}'
    [ "$status" = 200 ]
}

@test "what README.md shows of serving is answered" {
    request=$(sed -n 's/^\$ curl .*-d .\({.*}\).$/\1/p' README.md)
    [ -n "$request" ]
    run curl -s "$url/v1/completions" -d "$request"
    [ "$(field '.choices[0].text')" = ", there was a little girl" ]
    command -v nc >/dev/null || skip "nc is absent"
    text=$(sed -n 's/^\$ echo -n "\(.*\)" | nc -U .*/\1/p' README.md)
    run timeout 10 bash -c 'echo -n "$1" | nc -U "$2"' - "$text" "$socket"
    [ "$(jq '.suggestions | length' <<<"${lines[0]}")" = 3 ]
}
