// 30 conversations through the published chat templates of many models, as @huggingface/jinja renders them: for tests/text/test_chat_templates.c.
//
//     npm install --prefix PACKAGES @huggingface/jinja@0.5.11 @huggingface/ollama-utils@0.0.18
//     node tools/chat-goldens.mjs PACKAGES tests/data/chat
//
// The templates are those of the models' own GGUF files, as @huggingface/ollama-utils (MIT) lists them; each is its model's data, under
// that model's licence. Written: templates.json ([{name, template}], one a line), conversations.json (our own), goldens.txt: a line for each
// template, its name and for each conversation the first 16 hex digits of the SHA-256 of what is rendered, or "-" where it is refused.
// PYTHON=python3 in the environment also runs Python's jinja2 (tools/chat-oracle.py) and keeps Python's answer where the two differ: models
// are trained with that one. On stderr: which.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import path from "node:path";
import { pathToFileURL } from "node:url";

// Templates may say the date: the first of January 2026, noon.
process.env.TZ = "UTC";
const RealDate = Date;
globalThis.Date = class extends RealDate {
    constructor(...given) { super(...(given.length ? given : [1767268800000])); }
};

const [packages, folder] = process.argv.slice(2);
const load = (name, file) => import(pathToFileURL(path.resolve(packages, "node_modules", name, file)));
const { Template } = await load("@huggingface/jinja", "dist/index.js");
// The package exports no list; its source is one literal, but for a type.
const source = readFileSync(path.resolve(packages, "node_modules/@huggingface/ollama-utils/src/chat-template-automap.ts"), "utf8");
const list = source.slice(source.indexOf("= [") + 2).trim().replace(/;$/, "");
const OLLAMA_CHAT_TEMPLATE_MAPPING = new Function(`return ${list}`)();

const families = [
    "llama2:7b", "llama3:8b", "llama3.1:8b", "llama3.2:3b", "llama3.2-vision:latest", "llama4:latest", "qwen:0.5b", "qwen2:0.5b",
    "qwen2.5:0.5b", "qwen2.5-coder:1.5b", "qwen3:0.6b", "qwen3-coder:30b", "qwq:32b", "gemma2:2b", "gemma3:1b", "phi3:3.8b", "phi3:14b",
    "phi3.5:3.8b", "phi4:14b", "phi4-mini:3.8b", "phi4-reasoning:14b", "mistral:7b-instruct-fp16", "mistral-small:24b",
    "mistral-large:123b", "mixtral:8x7b", "mixtral:8x22b", "devstral:latest", "smollm2:135m", "smallthinker:3b", "deepseek-v2.5:236b",
    "deepseek-coder-v2:16b", "deepseek-coder:1.3b", "deepseek-v3:671b", "deepseek-v3.1:latest", "deepseek-r1:8b", "deepseek-r1:latest",
    "command-r:35b", "command-r7b:7b", "aya-expanse:8b", "granite3-dense:2b", "granite3.1-moe:1b", "granite3.2:8b", "granite3.3:2b",
    "granite4:latest", "hermes3:70b", "nous-hermes2-mixtral:8x7b", "tinyllama:1.1b", "olmo2:7b", "openchat:7b", "yi:6b", "glm4:9b",
    "exaone3.5:7.8b", "falcon2:11b", "internlm2:1.8b", "stable-code:3b", "tulu3:70b", "firefunction-v2:70b", "dbrx:132b", "nemotron-mini:4b",
];
const templates = [];
for (const { model, gguf } of OLLAMA_CHAT_TEMPLATE_MAPPING) {
    const name = model.replace("library/", "");
    if (families.includes(name) && !templates.some((t) => t.template === gguf)) templates.push({ name, template: gguf });
}

const conversations = JSON.parse(readFileSync(path.join(folder, "conversations.json"), "utf8"));
const tokens = { bos_token: "<s>", eos_token: "</s>", unk_token: "<unk>", pad_token: "<pad>" };
const variables = (c) => ({ ...tokens, add_generation_prompt: true, ...c });

function renderInJavaScript(template, conversation) {
    try {
        return new Template(template).render(variables(conversation));
    } catch {
        return null;
    }
}

const inJavaScript = templates.map((t) => conversations.map((c) => renderInJavaScript(t.template, c)));
let inPython = inJavaScript;
if (process.env.PYTHON) {
    const cases = templates.flatMap((t) => conversations.map((c) => JSON.stringify({ template: t.template, variables: variables(c) })));
    const { stdout, stderr } = spawnSync(process.env.PYTHON, ["tools/chat-oracle.py"], { input: cases.join("\n"), maxBuffer: 1 << 30, encoding: "utf8" });
    process.stderr.write(stderr);
    const texts = stdout.trim().split("\n").map((line) => JSON.parse(line).text ?? null);
    inPython = templates.map((_, i) => texts.slice(i * conversations.length, (i + 1) * conversations.length));
}

const hash = (text) => (text === null ? "-" : createHash("sha256").update(text).digest("hex").slice(0, 16));
let nSame = 0, nTexts = 0;
const differing = [];
templates.forEach((t, i) => conversations.forEach((c, j) => {
    nTexts += inPython[i][j] !== null;
    if (inPython[i][j] === inJavaScript[i][j]) nSame++;
    else differing.push(`${t.name}#${j} (JavaScript ${inJavaScript[i][j] === null ? "refuses" : "renders"}, Python ${inPython[i][j] === null ? "refuses" : "renders"})`);
}));
process.stderr.write(`${templates.length} templates, ${conversations.length} conversations: ${nTexts} texts, the two agree on ${nSame} of ${templates.length * conversations.length}\n`);
process.stderr.write(differing.map((d) => `  ${d}\n`).join(""));
writeFileSync(path.join(folder, "templates.json"), "[\n" + templates.map((t) => JSON.stringify(t)).join(",\n") + "\n]\n");
const lines = templates.map((t, i) => [t.name, ...inPython[i].map(hash)].join(" "));
writeFileSync(path.join(folder, "goldens.txt"), lines.join("\n") + "\n");
if (process.env.DUMP) writeFileSync(process.env.DUMP, JSON.stringify(templates.map((t, i) => ({ name: t.name, js: inJavaScript[i], py: inPython[i] }))));
