# What the tests of the commands load: where the program, the models and scratch space are.
#
# $HOB is the program under test. Tests that need ../shared skip where it is absent; nothing else does.
#
# Bats sets $status and $stderr, the tests read the rest:
# shellcheck disable=SC2034,SC2154

bats_require_minimum_version 1.5.0
HOB=$(realpath -m "${HOB:-build/hob}")
shared=$(cd .. && pwd)/shared
models=$shared/models
stories=$models/stories260k
bert=$models/bert-tiny-random
# Debian's own, which has python3-numpy and python3-onnx.
python=$(command -v /usr/bin/python3 || command -v python3)
unset HOB_MODEL NO_COLOR

need_shared() {
    [ -d "$models" ] || skip "../shared is absent"
}

# hob ARGUMENT…: $status, standard output in $output, standard error in $errors.
hob() {
    run --separate-stderr "$HOB" "$@"
    errors=$stderr
}

# The same for a shell script, in which "$HOB" and "$1" … are known.
script() {
    HOB=$HOB run --separate-stderr bash -c "$1" script "${@:2}"
    errors=$stderr
}

# The command was called wrongly: exit 2, a sentence that names what, where to find help, nothing on standard output.
is_usage_error() {
    echo "status $status, errors: $errors, output: $output"
    [ "$status" -eq 2 ] && [ -z "$output" ] && [[ $errors == "hob: "*"$1"* ]] && [[ $errors == *"--help'."* ]]
}

# The command failed: exit 1, one sentence, nothing on standard output.
is_failure() {
    echo "status $status, errors: $errors, output: $output"
    [ "$status" -eq 1 ] && [ -z "$output" ] && [[ $errors == "hob: "*"$1"* ]] && [[ $errors != *$'\n'* ]]
}
