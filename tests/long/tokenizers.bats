# The tokenizers against the reference implementations, on 100,000 random texts a family.

@test "100,000 random texts for each family of tokenizers" {
    run tests/long/tokenizers.sh "${BUILD:-build}"
    echo "$output"
    [ "$status" -eq 0 ]
}
