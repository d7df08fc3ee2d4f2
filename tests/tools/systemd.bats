#!/usr/bin/env bats
# The units as systemd's own tools judge them: nothing unknown in them, and little that the service could do.

setup() {
    command -v systemd-analyze >/dev/null || skip "no systemd-analyze"
    export XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR
    cp packaging/systemd/hob.socket "$BATS_TEST_TMPDIR"
    sed 's|@BINDIR@/hob|/bin/true|' packaging/systemd/hob.service >"$BATS_TEST_TMPDIR/hob.service"
}

@test "systemd-analyze verify has nothing to say" {
    run systemd-analyze --user verify --man=no "$BATS_TEST_TMPDIR/hob.service" "$BATS_TEST_TMPDIR/hob.socket"
    [ "$status" -eq 0 ]
    [ -z "$output" ]
}

# Exposure goes from 0 to 10; the threshold is in tenths.
@test "systemd-analyze security: exposure of at most 2.0" {
    run systemd-analyze --user security --offline=true --threshold=20 "$BATS_TEST_TMPDIR/hob.service"
    [ "$status" -eq 0 ]
    [[ "$output" == *"Overall exposure level"* ]]
}

@test "make install brings the units, with the program's path" {
    grep -q '@BINDIR@' packaging/systemd/hob.service
    run make --dry-run install DESTDIR="$BATS_TEST_TMPDIR/root" PREFIX=/opt/hob
    [[ "$output" == *"/opt/hob/lib/systemd/user/hob.service"* ]]
}
