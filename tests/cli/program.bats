# The program as a whole: help, version, unknown words, exit statuses, streams.

load program

@test "help names every command and goes to standard output" {
    hob --help
    [ "$status" -eq 0 ]
    [ -z "$errors" ]
    for verb in complete chat perplexity embed tokenize detokenize run inspect init serve ps stop config shell-completion help; do
        [[ $output == *"  $verb "* ]]
    done
    help=$output
    hob help
    [ "$output" = "$help" ]
    hob -h
    [ "$output" = "$help" ]
}

@test "each command has help of its own, by option and by word" {
    for verb in complete chat perplexity embed tokenize detokenize run inspect init serve ps stop config shell-completion help; do
        hob "$verb" --help
        [ "$status" -eq 0 ]
        [ -z "$errors" ]
        [[ $output == "Usage: hob $verb "* ]]
        help=$output
        hob help "$verb"
        [ "$output" = "$help" ]
        hob "$verb" -h
        [ "$output" = "$help" ]
    done
}

@test "help of complete lists each option of its table" {
    hob complete --help
    for option in --model --tokens --temperature --top-k --top-p --min-p --seed --beam-width --stop --echo --ids --json \
        --threads --help; do
        [[ $output == *" $option"* ]]
    done
}

@test "version" {
    hob --version
    [ "$status" -eq 0 ]
    [[ $output =~ ^hob\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
}

@test "no command" {
    hob
    is_usage_error "expected a command"
}

@test "an unknown command gets the nearest one" {
    hob complet
    is_usage_error "'complet' is not a command; did you mean 'complete'?"
    hob tokenise
    is_usage_error "did you mean 'tokenize'?"
    hob help insepct
    is_usage_error "did you mean 'inspect'?"
    hob xyzzy
    is_usage_error "'xyzzy' is not a command"
    [[ $errors != *"did you mean"* ]]
    hob ""
    is_usage_error "is not a command"
}

@test "an unknown option gets the nearest one" {
    hob complete --temprature 1 x
    is_usage_error "unknown option --temprature; did you mean --temperature?"
    hob complete --temp 1 x
    is_usage_error "did you mean --temperature?"
    hob complete --temprature=1 x
    is_usage_error "did you mean --temperature?"
    hob inspect --jsno x
    is_usage_error "did you mean --json?"
    hob inspect --zzzzzz x
    is_usage_error "unknown option --zzzzzz"
    [[ $errors != *"did you mean"* ]]
    hob complete -x
    is_usage_error "unknown option -x"
    hob --nonsense
    is_usage_error "unknown option --nonsense"
    hob -m model complete
    is_usage_error "unknown option -m"
}

@test "an option without its argument, and a flag with one" {
    hob complete x -n
    is_usage_error "--tokens: expected TOKENS"
    hob complete x --model
    is_usage_error "--model: expected MODEL"
    hob complete --echo=yes x
    is_usage_error "--echo takes no value"
}

@test "too many words for help and inspect" {
    hob help complete embed
    is_usage_error "expected one command"
    hob inspect a b
    is_usage_error "expected one FILE"
    hob inspect
    is_usage_error "expected one FILE"
}

@test "a full disk is an error, a closed pipe is none" {
    script '"$HOB" --help >/dev/full'
    is_failure "standard output: No space left on device"
    script '"$HOB" --help | true; exit ${PIPESTATUS[0]}'
    [ "$status" -eq 0 ]
    [ -z "$errors" ]
    script '"$HOB" --help >&-'
    is_failure "standard output: Bad file descriptor"
}

@test "control characters in a name do not reach the terminal" {
    hob inspect $'no\033[31mfile\nhob: lie'
    is_failure "no?[31mfile?hob: lie"
}

@test "nothing is coloured, with and without NO_COLOR" {
    script 'script -qec "\"$HOB\" --help; \"$HOB\" nonsense; true" /dev/null'
    plain=$output
    [ "$status" -eq 0 ]
    [[ $plain != *$'\033'* ]]
    NO_COLOR=1 script 'script -qec "\"$HOB\" --help; \"$HOB\" nonsense; true" /dev/null'
    [ "$output" = "$plain" ]
}

# The long options that a command's help lists.
options_of() {
    "$HOB" "$1" --help | grep -oE '^  (-[a-z]|  )[, ] --[a-z-]+' | grep -oE -- '--[a-z-]+'
}

@test "the manual page names every command and option" {
    page=$(sed 's/^\.Op Fl -/--/; s/ Fl -/ --/g; s/, -/, --/g' docs/hob.1)
    verbs=$("$HOB" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p')
    [ "$(wc -w <<<"$verbs")" -gt 15 ]
    for verb in $verbs; do
        grep -qx "\.It Cm $verb" docs/hob.1 || { echo "docs/hob.1 lacks $verb"; return 1; }
        for option in $(options_of "$verb"); do
            grep -qE -- "(^|[ ,.]|Fl )$option( |$)" <<<"$page" || {
                echo "docs/hob.1 lacks $option of $verb"
                return 1
            }
        done
    done
    command -v mandoc >/dev/null || skip "mandoc is absent"
    run mandoc -Tlint -W warning docs/hob.1
    echo "$output"
    [ -z "$output" ]
}

# What bash would offer behind the given words, the last of which is being typed.
offered() {
    "$HOB" shell-completion bash >"$BATS_TEST_TMPDIR/script"
    bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _hob; echo "${COMPREPLY[*]}"' offered \
        "$BATS_TEST_TMPDIR/script" hob "$@"
}

@test "bash completes commands, options and an option's words" {
    [ "$(offered emb)" = embed ]
    [ "$(offered help insp)" = inspect ]
    [ "$(offered complete --t)" = "--tokens --temperature --top-k --top-p --typical --top-n-sigma --threads" ]
    [ "$(offered embed --pooling c)" = cls ]
    [ -z "$(offered complete Once)" ]
    for verb in complete chat perplexity embed tokenize run inspect; do
        [ "$(offered "$verb" -- | tr ' ' '\n' | sort)" = "$(options_of "$verb" | sort)" ]
    done
}

@test "an instruction set that is not there is told" {
    need_shared
    HOB_KERNELS=abacus hob complete -m "$shared/models/stories260k/model-f32.gguf" -n 1 Once
    is_failure "HOB_KERNELS: found abacus, expected one of generic"
    HOB_KERNELS=generic hob complete -m "$shared/models/stories260k/model-f32.gguf" -n 1 Once
    [ "$status" -eq 0 ]
}

@test "zsh and fish take their scripts" {
    for shell in zsh fish; do
        hob shell-completion "$shell"
        [ "$status" -eq 0 ]
        [[ $output == *"--pooling"* || $output == *"-l pooling"* ]]
        command -v "$shell" >/dev/null || continue
        "$HOB" shell-completion "$shell" >"$BATS_TEST_TMPDIR/script"
        "$shell" -n "$BATS_TEST_TMPDIR/script"
    done
    hob shell-completion
    is_usage_error "expected bash, zsh or fish"
    hob shell-completion csh
    is_usage_error "found 'csh'"
}
