# Many clients of every API at once: none lost, none mixed up, memory flat. tests/long/daemon_load.bats is the same for longer.

load daemon
python=$(command -v /usr/bin/python3 || command -v python3)

setup() {
    need_shared
}

teardown() {
    stop_daemon
}

metric() { curl -s --unix-socket "$socket" http://h/metrics | sed -n "s/^$1 //p"; }
is_idle() { [ "$(metric hob_running_jobs)" = 0 ]; }

more_config="
[models.small]
path = \"$models/stories260k/model-q8_0.gguf\""

# load_it CLIENTS SECONDS ARGUMENT…: of load.py; gentler to a daemon that a sanitizer slows down.
load_it() {
    local clients=$1 seconds=$2
    shift 2
    if is_sanitized; then set -- "$@" --requests 6 && clients=8 && seconds=2; else set -- "$@" --pid "$(<"$folder/pid")"; fi
    "$python" tests/server/load.py "$socket" "${url#http://}" --clients "$clients" --seconds "$seconds" "$@"
    until_true is_idle
}

@test "64 clients, every API, two models and an embedder, some of them gone before the end" {
    start_daemon --set results.max_entries=0
    load_it 64 12 --embedder embedder --models stories,small --aborts 0.05
}

@test "answers that are known already" {
    start_daemon
    load_it 16 2 --embedder embedder --aborts 0.05
    [ "$(metric 'hob_result_cache_total{kind="hit"}')" -gt 0 ]
}

@test "a cache that is too small for all: texts are put off, and say the same" {
    start_daemon --set results.max_entries=0 --set memory.cache_tokens=512 --set memory.prefix_cache_bytes=64KiB
    load_it 24 5 --longest 250 --embedder embedder --models stories,small --aborts 0.05
    for seed in {1..4}; do
        curl -s --unix-socket "$socket" http://h/v1/completions -o /dev/null \
            -d "{\"model\":\"stories\",\"prompt\":\"Once\",\"n\":4,\"seed\":$seed,\"max_tokens\":300,\"ignore_eos\":true}" 3>&- &
        askers+=($!)
    done
    wait "${askers[@]}"
    [ "$(metric 'hob_parked_generations_total{model="stories"}')" -gt 0 ]
}

@test "memory for one more model at a time: they take turns, and say the same" {
    more_config="
[models.one]
path = \"$models/stories260k/model-q8_0.gguf\"
[models.other]
path = \"$models/stories260k/model-f16.gguf\"" start_daemon --set results.max_entries=0 --set memory.max_bytes=7800000 \
        --set memory.prefix_cache_bytes=0 --set memory.cache_tokens=1024
    load_it 8 4 --models one,other --requests 12
    [ "$(metric 'hob_model_loads_total{model="one",kind="evicted"}')" -gt 0 ]
    [ "$(metric 'hob_model_loads_total{model="other",kind="evicted"}')" -gt 0 ]
}
