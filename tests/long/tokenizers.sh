#!/bin/sh
# 100,000 random texts for each family of tokenizers against the reference implementations, which npm installs into BUILD.
#
#     tests/long/tokenizers.sh BUILD [N] [SEED]
#
# Takes about half an hour on two cores, most of it in Node. Skipped (status 0) where node or ../shared is missing.
set -eu
build=${1:-build} n=${2:-100000} seed=${3:-7}
packages=$build/tokenizer-goldens
goldens=$packages/$n-$seed.jsonl

if ! command -v node >/dev/null || ! [ -d ../shared/tokenizers ]; then
    echo "tokenizers: skipped, node or ../shared/tokenizers is missing"
    exit 0
fi
mkdir -p "$packages"
if ! [ -s "$goldens" ]; then
    [ -f "$packages/package.json" ] || echo '{"private": true}' >"$packages/package.json"
    npm install --prefix "$packages" --no-audit --no-fund \
        @huggingface/tokenizers@0.2.0 @anush008/tokenizers@0.6.0 gpt-3-encoder@1.1.4
    node tools/tokenizer-goldens.mjs "$packages" ../shared/tokenizers "$n" "$seed" >"$goldens.part"
    mv "$goldens.part" "$goldens"
fi
HOB_TOKENIZER_GOLDENS=$goldens "$build/tests/text/test_goldens"
