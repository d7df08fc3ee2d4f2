// node-llama-cpp behind a minimal HTTP server, as llama-server is used: eight sequences of one context, which the package batches.
//     node serve_llama.mjs MODEL.gguf THREADS       prints its port; POST / {"prompt", "n"} gives {"text", "tokens"}
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.env.HOB_BENCH_PEERS, "package.json"));
const { getLlama, LlamaCompletion } = await import(require.resolve("node-llama-cpp"));
const [modelPath, threads] = process.argv.slice(2);
const llama = await getLlama({ gpu: false, build: "never", maxThreads: Number(threads), logLevel: "error" });
const model = await llama.loadModel({ modelPath });
const SEQUENCES = 8;
const context = await model.createContext({ contextSize: 1024, sequences: SEQUENCES, batchSize: 512, threads: Number(threads) });
const idle = [], waiting = [];
for (let i = 0; i < SEQUENCES; i++) idle.push(context.getSequence());
const take = () => (idle.length ? idle.pop() : new Promise((resolve) => waiting.push(resolve)));
const give = (sequence) => (waiting.length ? waiting.shift()(sequence) : idle.push(sequence));

async function complete(prompt, n) {
    const sequence = await take();
    try {
        await sequence.clearHistory();
        let tokens = 0;
        const completion = new LlamaCompletion({ contextSequence: sequence, autoDisposeSequence: false });
        const text = await completion.generateCompletion(prompt, { maxTokens: n, temperature: 0, repeatPenalty: false, onToken: (ids) => (tokens += ids.length) });
        completion.dispose({ disposeSequence: false });
        return { text, tokens };
    } finally {
        give(sequence);
    }
}

const server = http.createServer(async (request, response) => {
    let body = "";
    for await (const piece of request) body += piece;
    const { prompt, n } = JSON.parse(body);
    const text = JSON.stringify(await complete(prompt, n));
    response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
    response.end(text);
});
server.keepAliveTimeout = 0;
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
