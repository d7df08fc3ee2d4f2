// onnxruntime-node behind a minimal HTTP server: token ids in, pooled vectors of length 1 out.
//     node serve_ort.mjs MODEL.onnx THREADS         prints its port; POST / {"ids": [[…], …]} gives {"vectors": [[…], …]}
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.env.HOB_BENCH_PEERS, "package.json"));
const ort = require("onnxruntime-node");
const [modelPath, threads] = process.argv.slice(2);
const session = await ort.InferenceSession.create(modelPath, { intraOpNumThreads: Number(threads), interOpNumThreads: 1, executionMode: "sequential" });

// Padded as its users pad.
async function embed(texts) {
    const rows = texts.length, columns = Math.max(...texts.map((ids) => ids.length));
    const ids = new BigInt64Array(rows * columns), mask = new BigInt64Array(rows * columns);
    texts.forEach((text, i) => text.forEach((id, j) => { ids[i * columns + j] = BigInt(id); mask[i * columns + j] = 1n; }));
    const feeds = {};
    for (const name of session.inputNames) {
        const data = name.includes("mask") ? mask : name.includes("type") ? new BigInt64Array(rows * columns) : ids;
        feeds[name] = new ort.Tensor("int64", data, [rows, columns]);
    }
    const output = (await session.run(feeds))[session.outputNames[0]], width = output.dims.at(-1);
    return texts.map((text, i) => {
        const sum = new Float32Array(width);
        for (let j = 0; j < text.length; j++) for (let k = 0; k < width; k++) sum[k] += output.data[(i * columns + j) * width + k];
        const length = Math.hypot(...sum);
        return Array.from(sum, (x) => x / length);
    });
}

const server = http.createServer(async (request, response) => {
    let body = "";
    for await (const piece of request) body += piece;
    const text = JSON.stringify({ vectors: await embed(JSON.parse(body).ids) });
    response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
    response.end(text);
});
server.keepAliveTimeout = 0;
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
