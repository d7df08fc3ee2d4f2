# hob import, and what the other commands make of a pack.

load program

setup() {
    pack=$BATS_TEST_TMPDIR/model.hob
}

# hob import SOURCE with success and without a word.
import() {
    hob import "$1" -o "${2:-$pack}" "${@:3}"
    echo "$1: $errors"
    [ "$status" -eq 0 ] && [ -z "$output" ] && [ -z "$errors" ]
}

# An input of NAME=FILE.npy for every input of a graph, symbolic dimensions being 1 (or what $2 says) and items small numbers.
make_inputs() {
    hob inspect --json "$1"
    "$python" - "$BATS_TEST_TMPDIR" "${2:-1}" <<<"$output" 3<&0 <<'PYTHON' || return 1
import json, os, sys
import numpy
folder, size = sys.argv[1], int(sys.argv[2])
with os.fdopen(3) as stream:
    inputs = json.load(stream)["inputs"]
rng = numpy.random.default_rng(1)
with open(folder + "/inputs", "w") as names:
    for i, entry in enumerate(inputs):
        shape = [d if isinstance(d, int) else size for d in entry["shape"]]
        kind = numpy.dtype(entry["type"])
        items = rng.random(shape) if kind.kind == "f" else rng.integers(0, 2, shape)
        numpy.save(f"{folder}/in{i}.npy", numpy.asarray(items * (16000 if shape == [] else 1), dtype=kind))
        names.write(f"-i\n{entry['name']}={folder}/in{i}.npy\n")
PYTHON
    mapfile -t inputs <"$BATS_TEST_TMPDIR/inputs"
}

@test "a language model writes the same from its pack, whatever it was made of" {
    need_shared
    for source in "$stories/model-f32.gguf" "$stories/model-f16.gguf" "$stories/model-q8_0.gguf" "$stories" "$stories/model.onnx" \
        "$models/gpt2-tiny-random" "$models/gpt2-tiny-random/model.onnx"; do
        import "$source"
        hob complete -m "$source" -n 30 "Once upon a time"
        expected=$output
        hob complete -m "$pack" -n 30 "Once upon a time"
        [ "$status" -eq 0 ]
        [ -n "$output" ]
        [ "$output" = "$expected" ]
    done
}

@test "an embedder gives the same bytes from its pack" {
    need_shared
    for source in "$bert" "$bert/model.onnx" "$models/model2vec"; do
        import "$source"
        hob embed -m "$source" "Hello wörld" "and another, rather longer text" ""
        expected=$output
        hob embed -m "$pack" "Hello wörld" "and another, rather longer text" ""
        [ "$status" -eq 0 ]
        [ "$output" = "$expected" ]
    done
}

@test "graphs of every kind give the same bytes from their packs: subgraphs, recurrent layers, quantised ones, images" {
    need_shared
    "$python" -c 'import numpy' 2>/dev/null || skip "python3-numpy is absent"
    n_graphs=0
    for source in "$shared"/onnx-models/*/*.onnx; do
        import "$source"
        case $source in
        *silero*) size=512 ;;
        *ppocr*) size=64 ;;
        *) size=1 ;;
        esac
        make_inputs "$source" "$size"
        rm -rf "$BATS_TEST_TMPDIR/from-source" "$BATS_TEST_TMPDIR/from-pack"
        hob run "$source" "${inputs[@]}" -o "$BATS_TEST_TMPDIR/from-source"
        echo "$source: $errors"
        first=$status
        hob run "$pack" "${inputs[@]}" -o "$BATS_TEST_TMPDIR/from-pack"
        echo "$pack: $errors"
        [ "$status" -eq "$first" ]
        [ "$first" -ne 0 ] && continue
        diff -r "$BATS_TEST_TMPDIR/from-source" "$BATS_TEST_TMPDIR/from-pack"
        n_graphs=$((n_graphs + 1))
    done
    echo "$n_graphs graphs ran"
    [ "$n_graphs" -ge 8 ]
}

@test "the same source gives the same bytes, wherever it lies" {
    need_shared
    for source in "$stories/model-q8_0.gguf" "$bert"; do
        import "$source"
        cp -r "$source" "$BATS_TEST_TMPDIR/elsewhere-$(basename "$source")"
        import "$BATS_TEST_TMPDIR/elsewhere-$(basename "$source")" "$BATS_TEST_TMPDIR/again.hob"
        cmp "$pack" "$BATS_TEST_TMPDIR/again.hob"
    done
}

@test "ids from a pack are those from its source" {
    need_shared
    text=$'Héllo, wörld! <|im_end|> don\'t\n\n  日本語 🎉 x\xff\xfe 12345'
    for source in "$stories" "$stories/model-f32.gguf" "$bert" "$models/gpt2-tiny-random" "$models/model2vec"; do
        import "$source"
        hob tokenize -m "$source" --json "$text"
        expected=$output
        hob tokenize -m "$pack" --json "$text"
        [ "$output" = "$expected" ]
    done
}

@test "a pack needs nothing beside it, and may be called anything" {
    need_shared
    import "$stories/model.onnx"
    mkdir "$BATS_TEST_TMPDIR/alone"
    mv "$pack" "$BATS_TEST_TMPDIR/alone/anything"
    hob complete -m "$BATS_TEST_TMPDIR/alone/anything" -n 5 "Once"
    [ "$status" -eq 0 ]
    hob tokenize -m "$BATS_TEST_TMPDIR/alone/anything" "Once"
    [ "$status" -eq 0 ]
    HOB_MODEL=$BATS_TEST_TMPDIR/alone/anything hob complete -n 5 "Once"
    [ "$status" -eq 0 ]
}

@test "an import for hob run keeps caches as inputs and outputs" {
    need_shared
    source=$models/tiny-random-gpt2/model.onnx
    import "$source" "$pack" --graph
    hob inspect --json "$pack"
    expected=$output
    hob inspect --json "$source"
    [ "$(jq -c '[.inputs[].name]' <<<"$output")" = "$(jq -c '[.inputs[].name]' <<<"$expected")" ]
    [ "$(jq -c '[.outputs[].name]' <<<"$output")" = "$(jq -c '[.outputs[].name]' <<<"$expected")" ]
}

@test "quantising: smaller, told by inspect, and only once" {
    need_shared
    import "$stories" "$BATS_TEST_TMPDIR/plain.hob"
    import "$stories" "$pack" --quant q4_0
    [ "$(stat -c %s "$pack")" -lt "$(($(stat -c %s "$BATS_TEST_TMPDIR/plain.hob") / 2))" ]
    hob inspect --json "$pack"
    jq -e '.quantisation == "q4_0" and .weights.q4_0_panels_bytes > 0 and (.checksums | all(. == "good"))' <<<"$output"
    [ "$(jq -r .source.format <<<"$output")" = safetensors ]
    hob complete -m "$pack" -n 5 "Once upon a time"
    [ "$status" -eq 0 ]
    hob import "$stories" -o "$pack" --quant q9_9
    is_failure "found format q9_9"
    hob import "$pack" -o "$BATS_TEST_TMPDIR/other.hob" --quant q8_0
    is_failure "found a pack"
}

@test "the source's SHA-256 covers every file that weights come from" {
    "$python" -c 'import numpy, onnx' 2>/dev/null || skip "python3-onnx is absent"
    mkdir -p "$BATS_TEST_TMPDIR/split/onnx"
    "$python" - "$BATS_TEST_TMPDIR/split" <<'PYTHON'
import sys, numpy, onnx
from onnx import helper, numpy_helper
def save(path):
    weight = numpy_helper.from_array(numpy.arange(2048, dtype=numpy.float32).reshape(64, 32), "w")
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g",
                              [helper.make_tensor_value_info("x", 1, [1, 64])], [helper.make_tensor_value_info("y", 1, [1, 32])], [weight])
    onnx.save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path,
                    save_as_external_data=True, location="weights.bin", size_threshold=16)
save(sys.argv[1] + "/model.onnx")
save(sys.argv[1] + "/onnx/model.onnx")
PYTHON
    cd "$BATS_TEST_TMPDIR/split"
    import model.onnx
    hob inspect --json "$pack"
    [ "$(jq -r .source.sha256 <<<"$output")" = "$(sha256sum model.onnx weights.bin | sha256sum | cut -d' ' -f1)" ]
    import "$BATS_TEST_TMPDIR/split/model.onnx" "$BATS_TEST_TMPDIR/again.hob"
    cmp "$pack" "$BATS_TEST_TMPDIR/again.hob"
    rm model.onnx weights.bin
    import .
    hob inspect --json "$pack"
    [ "$(jq -r .source.sha256 <<<"$output")" = "$(sha256sum onnx/model.onnx onnx/weights.bin | sha256sum | cut -d' ' -f1)" ]
    printf x | dd of=onnx/weights.bin conv=notrunc status=none
    import . "$BATS_TEST_TMPDIR/other.hob"
    hob inspect --json "$BATS_TEST_TMPDIR/other.hob"
    [ "$(jq -r .source.sha256 <<<"$output")" = "$(sha256sum onnx/model.onnx onnx/weights.bin | sha256sum | cut -d' ' -f1)" ]
}

@test "a damaged pack is refused where it is opened, and inspect finds damaged weights" {
    need_shared
    import "$stories/model-f32.gguf"
    size=$(stat -c %s "$pack")
    head -c $((size - 1)) "$pack" >"$BATS_TEST_TMPDIR/cut.hob"
    for command in "complete -m" "embed -m" "tokenize -m" inspect; do
        hob $command "$BATS_TEST_TMPDIR/cut.hob" text
        [ "$command" = inspect ] && hob inspect "$BATS_TEST_TMPDIR/cut.hob"
        is_failure "cut.hob: the pack is cut short: found $((size - 1)) bytes, expected $size"
    done
    cp "$pack" "$BATS_TEST_TMPDIR/newer.hob"
    printf '\11' | dd of="$BATS_TEST_TMPDIR/newer.hob" bs=1 seek=8 conv=notrunc status=none
    hob complete -m "$BATS_TEST_TMPDIR/newer.hob" text
    is_failure "found a pack of version 9, expected version 3: make it anew with hob import"
    cp "$pack" "$BATS_TEST_TMPDIR/flipped.hob"
    printf 'XXXX' | dd of="$BATS_TEST_TMPDIR/flipped.hob" bs=1 seek=$((size - 100)) conv=notrunc status=none
    hob inspect --json "$BATS_TEST_TMPDIR/flipped.hob"
    [ "$status" -eq 0 ]
    jq -e '.checksums.weights == "damaged" and (.problem | startswith("section weights is damaged"))' <<<"$output"
}

@test "wrong calls, and sources that are none" {
    hob import
    is_usage_error "SOURCE"
    hob import a b -o "$pack"
    is_usage_error "one SOURCE"
    hob import a
    is_usage_error "-o"
    hob import /nonexistent -o "$pack"
    is_failure "/nonexistent"
    need_shared
    hob import "$stories/model-f32.gguf" -o /nonexistent/folder/model.hob
    is_failure "/nonexistent/folder/model.hob"
    cp "$stories/model-f32.gguf" "$BATS_TEST_TMPDIR/model.gguf"
    hob import "$BATS_TEST_TMPDIR/model.gguf" -o "$BATS_TEST_TMPDIR/model.gguf"
    is_failure "replace its own source"
    import "$stories/model-f32.gguf"
    hob import "$pack" -o "$BATS_TEST_TMPDIR/other.hob"
    is_failure "found a pack"
    [ ! -e "$BATS_TEST_TMPDIR/other.hob" ]
}

@test "a full disk leaves nothing behind" {
    need_shared
    [ "$(id -u)" -eq 0 ] || skip "mounting takes root"
    mkdir "$BATS_TEST_TMPDIR/small"
    mount -t tmpfs -o size=256k none "$BATS_TEST_TMPDIR/small" 2>/dev/null || skip "cannot mount"
    hob import "$stories/model-f32.gguf" -o "$BATS_TEST_TMPDIR/small/model.hob"
    left=$(ls -A "$BATS_TEST_TMPDIR/small")
    umount "$BATS_TEST_TMPDIR/small"
    is_failure "No space left on device"
    [ -z "$left" ]
}

@test "a report of what quantising cost stays in the pack" {
    need_shared
    printf 'Once upon a time there was a cat.\nIt was very small.\n' >"$BATS_TEST_TMPDIR/text"
    hob import "$stories" -o "$pack" --quant q4_0 --report --text "$BATS_TEST_TMPDIR/text" --text-items 20
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    hob inspect --json "$pack"
    jq -e '.quality | .tokens > 5 and .perplexity > 1 and .kl_divergence > 0 and .top1_agreement <= 1' <<<"$output"
    jq -e '.weight_errors | length > 20 and all(.relative_error > 0 and .name != "")' <<<"$output"
    hob inspect "$pack"
    [[ "$output" == *"kl_divergence"* && "$output" == *"off by"* ]]
    hob import "$stories" -o "$pack" --quant q8_0 --report --json
    jq -e '.quality == null and (.weight_errors | length > 20)' <<<"$output"
    hob import "$stories" -o "$pack" --text "$BATS_TEST_TMPDIR/text"
    is_usage_error "--report"
    hob import "$stories" -o "$pack" --report --text "$BATS_TEST_TMPDIR/none"
    is_failure "none: No such file"
}
