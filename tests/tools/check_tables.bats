# tools/check-tables on small broken rooms.

setup() {
    ROOT=$PWD
    cd "$BATS_TEST_TMPDIR"
    mkdir -p src/ops build/src/ops
    cat > src/ops/op.c <<'END'
struct op_def { int x; };
#define OP(name) extern const struct op_def op_##name;
#include "ops.def"
#undef OP
END
    row_file relu 'const struct op_def op_relu = {1};'
    echo 'OP(relu)' > src/ops/ops.def
}

# row_file NAME TEXT: src/ops/NAME.c holding TEXT, and its object file
row_file() {
    printf 'struct op_def { int x; };\n%s\n' "$2" > "src/ops/$1.c"
    gcc -c "src/ops/$1.c" -o "build/src/ops/$1.o"
}

check() {
    run "$ROOT/tools/check-tables" build
}

@test "a row with its file and a file with its row pass" {
    check
    [ "$status" -eq 0 ]
    [ -z "$output" ]
}

@test "a row without a file is named" {
    printf '/* OP(old) */\nOP(relu)\nOP(gelu)\n' > src/ops/ops.def
    check
    [ "$status" -eq 1 ]
    [ "$output" = 'src/ops/ops.def:3: OP(gelu): no file of src/ops/ exports `const struct op_def op_gelu`' ]
}

@test "a file without a row is named" {
    row_file gelu 'const struct op_def op_gelu = {1};'
    check
    [ "$status" -eq 1 ]
    [ "$output" = "src/ops/gelu.c:2: op_gelu: has no row OP(…) in a .def file of src/ops/" ]
}

@test "also where the table is empty" {
    : > src/ops/ops.def
    check
    [ "$status" -eq 1 ]
    [[ "$output" == *"op_relu: has no row"* ]]
}

@test "a static object does not fill a row" {
    row_file gelu 'static const struct op_def op_gelu = {1}; const void *use(void) { return &op_gelu; }'
    echo 'OP(gelu)' >> src/ops/ops.def
    check
    [ "$status" -eq 1 ]
    [[ "$output" == *"OP(gelu): no file of src/ops/ exports"* ]]
}

@test "objects that a macro makes are seen" {
    row_file family '#define FAMILY(name) const struct op_def op_##name = {1};
FAMILY(sin) FAMILY(cos)'
    echo 'OP(sin)' >> src/ops/ops.def
    check
    [ "$status" -eq 1 ]
    [[ "$output" == *"family.o:1: op_cos: has no row"* ]]
}

@test "a row that stands twice is named" {
    echo 'OP(relu)' >> src/ops/ops.def
    check
    [ "$status" -eq 1 ]
    [ "$output" = "src/ops/ops.def:2: OP(relu): stands there twice, first at src/ops/ops.def:1" ]
}

@test "a table whose rows declare no object is passed over" {
    echo 'DTYPE(f32, 4)' > src/ops/dtype.def
    check
    [ "$status" -eq 0 ]
}

@test "of another machine's row only the text of its object is wanted" {
    row_file gelu '#ifdef OTHER_MACHINE
const struct op_def op_gelu = {1};
#endif'
    printf '#ifdef OTHER_MACHINE\nOP(gelu)\nOP(erf)\n#endif\n' >> src/ops/ops.def
    check
    [ "$status" -eq 1 ]
    [[ "$output" == *"OP(erf): no file of src/ops/ exports"* && "$output" != *"OP(gelu)"* ]]
}
