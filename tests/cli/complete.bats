# hob complete: the text, the ids, the options, and how it ends.

load program

once="Once upon a time"

# The reference of a folder as a list of prompts: where there is one only, the file holds just that.
reference_of() {
    jq 'if type == "array" then . else [.] end' "$1/reference.json"
}

# Completes every prompt of a folder's reference with MODEL and compares ids; $3: how many ids to compare, all by default.
has_reference_ids() {
    local folder=$1 model=$2 n_compared=${3:-100000} reference n_prompts index prompt n_tokens
    reference=$(reference_of "$folder")
    n_prompts=$(jq length <<<"$reference")
    for ((index = 0; index < n_prompts; index++)); do
        prompt=$(jq -r ".[$index].prompt" <<<"$reference")
        n_tokens=$(jq ".[$index] | (.greedy_ids | length) - (.prompt_ids | length)" <<<"$reference")
        hob complete -m "$model" --ids -n "$n_tokens" "$prompt"
        echo "$model, prompt $index: status $status $errors"
        [ "$status" -eq 0 ]
        [ "${#lines[@]}" -eq 1 ]
        [ "$(cut -d' ' -f"1-$n_compared" <<<"$output")" = \
            "$(jq -r ".[$index].greedy_ids[:$n_compared] | join(\" \")" <<<"$reference")" ]
    done
}

@test "stories260k from ONNX gives PyTorch's ids" {
    need_shared
    has_reference_ids "$stories" "$stories/model.onnx"
}

@test "stories260k from its folder gives PyTorch's ids" {
    need_shared
    has_reference_ids "$stories" "$stories"
}

@test "stories260k from safetensors, the file, gives PyTorch's ids" {
    need_shared
    has_reference_ids "$stories" "$stories/model.safetensors"
}

@test "stories260k from GGUF f32 gives PyTorch's ids" {
    need_shared
    has_reference_ids "$stories" "$stories/model-f32.gguf"
}

@test "stories260k from GGUF f16 and q8_0 gives PyTorch's first 20 ids" {
    need_shared
    has_reference_ids "$stories" "$stories/model-f16.gguf" 20
    has_reference_ids "$stories" "$stories/model-q8_0.gguf" 20
}

@test "gpt2-tiny-random from its folder and from ONNX gives PyTorch's ids" {
    need_shared
    has_reference_ids "$models/gpt2-tiny-random" "$models/gpt2-tiny-random"
    has_reference_ids "$models/gpt2-tiny-random" "$models/gpt2-tiny-random/model.onnx"
}

@test "--echo gives the reference text, without it the continuation alone" {
    need_shared
    for index in 0 1 2; do
        prompt=$(jq -r ".[$index].prompt" "$stories/reference.json")
        n_tokens=$(jq ".[$index] | (.greedy_ids | length) - (.prompt_ids | length)" "$stories/reference.json")
        "$HOB" complete -m "$stories" -n "$n_tokens" --echo "$prompt" >"$BATS_TEST_TMPDIR/echoed"
        jq -j ".[$index].text + \"\n\"" "$stories/reference.json" >"$BATS_TEST_TMPDIR/expected"
        cmp "$BATS_TEST_TMPDIR/echoed" "$BATS_TEST_TMPDIR/expected"
        "$HOB" complete -m "$stories" -n "$n_tokens" "$prompt" >"$BATS_TEST_TMPDIR/plain"
        printf %s "$prompt" | cat - "$BATS_TEST_TMPDIR/plain" | cmp - "$BATS_TEST_TMPDIR/expected"
    done
}

@test "words, standard input and -- give the same prompt" {
    need_shared
    hob complete -m "$stories" -n 10 "$once"
    expected=$output
    [ -n "$expected" ]
    hob complete -m "$stories" -n 10 Once upon a time
    [ "$output" = "$expected" ]
    hob complete Once upon -n10 a time --model="$stories"
    [ "$output" = "$expected" ]
    hob complete -m "$stories" --tokens=10 -- Once upon a time
    [ "$output" = "$expected" ]
    script 'echo "Once upon a time" | "$HOB" complete -m "$1" -n 10 -' "$stories"
    [ "$output" = "$expected" ]
    script 'printf "Once upon a time" | "$HOB" complete -m "$1" -n 10 -' "$stories"
    [ "$output" = "$expected" ]
    hob complete -m "$stories" -n 3 --echo -- --help
    [[ $output == "--help"* ]]
}

@test "--json is one object that agrees with the plain output" {
    need_shared
    hob complete -m "$stories" -n 12 "$once"
    text=$output
    hob complete -m "$stories" -n 12 --ids "$once"
    ids=$output
    hob complete -m "$stories" -n 12 --json "$once"
    [ "$status" -eq 0 ]
    [ -z "$errors" ]
    [ "${#lines[@]}" -eq 1 ]
    [ "$(jq -r .text <<<"$output")" = "$text" ]
    [ "$(jq -r '.ids | join(" ")' <<<"$output")" = "$ids" ]
    jq -e --arg model "$stories" --arg prompt "$once" '.model == $model and .prompt == $prompt and .n_tokens == 12 and
        .n_prompt_tokens == 5 and .finish == "length" and .prompt_ms >= 0 and .generate_ms > 0 and .tokens_per_s > 0' \
        <<<"$output"
}

@test "--json with a prompt that is not UTF-8 is still JSON" {
    need_shared
    hob complete -m "$stories" -n 2 --json $'caf\xe9'
    [ "$status" -eq 0 ]
    [ "$(jq -r .prompt <<<"$output")" = "caf�" ]
}

@test "the number of threads changes nothing" {
    need_shared
    hob complete -m "$stories" -n 60 --ids --threads 1 "$once"
    one=$output
    hob complete -m "$stories" -n 60 --ids -t 3 "$once"
    [ "$output" = "$one" ]
    hob complete -m "$stories" -n 60 --ids --temperature 1 --seed 11 --threads 1 "$once"
    one=$output
    hob complete -m "$stories" -n 60 --ids --temperature 1 --seed 11 --threads 2 "$once"
    [ "$output" = "$one" ]
}

@test "a seed repeats, another differs, and narrow samplers are greedy" {
    need_shared
    hob complete -m "$stories" -n 40 --temperature 1 --seed 1 "$once"
    first=$output
    hob complete -m "$stories" -n 40 --temperature 1 --seed 1 "$once"
    [ "$output" = "$first" ]
    hob complete -m "$stories" -n 40 --temperature 1 --seed 2 "$once"
    [ "$output" != "$first" ]
    hob complete -m "$stories" -n 40 "$once"
    greedy=$output
    [ "$greedy" != "$first" ]
    for narrow in "--top-k 1" "--top-p 0.0001" "--min-p 1"; do
        hob complete -m "$stories" -n 40 --temperature 1 --seed 3 $narrow "$once"
        [ "$output" = "$greedy" ]
    done
}

@test "--stop ends before its text, whichever comes first" {
    need_shared
    hob complete -m "$stories" -n 100 --stop Lily "$once"
    [ "$output" = ", there was a little girl named " ]
    hob complete -m "$stories" -n 100 --stop Lily --stop "little girl" "$once"
    [ "$output" = ", there was a " ]
    hob complete -m "$stories" -n 100 --json --stop Lily "$once"
    [ "$(jq -r .finish <<<"$output")" = stop ]
}

@test "text comes as it is made, and a closed pipe ends quietly" {
    need_shared
    script '"$HOB" complete -m "$1" -n 400 "Once upon a time" | head -c 5; exit ${PIPESTATUS[0]}' "$stories"
    [ "$status" -eq 0 ]
    [ "$output" = ", the" ]
    [ -z "$errors" ]
    script 'trap "" PIPE; "$HOB" complete -m "$1" -n 400 --ids Once | true; exit ${PIPESTATUS[0]}' "$stories"
    [ "$status" -eq 0 ]
    [ -z "$errors" ]
}

@test "a full disk is an error" {
    need_shared
    for how in "" --ids --json; do
        script '"$HOB" complete -m "$1" -n 5 $2 Once >/dev/full' "$stories" "$how"
        is_failure "standard output: No space left on device"
    done
}

# Standard output is a socket with room for a few tokens, so the program is still at work when the signal comes.
@test "an interrupt stops between two tokens, keeps what there is and exits with 130" {
    need_shared
    cat >"$BATS_TEST_TMPDIR/interrupt.py" <<'PYTHON'
import signal, socket, subprocess, sys
ours, theirs = socket.socketpair()
theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
process = subprocess.Popen(sys.argv[1:], stdout=theirs, stderr=subprocess.PIPE)
theirs.close()
text = ours.recv(1)
process.send_signal(signal.SIGINT)
while more := ours.recv(65536):
    text += more
print(process.wait(), len(process.stderr.read()), flush=True)
sys.stdout.buffer.write(text)
PYTHON
    run "$python" "$BATS_TEST_TMPDIR/interrupt.py" "$HOB" complete -m "$stories" -n 400 "$once"
    echo "$output"
    [ "${lines[0]}" = "130 0" ]
    n_bytes=$("$python" "$BATS_TEST_TMPDIR/interrupt.py" "$HOB" complete -m "$stories" -n 400 "$once" | tail -n +2 | wc -c)
    whole=$("$HOB" complete -m "$stories" -n 400 "$once" | wc -c)
    [ "$n_bytes" -gt 1 ]
    [ "$n_bytes" -lt "$whole" ]
    run "$python" "$BATS_TEST_TMPDIR/interrupt.py" "$HOB" complete -m "$stories" -n 400 --ids "$once"
    [ "${lines[0]}" = "130 0" ]
    [[ ${lines[1]} == "1 403 407 261 378 "* ]]
}

@test "values out of range are usage errors" {
    hob complete
    is_usage_error "expected TEXT"
    hob complete -n -3 x
    is_usage_error "--tokens: found '-3'"
    hob complete -n ten x
    is_usage_error "--tokens: found 'ten'"
    hob complete -n "" x
    is_usage_error "--tokens: found ''"
    hob complete -n 99999999999999999999999 x
    is_usage_error "--tokens"
    hob complete --seed 1.5 x
    is_usage_error "--seed: found '1.5'"
    hob complete --temperature -1 x
    is_usage_error "--temperature: found '-1'"
    hob complete --temperature nan x
    is_usage_error "--temperature: found 'nan'"
    hob complete --temperature 1x x
    is_usage_error "--temperature: found '1x'"
    hob complete --top-p 1.5 x
    is_usage_error "--top-p: found '1.5', expected a number from 0 to 1"
    hob complete --min-p 2 x
    is_usage_error "--min-p: found '2'"
    hob complete --top-k all x
    is_usage_error "--top-k: found 'all'"
    hob complete --threads two x
    is_usage_error "--threads: found 'two'"
    hob complete --stop "" x
    is_usage_error "--stop: found an empty text"
}

@test "--samples: text i is what --seed S+i gives" {
    need_shared
    hob complete -m "$stories" -n 20 --temperature 1 --seed 5 --samples 3 --json "$once"
    [ "$status" -eq 0 ]
    texts=$output
    for index in 0 1 2; do
        hob complete -m "$stories" -n 20 --temperature 1 --seed $((5 + index)) "$once"
        [ "$output" = "$(jq -r ".texts[$index].text" <<<"$texts")" ]
        jq -e ".texts[$index].seed == 5 + $index and .texts[$index].n_tokens == 20 and .texts[$index].finish == \"length\"" <<<"$texts"
    done
    [ "$(jq '.texts | length' <<<"$texts")" -eq 3 ]
    jq -e '.text == .texts[0].text and .n_tokens == 60' <<<"$texts"
    hob complete -m "$stories" -n 20 --temperature 1 --seed 5 --samples 3 "$once"
    [ "$output" = "$(jq -r '[.texts[].text] | join("\n---\n")' <<<"$texts")" ]
    hob complete -m "$stories" -n 20 --temperature 1 --seed 5 --samples 3 --ids "$once"
    [ "${#lines[@]}" -eq 3 ]
    [ "${lines[1]}" = "1 403 407 261 378 $(jq -r '.texts[1].ids | join(" ")' <<<"$texts")" ]
    hob complete --samples 0 x
    is_usage_error "--samples: found 0"
}

@test "--beam-width finds texts at least as probable as the greedy one" {
    need_shared
    hob complete -m "$stories" -n 12 --beam-width 1 "$once"
    greedy=$output
    hob complete -m "$stories" -n 12 --beam-width 4 --samples 4 --length-penalty 0 --json "$once"
    [ "$status" -eq 0 ]
    [ "$(jq -r '.texts[0].text' <<<"$output")" = "$greedy" ]
    jq -e '[.texts[].score] | (. == (sort | reverse)) and length == 4 and .[0] < 0' <<<"$output"
    jq -e '.text == .texts[0].text and .texts[3].n_tokens == 12' <<<"$output"
    for how in no yes never; do
        hob complete -m "$stories" -n 4 --beam-width 2 --early-stopping "$how" "$once"
        [ "$output" = ", there was a" ]
    done
    hob complete -m "$stories" --beam-width 2 --samples 3 x
    is_failure "found 3 texts to give of a search with 2 beams"
    hob complete -m "$stories" --beam-width 2 --temperature 1 x
    is_failure "beam search draws nothing: found temperature 1, expected 0"
    hob complete --beam-width 0 x
    is_usage_error "--beam-width: found 0"
    hob complete --early-stopping maybe x
    is_usage_error "--early-stopping: found 'maybe'"
}

@test "limits: --stop-id, --min-tokens, --max-ms, --ignore-eos" {
    need_shared
    hob complete -m "$stories" -n 20 --ids "$once"
    ids=$output
    fourth=$(cut -d' ' -f9 <<<"$ids")
    hob complete -m "$stories" -n 20 --ids --stop-id 500 --stop-id "$fourth" "$once"
    [ "$output" = "$(cut -d' ' -f1-8 <<<"$ids")" ]
    hob complete -m "$stories" -n 20 --json --stop-id "$fourth" "$once"
    jq -e '.finish == "stop" and .n_tokens == 3' <<<"$output"
    hob complete -m "$stories" -n 20 --json --stop-id "$fourth" --min-tokens 9 "$once"
    jq -e --argjson id "$fourth" '.n_tokens >= 9 and (.ids[5:14] | index($id)) == null' <<<"$output"
    hob complete -m "$stories" -n 0 --json --max-ms 1 "$once"
    jq -e '.finish == "time"' <<<"$output"
    hob complete -m "$stories" -n 0 --json --ignore-eos "$once"
    jq -e '.finish == "context" and .n_prompt_tokens + .n_tokens == 513' <<<"$output"
    hob complete --stop-id x y
    is_failure "x"
}

@test "--context-shift goes on where the context is full" {
    need_shared
    hob complete -m "$stories" -n 600 --json --ignore-eos --context-shift --keep 5 "$once"
    [ "$status" -eq 0 ]
    jq -e '.finish == "length" and .n_tokens == 600' <<<"$output"
    hob complete -m "$stories" -n 0 --context-shift "$once"
    is_failure "found no limit of tokens"
}

@test "--draft-max and --model-draft make the same text another way" {
    need_shared
    hob complete -m "$stories" -n 60 --temperature 0.9 --seed 3 "$once"
    local plain=$output
    hob complete -m "$stories" -n 60 --temperature 0.9 --seed 3 --draft-max 6 "$once"
    [ "$output" = "$plain" ]
    hob complete -m "$stories" -n 60 --temperature 0.9 --seed 3 --model-draft "$stories/model-q8_0.gguf" "$once"
    [ "$output" = "$plain" ]
    hob complete -m "$stories" -n 60 --json --model-draft "$stories/model-q8_0.gguf" "$once"
    jq -e '.n_drafted > 20 and .n_draft_accepted > 10 and .n_draft_accepted <= .n_drafted' <<<"$output"
    hob complete -m "$stories" --draft-max 65 "$once"
    is_failure "found 65 at a time, expected at most 64"
    hob complete -m "$stories" --model-draft /nonexistent.gguf "$once"
    is_failure "/nonexistent.gguf"
}

@test "models that cannot be opened or generate nothing" {
    hob complete -m /nonexistent/model.onnx x
    is_failure "/nonexistent/model.onnx"
    hob complete -m "$BATS_TEST_FILENAME" x
    is_failure "complete.bats"
    mkdir "$BATS_TEST_TMPDIR/empty"
    hob complete -m "$BATS_TEST_TMPDIR/empty" x
    is_failure "empty"
    need_shared
    hob complete -m "$bert" x
    is_failure "expected a language model"
}

@test "an .onnx without a tokenizer beside it" {
    need_shared
    cp "$stories/model.onnx" "$BATS_TEST_TMPDIR/"
    hob complete -m "$BATS_TEST_TMPDIR/model.onnx" x
    is_failure "tokenizer"
}

@test "a prompt longer than the context is refused with both numbers and prints nothing" {
    need_shared
    long=$(printf 'word %.0s' {1..2000})
    for how in "" --ids --echo --json; do
        hob complete -m "$stories" $how "$long"
        is_failure "512"
    done
}

@test "-n 0 goes to the end of the context" {
    need_shared
    hob complete -m "$stories" -n 0 --json "$once"
    [ "$status" -eq 0 ]
    jq -e '(.finish == "context" and .n_prompt_tokens + .n_tokens >= 511) or .finish == "end"' <<<"$output"
}

@test "HOB_MODEL names the default model" {
    need_shared
    hob complete -m "$stories" -n 5 "$once"
    expected=$output
    HOB_MODEL=$stories hob complete -n 5 "$once"
    [ "$status" -eq 0 ]
    [ "$output" = "$expected" ]
    HOB_MODEL=/nonexistent hob complete -n 5 "$once"
    is_failure "/nonexistent"
}

@test "without -m and HOB_MODEL the model beside the program is used" {
    [ -d "$(dirname "$HOB")/../models" ] || skip "the program has no models beside it"
    HOME=$BATS_TEST_TMPDIR XDG_DATA_HOME= hob complete -n 5 "$once"
    echo "$errors"
    [ "$status" -eq 0 ]
    [ -n "$output" ]
}

@test "a prompt cache on disk gives the same text and says what it saved" {
    need_shared
    local cache="$BATS_TEST_TMPDIR/cache" prompt first
    prompt=$(printf 'Once upon a time there was a little girl. %.0s' {1..12})
    hob complete -m "$stories/model-q8_0.gguf" -n 8 --json "$prompt"
    first=$(jq -c '[.ids, .n_cached_tokens]' <<<"$output")
    hob complete -m "$stories/model-q8_0.gguf" -n 8 --json --prompt-cache "$cache" "$prompt"
    [ "$(jq -c '[.ids, .n_cached_tokens]' <<<"$output")" = "$first" ]
    hob complete -m "$stories/model-q8_0.gguf" -n 8 --json --prompt-cache "$cache" "$prompt"
    [ "$(jq -c .ids <<<"$output")" = "$(jq -c '.[0]' <<<"$first")" ]
    [ "$(jq .n_cached_tokens <<<"$output")" -ge 64 ]
    XDG_CACHE_HOME="$BATS_TEST_TMPDIR" hob complete -m "$stories/model-q8_0.gguf" -n 1 --prompt-cache default "$prompt"
    [ "$status" -eq 0 ]
    [ "$(stat -c %a "$BATS_TEST_TMPDIR/hob/kv")" = 700 ]
}

@test "--ctx-size and --cache-type say what they cannot do" {
    need_shared
    hob complete -m "$stories/model-q8_0.gguf" --ctx-size 100000000 x
    [ "$status" -eq 1 ]
    [[ $errors == *"100000000 tokens"* ]]
    hob complete -m "$stories/model-q8_0.gguf" --cache-type f17 x
    [ "$status" -eq 1 ]
    [[ $errors == *"f17"* ]]
    hob complete -m "$stories/model-q8_0.gguf" -c 16 -n 100 --ignore-eos --json "Once upon a time"
    [ "$(jq -r .finish <<<"$output")" = context ]
}
