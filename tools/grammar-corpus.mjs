// Schemas and documents for tests/grammar/test_json_schema.c, judged by npm's ajv.
//
//     node tools/grammar-corpus.mjs PACKAGES TEST TOKENIZER [schemas.jsonl]
//
// PACKAGES: a folder where `npm install ajv@8 ajv-formats@3` was run. TEST: build/tests/grammar/test_json_schema, which walks through
// the masks of a real vocabulary (TOKENIZER, a tokenizer.json). Every document that comes out must be valid JSON and valid to ajv: any
// that is not is printed, and the exit status is 1. With a fourth argument the corpus is written there: each schema with some of its
// documents, and with mutations of them that ajv calls invalid.
import { createRequire } from "node:module";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

const [packages, test, tokenizer, corpus] = process.argv.slice(2);
const require = createRequire(path.resolve(packages, "package.json"));
const Ajv = require("ajv/dist/2020").default;
const addFormats = require("ajv-formats").default;

let state = 12345;
function random(n) {
    state ^= state << 13; state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5; state >>>= 0;
    return state % n;
}

const string = { type: "string" }, integer = { type: "integer" };
const closed = (properties, required = Object.keys(properties)) =>
    ({ type: "object", properties, required, additionalProperties: false });

const handwritten = [
    true, {}, { type: "object" }, { type: "array" }, string, integer, { type: "number" }, { type: "boolean" }, { type: "null" },
    { type: ["string", "null"] }, { type: ["integer", "boolean", "array"] }, { type: "string", nullable: true },
    { enum: ["red", "green", 3, null, true, { a: [1, "x"] }, [], 2.5, "a\"b\\c\n\u0001é😀"] }, { const: "only" }, { const: { a: { b: [1, 2] } } },
    { type: "string", enum: ["a", "b", "c d"] }, { type: "integer", enum: [1, 2, 30] },
    { type: "string", minLength: 3 }, { type: "string", maxLength: 5 }, { type: "string", minLength: 2, maxLength: 2 }, { type: "string", maxLength: 0 },
    { type: "string", maxLength: 300 },
    { type: "string", pattern: "^[a-z]+$" }, { type: "string", pattern: "abc" }, { type: "string", pattern: "^a|b$" }, { type: "string", pattern: "^(a|bc)*$" },
    { type: "string", pattern: "^\\d{3}-\\d{4}$" }, { type: "string", pattern: "^[^x]{2,4}$" }, { type: "string", pattern: "^\\w+\\s\\S+$" },
    { type: "string", pattern: "^\"\\\\\\n\\t\\/é\\u00e8$" }, { type: "string", pattern: "^.{1,3}$" }, { type: "string", pattern: "^(?:ab){2,}c?$" },
    { type: "string", pattern: "^[A-Z][a-z]*$", maxLength: 6 }, { type: "string", pattern: "^[ab]*$", minLength: 3, maxLength: 9 },
    { type: "string", pattern: "^[\\x00-\\x1f\"\\\\]+$" }, { type: "string", pattern: "^[😀-😂]{1,3}$" }, { type: "string", pattern: "^$" },
    ...["date", "time", "date-time", "duration", "uuid", "email", "hostname", "ipv4", "ipv6", "uri"].map((format) => ({ type: "string", format })),
    { type: "string", format: "date", pattern: "^20" }, { type: "string", format: "email", maxLength: 20 },
    { type: "integer", minimum: 0 }, { type: "integer", minimum: 5, maximum: 17 }, { type: "integer", minimum: -120, maximum: 7 },
    { type: "integer", exclusiveMinimum: 9, exclusiveMaximum: 11 }, { type: "integer", maximum: -3 }, { type: "integer", minimum: 998, maximum: 12345 },
    { type: "integer", minimum: -5, maximum: -5 }, { type: "integer", minimum: 1.5, maximum: 3.5 }, { type: "integer", minimum: 100 },
    { type: "integer", maximum: 255 }, { type: "number", multipleOf: 1 },
    { type: "number", minimum: 0, maximum: 1 }, { type: "number", exclusiveMinimum: 0 }, { type: "number", exclusiveMinimum: 0, exclusiveMaximum: 1 },
    { type: "number", minimum: -1.5, maximum: 2.25 }, { type: "number", minimum: 0.125, maximum: 0.25 }, { type: "number", maximum: -0.5 },
    { type: "number", minimum: 36.6, maximum: 41.25 }, { type: "number", exclusiveMaximum: 0 }, { type: "number", minimum: -90, maximum: 90 },
    { type: "array", items: integer }, { type: "array", items: string, minItems: 2 }, { type: "array", items: { type: "boolean" }, maxItems: 3 },
    { type: "array", items: { type: "null" }, minItems: 2, maxItems: 4 }, { type: "array", maxItems: 0 }, { type: "array", minItems: 1 },
    { type: "array", prefixItems: [string, integer] }, { type: "array", prefixItems: [string, integer], items: false, minItems: 2 },
    { type: "array", prefixItems: [{ const: 1 }], items: { type: "boolean" }, minItems: 3, maxItems: 5 }, { type: "array", items: { type: "array", items: integer } },
    { type: "array", uniqueItems: true, maxItems: 1 },
    { type: "object", properties: { a: string } }, { type: "object", properties: { a: string, b: integer, c: { type: "null" } } },
    { type: "object", properties: { a: integer, b: integer }, required: ["b"] }, { type: "object", properties: { b: integer }, required: ["z", "b"] },
    closed({ name: string, age: { type: "integer", minimum: 0, maximum: 150 }, email: { type: "string", format: "email" } }),
    closed({ a: integer, b: integer, c: integer, d: integer }, ["a", "c"]), closed({ "we\"ird\nkey": integer, "é/😀": integer }),
    { type: "object", properties: { a: integer }, additionalProperties: string }, { type: "object", properties: { a: integer, ab: integer }, additionalProperties: true },
    { type: "object", additionalProperties: integer }, { type: "object", additionalProperties: false }, { type: "object", additionalProperties: { type: "boolean" }, minProperties: 1 },
    { type: "object", patternProperties: { "^x-": integer, "^y[0-9]+$": string }, additionalProperties: false },
    { type: "object", properties: { id: integer }, patternProperties: { "^k_": string }, additionalProperties: false, required: ["id"] },
    { type: "object", propertyNames: { pattern: "^[a-z]{1,4}$" }, additionalProperties: integer },
    { type: "object", properties: { a: integer, b: integer, c: integer }, minProperties: 1, maxProperties: 2, additionalProperties: false },
    { type: "object", properties: { a: integer, b: integer, c: integer }, minProperties: 2 }, { type: "object", additionalProperties: string, maxProperties: 2 },
    { anyOf: [string, integer] }, { anyOf: [closed({ a: string }), closed({ b: integer })] }, { anyOf: [{ type: "string", maxLength: 2 }, { const: "longer" }] },
    { oneOf: [{ type: "string" }, { type: "array", items: string }] },
    { oneOf: [closed({ kind: { const: "cat" }, lives: integer }), closed({ kind: { const: "dog" }, name: string })] },
    { oneOf: [{ type: "object", properties: { a: integer }, required: ["a"] }, { type: "object", properties: { b: integer }, required: ["b"] }] },
    { type: "object", properties: { a: integer, b: string }, anyOf: [{ required: ["a"] }, { required: ["b"] }] },
    { allOf: [{ type: "object", properties: { a: integer }, required: ["a"] }, { properties: { b: string }, required: ["b"] }] },
    { allOf: [{ type: "integer", minimum: 3 }, { maximum: 8 }] }, { allOf: [{ type: "string", pattern: "^a" }, { pattern: "z$" }, { maxLength: 6 }] },
    { allOf: [{ enum: [1, 2, 3] }, { enum: [2, 3, 4] }] }, { allOf: [{ properties: { a: { type: "integer" } } }, { properties: { a: { minimum: 5 } }, required: ["a"], type: "object" }] },
    { $ref: "#/$defs/n", $defs: { n: { type: "integer", minimum: 1 } } },
    { $defs: { node: closed({ value: integer, next: { anyOf: [{ $ref: "#/$defs/node" }, { type: "null" }] } }) }, $ref: "#/$defs/node" },
    { type: "object", properties: { name: string, children: { type: "array", items: { $ref: "#" } } }, required: ["name", "children"], additionalProperties: false },
    { definitions: { s: string }, type: "array", items: { $ref: "#/definitions/s" }, minItems: 1 },
    { $defs: { "a/b~c": { const: 7 } }, $ref: "#/$defs/a~1b~0c" },
    { $defs: { base: { type: "object", properties: { id: integer }, required: ["id"] } }, allOf: [{ $ref: "#/$defs/base" }], properties: { extra: string }, required: ["extra"] },
    { $defs: { t: { type: "object", properties: { l: { $ref: "#/$defs/t" }, r: { $ref: "#/$defs/t" } }, additionalProperties: false } }, $ref: "#/$defs/t" },
    { type: "object", title: "T", description: "d", default: {}, examples: [{}], properties: { a: { ...integer, description: "x", deprecated: true } }, "x-vendor": 1 },
    closed({ city: { type: "string", minLength: 1 }, location: closed({ lat: { type: "number", minimum: -90, maximum: 90 }, lon: { type: "number", minimum: -180, maximum: 180 } }),
        tags: { type: "array", items: { type: "string", pattern: "^[a-z][a-z0-9-]*$" }, maxItems: 5 }, updated: { type: "string", format: "date-time" } }),
    closed({ tool: { enum: ["search", "open", "close"] }, arguments: { type: "object", additionalProperties: { type: ["string", "number", "boolean"] } } }),
    closed({ steps: { type: "array", items: closed({ explanation: string, output: string }), minItems: 1 }, final_answer: string }),
    closed(Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`field_${i}`, i % 2 ? integer : { type: "boolean" }])), []),
    { enum: Array.from({ length: 600 }, (_, i) => `word${i * 7919 % 10007}`) },
];

function schemaOf(depth) {
    const leaf = [
        () => ({ type: "integer", minimum: random(50) - 25, maximum: 25 + random(10 ** (1 + random(5))) }),
        () => ({ type: "number", minimum: random(100) / 8 - 5, maximum: 20 + random(1000) / 16 }),
        () => ({ type: "string", minLength: random(3), maxLength: 3 + random(20) }),
        () => ({ type: "string", pattern: ["^[a-f]+$", "^\\d{2,5}$", "x+y*", "^(on|off)$", "^[A-Z]\\w*$", "é"][random(6)] }),
        () => ({ type: "string", format: ["date", "uuid", "ipv4", "time", "date-time"][random(5)] }),
        () => ({ enum: [["a", "b"], [1, 2, 3], ["x", null], [true]][random(4)] }),
        () => ({ type: ["boolean", "null", "integer"].slice(random(2)) }),
        () => ({}), () => string, () => integer,
    ];
    if (depth === 0 || random(4) === 0) return leaf[random(leaf.length)]();
    const inner = () => schemaOf(depth - 1);
    return [
        () => {
            const keys = ["id", "name", "value", "items", "note"].slice(0, 1 + random(5));
            const object = { type: "object", properties: Object.fromEntries(keys.map((key) => [key, inner()])), required: keys.filter(() => random(2)) };
            if (random(3)) object.additionalProperties = random(3) ? false : inner();
            return object;
        },
        () => ({ type: "array", items: inner(), minItems: random(3), maxItems: 2 + random(4) }),
        () => ({ type: "array", prefixItems: [inner(), inner()], minItems: random(3) }),
        () => ({ anyOf: [inner(), inner()] }),
        () => ({ type: "object", additionalProperties: inner(), maxProperties: 3 }),
        () => ({ allOf: [{ type: "object", properties: { p: inner() }, required: ["p"] }, { type: "object", properties: { q: inner() } }] }),
    ][random(6)]();
}

const refused = [
    [{ type: "string", contentSchema: {} }, "#/contentSchema"], [{ not: { type: "string" } }, "#/not"], [{ if: {}, then: {} }, "#/if"],
    [{ type: "array", contains: integer }, "#/contains"], [{ type: "array", uniqueItems: true }, "#/uniqueItems"], [{ type: "integer", multipleOf: 3 }, "#/multipleOf"],
    [{ type: "object", properties: { a: { type: "object", dependentRequired: {} } } }, "#/properties/a/dependentRequired"],
    [{ oneOf: [{ type: "integer" }, { type: "number" }] }, "#/oneOf"], [{ type: "string", pattern: "^(?=a)b$" }, "look-ahead"], [{ type: "string", pattern: "(a)\\1" }, "back references"],
    [{ type: "string", pattern: "\\bword\\b" }, "word boundaries"], [{ type: "string", pattern: "\\p{L}" }, "properties"], [{ type: "string", format: "regex" }, "#/format"],
    [{ $ref: "other.json" }, "#/$ref"], [{ $ref: "#/$defs/none" }, "found no schema"], [{ type: "text" }, "#/type"], [{ allOf: [{ type: "string" }, { type: "integer" }] }, "exclude"],
    [{ $ref: "#" }, "left recursion"], [{ $defs: { a: { allOf: [{ $ref: "#/$defs/a" }] } }, $ref: "#/$defs/a" }, "without end"],
    [{ $defs: { a: closed({ next: { $ref: "#/$defs/a" } }) }, $ref: "#/$defs/a" }, "no text"], [false, "no text"], [{ type: "integer", minimum: 5, maximum: 4 }, "no text"],
    [{ type: "string", minLength: 5, maxLength: 2 }, "#/maxLength"], [{ type: "array", minItems: -1 }, "#/minItems"], [{ enum: [] }, "#/enum"],
];

const schemas = [...handwritten];
while (schemas.length < 230) schemas.push(schemaOf(3));

const input = "/tmp/hob-grammar-schemas.jsonl", output = "/tmp/hob-grammar-walks.txt";
writeFileSync(input, schemas.map((schema) => JSON.stringify({ schema })).join("\n") + "\n");
try {
    execFileSync(test, { env: { ...process.env, HOB_GRAMMAR_SCHEMAS: input, HOB_GRAMMAR_WALKS: output, HOB_GRAMMAR_TOKENIZER: tokenizer }, stdio: ["ignore", "ignore", "pipe"] });
} catch (error) {
    const said = String(error.stderr);
    if (said.includes("line ")) console.error(said); // the corpus itself may be older than this script
}

const ajv = new Ajv({ strict: false, allErrors: false, unicodeRegExp: true });
addFormats(ajv);
const validators = schemas.map((schema) => ajv.compile(schema));
const documents = schemas.map(() => []);
let nBad = 0, nGood = 0, nEndless = 0;
for (const line of readFileSync(output, "utf8").split("\n").filter(Boolean)) {
    const tab = line.indexOf("\t"), index = Number(line.slice(0, tab)) - 1, rest = line.slice(tab + 1);
    if (rest[0] === "?") { nEndless++; continue; }
    if (rest[0] === "!") { nBad++; console.log(JSON.stringify(schemas[index]), "refused:", rest); continue; }
    const [text] = JSON.parse(rest);
    let value, valid = false;
    try { value = JSON.parse(text); valid = validators[index](value); } catch (error) { console.log(error.message); }
    if (valid) { nGood++; documents[index].push(text); continue; }
    nBad++;
    console.log("INVALID", JSON.stringify(schemas[index]), text, JSON.stringify(validators[index].errors));
}
console.log(`${schemas.length} schemas, ${nGood} valid documents, ${nBad} invalid or refused, ${nEndless} walks without an end`);

function mutations(text) {
    const all = ["", "null", "0", "\"\"", "{}", "[]", text + "x", text.slice(0, -1), text.replace(/\d/, "x"), text.replace(/"[^"]*":/, "\"zz\":"), text.replace(/-?\d+/, "-99999"), text.replace(/-?\d+/, "123456.5"), text.replace(/"([^"]*)"/, "\"$1!!\"")];
    return all.filter((one) => one !== text);
}

if (corpus) {
    const lines = schemas.map((schema, index) => {
        const isValid = (text) => { try { return validators[index](JSON.parse(text)); } catch { return false; } };
        const good = documents[index].sort((a, b) => a.length - b.length).filter((text) => text.length < 300).slice(0, 2);
        const bad = new Set(good.flatMap((text) => mutations(text)).filter((text) => !isValid(text)));
        return JSON.stringify({ schema, good, bad: [...bad].sort((a, b) => a.length - b.length).filter((text) => text.length < 200).slice(0, 6) });
    });
    for (const [schema, why] of refused) lines.push(JSON.stringify({ schema, refused: why }));
    writeFileSync(corpus, lines.join("\n") + "\n");
}
process.exitCode = nBad ? 1 : 0;
