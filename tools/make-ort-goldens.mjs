#!/usr/bin/env node
// Writes tests/data/ops/ort_gpt2_*.npy: what ONNX Runtime's CPU provider gives for ../shared/models/tiny-random-gpt2, a model
// made of com.microsoft operators, for a prompt with left padding and for a step on its past.
// Run from the repository root; NODE_MODULES names a folder whose node_modules has onnxruntime-node (1.30 made the files).
import { createRequire } from "node:module";
import { mkdirSync, writeFileSync } from "node:fs";

const ort = createRequire(`${process.env.NODE_MODULES ?? "."}/`)("onnxruntime-node");
const FOLDER = "tests/data/ops";
const HEADS = 4, WIDTH = 8, LAYERS = 5, BATCH = 2;

function writeNpy(name, dims, items) {
  const shape = `(${dims.join(", ")}${dims.length === 1 ? "," : ""})`;
  let header = `{'descr': '<f4', 'fortran_order': False, 'shape': ${shape}, }`;
  header += " ".repeat(63 - ((header.length + 10) % 64)) + "\n";
  const start = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length & 255, header.length >> 8]);
  writeFileSync(`${FOLDER}/${name}.npy`, Buffer.concat([start, Buffer.from(header), Buffer.from(new Float32Array(items).buffer)]));
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
