// ONNX Runtime's side of a comparison, through onnxruntime-node; the questions are those of side.h.
//
//     node peer_ort.mjs FOLDER MODEL.onnx THREADS < questions        FOLDER holds node_modules
//
// Its best settings: all graph optimisations, sequential execution. Batches are padded to their longest text, as its users do.
// Decoding hands each present tensor back as the next past, which the binding wraps without copying.
import { createRequire } from 'node:module';
import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import path from 'node:path';

const [folder, model, threads] = process.argv.slice(2);
const ort = createRequire(path.resolve(folder, 'from.js'))('onnxruntime-node');
const HEADS = 12, HEAD_WIDTH = 64; // of the generated GPT-2
const promptId = i => (i * 7919) % 40000, textId = i => 1000 + ((i * 7919) % 20000);
const say = object => console.log(JSON.stringify(object));

const start = performance.now();
const session = await ort.InferenceSession.create(model, {
  intraOpNumThreads: +threads, interOpNumThreads: 1, graphOptimizationLevel: 'all', executionMode: 'sequential', logSeverityLevel: 3,
});
const pastNames = session.inputNames.filter(name => name.startsWith('past_'));
say({ load_ms: performance.now() - start });

const integers = (dims, item) => {
  const data = new BigInt64Array(dims.reduce((a, b) => a * b, 1));
  for (let i = 0; i < data.length; i++) data[i] = BigInt(item(i));
  return new ort.Tensor('int64', data, dims);
};

async function measured(work) {
  const cpu = process.cpuUsage(), wall = performance.now();
  await work();
  const ms = performance.now() - wall, { user, system } = process.cpuUsage(cpu);
  say({ ms, cpu_ms: (user + system) / 1e3 });
}

// ---- encoders

function padded(lengths) {
  const T = Math.max(...lengths), dims = [lengths.length, T];
  const isReal = i => i % T < lengths[Math.floor(i / T)];
  return {
    input_ids: integers(dims, i => (isReal(i) ? textId(i % T) : 0)),
    attention_mask: integers(dims, i => (isReal(i) ? 1 : 0)),
    token_type_ids: integers(dims, () => 0),
  };
}

// Mean, first and last hidden state of each text.
async function pooled(lengths) {
  const { last_hidden_state: hidden } = await session.run(padded(lengths));
  const [, T, D] = hidden.dims;
  const row = (b, t) => Array.from(hidden.data.subarray((b * T + t) * D, (b * T + t + 1) * D));
  const vectors = lengths.flatMap((length, b) => {
    const mean = new Array(D).fill(0);
    for (let t = 0; t < length; t++) row(b, t).forEach((x, i) => { mean[i] += x / length; });
    return [mean, row(b, 0), row(b, length - 1)];
  });
  say({ vectors });
}

// ---- decoders

const noPast = Object.fromEntries(pastNames.map(name => [name, new ort.Tensor('float32', new Float32Array(0), [1, HEADS, 0, HEAD_WIDTH])]));

// ids behind n_past positions, whose keys and values are in `past`.
async function append(ids, n_past, past) {
  const n = ids.length;
  const outputs = await session.run({
    input_ids: integers([1, n], i => ids[i]), attention_mask: integers([1, n_past + n], () => 1),
    position_ids: integers([1, n], i => n_past + i), ...past,
  });
  const next = Object.fromEntries(pastNames.map(name => [name, outputs[name.replace('past_key_values', 'present')]]));
  return { logits: outputs.logits, past: next };
}

const prompt = n => Array.from({ length: n }, (_, i) => promptId(i));

function lastLogits(logits) {
  const V = logits.dims.at(-1);
  return logits.data.subarray(logits.data.length - V);
}

function argMax(values) {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}

const contexts = new Map(); // depth -> logits and past behind the prompt's first tokens

async function contextAt(depth) {
  if (!contexts.has(depth)) contexts.set(depth, await append(prompt(depth), 0, noPast));
  return contexts.get(depth);
}

async function decodeFrom(context, n, depth) {
  const ids = [];
  for (let i = 0; i < n; i++) {
    ids.push(argMax(lastLogits(context.logits)));
    context = await append([ids[i]], depth + i, context.past);
  }
  return ids;
}

// ---- questions

const megabytes = key => +readFileSync('/proc/self/status', 'utf8').match(new RegExp(`${key}:\\s+(\\d+)`))[1] / 1024;
const lengthsOf = text => text.split(',').map(Number);

const questions = {
  embed: async list => { const feeds = padded(lengthsOf(list)); await measured(() => session.run(feeds)); },
  pooled: list => pooled(lengthsOf(list)),
  prefill: async n => { const ids = prompt(+n); await measured(() => append(ids, 0, noPast)); },
  decode: async (n, depth) => { const context = await contextAt(+depth); await measured(() => decodeFrom(context, +n, +depth)); },
  greedy: async (n, depth) => say({ ids: await decodeFrom(await contextAt(+depth), +n, +depth) }),
  logits: async (n, file) => {
    const values = lastLogits((await append(prompt(+n), 0, noPast)).logits);
    writeFileSync(file, Buffer.from(values.buffer, values.byteOffset, values.byteLength));
    say({ n: values.length });
  },
  memory: () => say({ anon_mb: megabytes('RssAnon'), rss_mb: megabytes('VmRSS'), peak_mb: megabytes('VmHWM') }),
};

for await (const line of createInterface({ input: process.stdin })) {
  const [question, ...words] = line.trim().split(/\s+/);
  try {
    if (!questions[question]) throw new Error('not a question');
    await questions[question](...words);
  } catch (error) {
    say({ error: String(error.message) });
  }
}
