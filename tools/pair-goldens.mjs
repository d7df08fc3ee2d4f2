// Pairs of texts, and texts alone, as the reference tokenizers encode and cut them, for tests/engine/test_encode.c.
//
//     node tools/pair-goldens.mjs PACKAGES TOKENIZERS > tests/data/pairs.jsonl
//
// PACKAGES: a folder where `npm install` put @anush008/tokenizers (Hugging Face's Rust code). TOKENIZERS: ../shared/tokenizers.
// Each line is {"family", "a", "b" (null: a text alone), "most" (tokens), "left" (cut at the beginning), "second" (only b is cut), "ids",
// "types"},
// or "refused" in their place. Texts that spell special tokens are left out: hob takes a stranger's text for text.
import { createRequire } from "node:module";
import path from "node:path";

const [packages, folder] = process.argv.slice(2);
const require = createRequire(path.resolve(packages, "package.json"));
const { Tokenizer } = require("@anush008/tokenizers");

const families = ["all-MiniLM-L6-v2", "roberta-base", "t5-small", "gpt2"];
const texts = ["", "What is a hob?", "A hob is a household spirit.", " It keeps the fire going, sweeps the floor and is gone before dawn ",
    "ünïcødé 火 and tokenisation", "milk"];
const cuts = [{ most: 24 }, { most: 12 }, { most: 9, left: true }, { most: 8 }, { most: 7, left: true }, { most: 16, second: true },
    { most: 14, second: true, left: true }];

async function golden(family, tokenizer, a, b, { most, left = false, second = false }) {
    tokenizer.setTruncation(most, { direction: left ? "left" : "right", strategy: second ? "OnlySecond" : "LongestFirst" });
    const encoding = await tokenizer.encode(a, b);
    return { family, a, b, most, left, second, ids: encoding.getIds(), types: encoding.getTypeIds() };
}

for (const family of families) {
    const tokenizer = Tokenizer.fromFile(path.join(folder, family, "tokenizer.json"));
    tokenizer.disablePadding();
    for (const a of texts)
        for (const b of [null, ...texts])
            for (const cut of cuts) {
                if (cut.second && b === null) continue;
                const line = await golden(family, tokenizer, a, b, cut).catch((error) => {
                    if (cut.second) return { family, a, b, ...cut, refused: true }; // a alone fills it
                    throw error;
                });
                console.log(JSON.stringify(line));
            }
}
