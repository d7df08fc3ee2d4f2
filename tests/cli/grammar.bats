# hob complete --grammar and --json-schema.

load program

@test "a grammar holds the text and ends it" {
    printf 'root ::= " yes" | " no"\n' > "$BATS_TEST_TMPDIR/g.gbnf"
    hob complete -n 20 --grammar "$BATS_TEST_TMPDIR/g.gbnf" "Once upon a time"
    [ "$status" -eq 0 ]
    [ "$output" = " yes" ] || [ "$output" = " no" ]
}

@test "a schema on the command line or in a file gives valid JSON" {
    schema='{"type":"object","properties":{"name":{"type":"string","maxLength":12},"age":{"type":"integer","minimum":1,"maximum":99}},"required":["name","age"],"additionalProperties":false}'
    hob complete -n 200 --temperature 1 --seed 3 --json-schema "$schema" "Lily: "
    [ "$status" -eq 0 ]
    jq -e '(.name | length) <= 12 and .age >= 1 and .age <= 99 and (keys | length) == 2' <<<"$output"
    echo "$schema" > "$BATS_TEST_TMPDIR/s.json"
    once=$output
    hob complete -n 200 --temperature 1 --seed 3 --json-schema "$BATS_TEST_TMPDIR/s.json" "Lily: "
    [ "$output" = "$once" ]
}

@test "broken grammars and schemas are refused with the place" {
    printf 'root ::= "a\n' > "$BATS_TEST_TMPDIR/g.gbnf"
    hob complete --grammar "$BATS_TEST_TMPDIR/g.gbnf" x
    [ "$status" -eq 1 ]
    [[ $errors == *"expected a closing"* ]]
    hob complete --json-schema '{"properties":{"a":{"not":{}}}}' x
    [ "$status" -eq 1 ]
    [[ $errors == *"#/properties/a/not"* ]]
    hob complete --grammar a --json-schema b x
    [ "$status" -eq 2 ]
    hob complete --beam-width 2 --json-schema '{}' x
    [ "$status" -eq 1 ]
}
