# hob chat: messages from a pipe, commands, templates, JSON, how it ends; and once on a terminal.

load program

talk() {
    script '"$HOB" chat -m "$1" -n 8 "${@:3}" <<<"$2"' "$stories" "$@"
}

@test "a message a line, an answer each, greedy as hob complete" {
    need_shared
    talk $'Once upon a time\nAnd then?' --template plain
    [ "$status" -eq 0 ] && [ -z "$errors" ]
    first=$("$HOB" complete -m "$stories" -n 8 $'Once upon a time\n')
    [ "$output" != "${output#"$first"}" ]
}

@test "a model without a template is refused at once, and says what helps" {
    need_shared
    talk x
    is_failure "no chat template"
    [[ $errors == *--template* ]]
    talk x --template nosuch
    is_failure "there is none named 'nosuch'"
}

@test "a template of one's own, with variables, a system message and --json" {
    need_shared
    echo '{% for m in messages %}{{ m.role }}{{ mood }}{{ m.content }}{% endfor %}' >"$BATS_TEST_TMPDIR/t.jinja"
    talk $'one\ntwo' --template-file "$BATS_TEST_TMPDIR/t.jinja" --template-variables '{"mood": "calm"}' --system Be --json
    echo "$output $errors"
    [ "$status" -eq 0 ]
    [ "$(jq -r .message.role <<<"$output" | sort -u)" = assistant ]
    [ "$(jq -s length <<<"$output")" -eq 2 ]
    [ "$(jq -s '.[1].n_cached_tokens > 5' <<<"$output")" = true ] # the first turn is not computed again
}

@test "what the template refuses is said, and nothing is added" {
    need_shared
    echo '{{ raise_exception("Not today") if messages | length > 1 else messages[0].content }}' >"$BATS_TEST_TMPDIR/t.jinja"
    talk $'one\ntwo' --template-file "$BATS_TEST_TMPDIR/t.jinja"
    [ "$status" -eq 1 ]
    [[ $errors == *"Not today"* ]]
}

@test "commands: undo, regenerate, set, save, load, unknown ones" {
    need_shared
    file=$BATS_TEST_TMPDIR/saved.json
    talk $'Once upon\n/save '"$file"$'\n/undo\n/set seed 7\n/set temperature 1\nOnce upon\n/regenerate\n/set\n/info\n/bogus\n/set bogus 1\n/quit\nnever' --template plain
    echo "$output $errors"
    [ "$status" -eq 0 ]
    [ "$(jq -r '.[0].content' "$file")" = "Once upon" ] && [ "$(jq length "$file")" -eq 2 ]
    [[ $output == *"seed 7"* && $output == *"temperature 1"* && $output == *"tokens/s"* ]]
    [[ $errors == *"no command /bogus"* && $errors == *"no setting 'bogus'"* ]]
    talk $'/info' --template plain --load "$file"
    [[ $output == *"messages: 2"* ]]
    echo broken >"$file"
    talk $'/info' --template plain --load "$file"
    is_failure "messages: line 1"
}

@test "several lines as one message, and a slash that is none" {
    need_shared
    file=$BATS_TEST_TMPDIR/saved.json
    talk $'"""\none\ntwo\n"""\nthree\\\nfour\n//five\n/save '"$file" --template plain
    [ "$(jq -c '[.[] | select(.role == "user").content]' "$file")" = '["one\ntwo","three\nfour","/five"]' ]
}

@test "on a terminal: a prompt, an answer, history for the owner only, Ctrl-D leaves" {
    need_shared
    command -v script >/dev/null || skip "script(1) is absent"
    export XDG_STATE_HOME=$BATS_TEST_TMPDIR/state TERM=xterm
    run bash -c '{ sleep 1; printf "Once upon\n"; sleep 2; printf "/info\n"; sleep 1; printf "\004"; } |
        script -qec "\"$1\" chat -m \"$2\" --template plain -n 4" /dev/null' run "$HOB" "$stories"
    echo "$output"
    [[ $output == *"> "* && $output == *"messages: 2"* ]]
    grep -q "upon" "$XDG_STATE_HOME/hob/chat_history"
    [ "$(stat -c %a "$XDG_STATE_HOME/hob/chat_history")" = 600 ]
}

@test "words on the command line are a mistake" {
    hob chat hello
    is_usage_error "found 'hello'"
}

@test "tokens are drawn as hob complete draws them" {
    need_shared
    how=(--temperature 1 --top-k 40 --seed 5 --presence-penalty 2 --logit-bias 13+1)
    talk $'Once upon a time' --template plain "${how[@]}"
    [ "$status" -eq 0 ]
    [ "$output" = "$("$HOB" complete -m "$stories" -n 8 "${how[@]}" $'Once upon a time\n')" ]
    talk x --template plain --logit-bias 13
    is_usage_error "--logit-bias: found '13'"
}
