// The npm client "ollama" against a running daemon: node ollama.mjs http://127.0.0.1:PORT DECODER ENCODER
// Prints one line for each check; exits 1 at the first that fails.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.env.HOB_CLIENTS, "package.json"));
const { Ollama } = await import(require.resolve("ollama"));
const [host, decoder, encoder] = process.argv.slice(2);
const ollama = new Ollama({ host });
const options = { seed: 7, temperature: 0.8, num_predict: 16 };

async function check(name, work) {
    await work();
    console.log(`ok ${name}`);
}

await check("generate, whole and streamed, say the same", async () => {
    const whole = await ollama.generate({ model: decoder, prompt: "Once upon a time", raw: true, options });
    assert.equal(whole.done, true);
    assert.equal(whole.done_reason, "length");
    assert.equal(whole.eval_count, 16);
    assert.ok(whole.prompt_eval_count > 0 && whole.total_duration > 0);
    let text = "", last;
    for await (const part of await ollama.generate({ model: decoder, prompt: "Once upon a time", raw: true, options, stream: true })) {
        text += part.response;
        last = part;
    }
    assert.equal(text, whole.response);
    assert.equal(last.done, true);
    assert.equal(last.eval_count, 16);
});

await check("greedy is the same each time", async () => {
    const greedy = { ...options, temperature: 0 };
    const first = await ollama.generate({ model: decoder, prompt: "The dog", raw: true, options: greedy });
    const second = await ollama.generate({ model: decoder, prompt: "The dog", raw: true, options: { ...greedy, seed: 8 } });
    assert.equal(first.response, second.response);
});

await check("chat, whole and streamed", async () => {
    const messages = [{ role: "system", content: "Tell tales." }, { role: "user", content: "Tell me one." }];
    const whole = await ollama.chat({ model: decoder, messages, options });
    assert.equal(whole.message.role, "assistant");
    let text = "";
    for await (const part of await ollama.chat({ model: decoder, messages, options, stream: true })) text += part.message.content;
    assert.equal(text, whole.message.content);
});

await check("format holds the reply to a schema", async () => {
    const format = { type: "object", properties: { age: { type: "integer", minimum: 1, maximum: 9 } }, required: ["age"], additionalProperties: false };
    const reply = await ollama.chat({ model: decoder, messages: [{ role: "user", content: "How old?" }], format, options: { ...options, num_predict: 64 } });
    assert.ok(JSON.parse(reply.message.content).age >= 1);
    const json = await ollama.generate({ model: decoder, prompt: "x", raw: true, format: "json", options: { ...options, num_predict: 1 } });
    assert.match(json.response.trim()[0] ?? "{", /[{[]/);
});

await check("stop texts, an empty prompt, keep_alive", async () => {
    const stopped = await ollama.generate({ model: decoder, prompt: "Once upon a time", raw: true, options: { ...options, temperature: 0, stop: ["girl"], num_predict: 64 } });
    assert.equal(stopped.done_reason, "stop");
    assert.ok(!stopped.response.includes("girl"));
    const loaded = await ollama.generate({ model: decoder, prompt: "", keep_alive: "5m" });
    assert.equal(loaded.done_reason, "load");
});

await check("embed", async () => {
    const { embeddings, prompt_eval_count } = await ollama.embed({ model: encoder, input: ["a", "b", "a"] });
    assert.equal(embeddings.length, 3);
    assert.deepEqual(embeddings[0], embeddings[2]);
    assert.ok(prompt_eval_count >= 3);
    assert.ok(Math.abs(Math.hypot(...embeddings[1]) - 1) < 1e-5);
    const one = await ollama.embed({ model: encoder, input: "a" });
    assert.deepEqual(one.embeddings[0], embeddings[0]);
    const old = await ollama.embeddings({ model: encoder, prompt: "a" });
    assert.equal(old.embedding.length, embeddings[0].length);
});

await check("list, ps, show, version", async () => {
    const { models } = await ollama.list();
    assert.ok(models.some((model) => model.name === decoder));
    const running = await ollama.ps();
    assert.ok(running.models.some((model) => model.name === decoder && model.size > 0));
    const shown = await ollama.show({ model: decoder });
    assert.ok(shown.capabilities.includes("completion"));
    assert.match((await ollama.version()).version, /^\d+\.\d+\.\d+/);
});

await check("errors", async () => {
    await assert.rejects(ollama.generate({ model: "no-such-model", prompt: "x" }), (error) => error.status_code === 404 && /no-such-model/.test(error.message));
    await assert.rejects(ollama.generate({ model: decoder, prompt: "x", options: { temperature: -1 } }), (error) => error.status_code === 400);
    await assert.rejects(ollama.generate({ model: decoder, prompt: "word ".repeat(5000), raw: true }), (error) => error.status_code === 400 && /\d+.*\d+/.test(error.message));
    await assert.rejects(ollama.generate({ model: encoder, prompt: "x" }), (error) => error.status_code >= 400);
});

await check("a stream that is given up", async () => {
    const stream = await ollama.generate({ model: decoder, prompt: "Once", raw: true, options: { num_predict: 400, temperature: 0.8, ignore_eos: true }, stream: true });
    await assert.rejects(async () => {
        for await (const part of stream) if (part.response) stream.abort();
    }, { name: "AbortError" });
});
