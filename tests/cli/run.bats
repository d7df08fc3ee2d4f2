# hob run: PyTorch's outputs from given inputs, file names, errors; and lists of cases.

load program

# The largest difference between two .npy files is below 1e-5.
is_close() {
    "$python" - "$1" "$2" <<'PYTHON'
import sys, numpy
a, b = numpy.load(sys.argv[1]), numpy.load(sys.argv[2])
assert a.dtype == b.dtype, (a.dtype, b.dtype)
assert a.shape == b.shape, (a.shape, b.shape)
assert numpy.abs(a - b).max() < 1e-5, numpy.abs(a - b).max()
PYTHON
}

need_onnx() {
    "$python" -c 'import onnx' 2>/dev/null || skip "python3-onnx is absent"
}

# Writes a model of Identity nodes, from x to each named output.
identity_model() {
    "$python" - "$@" <<'PYTHON'
import sys
from onnx import TensorProto, helper, save
path, *names = sys.argv[1:]
value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [2])
graph = helper.make_graph([helper.make_node("Identity", ["x"], [name]) for name in names], "g", [value("x")],
                          [value(name) for name in names])
save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
PYTHON
}

write_npy() {
    "$python" -c 'import sys, numpy; numpy.save(sys.argv[1], eval(sys.argv[2], vars(numpy)))' "$@"
}

@test "bert-tiny-random gives PyTorch's hidden states" {
    need_shared
    out=$BATS_TEST_TMPDIR/deep/out
    write_npy "$BATS_TEST_TMPDIR/types.npy" "zeros_like(load('$bert/input_ids.npy'))"
    hob run "$bert/model.onnx" -i "input_ids=$bert/input_ids.npy" -i "attention_mask=$bert/attention_mask.npy" \
        --input "token_type_ids=$BATS_TEST_TMPDIR/types.npy" -o "$out" --threads 1
    echo "$errors"
    [ "$status" -eq 0 ]
    [ -z "$output$errors" ]
    is_close "$out/last_hidden_state.npy" "$bert/last_hidden_state.npy"
}

# Inputs of stories260k: ids $1, of which the first $2 are in the past that $3 (a folder of outputs) holds.
stories_inputs() {
    "$python" - "$BATS_TEST_TMPDIR" "$@" <<'PYTHON'
import os, shutil, sys, numpy
to, ids, n_past, past = sys.argv[1], [int(i) for i in sys.argv[2].split()], int(sys.argv[3]), sys.argv[4]
save = lambda name, values: numpy.save(os.path.join(to, name + ".npy"), numpy.asarray(values, dtype=numpy.int64))
save("input_ids", [ids[n_past:]])
save("attention_mask", [[1] * len(ids)])
save("position_ids", [list(range(n_past, len(ids)))])
for layer in range(5):
    for part in ("key", "value"):
        given = os.path.join(to, f"past_key_values.{layer}.{part}.npy")
        if n_past: shutil.copy(os.path.join(past, f"present.{layer}.{part}.npy"), given)
        else: numpy.save(given, numpy.zeros((1, 4, 0, 8), numpy.float32))
PYTHON
}

run_stories() {
    local inputs=() name
    for name in input_ids attention_mask position_ids past_key_values.{0..4}.{key,value}; do
        inputs+=(-i "$name=$BATS_TEST_TMPDIR/$name.npy")
    done
    hob run "$stories/model.onnx" "${inputs[@]}" -o "$1"
    echo "$errors"
    [ "$status" -eq 0 ]
}

# The logits in $1 against the rows of PyTorch's $2 behind the first $3. Both are float32 sums: PyTorch's own are up to 1.4e-5
# off what double precision gives, so the bound grows with the value.
stories_logits() {
    "$python" - "$1" "$2" "$3" <<'PYTHON'
import sys, numpy
found, expected, n_past = numpy.load(sys.argv[1]), numpy.load(sys.argv[2]), int(sys.argv[3])
assert found.shape == (1, len(expected) - n_past, 512), found.shape
numpy.testing.assert_allclose(found[0], expected[n_past:], rtol=1e-5, atol=1e-5)
PYTHON
}

@test "stories260k with an empty past and with its own present as past gives PyTorch's logits" {
    need_shared
    for index in 0 1 2; do
        ids=$(jq -r ".[$index].prompt_ids | join(\" \")" "$stories/reference.json")
        first=$BATS_TEST_TMPDIR/first second=$BATS_TEST_TMPDIR/second whole=$BATS_TEST_TMPDIR/whole
        stories_inputs "$ids" 0 -
        run_stories "$whole"
        stories_logits "$whole/logits.npy" "$stories/logits_$((index + 1)).npy" 0
        stories_inputs "$(cut -d' ' -f1-3 <<<"$ids")" 0 -
        run_stories "$first"
        stories_inputs "$ids" 3 "$first"
        run_stories "$second"
        stories_logits "$second/logits.npy" "$stories/logits_$((index + 1)).npy" 3
    done
}

@test "--json tells each output; without it nothing is printed" {
    need_onnx
    cd "$BATS_TEST_TMPDIR"
    identity_model model.onnx y
    write_npy x.npy "array([1, 2], float32)"
    hob run model.onnx -i x=x.npy -o out --json
    [ "$status" -eq 0 ]
    jq -e '.model == "model.onnx" and .run_ms >= 0 and
        .outputs == [{"name": "y", "file": "out/y.npy", "type": "float32", "shape": [2]}]' <<<"$output"
    cmp x.npy out/y.npy
}

@test "names that are no file names become some, and none is lost" {
    need_onnx
    cd "$BATS_TEST_TMPDIR"
    identity_model model.onnx 'a/b' a_b '../../escape' .hidden 'a\b' 'tab	name' "$(printf 'x%.0s' {1..250})"
    write_npy x.npy "array([1, 2], float32)"
    hob run model.onnx -i x=x.npy -o out --json
    echo "$errors"
    [ "$status" -eq 0 ]
    [ "$(jq -r '.outputs[1].file' <<<"$output")" = out/a_b.npy ]
    [ "$(jq -r '.outputs[].file' <<<"$output" | sort -u | wc -l)" -eq 7 ]
    [ "$(find . -name '*.npy' | sort)" = "$( (jq -r '"./" + .outputs[].file' <<<"$output"; echo ./x.npy) | sort)" ]
    [ "$(find out -name '.*' | wc -l)" -eq 0 ]
}

@test "usage errors" {
    hob run
    is_usage_error "expected one MODEL"
    hob run a b -o out
    is_usage_error "expected one MODEL"
    hob run model.onnx
    is_usage_error "expected --output DIR"
    for input in x =file x=; do
        hob run model.onnx -i "$input" -o out
        is_usage_error "--input: found '$input', expected NAME=FILE"
    done
    hob run --cases list model.onnx
    is_usage_error "--cases"
    hob run --cases list -o out
    is_usage_error "--cases"
    hob run model.onnx -o out --threads many
    is_usage_error "--threads"
}

@test "bad models and bad inputs: one clear sentence" {
    need_onnx
    cd "$BATS_TEST_TMPDIR"
    identity_model model.onnx y
    write_npy x.npy "array([1, 2], float32)"
    hob run none.onnx -i x=x.npy -o out
    is_failure "none.onnx"
    : >empty.onnx
    hob run empty.onnx -i x=x.npy -o out
    is_failure "empty.onnx"
    head -c 60 model.onnx >cut.onnx
    hob run cut.onnx -i x=x.npy -o out
    is_failure "cut.onnx"
    echo "this is not a model" >text.onnx
    hob run text.onnx -i x=x.npy -o out
    is_failure "text.onnx"
    hob run model.onnx -o out
    is_failure "x"
    hob run model.onnx -i x=x.npy -i nonsense=x.npy -o out
    is_failure "nonsense"
    hob run model.onnx -i x=none.npy -o out
    is_failure "none.npy"
    head -c 100 x.npy >cut.npy
    hob run model.onnx -i x=cut.npy -o out
    is_failure "cut.npy"
    write_npy wrong.npy "array([1, 2], int64)"
    hob run model.onnx -i x=wrong.npy -o out
    is_failure "x"
    write_npy wide.npy "array([1, 2, 3], float32)"
    hob run model.onnx -i x=wide.npy -o out
    is_failure "x"
    hob run model.onnx -i x=x.npy -o model.onnx/out
    is_failure "model.onnx"
    [ ! -e out/y.npy ]
}

@test "an unknown operator and a cycle are told by name" {
    need_onnx
    cd "$BATS_TEST_TMPDIR"
    "$python" - <<'PYTHON'
from onnx import TensorProto, helper, save
value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [2])
def write(path, nodes):
    graph = helper.make_graph(nodes, "g", [value("x")], [value("y")])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
write("unknown.onnx", [helper.make_node("Frobnicate", ["x"], ["y"])])
write("cycle.onnx", [helper.make_node("Add", ["x", "b"], ["a"], name="first"),
                     helper.make_node("Add", ["a", "x"], ["b"], name="second"),
                     helper.make_node("Identity", ["b"], ["y"])])
PYTHON
    write_npy x.npy "array([1, 2], float32)"
    hob run unknown.onnx -i x=x.npy -o out
    is_failure "Frobnicate"
    hob run cycle.onnx -i x=x.npy -o out
    is_failure "cycle"
}

# Makes the folder $1 a data set of bert-tiny-random: the rows $2 of its inputs.
bert_data() {
    "$python" - "$bert" "$@" <<'PYTHON'
import os, sys, numpy
from onnx import numpy_helper
bert, folder, rows = sys.argv[1], sys.argv[2], slice(*map(int, sys.argv[3].split(":")))
os.mkdir(folder)
ids, mask = (numpy.load(f"{bert}/{name}.npy")[rows] for name in ("input_ids", "attention_mask"))
for i, values in enumerate((ids, mask, numpy.zeros_like(ids))):
    open(f"{folder}/input_{i}.pb", "wb").write(numpy_helper.from_array(values).SerializeToString())
PYTHON
}

is_close_pb() {
    "$python" - "$@" <<'PYTHON'
import sys, numpy, onnx
from onnx import numpy_helper
found, expected = numpy_helper.to_array(onnx.load_tensor(sys.argv[1])), numpy.load(sys.argv[2])
expected = expected[slice(*map(int, sys.argv[3].split(":")))]
assert found.dtype == expected.dtype and found.shape == expected.shape, (found.dtype, found.shape)
assert numpy.abs(found - expected).max() < 1e-5
PYTHON
}

@test "cases: bert-tiny-random's rows, from a file and from standard input" {
    need_shared
    need_onnx
    cd "$BATS_TEST_TMPDIR"
    for rows in 0:1 1:4 0:4; do
        bert_data "data$rows" "$rows"
        printf '%s\t%s\t%s\n' "$bert/model.onnx" "data$rows" "made/new/$rows"
    done >list
    hob run --cases list --threads 1
    [ "$status" -eq 0 ]
    [ "$output" = $'ok\nok\nok' ]
    for rows in 0:1 1:4 0:4; do
        is_close_pb "made/new/$rows/output_0.pb" "$bert/last_hidden_state.npy" "$rows"
    done
    script '"$HOB" run --cases - <list'
    [ "$output" = $'ok\nok\nok' ]
}

@test "cases: what fails is answered on its line and stops nothing" {
    need_onnx
    cd "$BATS_TEST_TMPDIR"
    identity_model good.onnx y
    : >empty.onnx
    mkdir data nothing
    "$python" - <<'PYTHON'
import numpy, onnx
from onnx import helper, numpy_helper, save, TensorProto
open("data/input_0.pb", "wb").write(numpy_helper.from_array(numpy.array([1, 2], numpy.float32)).SerializeToString())
value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [2])
graph = helper.make_graph([helper.make_node("Frobnicate", ["x"], ["y"])], "g", [value("x")], [value("y")])
save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), "unknown.onnx")
PYTHON
    printf '%s\n' $'good.onnx\tdata\tout1' $'empty.onnx\tdata\tout2' "no tabs" $'a\tb\tc\td' \
        $'unknown.onnx\tdata\tout3' $'good.onnx\tnothing\tout4' $'none.onnx\tdata\tout5' "" $'good.onnx\tdata\tout6' \
        >list
    hob run --cases list
    echo "$output"
    [ "$status" -eq 0 ]
    [ -z "$errors" ]
    [ "${#lines[@]}" -eq 8 ]
    [ "${lines[0]}" = ok ]
    [[ ${lines[1]} == $'error\t'*empty.onnx* ]]
    [[ ${lines[2]} == $'error\t'*"no tabs"* ]]
    [[ ${lines[3]} == $'error\t'* ]]
    [[ ${lines[4]} == $'unsupported\t'*Frobnicate* ]]
    [[ ${lines[5]} == $'error\t'* ]]
    [[ ${lines[6]} == $'error\t'*none.onnx* ]]
    [ "${lines[7]}" = ok ]
    [ -e out1/output_0.pb ]
    [ -e out6/output_0.pb ]
}

# endless.onnx: a loop of more steps than anybody waits for, and data/input_0.pb.
endless_model() {
    mkdir data
    "$python" - <<'PYTHON'
import numpy
from onnx import TensorProto, helper, numpy_helper, save
open("data/input_0.pb", "wb").write(numpy_helper.from_array(numpy.array([1, 2], numpy.float32)).SerializeToString())
value = lambda name, type=TensorProto.FLOAT, shape=[2]: helper.make_tensor_value_info(name, type, shape)
body = helper.make_graph([helper.make_node("Identity", ["go"], ["goes"]), helper.make_node("Add", ["v", "v"], ["w"])],
                         "body", [value("i", TensorProto.INT64, []), value("go", TensorProto.BOOL, []), value("v")],
                         [value("goes", TensorProto.BOOL, []), value("w")])
many = numpy_helper.from_array(numpy.array(2**60, numpy.int64), "many")
on = numpy_helper.from_array(numpy.array(True), "on")
graph = helper.make_graph([helper.make_node("Loop", ["many", "on", "x"], ["y"], body=body)], "g", [value("x")],
                          [value("y")], [many, on])
save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), "endless.onnx")
PYTHON
}

@test "cases: one that is killed is an answer, and the next one runs" {
    need_onnx
    cd "$BATS_TEST_TMPDIR"
    identity_model good.onnx y
    endless_model
    printf 'endless.onnx\tdata\tout1\ngood.onnx\tdata\tout2\n' >list
    "$HOB" run --cases list >answers 2>errors &
    pid=$!
    for ((attempt = 0; attempt < 200; attempt++)); do
        child=$(cat "/proc/$pid/task/$pid/children")
        [ -z "$child" ] || break
        sleep 0.05
    done
    kill -KILL $child
    wait "$pid"
    cat answers errors
    [ "$(cat answers)" = $'error\tcrashed by signal 9 (Killed)\nok' ]
    [ ! -s errors ]
}

@test "cases: one that takes too long is an answer, and the next one runs" {
    need_onnx
    cd "$BATS_TEST_TMPDIR"
    identity_model good.onnx y
    endless_model
    printf 'endless.onnx\tdata\tout1\ngood.onnx\tdata\tout2\n' >list
    hob run --cases list --timeout 0.5
    echo "$output $errors"
    [ "$output" = $'error\tstill running after 0.5 s\nok' ]
    [ -z "$errors" ]
    hob run --cases list --timeout 0
    is_usage_error "timeout"
}

# What a .pb file holds, the model's declaration says: outputs are read back as that and are what went in.
@test "cases: sequences, optionals, strings and small types keep their form" {
    need_onnx
    cd "$BATS_TEST_TMPDIR"
    "$python" - <<'PYTHON'
import os, numpy, onnx
from onnx import TensorProto, helper, numpy_helper, save, SequenceProto, OptionalProto
tensor = lambda a, name=None: numpy_helper.from_array(numpy.asarray(a), name)
floats = helper.make_tensor_type_proto(TensorProto.FLOAT, None)
texts = helper.make_tensor_type_proto(TensorProto.STRING, None)
raw = lambda type, dims, data: TensorProto(dims=dims, data_type=type, raw_data=data)
sequence = numpy_helper.from_list([numpy.float32([1, 2]), numpy.float32([[3]])])
strings = SequenceProto(elem_type=1, tensor_values=[tensor(numpy.array(["a", "\u00e4"], object))])
full, empty = OptionalProto(elem_type=1, tensor_value=tensor(numpy.float32([5]))), OptionalProto(elem_type=0)
cases = {
    "sequence": (helper.make_sequence_type_proto(floats), sequence, sequence),
    "none": (helper.make_sequence_type_proto(floats), SequenceProto(elem_type=1), SequenceProto(elem_type=1)),
    "strings": (helper.make_sequence_type_proto(texts), strings, strings),
    "optional": (helper.make_optional_type_proto(floats), full, full),
    "absent": (helper.make_optional_type_proto(floats), empty, empty),
    "maybe": (helper.make_optional_type_proto(helper.make_sequence_type_proto(floats)),
              OptionalProto(elem_type=2, sequence_value=sequence), OptionalProto(elem_type=2, sequence_value=sequence)),
    "bfloat16": (helper.make_tensor_type_proto(TensorProto.BFLOAT16, None), raw(16, [2], b"\x80?\x00@"), raw(16, [2], b"\x80?\x00@")),
    "quirk": (helper.make_tensor_type_proto(TensorProto.BFLOAT16, None), tensor(numpy.uint16([0x3f80])), raw(16, [1], b"\x80?")),
    "float8": (helper.make_tensor_type_proto(17, None), raw(17, [3], b"\x01\x80\x7f"), raw(17, [3], b"\x01\x80\x7f")),
    "int4": (helper.make_tensor_type_proto(22, None), raw(22, [3], b"\x21\x08"), raw(22, [3], b"\x21\x08")),
}
cases["complex"] = (helper.make_tensor_type_proto(TensorProto.COMPLEX64, None),) + (tensor(numpy.complex64([1 + 2j])),) * 2
with open("list", "w") as list_file:
    for name, (type, given, expected) in cases.items():
        value = lambda name: helper.make_value_info(name, type)
        graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [value("x")], [value("y")])
        save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], ir_version=8), name + ".onnx")
        os.mkdir(name)
        open(f"{name}/input_0.pb", "wb").write(given.SerializeToString())
        open(f"{name}/expected.pb", "wb").write(expected.SerializeToString())
        list_file.write(f"{name}.onnx\t{name}\t{name}/out\n")
PYTHON
    hob run --cases list
    echo "$output"
    [ -z "$(grep -v '^ok$' <<<"$output")" ]
    "$python" - <<'PYTHON'
import onnx
from onnx import TensorProto, SequenceProto, OptionalProto, numpy_helper
def plain(proto):
    if isinstance(proto, TensorProto):
        if proto.string_data: return tuple(proto.dims), proto.data_type, tuple(proto.string_data)
        return tuple(proto.dims), proto.data_type, proto.raw_data
    members = [m for field in ("tensor_values", "sequence_values") for m in getattr(proto, field, [])]
    members += [getattr(proto, field) for field in ("tensor_value", "sequence_value") if isinstance(proto, OptionalProto) and proto.HasField(field)]
    return [plain(m) for m in members]
for line in open("list"):
    name = line.split("\t")[1]
    type = onnx.load(name + ".onnx").graph.output[0].type.WhichOneof("value")
    kind = {"tensor_type": TensorProto, "sequence_type": SequenceProto, "optional_type": OptionalProto}[type]
    found, expected = kind(), kind()
    found.ParseFromString(open(f"{name}/out/output_0.pb", "rb").read())
    expected.ParseFromString(open(f"{name}/expected.pb", "rb").read())
    assert plain(found) == plain(expected), (name, plain(found), plain(expected))
PYTHON
}

@test "outputs that NumPy has no type for are written as .pb" {
    need_onnx
    cd "$BATS_TEST_TMPDIR"
    "$python" - <<'PYTHON'
from onnx import TensorProto, helper, save
value = lambda name, type: helper.make_tensor_value_info(name, type, [2])
graph = helper.make_graph([helper.make_node("Cast", ["x"], ["y"], to=TensorProto.STRING)], "g",
                          [value("x", TensorProto.FLOAT)], [value("y", TensorProto.STRING)])
save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), "text.onnx")
PYTHON
    write_npy x.npy "array([1, 2], float32)"
    hob run text.onnx -i x=x.npy -o out --json
    echo "$errors"
    [ "$status" -eq 0 ]
    [ "$(jq -r '.outputs[0].file' <<<"$output")" = out/y.pb ]
    [ -e out/y.pb ]
    [ ! -e out/y.npy ]
}

@test "cases: a list that is not there, a full disk, a closed pipe" {
    hob run --cases /nonexistent/list
    is_failure "/nonexistent/list"
    script 'yes "no tabs" | head -n 3 | "$HOB" run --cases - >/dev/full'
    is_failure "standard output: No space left on device"
    script 'yes "no tabs" | head -n 100000 | "$HOB" run --cases - | head -n 1; exit ${PIPESTATUS[2]}'
    [ "$status" -eq 0 ]
    [ -z "$errors" ]
    [ "${#lines[@]}" -eq 1 ]
}
