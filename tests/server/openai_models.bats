# What OpenAI's and Anthropic's APIs show of models that fill gaps, that reason, that rank texts.

load daemon

# The small story teller with three tokens for gaps in place of characters it hardly knows.
make_filler() {
    mkdir -p "$1"
    ln -s "$models/stories260k/config.json" "$models/stories260k/model.safetensors" "$1"
    /usr/bin/python3 - "$models/stories260k/tokenizer.json" "$1/tokenizer.json" <<'EOF'
import json, sys
tokenizer = json.load(open(sys.argv[1]))
vocabulary = tokenizer["model"]["vocab"]
for old, new in (("~", "<fim_prefix>"), ("]", "<fim_suffix>"), ("[", "<fim_middle>")):
    number = vocabulary.pop(old)
    vocabulary[new] = number
    tokenizer["added_tokens"].append({"id": number, "content": new, "single_word": False, "lstrip": False, "rstrip": False,
                                      "normalized": False, "special": True})
json.dump(tokenizer, open(sys.argv[2], "w"))
EOF
}

setup_file() {
    [ -d "$models" ] || return 0
    make_filler "$BATS_FILE_TMPDIR/filler"
    # A template that speaks of thoughts is one of a model that has them.
    cat >"$BATS_FILE_TMPDIR/thinker.jinja" <<'EOF'
{% for message in messages %}{{ message.role }}: {% if message.reasoning_content %}<think>{{ message.reasoning_content }}</think>{% endif %}{{ message.content }}
{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}
EOF
    sed 's/assistant: {%/assistant: <think>{%/' "$BATS_FILE_TMPDIR/thinker.jinja" >"$BATS_FILE_TMPDIR/ponderer.jinja"
    more_config="
[models.filler]
path = \"$BATS_FILE_TMPDIR/filler\"
[models.thinker]
path = \"$models/stories260k/model-q8_0.gguf\"
chat_template = \"$BATS_FILE_TMPDIR/thinker.jinja\"
[models.ranker]
path = \"$PWD/tests/data/classifiers/onnx/model.onnx\"
kind = \"reranker\"
[models.ponderer]
path = \"$models/stories260k/model-q8_0.gguf\"
chat_template = \"$BATS_FILE_TMPDIR/ponderer.jinja\"
"
    start_daemon
}

teardown_file() {
    stop_daemon
}

setup() {
    need_shared
}

@test "a gap is filled by suffix" {
    post /v1/completions '{"model":"filler","prompt":"Once upon a","suffix":" was a girl.","temperature":0,"max_tokens":8}'
    [ "$status" -eq 200 ]
    text=$(field '.choices[0].text')
    [ "$text" = "$("$HOB" complete -m "$folder/filler" --suffix " was a girl." -n 8 "Once upon a")" ]
    post /v1/completions '{"model":"filler","prompt":"Once upon a","suffix":"","temperature":0,"max_tokens":8}'
    [ "$(field '.choices[0].text')" != "$text" ]
    post /v1/completions '{"model":"filler","prompt":[1,2],"suffix":" end."}'
    [ "$status" -eq 400 ]
    [ "$(field .error.param)" = suffix ]
}

thoughts='"model":"thinker","grammar":"root ::= \"<think>hm</think>yes\""'

@test "reasoning is apart from the content, whole and streamed" {
    post /v1/chat/completions "{$thoughts,\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}"
    [ "$(field '.choices[0].message | [.reasoning_content, .content] | @json')" = '["hm","yes"]' ]
    post /v1/chat/completions "{$thoughts,\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"stream\":true}"
    chunks=$(grep '^data: {' "$folder/body" | cut -c7-)
    [ "$(jq -rj '.choices[0].delta.reasoning_content // ""' <<<"$chunks")" = hm ]
    [ "$(jq -rj '.choices[0].delta.content // ""' <<<"$chunks")" = yes ]
}

@test "reasoning is an item of a response" {
    post /v1/responses "{$thoughts,\"input\":\"Hi\"}"
    [ "$(field '[.output[] | [.type, .content[0].text]] | @json')" = '[["reasoning","hm"],["message","yes"]]' ]
    [ "$(field .usage.output_tokens_details.reasoning_tokens)" -gt 0 ]
    whole=$(field '[.output[] | del(.id)]')
    post /v1/responses "{$thoughts,\"input\":\"Hi\",\"stream\":true}"
    [ "$(grep '^data: {' "$folder/body" | tail -1 | cut -c7- | jq '[.response.output[] | del(.id)]')" = "$whole" ]
    grep -q '^event: response.reasoning_text.done' "$folder/body"
}

@test "reasoning is a block of a message" {
    body='"model":"ponderer","max_tokens":9,"temperature":0,"messages":[{"role":"user","content":"Hi"}]' # its prompt ends with <think>
    post /v1/messages "{$body}"
    [ "$(field '[.content[] | .type] | @json')" = '["thinking"]' ]
    thinking=$(field '.content[0].thinking')
    [ -n "$thinking" ]
    post /v1/messages "{$body,\"stream\":true}"
    events=$(grep '^data: {' "$folder/body" | cut -c7-)
    [ "$(jq -rj '.delta.thinking // ""' <<<"$events")" = "$thinking" ]
    jq -se 'any(.delta.type == "signature_delta") and .[-2].delta.stop_reason == "max_tokens"' <<<"$events"
    post /v1/messages '{"model":"thinker","max_tokens":9,"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":""},{"type":"text","text":"yes"}]},{"role":"user","content":"Why?"}]}'
    [ "$status" -eq 200 ]
    post /v1/messages/count_tokens '{"model":"thinker","messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"text","text":"yes"}]},{"role":"user","content":"Why?"}]}'
    without=$(field .input_tokens)
    post /v1/messages/count_tokens '{"model":"thinker","messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":""},{"type":"text","text":"yes"}]},{"role":"user","content":"Why?"}]}'
    [ "$(field .input_tokens)" -gt "$without" ]
}

@test "documents are ranked as hob rerank does" {
    query="what is a hob?"
    texts=("milk and bread" "a hob is the spirit of the house" "it keeps the fire going")
    documents=$(jq -nc '$ARGS.positional' --args "${texts[@]}")
    post /v1/rerank "{\"model\":\"ranker\",\"query\":\"$query\",\"documents\":$documents,\"return_documents\":true}"
    [ "$status" -eq 200 ]
    expected=$("$HOB" rerank -m tests/data/classifiers/onnx/model.onnx --json "$query" "${texts[@]}")
    jq -e --slurpfile expected <(echo "$expected") '.results | map(.index) == ($expected | map(.index))' <<<"$output"
    jq -e --slurpfile expected <(echo "$expected") \
        '[.results, $expected] | transpose | all((.[0].relevance_score - .[1].score) | fabs < 1e-6) ' <<<"$output"
    jq -e --argjson documents "$documents" '.results | all(.document.text == $documents[.index])' <<<"$output"
    [ "$(field .usage.prompt_tokens)" -gt 0 ]
    best=$(field '.results[0].index')
    post /v1/rerank "{\"query\":\"$query\",\"model\":\"ranker\",\"top_n\":1,\"documents\":[{\"text\":\"milk and bread\"},\"a hob is the spirit of the house\",\"it keeps the fire going\"]}"
    [ "$(field '[.results[].index] | @json')" = "[$best]" ]
    post /v1/rerank '{"query":"x","model":"ranker","documents":[{"title":"y"}]}'
    [ "$status" -eq 400 ]
    [ "$(field .error.param)" = documents ]
}
