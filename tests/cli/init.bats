# hob init: what it finds, recommends and writes, over a home of the test's own.

load program

setup() {
    export HOME=$BATS_TEST_TMPDIR XDG_CONFIG_DIRS=$BATS_TEST_TMPDIR/etc
    unset XDG_CONFIG_HOME XDG_DATA_HOME XDG_STATE_HOME XDG_CACHE_HOME XDG_RUNTIME_DIR HOB_CONFIG HOB_MODELS HF_HOME HF_HUB_CACHE LLAMA_CACHE
    user=$HOME/.config/hob/config.toml
    own=$HOME/.local/share/hob/models
    small=$(realpath models/default.gguf)
    embed=$(realpath models/embed)
    mkdir -p "$own"
}

# What --json says of a path below the home: judged FILTER PATH.
judged() {
    jq -c --arg path "$2" '.models[] | select(.path == $path) | '"$1" <<<"$output"
}

@test "it finds models, recommends those that fit, and writes a file that loads" {
    cp "$small" "$own/small.gguf"
    cp -r "$embed" "$own/embed"
    hob init --yes
    [ "$status" -eq 0 ]
    [[ $output == "Wrote $user"* ]]
    [[ $output == *"hob serve"* ]]
    [[ $errors == "This machine: "*" core"*" of memory free, read at "*" GB/s."* ]]
    [[ $errors == *"$own/small.gguf"*"language model, needs "*", at most about "*" tokens/s  <- recommended"* ]]
    grep -qx "model_path = \"$own/small.gguf\"" "$user"
    grep -qx "embed_model_path = \"$own/embed\"" "$user"
    hob config check
    [ "$status" -eq 0 ]
    [[ $errors != *"cannot be read"* ]]
    hob config show --json
    [ "$(jq -r '.values.model_path.value' <<<"$output")" = "$own/small.gguf" ]
}

@test "a file that is there stays, unless --force" {
    mkdir -p "$(dirname "$user")"
    echo 'threads = 1' >"$user"
    hob init --yes
    is_failure "$user: is there already; --force writes over it"
    [ "$(cat "$user")" = 'threads = 1' ]
    hob init --yes --force -m "$small"
    [ "$status" -eq 0 ]
    grep -qx "model_path = \"$small\"" "$user"
    [ "$(ls "$(dirname "$user")")" = config.toml ]
}

@test "without a terminal it asks nobody" {
    script '"$HOB" init </dev/null'
    is_usage_error "standard input is no terminal to ask at: --yes"
    [ ! -e "$user" ]
}

@test "at a terminal it asks for the model and an address" {
    command -v script >/dev/null || skip "script is absent"
    cp "$small" "$own/a.gguf"
    cp "$small" "$own/b.gguf"
    hob init --json -o "$BATS_TEST_TMPDIR/unused.toml"
    number=$(jq --arg path "$own/b.gguf" '[.models[].path] | index($path) + 1' <<<"$output")
    printf '0\nx\n%s\n127.0.0.1:0\n' "$number" | command script -qec "'$HOB' init" /dev/null >"$BATS_TEST_TMPDIR/said"
    grep -qx "model_path = \"$own/b.gguf\"" "$user"
    grep -qx 'listen = \["127.0.0.1:0"\]' "$user"
    [ "$(grep -o 'Which language model' "$BATS_TEST_TMPDIR/said" | wc -l)" -eq 3 ]
    hob config check
    [ "$status" -eq 0 ]
}

@test "the file on standard output, and elsewhere" {
    hob init --yes -m "$small" --listen 127.0.0.1:0 --listen unix:///x.sock -o -
    [ "$status" -eq 0 ]
    [ ! -e "$user" ]
    printf '%s\n' "$output" >"$BATS_TEST_TMPDIR/out.toml"
    hob config show --config "$BATS_TEST_TMPDIR/out.toml"
    [[ $output == *'listen = ["127.0.0.1:0", "unix:///x.sock"]'* ]]
    hob init --yes -m "$small" -o "$BATS_TEST_TMPDIR/new/folder/mine.toml"
    [ "$status" -eq 0 ]
    [[ $output == *"hob serve --config $BATS_TEST_TMPDIR/new/folder/mine.toml"* ]]
    [ -e "$BATS_TEST_TMPDIR/new/folder/mine.toml" ]
    hob init --yes -m "$small" -o /proc/nowhere/x.toml
    is_failed_with "/proc/nowhere"
}

# The command failed after it had begun to tell on standard error.
is_failed_with() {
    echo "status $status, errors: $errors, output: $output"
    [ "$status" -eq 1 ] && [ -z "$output" ] && [[ $errors == *"hob: "*"$1"* ]]
}

@test "json holds the machine, every model and the file" {
    cp "$small" "$own/small.gguf"
    hob init --json
    [ "$status" -eq 0 ]
    [ -z "$errors" ]
    jq -e '.machine | .cores >= 1 and .read_bytes_per_s > 0' <<<"$output"
    [ "$(judged '[.kind, .usable, .fits, .is_guess]' "$own/small.gguf")" = '["decoder",true,true,false]' ]
    [ "$(jq -r .file <<<"$output")" = "$user" ]
    jq -r .text <<<"$output" | cmp - <(cat "$user"; echo)
}

@test "places of other programs, links to files, and no circles of links" {
    blobs=$HOME/.cache/huggingface/hub/models--a--b/blobs
    snapshot=$HOME/.cache/huggingface/hub/models--a--b/snapshots/1234
    mkdir -p "$blobs" "$snapshot" "$HOME/.cache/llama.cpp" "$HOME/.lmstudio/models/x/y" "$HOME/.models"
    cp "$small" "$blobs/abcd"
    ln -s ../../blobs/abcd "$snapshot/model.gguf"
    ln -s .. "$snapshot/up"
    ln -s "$snapshot" "$HOME/.models/again"
    cp "$small" "$HOME/.cache/llama.cpp/l.gguf"
    cp "$small" "$HOME/.lmstudio/models/x/y/s.gguf"
    cp -r "$embed" "$HOME/.models/e"
    hob init --json -o "$BATS_TEST_TMPDIR/out.toml"
    [ "$status" -eq 0 ]
    [ "$(judged .usable "$snapshot/model.gguf")" = true ]
    [ "$(judged .usable "$HOME/.cache/llama.cpp/l.gguf")" = true ]
    [ "$(judged .usable "$HOME/.lmstudio/models/x/y/s.gguf")" = true ]
    [ "$(judged .kind "$HOME/.models/e")" = '"encoder"' ]
    [ "$(jq --arg home "$HOME" '[.models[] | select(.path | startswith($home))] | length' <<<"$output")" -eq 4 ]
}

@test "what is no model is told and not taken" {
    head -c 1000 "$small" >"$own/cut.gguf"
    : >"$own/empty.onnx"
    printf 'x' >"$own/$(printf 'a\nb').hob"
    hob init --json
    [ "$status" -eq 0 ]
    [ "$(judged .usable "$own/cut.gguf")" = false ]
    [ "$(judged .why "$own/empty.onnx")" = '"an empty file"' ]
    [ "$(judged .usable "$own/$(printf 'a\nb').hob")" = false ]
    ! grep -q "$own" "$user"
    hob init --yes --force
    [[ $errors == *"$own/a?b.hob"* ]]
}

@test "a model that is named must be one" {
    hob init --yes -m "$BATS_TEST_TMPDIR/none.gguf"
    is_failure "none.gguf: No such file or directory"
    echo no >"$BATS_TEST_TMPDIR/no.gguf"
    hob init --yes -m "$BATS_TEST_TMPDIR/no.gguf"
    is_failure "no.gguf"
    [ ! -e "$user" ]
}

@test "a path that TOML cannot hold" {
    cp "$small" "$BATS_TEST_TMPDIR/"$'x\xff.gguf'
    hob init --yes -m "$BATS_TEST_TMPDIR/"$'x\xff.gguf'
    is_failed_with "expected a path in UTF-8"
    [ ! -e "$user" ]
}

@test "called wrongly" {
    hob init model.gguf
    is_usage_error "found 'model.gguf', expected options alone"
}
