# README.md shows what the commands print: each "$ " line with output below it is run from the repository's root.

load program

# Runs the commands of README.md that have output, and writes what README.md should say there.
replay() {
    "$python" - "$HOB" <<'PYTHON'
import os, re, subprocess, sys
env = {**os.environ, "PATH": os.path.dirname(sys.argv[1]) + ":" + os.environ["PATH"]}
wrong = n_shown = 0
for block in re.findall(r"^```\n(\$ .*?)^```$", open("README.md").read(), re.M | re.S):
    for example in re.split(r"^\$ ", block, flags=re.M)[1:]:
        command, _, shown = example.partition("\n")
        if not shown: continue
        n_shown += 1
        found = subprocess.run(["bash", "-c", command], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True).stdout
        if found == shown: continue
        wrong += 1
        print(f"$ {command}\nREADME.md says:\n{shown}but found:\n{found}")
assert n_shown >= 6, f"found {n_shown} commands with output"
sys.exit(wrong > 0)
PYTHON
}

@test "the commands that README.md shows print what it says" {
    [ -d "$(dirname "$HOB")/../models" ] || skip "the program has no models beside it"
    HOME=$BATS_TEST_TMPDIR XDG_DATA_HOME= replay
}

@test "the C lines of README.md compile" {
    command -v gcc >/dev/null || skip "gcc is absent"
    code=$(sed -n '/^```c$/,/^```$/p' README.md | grep -v '^```')
    {
        grep '^#include' <<<"$code"
        echo '#include <stdio.h>'
        echo 'int main(void) {'
        grep -v '^#include' <<<"$code"
        echo 'return 0; }'
    } >"$BATS_TEST_TMPDIR/readme.c"
    gcc -std=gnu17 -Wall -Wextra -Werror -Iinclude -fsyntax-only "$BATS_TEST_TMPDIR/readme.c"
}
