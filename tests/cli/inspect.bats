# hob inspect: every kind of file, as text and as JSON.

load program

@test "models of each format" {
    need_shared
    for file in "$stories/model.onnx" "$stories/model-f32.gguf" "$stories/model-q8_0.gguf" "$stories/model.safetensors" \
        "$stories" "$bert" "$bert/model.onnx" "$models/model2vec" "$shared/tokenizers/ggml-vocab-gpt-2.gguf" \
        "$models/tiny-random-gpt2/model.onnx" "$shared/onnx-models/silero-vad/silero_vad.onnx"; do
        [ -e "$file" ]
        hob inspect "$file"
        echo "$file: $errors"
        [ "$status" -eq 0 ]
        [ -n "$output" ]
        [ -z "$errors" ]
        hob inspect --json "$file"
        [ "$status" -eq 0 ]
        jq -e 'type == "object"' <<<"$output"
    done
}

@test "tensors" {
    need_shared
    hob inspect "$stories/logits_1.npy"
    [ "$status" -eq 0 ]
    [[ $output == *float32* ]]
    hob inspect "$shared/onnx-models/mnist_8/test_data_set_0/input_0.pb" --json
    [ "$status" -eq 0 ]
    jq -e 'type == "object"' <<<"$output"
}

@test "an operator that hob lacks is told, not refused" {
    "$python" -c 'import onnx' 2>/dev/null || skip "python3-onnx is absent"
    "$python" - "$BATS_TEST_TMPDIR/unknown.onnx" <<'PYTHON'
import sys
from onnx import TensorProto, helper, save
value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [2])
graph = helper.make_graph([helper.make_node("Frobnicate", ["x"], ["y"])], "g", [value("x")], [value("y")])
save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), sys.argv[1])
PYTHON
    hob inspect "$BATS_TEST_TMPDIR/unknown.onnx"
    echo "$errors"
    [ "$status" -eq 0 ]
    [[ $output == *Frobnicate* ]]
    hob inspect --json "$BATS_TEST_TMPDIR/unknown.onnx"
    jq -e . <<<"$output"
}

@test "damaged files of each format: exit 1 and one sentence" {
    hob inspect /nonexistent.gguf
    is_failure "/nonexistent.gguf"
    cd "$BATS_TEST_TMPDIR"
    for ending in onnx gguf safetensors npy pb; do
        : >"empty.$ending"
        hob inspect "empty.$ending"
        is_failure "empty.$ending"
        echo "this is no such file at all" >"text.$ending"
        hob inspect "text.$ending"
        is_failure "text.$ending"
    done
    need_shared
    for file in model.onnx model-f32.gguf model.safetensors logits_1.npy; do
        head -c 1000 "$stories/$file" >"cut-$file"
        hob inspect "cut-$file"
        is_failure "cut-$file"
    done
}

@test "a full disk is an error" {
    need_shared
    script '"$HOB" inspect "$1" >/dev/full' "$stories/model.onnx"
    is_failure "standard output: No space left on device"
}
