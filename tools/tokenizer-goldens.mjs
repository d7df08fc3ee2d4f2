// Random texts and the ids that the reference tokenizers give for them, for tests/text/test_goldens.c.
//
//     node tools/tokenizer-goldens.mjs PACKAGES TOKENIZERS N SEED > goldens.jsonl
//
// PACKAGES: a folder where `npm install` put @huggingface/tokenizers, @anush008/tokenizers and gpt-3-encoder (tests/long/
// tokenizers.sh does). TOKENIZERS: ../shared/tokenizers. Each line is {"text" or "bytes" (hex, broken UTF-8), then an array of
// ids for each family}. On stderr: how often the JavaScript implementation agrees with the Rust one.
//
// The ids are those of Hugging Face's Rust code (@anush008/tokenizers wraps tokenizers 0.22), which is what models are trained
// with. @huggingface/tokenizers is its rewrite in JavaScript and leaves it in places, counted here and explained in
// tests/text/test_goldens.c. gpt-3-encoder is compared on what OpenAI's own code would see. "decoded" holds, where it is not the
// text itself, what the Rust code decodes the ids to, special tokens left out.
import { createRequire } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

const [packages, folder, count, seed] = process.argv.slice(2);
const require = createRequire(path.resolve(packages, "package.json"));
const rust = require("@anush008/tokenizers");
const { encode: encodeGpt3 } = require("gpt-3-encoder");
const { Tokenizer } = require("@huggingface/tokenizers");

const files = {
    gpt2: "tokenizers/gpt2/tokenizer.json",
    qwen3: "tokenizers/qwen3/tokenizer.json",
    roberta: "tokenizers/roberta-base/tokenizer.json",
    minilm: "tokenizers/all-MiniLM-L6-v2/tokenizer.json",
    t5: "tokenizers/t5-small/tokenizer.json",
    stories260k: "models/stories260k/tokenizer.json",
};

// xorshift32: the same texts on every machine.
let state = Number(seed) * 2654435761 >>> 0 || 1;
function random(n) {
    state ^= state << 13; state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5; state >>>= 0;
    return state % n;
}
const pick = (list) => list[random(list.length)];
const between = (low, high) => String.fromCodePoint(low + random(high - low + 1));
const many = (n, make) => Array.from({ length: 1 + random(n) }, make).join("");

// Characters that are assigned since Unicode 6 and mean the same in the tables of all implementations. Newer ones do not: Rust's
// BERT knows Unicode 8, Oniguruma 15, PCRE2 14, utf8proc 15, V8 what its ICU brings.
const scripts = [
    [0x20, 0x7e], [0x20, 0x7e], [0x20, 0x7e], [0xa1, 0xff], [0x100, 0x24f], [0x250, 0x2af], [0x386, 0x3ce, 0x38b, 0x38d, 0x3a2],
    [0x400, 0x4ff], [0x531, 0x556], [0x5d0, 0x5ea], [0x621, 0x64a], [0x660, 0x669], [0x905, 0x939], [0x93e, 0x94d],
    [0x985, 0x98c], [0xe01, 0xe3a], [0x10a0, 0x10c5], [0x1100, 0x115f], [0x1780, 0x17b3], [0x1e00, 0x1eff], [0x1f00, 0x1f15],
    [0x2010, 0x2027], [0x2030, 0x205e], [0x2070, 0x2071], [0x2074, 0x208e], [0x20a0, 0x20b8], [0x2100, 0x214d], [0x2150, 0x2182],
    [0x2190, 0x23e8], [0x2460, 0x24ff], [0x2500, 0x26e1], [0x2776, 0x2794], [0x3001, 0x303f], [0x3041, 0x3096], [0x30a1, 0x30fe],
    [0x3105, 0x312c], [0x3131, 0x318e], [0x3220, 0x3243], [0x32d0, 0x32fe], [0x3300, 0x33ff], [0x3400, 0x4db5], [0x4e00, 0x9fa5],
    [0xac00, 0xd7a3], [0xe000, 0xf8ff], [0xf900, 0xfa2d], [0xfb00, 0xfb06], [0xfb1d, 0xfb36], [0xfe30, 0xfe44], [0xff01, 0xffbe],
    [0x10400, 0x1044f], [0x1d400, 0x1d454], [0x1d7ce, 0x1d7ff], [0x1f300, 0x1f320], [0x1f600, 0x1f640], [0x20000, 0x2a6d6],
    [0x2f800, 0x2fa1d],
];
const spaces = [" ", " ", " ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", "\u00a0", "\u2003", "\u3000", "\u2028", "\u0085", "\u200b", "\ufeff"];
const marks = ["\u0300", "\u0301", "\u0308", "\u0323", "\u0327", "\u05b0", "\u064b", "\u093c", "\u20dd", "\u3099", "\ufe0f", "\u200d"];
const controls = ["\0", "\x01", "\x07", "\b", "\x1b", "\x7f", "\x8f", "\u00ad", "\u200e", "\u2060", "\ufffd"];
const words = ["Hello", "world", "the", "The", "don't", "I'LL", "we've", "he'S", "'tis", "résumé", "naïve", "STRASSE", "straße", "İstanbul",
    "ΟΔΟΣ", "привет", "Việt", "東京", "日本語", "안녕", "مرحبا", "שלום", "नमस्ते", "ภาษา", "ﬁne", "①②", "½", "x²", "3.14", "1,000", "2024-01-01",
    "http://a.b/c?d=e&f", "foo_bar", "camelCase", "__init__", "!=", "==", "->", "...", "---", "\u2581", "\u2581the", "a\u2581b", "\u017fit",
    "unaffable", "antidisestablishmentarianism", "[unused1]", "<0x0A>", "##ing"];
const special = ["<s>", "</s>", "<pad>", "<unk>", "<mask>", "[CLS]", "[SEP]", "[MASK]", "[PAD]", "<|endoftext|>", "<|im_start|>",
    "<|im_end|>", "<extra_id_0>", "<extra_id_99>", "<think>"];
const emoji = ["\u{1f600}", "\u{1f44d}\u{1f3fd}", "\u{1f468}\u200d\u{1f469}\u200d\u{1f467}\u200d\u{1f466}", "\u{1f1e9}\u{1f1ea}",
    "1\ufe0f\u20e3", "\u2764\ufe0f", "\u{1f636}\u200d\u{1f32b}\ufe0f", "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}"];

function inScript() {
    const [low, high, ...holes] = pick(scripts);
    return many(8, () => { let c; do c = low + random(high - low + 1); while (holes.includes(c)); return String.fromCodePoint(c); });
}
const segments = [
    () => many(4, () => pick(words) + pick(spaces)), () => many(4, () => pick(words) + pick(spaces)), () => pick(words), inScript, inScript,
    () => many(6, () => pick(spaces)), () => many(3, () => pick(emoji)), () => pick(words) + many(3, () => pick(marks)),
    () => pick(special), () => pick(spaces) + pick(special) + pick(spaces), () => many(3, () => pick(controls)),
    () => many(12, () => between(0x30, 0x39)), () => pick(["=", "-", "_", "!", " ", "a", "\u4e00", "\n"]).repeat(random(40)),
    () => many(10, () => between(0x61, 0x7a)), () => many(10, () => between(0x21, 0x2f)),
];
const randomText = () => many(7, () => pick(segments)());

// One text in sixteen has bytes broken: all tokenizers see U+FFFD for them, as TextDecoder says.
function randomCase() {
    const text = randomText();
    if (random(16)) return { text };
    const bytes = Buffer.from(text, "utf8");
    for (let i = random(4); i >= 0 && bytes.length; i--) bytes[random(bytes.length)] = 128 + random(128);
    const repaired = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
    return { text: repaired, bytes: bytes.toString("hex") };
}

// The tokenizer.json of stories260k lists one merge a token, where SentencePiece joins any two neighbours that make a token, which
// is what the model was trained with. The reference gets the file as Hugging Face's converter writes it now: all splits listed.
function completeMerges(json) {
    const vocab = json.model.vocab, ranks = new Map(), merges = [];
    for (const merge of json.model.merges) {
        const pair = Array.isArray(merge) ? merge : merge.split(" ");
        if (!ranks.has(pair.join(""))) ranks.set(pair.join(""), pair);
    }
    for (const [token, listed] of ranks) {
        const characters = Array.from(token), splits = [listed];
        for (let i = 1; i < characters.length; i++) {
            const pair = [characters.slice(0, i).join(""), characters.slice(i).join("")];
            if (pair[0] in vocab && pair[1] in vocab && pair[0] !== listed[0]) splits.push(pair);
        }
        merges.push(...splits);
    }
    json.model.merges = merges;
    return json;
}

const families = Object.entries(files).map(([name, file]) => {
    let full = path.resolve(folder, "..", file);
    const json = JSON.parse(readFileSync(full, "utf8"));
    if (name === "stories260k") {
        full = path.resolve(packages, "stories260k.json");
        writeFileSync(full, JSON.stringify(completeMerges(json)));
    }
    const javascript = new Tokenizer(json, {});
    const tokenizer = rust.Tokenizer.fromFile(full);
    tokenizer.disableTruncation?.();
    tokenizer.disablePadding?.();
    return { name, javascript, tokenizer, agreed: 0, differing: [] };
});

for (let i = 0; i < Number(count); i++) {
    const { text, bytes } = randomCase();
    const line = bytes ? { bytes } : { text };
    for (const family of families) {
        const ids = (await family.tokenizer.encode(text)).getIds();
        let other;
        try { other = family.javascript.encode(text).ids; } catch (problem) { other = [String(problem)]; }
        if (ids.join() === other.join()) family.agreed++;
        else if (family.differing.length < 5) family.differing.push({ text, ids, other });
        line[family.name] = ids;
        const decoded = await family.tokenizer.decode(ids, true);
        if (decoded !== text) (line.decoded ??= {})[family.name] = decoded;
    }
    if (!bytes && !/[\u0085\ufeff]/.test(text)) line.gpt3 = encodeGpt3(text);
    process.stdout.write(JSON.stringify(line) + "\n");
}
for (const { name, agreed, differing } of families) {
    console.error(`${name}: JavaScript agrees with Rust on ${agreed} of ${count}`);
    if (process.env.SHOW_DIFFERENCES) for (const one of differing) console.error("   ", JSON.stringify(one));
}
