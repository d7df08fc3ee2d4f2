#!/usr/bin/env node
// Writes tests/data/ops/ort_*.npy: what ONNX Runtime's CPU provider gives for models made of com.microsoft operators.
//   ort_gpt2_prompt, ort_gpt2_next   ../shared/models/tiny-random-gpt2: two prompts with left padding, and a step on their past
//   ort_gpt2_greedy, ort_gqa_greedy  that model and tests/data/models/gqa (made by tools/make-gqa-model.py): the last position's
//                                    logits after a prompt and after each of ten greedy steps; _ids: the prompt and the steps
// Run from the repository root; NODE_MODULES names a folder whose node_modules has onnxruntime-node (1.30 made the files).
import { createRequire } from "node:module";
import { mkdirSync, writeFileSync } from "node:fs";

const ort = createRequire(`${process.env.NODE_MODULES ?? "."}/`)("onnxruntime-node");
const FOLDER = "tests/data/ops";
const HEADS = 4, WIDTH = 8, LAYERS = 5, BATCH = 2;

function writeNpy(name, dims, items) {
  const shape = `(${dims.join(", ")}${dims.length === 1 ? "," : ""})`;
  let header = `{'descr': '${items instanceof Int32Array ? "<i4" : "<f4"}', 'fortran_order': False, 'shape': ${shape}, }`;
  header += " ".repeat(63 - ((header.length + 10) % 64)) + "\n";
  const start = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length & 255, header.length >> 8]);
  writeFileSync(`${FOLDER}/${name}.npy`, Buffer.concat([start, Buffer.from(header), Buffer.from(items.slice().buffer)]));
}

const int32 = (dims, items) => new ort.Tensor("int32", Int32Array.from(items), dims);

const session = await ort.InferenceSession.create("../shared/models/tiny-random-gpt2/model.onnx");

async function step(ids, positions, mask, past) {
  const tokens = ids.length / BATCH;
  const feeds = {
    input_ids: int32([BATCH, tokens], ids),
    position_ids: int32([BATCH, tokens], positions),
    attention_mask: int32([BATCH, mask.length / BATCH], mask),
  };
  for (let i = 0; i < LAYERS; i++)
    feeds[`past_${i}`] = past?.[`present_${i}`] ?? new ort.Tensor("float32", new Float32Array(0), [2, BATCH, HEADS, 0, WIDTH]);
  return session.run(feeds);
}

mkdirSync(FOLDER, { recursive: true });
const prompt = await step([98, 98, 7, 512, 3, 999, 41, 200], [0, 0, 0, 1, 0, 1, 2, 3], [0, 0, 1, 1, 1, 1, 1, 1], null);
writeNpy("ort_gpt2_prompt", prompt.logits.dims, prompt.logits.data);
const next = await step([5, 640], [2, 4], [0, 0, 1, 1, 1, 1, 1, 1, 1, 1], prompt);
writeNpy("ort_gpt2_next", next.logits.dims, next.logits.data);

// ---- greedy decoding, one sequence ----

const STEPS = 10;

async function decode(name, prompt, run) {
  const ids = [...prompt], rows = [];
  let fresh = prompt, outputs = null;
  for (let i = 0; i <= STEPS; i++) {
    outputs = await run(fresh, ids.length, outputs);
    const width = outputs.logits.dims[2];
    const last = outputs.logits.data.slice((fresh.length - 1) * width, fresh.length * width);
    rows.push(...last);
    fresh = [last.indexOf(Math.max(...last))];
    if (i < STEPS) ids.push(fresh[0]);
  }
  writeNpy(`${name}_greedy`, [STEPS + 1, rows.length / (STEPS + 1)], Float32Array.from(rows));
  writeNpy(`${name}_ids`, [ids.length], Int32Array.from(ids));
}

await decode("ort_gpt2", [7, 512, 3, 999, 41, 200], async (ids, total, before) => {
  const positions = ids.map((_, t) => total - ids.length + t);
  const feeds = {
    input_ids: int32([1, ids.length], ids),
    position_ids: int32([1, ids.length], positions),
    attention_mask: int32([1, total], Array(total).fill(1)),
  };
  for (let i = 0; i < LAYERS; i++)
    feeds[`past_${i}`] = before?.[`present_${i}`] ?? new ort.Tensor("float32", new Float32Array(0), [2, 1, HEADS, 0, WIDTH]);
  return session.run(feeds);
});

const gqa = await ort.InferenceSession.create("tests/data/models/gqa/model.onnx");
const int64 = (dims, items) => new ort.Tensor("int64", BigInt64Array.from(items, BigInt), dims);

await decode("ort_gqa", [5, 11, 40, 2, 2, 17, 30], async (ids, total, before) => {
  const feeds = { input_ids: int64([1, ids.length], ids), attention_mask: int64([1, total], Array(total).fill(1)) };
  for (const name of gqa.inputNames.filter((name) => name.startsWith("past")))
    feeds[name] = before?.[name.replace("past_key_values", "present")] ?? new ort.Tensor("float32", new Float32Array(0), [1, 2, 0, 16]);
  return gqa.run(feeds);
});
