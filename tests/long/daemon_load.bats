# 64 clients of every API for five minutes: none lost, none mixed up, memory flat.

load ../server/daemon
python=$(command -v /usr/bin/python3 || command -v python3)

teardown() {
    stop_daemon
}

@test "64 clients for ${HOB_LOAD_SECONDS:-300} seconds" {
    need_shared
    more_config="
[models.small]
path = \"$models/stories260k/model-q8_0.gguf\"" start_daemon --set results.max_entries=0
    run "$python" tests/server/load.py "$socket" "${url#http://}" --seconds "${HOB_LOAD_SECONDS:-300}" --clients 64 --pid "$(<"$folder/pid")" \
        --embedder embedder --models stories,small --aborts 0.05
    echo "# $output" | tee /dev/fd/3
    [ "$status" -eq 0 ]
}
