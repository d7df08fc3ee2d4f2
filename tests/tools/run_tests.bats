# tools/run-tests must not call a run good that was not.

run_tests() {
    run tools/run-tests "$@"
    closing=${lines[-1]}
}

# tap FILE LINE...: a program that prints the lines
tap() {
    local file=$BATS_TEST_TMPDIR/$1
    shift
    printf '#!/bin/sh\n' > "$file"
    printf 'echo "%s"\n' "$@" >> "$file"
    chmod +x "$file"
}

@test "adds up programs and checks" {
    tap good '1..3' 'ok 1 - a' 'not ok 2 # SKIP b' 'ok 3 - c'
    run_tests --cmocka "$BATS_TEST_TMPDIR/good" --check true 'exit 77'
    [ "$status" -eq 0 ]
    [ "$closing" = "3 passed, 0 failed, 2 skipped" ]
}

@test "a failed test fails the run and shows its output" {
    tap bad '1..1' 'not ok 1 - a' '# the reason'
    run_tests --cmocka "$BATS_TEST_TMPDIR/bad" --check true
    [ "$status" -eq 1 ]
    [ "$closing" = "1 passed, 1 failed, 0 skipped" ]
    [[ "$output" == *"the reason"* ]]
}

@test "tests that were planned and never reported have failed" {
    tap crash '1..3' 'ok 1 - a'
    echo 'kill -SEGV $$' >> "$BATS_TEST_TMPDIR/crash"
    run_tests --cmocka "$BATS_TEST_TMPDIR/crash"
    [ "$status" -eq 1 ]
    [ "$closing" = "1 passed, 2 failed, 0 skipped" ]
    [[ "$output" == *"ended by SIGSEGV"* ]]
}

@test "a bad exit status after good tests is a failure: a leak found at exit" {
    tap leak '1..1' 'ok 1 - a'
    echo 'exit 23' >> "$BATS_TEST_TMPDIR/leak"
    run_tests --cmocka "$BATS_TEST_TMPDIR/leak"
    [ "$status" -eq 1 ]
    [ "$closing" = "1 passed, 1 failed, 0 skipped" ]
}

@test "a program that runs no test has failed" {
    tap empty 'hello'
    run_tests --cmocka "$BATS_TEST_TMPDIR/empty"
    [ "$status" -eq 1 ]
    [ "$closing" = "0 passed, 1 failed, 0 skipped" ]
}

@test "a missing program has failed" {
    run_tests --cmocka "$BATS_TEST_TMPDIR/nowhere" --check true
    [ "$status" -eq 1 ]
    [ "$closing" = "1 passed, 1 failed, 0 skipped" ]
}

@test "a program that hangs is stopped, with its children" {
    tap hang '1..1'
    echo 'sleep 1000' >> "$BATS_TEST_TMPDIR/hang"
    run_tests --timeout 0.5 --cmocka "$BATS_TEST_TMPDIR/hang"
    [ "$status" -eq 1 ]
    [[ "$output" == *"ran past 0.5 s"* ]]
}

@test "nothing run, and nothing but skips, is not a pass" {
    run_tests
    [ "$status" -eq 1 ]
    [ "$closing" = "0 passed, 0 failed, 0 skipped" ]
    run_tests --check 'exit 77'
    [ "$status" -eq 1 ]
    [ "$closing" = "0 passed, 0 failed, 1 skipped" ]
}

@test "bats files see the program under test in HOB" {
    printf '@test "sees it" {\n    [ "$HOB" = /bin/true ]\n}\n' > "$BATS_TEST_TMPDIR/see.bats"
    run_tests --cli /bin/true "$BATS_TEST_TMPDIR/see.bats"
    [ "$status" -eq 0 ]
    [ "$closing" = "1 passed, 0 failed, 0 skipped" ]
}
