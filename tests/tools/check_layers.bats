# tools/check-layers on small broken houses.

setup() {
    ROOT=$PWD
    cd "$BATS_TEST_TMPDIR"
    mkdir -p src/base src/graph src/ops src/cli include/hob
    printf '%s\n' 'base 0' 'ops 4' 'graph 5' 'cli 10 base  # narrow' > src/LAYERS
    touch src/base/error.h src/ops/op.h src/graph/graph.h include/hob/hob.h
}

check() {
    run "$ROOT/tools/check-layers" "$@"
}

# compile FILE...: objects below build/, as make would place them
compile() {
    for file in "$@"; do
        mkdir -p "build/$(dirname "$file")"
        gcc -c "$file" -o "build/${file%.c}.o"
    done
}

@test "the house itself keeps its layers" {
    cd "$ROOT"
    check
    [ "$status" -eq 0 ]
}

@test "lower floors, the own room, public and system headers may be included" {
    printf '#include "base/error.h"\n#include "ops/op.h"\n#include "hob/hob.h"\n#include <stdio.h>\n' > src/ops/op.c
    check
    [ "$status" -eq 0 ]
    [ -z "$output" ]
}

@test "a higher floor may not" {
    printf '\n#include "graph/graph.h"\n' > src/ops/op.c
    check
    [ "$status" -eq 1 ]
    [ "$output" = "src/ops/op.c:2: includes graph/graph.h: graph is on floor 5, ops on floor 4: only lower floors may be included" ]
}

@test "another room on the same floor may not" {
    mkdir src/text
    echo 'text 4' >> src/LAYERS
    echo '#include "ops/op.h"' > src/text/text.h
    check
    [ "$status" -eq 1 ]
    [[ "$output" == "src/text/text.h:1: includes ops/op.h: "* ]]
}

@test "a room with a narrow view sees only what its line names" {
    printf '#include "base/error.h"\n#include "ops/op.h"\n' > src/cli/main.c
    check
    [ "$status" -eq 1 ]
    [ "$output" = "src/cli/main.c:2: includes ops/op.h: cli sees only include/hob, base and itself" ]
}

@test "an include that is not rooted, and a room without a floor, are named" {
    echo '#include "op.h"' > src/ops/op.c
    mkdir src/attic
    touch src/attic/old.c src/stray.c
    check
    [ "$status" -eq 1 ]
    [[ "$output" == *"src/ops/op.c:1: includes op.h: no such file below src/"* ]]
    [[ "$output" == *"src/attic/old.c:1: attic: has no floor in src/LAYERS"* ]]
    [[ "$output" == *"src/stray.c:1: "* ]]
}

@test "a public header includes only public headers" {
    echo '#include "base/error.h"' > include/hob/hob.h
    check
    [ "$status" -eq 1 ]
    [ "$output" = "include/hob/hob.h:1: includes base/error.h: public headers include only public headers" ]
}

@test "headers in a circle are found, however long" {
    echo '#include "ops/b.h"' > src/ops/a.h
    echo '#include "ops/c.h"' > src/ops/b.h
    echo '#include "ops/a.h"' > src/ops/c.h
    echo '#include "ops/a.h"' > src/ops/outside.c
    check
    [ "$status" -eq 1 ]
    [ "$output" = "src/ops/a.h:1: headers include each other in a circle: src/ops/a.h src/ops/b.h src/ops/c.h" ]
}

@test "functions of two files that call each other are a circle" {
    echo 'void b(void); void a(void) { b(); }' > src/ops/a.c
    echo 'void a(void); void b(void) { a(); }' > src/ops/b.c
    echo 'void a(void); void c(void) { a(); }' > src/ops/c.c
    compile src/ops/*.c
    check build
    [ "$status" -eq 1 ]
    [ "${lines[0]}" = "src/ops/a.c:1: calls b of src/ops/b.c: both are in one circle of calls" ]
    [ "${lines[1]}" = "src/ops/b.c:1: calls a of src/ops/a.c: both are in one circle of calls" ]
    [ "${#lines[@]}" -eq 2 ]
}

@test "a table of objects whose file calls back into the table's file is no circle" {
    echo 'struct d { int x; }; extern const struct d d; int help(void) { return 1; } int find(void) { return d.x; }' > src/ops/table.c
    echo 'struct d { int x; }; const struct d d = {1}; int help(void); int use(void) { return help(); }' > src/ops/row.c
    compile src/ops/*.c
    check build
    [ "$status" -eq 0 ]
}

@test "a build folder without objects is an error, not a pass" {
    check nowhere
    [ "$status" -eq 1 ]
    [[ "$output" == *"holds no object files"* ]]
}
