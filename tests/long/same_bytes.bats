# Same seed, same bytes: a thousand runs.

@test "1,000 runs of one request, with other threads, neighbours, caches and chunks, give one hash" {
    [ -d ../shared/models ] || skip "../shared is absent"
    HOB_SAME_BYTES_RUNS=1000 run "${BUILD:-build}/tests/engine/test_same_bytes"
    echo "$output"
    [ "$status" -eq 0 ]
    [[ $output == *"1000 runs"* ]]
}
