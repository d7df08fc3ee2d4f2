# Long texts on models of real size: HOB_RESTART_MODEL (SmolLM-135M's shape) and HOB_LONG_MODEL (Qwen2.5-0.5B's, made for 131072 positions:
# tools/gguf-with-yarn makes one of a file that was made for fewer).

@test "an 8,000-token prefix comes back from disk with the same output" {
    [ -n "${HOB_RESTART_MODEL:-}" ] || skip "HOB_RESTART_MODEL names no model"
    HOB_LONG_MODEL='' run "${BUILD:-build}/tests/engine/test_long_context"
    echo "$output" >&3
    [ "$status" -eq 0 ]
}

@test "128 K tokens fit with a small cache, as forecast" {
    [ -n "${HOB_LONG_MODEL:-}" ] || skip "HOB_LONG_MODEL names no model"
    for cache in q8_0 q4_0; do
        HOB_RESTART_MODEL='' HOB_LONG_CACHE=$cache run "${BUILD:-build}/tests/engine/test_long_context"
        echo "$output" >&3
        [ "$status" -eq 0 ]
    done
}
