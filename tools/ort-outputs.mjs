// What ONNX Runtime answers, for golden files: reads [{model, inputs: [{type, dims, items}]}] as JSON on stdin, writes
// [{outputs: [{type, dims, items}]} or {error}] on stdout. Items are text, so that nothing is rounded on the way.
//
//     node tools/ort-outputs.mjs NODE_MODULES < job.json
import { createRequire } from "node:module";
import fs from "node:fs";
import path from "node:path";

const ort = createRequire(path.resolve(process.argv[2]) + "/")("onnxruntime-node");
const arrays = { float32: Float32Array, float64: Float64Array, int32: Int32Array, int64: BigInt64Array };

function toTensor({ type, dims, items }) {
    if (type === "string") return new ort.Tensor("string", items, dims);
    const parse = type === "int64" ? BigInt : (x) => (x === "nan" ? NaN : Number(x));
    return new ort.Tensor(type, arrays[type].from(items.map(parse)), dims);
}

function fromTensor({ type, dims, data }) {
    return { type, dims, items: Array.from(data, (x) => (typeof x === "string" ? x : Number.isNaN(x) ? "nan" : String(x))) };
}

const results = [];
for (const { model, inputs } of JSON.parse(fs.readFileSync(0, "utf8"))) {
    try {
        const session = await ort.InferenceSession.create(model, { logSeverityLevel: 4 });
        const feeds = Object.fromEntries(session.inputNames.map((name, i) => [name, toTensor(inputs[i])]));
        const outputs = await session.run(feeds);
        results.push({ outputs: session.outputNames.map((name) => fromTensor(outputs[name])) });
    } catch (error) {
        results.push({ error: error.message });
    }
}
fs.writeSync(1, JSON.stringify(results));
