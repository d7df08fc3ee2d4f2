#!/usr/bin/env bats
# The APIs of Ollama, llama.cpp and text-embeddings-inference as their clients meet them.

load daemon

setup_file() {
    [ -d "$models" ] || return 0
    HOB_EMBED_MODEL="$models/bert-tiny-random" start_daemon
}

teardown_file() {
    stop_daemon
}

setup() {
    need_shared
}

text='"prompt": "Once upon a time", "temperature": 0'

# ---- Ollama ----

@test "Ollama: npm's client" {
    need_clients ollama
    run node tests/server/clients/ollama.mjs "$url" stories embedder
    echo "$output"
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 9 ]
}

@test "Ollama: a stream is a JSON object a line, the last one with counts" {
    post /api/generate '{"model": "stories", "prompt": "Once upon a time", "raw": true, "options": {"temperature": 0, "num_predict": 6}}'
    [ "$status" = 200 ]
    grep -qi '^content-type: application/x-ndjson' "$folder/headers"
    [ "$(wc -l <"$folder/body")" -ge 6 ]
    [ "$(jq -rs 'map(.response) | join("")' "$folder/body")" = ", there was a little g" ]
    [ "$(tail -1 "$folder/body" | jq -c '[.done, .done_reason, .eval_count, .prompt_eval_count]')" = '[true,"length",6,5]' ]
}

@test "Ollama: names may end in :latest; unknown ones are 404" {
    post /api/generate '{"model": "stories:latest", "prompt": "x", "stream": false, "options": {"num_predict": 1}}'
    [ "$status" = 200 ]
    post /api/generate '{"model": "nobody", "prompt": "x"}'
    [ "$status" = 404 ]
    [[ "$(jq -r .error "$folder/body")" == *nobody* ]]
}

@test "Ollama: a model that is asked to go goes" {
    post /api/embed '{"model": "embedder", "input": "a", "keep_alive": 0}'
    [ "$status" = 200 ]
    until_true sh -c "curl -s $url/api/ps | jq -e '.models | all(.name != \"embedder\")'"
}

@test "Ollama: nothing to embed gives no vectors; a message may lack its content" {
    for input in '' ', "input": ""' ', "input": []'; do
        post /api/embed "{\"model\": \"embedder\"$input}"
        [ "$status" = 200 ]
        [ "$(jq -c .embeddings "$folder/body")" = '[]' ]
    done
    post /api/embeddings '{"model": "embedder", "prompt": ""}'
    [ "$(jq -c .embedding "$folder/body")" = '[]' ]
    post /api/chat '{"model": "stories", "messages": [{"role": "user"}], "stream": false, "options": {"num_predict": 1}}'
    [ "$status" = 200 ]
}

@test "Ollama: -1 turns top_k off and keeps the whole prompt; durations can be divided by, also of an answer that was kept" {
    for i in 1 2; do
        post /api/generate '{"model": "stories", "prompt": "Once", "stream": false, "options": {"temperature": 0, "top_k": -1, "num_keep": -1, "num_predict": 2}}'
        [ "$status" = 200 ]
        [ "$(jq '.eval_duration > 0 and .prompt_eval_duration > 0' "$folder/body")" = true ]
    done
}

# ---- llama.cpp ----

@test "llama.cpp: /completion, whole" {
    post /completion "{$text, \"n_predict\": 6, \"return_tokens\": true, \"n_probs\": 2}"
    [ "$status" = 200 ]
    [ "$(jq -r .content "$folder/body")" = ", there was a little g" ]
    [ "$(jq -c '[.stop, .stop_type, .tokens_predicted, .tokens_evaluated, (.tokens | length), .truncated]' "$folder/body")" = '[true,"limit",6,5,6,false]' ]
    [ "$(jq -c '[(.completion_probabilities | length), (.completion_probabilities[0].top_logprobs | length)]' "$folder/body")" = '[6,2]' ]
    [ "$(jq '.timings.predicted_n' "$folder/body")" = 6 ]
}

@test "llama.cpp: /completion, streamed, says the same" {
    post /completion "{$text, \"n_predict\": 6, \"stream\": true}"
    grep -qi '^content-type: text/event-stream' "$folder/headers"
    [ "$(sed -n 's/^data: //p' "$folder/body" | jq -rs 'map(.content) | join("")')" = ", there was a little g" ]
    [ "$(sed -n 's/^data: //p' "$folder/body" | jq -s '.[-1].stop')" = true ]
}

@test "llama.cpp: prompts as ids, mixed, several" {
    post /tokenize '{"content": "Once upon a time", "add_special": true}'
    ids=$(jq -c .tokens "$folder/body")
    post /completion "{\"prompt\": $ids, \"temperature\": 0, \"n_predict\": 4}"
    whole=$(jq -r .content "$folder/body")
    post /completion '{"prompt": ["Once upon", 261, 378], "temperature": 0, "n_predict": 4}'
    [ "$(jq -r .content "$folder/body")" = "$whole" ]
    post /completion '{"prompt": ["Once upon a time", "The dog"], "temperature": 0, "n_predict": 4}'
    [ "$(jq -r '.[0].content' "$folder/body")" = "$whole" ]
    [ "$(jq length "$folder/body")" = 2 ]
}

@test "llama.cpp: stop texts, schemas, grammars, response_fields, n_predict 0" {
    post /completion "{$text, \"n_predict\": 60, \"stop\": [\"girl\"]}"
    [ "$(jq -c '[.stop_type, .stopping_word]' "$folder/body")" = '["word","girl"]' ]
    post /completion '{"prompt": "x", "seed": 3, "n_predict": 60, "json_schema": {"type": "object", "properties": {"n": {"type": "integer", "maximum": 9, "minimum": 1}}, "required": ["n"], "additionalProperties": false}}'
    [ "$(jq -r .content "$folder/body" | jq '.n >= 1')" = true ]
    post /completion '{"prompt": "x", "seed": 3, "n_predict": 60, "grammar": "root ::= \"yes\" | \"no\""}'
    [[ "$(jq -r .content "$folder/body")" =~ ^(yes|no)$ ]]
    post /completion "{$text, \"n_predict\": 0, \"response_fields\": [\"timings/prompt_n\", \"tokens_predicted\"]}"
    [ "$(jq -c 'keys' "$folder/body")" = '["timings/prompt_n","tokens_predicted"]' ]
    [ "$(jq .tokens_predicted "$folder/body")" = 0 ]
}

@test "llama.cpp: several prompts in one stream are counted apart" {
    post /completion '{"prompt": ["Once upon a time", "The"], "temperature": 0, "n_predict": 3, "stream": true}'
    sed -n 's/^data: //p' "$folder/body" >"$folder/events"
    for i in 0 1; do
        [ "$(jq -sc "map(select(.index == $i and (.stop | not)) | .tokens_predicted)" "$folder/events")" = '[1,2,3]' ]
    done
    [ "$(jq -sc 'map(select(.index == 0) | .tokens_evaluated) | unique' "$folder/events")" = '[5]' ]
}

@test "llama.cpp: pieces that are no text are bytes" {
    post /tokenize '{"content": "a😀", "with_pieces": true, "add_special": true}'
    [ "$status" = 200 ]
    [ "$(jq -c '.tokens[2:] | map(.piece)' "$folder/body")" = '[[240],[159],[152],[128]]' ]
    [ "$(jq -r '.tokens[1].piece' "$folder/body")" = " a" ]
}

@test "llama.cpp: tokenize, detokenize, apply-template, props, slots, lora-adapters" {
    post /tokenize '{"content": "Hello there", "with_pieces": true}'
    [ "$(jq -r '.tokens | map(.piece) | join("")' "$folder/body")" = " Hello there" ]
    post /detokenize "{\"tokens\": $(jq -c '.tokens | map(.id)' "$folder/body")}"
    [ "$(jq -r .content "$folder/body")" = "Hello there" ]
    post /apply-template '{"messages": [{"role": "user", "content": "Hi"}]}'
    [[ "$(jq -r .prompt "$folder/body")" == *Hi* ]]
    get /props
    [ "$(jq .default_generation_settings.n_ctx "$folder/body")" = 512 ]
    get /slots
    [ "$(jq -c . "$folder/body")" = '[]' ]
    get /lora-adapters
    [ "$output" = '[]' ]
}

@test "llama.cpp: errors in its shape" {
    post /completion '{"prompt": 7}'
    [ "$status" = 400 ]
    [ "$(jq -c '[.error.code, .error.type]' "$folder/body")" = '[400,"invalid_request_error"]' ]
    post /completion "{\"prompt\": \"$(printf 'word %.0s' {1..2000})\"}"
    [ "$status" = 400 ]
    [ "$(jq -c '[.error.type, .error.n_ctx]' "$folder/body")" = '["exceed_context_size_error",512]' ]
    [ "$(jq '.error.n_prompt_tokens > 512' "$folder/body")" = true ]
    post /infill '{"input_prefix": "a", "input_suffix": "b"}'
    [ "$status" = 501 ]
}

@test "llama.cpp: /embedding" {
    post /embedding '{"content": ["a", "b"]}'
    [ "$(jq -c '[length, .[1].index, (.[0].embedding | length), (.[0].embedding[0] | length)]' "$folder/body")" = '[2,1,1,64]' ]
}

# ---- text-embeddings-inference ----

@test "TEI: /embed is what hob embed says, for one text and many" {
    post /embed '{"inputs": ["a", "b"]}'
    [ "$status" = 200 ]
    "$HOB" embed -m "$models/bert-tiny-random" a b >"$BATS_TEST_TMPDIR/expected"
    jq -c '.[]' "$folder/body" | jq -s . >"$BATS_TEST_TMPDIR/found"
    [ "$(jq -s --slurpfile found "$BATS_TEST_TMPDIR/found" '. == $found[0]' "$BATS_TEST_TMPDIR/expected")" = true ]
    post /embed '{"inputs": "b", "normalize": false, "dimensions": 5}'
    [ "$(jq -c '[length, (.[0] | length)]' "$folder/body")" = '[1,5]' ]
}

@test "TEI: ids instead of texts" {
    post /embed '{"inputs": "hello there"}'
    cp "$folder/body" "$BATS_TEST_TMPDIR/text"
    post /tokenize '{"inputs": "hello there"}'
    post /embed "{\"inputs\": [$(jq -c '.[0] | map(.id)' "$folder/body")]}"
    cmp "$folder/body" "$BATS_TEST_TMPDIR/text"
}

@test "TEI: /embed_all, /similarity, /decode, /info" {
    post /embed_all '{"inputs": ["hello there", "a"]}'
    [ "$(jq -c '[(.[0] | length), (.[1] | length), (.[0][0] | length)]' "$folder/body")" = '[4,3,64]' ]
    post /similarity '{"inputs": {"source_sentence": "a", "sentences": ["a", "b"]}}'
    [ "$(jq -c '[length, (.[0] > 0.999999), (.[1] < 0.9999)]' "$folder/body")" = '[2,true,true]' ]
    post /decode '{"ids": [[101, 7592, 102], [2045]]}'
    [ "$(jq -c . "$folder/body")" = '["hello","there"]' ]
    get /info
    [ "$(jq -r .model_id "$folder/body")" = embedder ]
}

# The accent is gone from the first token, so it has no place; those behind it do.
@test "TEI: tokens with their places" {
    post /tokenize '{"inputs": ["Hé  There embeddings"]}'
    [ "$(jq -c '.[0] | map([.text, .start, .stop])' "$folder/body")" = \
        '[["[CLS]",null,null],[" he",null,null],["There",4,9],["em",10,12],["bed",12,15],["ding",15,19],["s",19,20],["[SEP]",null,null]]' ]
    post /tokenize '{"inputs": "a", "add_special_tokens": false}'
    [ "$(jq -c . "$folder/body")" = '[[{"id":1037,"text":"a","special":false,"start":0,"stop":1}]]' ]
}

@test "TEI: errors in its shape" {
    post /embed '{}'
    [ "$status" = 400 ]
    [ "$(jq -r .error_type "$folder/body")" = Validation ]
    post /embed "{\"inputs\": \"$(printf 'word %.0s' {1..2000})\"}"
    [ "$status" = 413 ]
    post /embed "{\"inputs\": \"$(printf 'word %.0s' {1..2000})\", \"truncate\": true}"
    [ "$status" = 200 ]
    post /embed "{\"inputs\": [$(printf '"a",%.0s' {1..1100})\"a\"]}"
    [ "$status" = 413 ]
    post /rerank '{"query": "q", "texts": ["a"]}'
    [ "$status" -ge 400 ]
    post /no-such-route '{}'
    [ "$status" = 404 ]
    request GET /embed
    [ "$status" = 405 ]
}

@test "one engine: the same text through four APIs" {
    post /v1/completions "{$text, \"max_tokens\": 12}"
    one=$(jq -r '.choices[0].text' "$folder/body")
    post /completion "{$text, \"n_predict\": 12}"
    two=$(jq -r .content "$folder/body")
    post /api/generate '{"model": "stories", "prompt": "Once upon a time", "raw": true, "stream": false, "options": {"temperature": 0, "num_predict": 12, "repeat_penalty": 1}}'
    three=$(jq -r .response "$folder/body")
    four=$("$HOB" complete -m "$models/stories260k/model-f32.gguf" -n 12 "Once upon a time")
    [ "$one" = "$two" ]
    [ "$one" = "$three" ]
    [ "$one" = "$four" ]
}
