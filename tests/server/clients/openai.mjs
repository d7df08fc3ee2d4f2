// The openai package against the daemon.
import { assert, base, load, metric, nothingRuns, run, socketFetch, until } from './checks.mjs';

const { default: OpenAI } = await load('openai');
const client = new OpenAI({ baseURL: `${base}/v1`, apiKey: 'none', maxRetries: 0 });
const local = new OpenAI({ baseURL: 'http://localhost/v1', apiKey: 'none', maxRetries: 0, fetch: socketFetch });

const model = 'stories';
const prompt = 'Once upon a time';
const messages = [{ role: 'user', content: 'Tell me a story.' }];
const tools = [{
    type: 'function',
    function: {
        name: 'set_light',
        description: 'Turns a light on or off.',
        parameters: {
            type: 'object',
            properties: { room: { enum: ['kitchen', 'hall'] }, is_on: { type: 'boolean' } },
            required: ['room', 'is_on'],
            additionalProperties: false,
        },
    },
}];
const schema = {
    type: 'object',
    properties: { name: { type: 'string', maxLength: 8 }, age: { type: 'integer', minimum: 1, maximum: 99 } },
    required: ['name', 'age'],
    additionalProperties: false,
};

const collect = async (stream) => {
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    return chunks;
};

const tokenize = async (content, add_special) => {
    const request = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ content, add_special }) };
    return (await (await fetch(`${base}/tokenize`, request)).json()).tokens;
};

// The error as the SDK maps it.
const failure = async (request) => {
    try {
        await request;
    } catch (error) {
        return error;
    }
    return assert.fail('the request was expected to fail');
};

const isArguments = (text) => {
    const read = JSON.parse(text);
    assert.deepEqual(Object.keys(read).sort(), ['is_on', 'room']);
    assert.ok(['kitchen', 'hall'].includes(read.room) && typeof read.is_on === 'boolean');
};

const isPerson = (text) => {
    const read = JSON.parse(text);
    assert.deepEqual(Object.keys(read).sort(), ['age', 'name']);
    assert.ok([...read.name].length <= 8 && Number.isInteger(read.age) && read.age >= 1 && read.age <= 99);
};

await run({
    async models() {
        const listed = (await client.models.list()).data;
        assert.ok(listed.some((one) => one.id === model && one.object === 'model' && one.owned_by === 'hob'));
        assert.equal((await client.models.retrieve(model)).id, model);
        const error = await failure(client.models.retrieve('no/such'));
        assert.ok(error instanceof OpenAI.NotFoundError && error.code === 'model_not_found');
    },

    async 'a completion'() {
        const whole = await client.completions.create({ model, prompt, temperature: 0, max_tokens: 12 });
        assert.equal(whole.object, 'text_completion');
        assert.match(whole.id, /^cmpl-[0-9a-f]{24}$/);
        assert.match(whole.system_fingerprint, /^fp_[0-9a-f]{10}_hob_/);
        assert.equal(whole.model, model);
        assert.equal(whole.choices[0].finish_reason, 'length');
        assert.equal(whole.usage.completion_tokens, 12);
        assert.equal(whole.usage.total_tokens, whole.usage.prompt_tokens + 12);
        assert.ok(whole.usage.prompt_tokens_details.cached_tokens >= 0);
        const throughSocket = await local.completions.create({ model, prompt, temperature: 0, max_tokens: 12 });
        assert.equal(throughSocket.choices[0].text, whole.choices[0].text);
        assert.equal((await client.completions.create({ model, prompt, temperature: 0 })).usage.completion_tokens, 16);
    },

    async 'a streamed completion is the whole one'() {
        const request = { model, prompt, temperature: 0.8, seed: 3, max_tokens: 40 };
        const whole = await client.completions.create(request);
        for (const one of [client, local]) {
            const chunks = await collect(await one.completions.create({ ...request, stream: true, stream_options: { include_usage: true } }));
            const last = chunks.pop();
            assert.deepEqual(last.choices, []);
            assert.equal(last.usage.completion_tokens, whole.usage.completion_tokens);
            assert.ok(chunks.every((chunk) => chunk.usage === null && chunk.choices.length === 1));
            assert.equal(chunks.map((chunk) => chunk.choices[0].text).join(''), whole.choices[0].text);
            assert.equal(chunks.at(-1).choices[0].finish_reason, whole.choices[0].finish_reason);
        }
    },

    async 'several prompts, several choices'() {
        const both = await client.completions.create({ model, prompt: [prompt, 'The dog'], n: 2, seed: 5, max_tokens: 8 });
        assert.deepEqual(both.choices.map((choice) => choice.index), [0, 1, 2, 3]);
        const one = await client.completions.create({ model, prompt: 'The dog', n: 2, seed: 5, max_tokens: 8 });
        assert.deepEqual(one.choices.map((choice) => choice.text), both.choices.slice(2).map((choice) => choice.text));
        const next = await client.completions.create({ model, prompt: 'The dog', seed: 6, max_tokens: 8 });
        assert.equal(next.choices[0].text, one.choices[1].text);
    },

    async 'ids are prompts too'() {
        const ids = await tokenize(prompt, true);
        const text = await client.completions.create({ model, prompt, temperature: 0, max_tokens: 8 });
        const fromIds = await client.completions.create({ model, prompt: ids, temperature: 0, max_tokens: 8 });
        const fromLists = await client.completions.create({ model, prompt: [ids, ids], temperature: 0, max_tokens: 8 });
        assert.equal(fromIds.choices[0].text, text.choices[0].text);
        assert.deepEqual(fromLists.choices.map((choice) => choice.text), [text.choices[0].text, text.choices[0].text]);
    },

    async 'log-probabilities of a completion'() {
        const reply = await client.completions.create({ model, prompt, temperature: 0, max_tokens: 6, logprobs: 3 });
        const { text, logprobs } = reply.choices[0];
        assert.equal(logprobs.tokens.join(''), text);
        assert.equal(logprobs.token_logprobs.length, 6);
        assert.ok(logprobs.top_logprobs.every((top, i) => Math.max(...Object.values(top)) === logprobs.token_logprobs[i]));
        assert.deepEqual(logprobs.text_offset, logprobs.tokens.map((_, i) => logprobs.tokens.slice(0, i).join('').length));
        const chunks = await collect(await client.completions.create({ model, prompt, temperature: 0, max_tokens: 6, logprobs: 3, stream: true }));
        const streamed = chunks.map((chunk) => chunk.choices[0].logprobs).filter(Boolean);
        assert.deepEqual(streamed.flatMap((one) => one.tokens), logprobs.tokens);
        assert.deepEqual(streamed.flatMap((one) => one.token_logprobs), logprobs.token_logprobs);
        assert.deepEqual(streamed.flatMap((one) => one.text_offset), logprobs.text_offset);
    },

    async 'a prompt is scored'() {
        const story = `${prompt}, there was a little girl`;
        const reply = await client.completions.create({ model, prompt: story, max_tokens: 0, echo: true, logprobs: 1 });
        const { text, logprobs } = reply.choices[0];
        assert.equal(text.trimStart(), story);
        assert.equal(logprobs.token_logprobs[0], null);
        assert.ok(logprobs.token_logprobs.slice(1).every((logprob) => logprob < 0));
        assert.equal(reply.usage.completion_tokens, 0);
        const longer = await client.completions.create({ model, prompt: story, temperature: 0, max_tokens: 4, echo: true });
        assert.ok(longer.choices[0].text.trimStart().startsWith(story) && longer.choices[0].text.trimStart().length > story.length);
    },

    async 'the best of several'() {
        const request = { model, prompt, seed: 11, max_tokens: 10, logprobs: 0 };
        const mean = (choice) => choice.logprobs.token_logprobs.reduce((sum, one) => sum + one, 0) / choice.logprobs.token_logprobs.length;
        const all = (await client.completions.create({ ...request, n: 4 })).choices.sort((a, b) => mean(b) - mean(a));
        const best = (await client.completions.create({ ...request, n: 2, best_of: 4 })).choices;
        assert.deepEqual(best.map((choice) => choice.text), all.slice(0, 2).map((choice) => choice.text));
        const error = await failure(client.completions.create({ ...request, n: 1, best_of: 2, stream: true }));
        assert.ok(error instanceof OpenAI.BadRequestError && error.param === 'best_of');
    },

    async 'stops, biases and limits'() {
        const plain = (await client.completions.create({ model, prompt, temperature: 0, max_tokens: 40 })).choices[0].text;
        const stop = plain.slice(10, 14);
        const cut = (await client.completions.create({ model, prompt, temperature: 0, max_tokens: 40, stop: [stop, 'zzz'] })).choices[0];
        assert.equal(cut.text, plain.slice(0, plain.indexOf(stop)));
        assert.equal(cut.finish_reason, 'stop');
        const forced = await client.completions.create({ model, prompt, max_tokens: 3, logit_bias: { 400: 100 }, logprobs: 0 });
        assert.equal(new Set(forced.choices[0].logprobs.tokens).size, 1);
        const first = (await client.completions.create({ model, prompt, temperature: 0, max_tokens: 1, logprobs: 0 })).choices[0];
        const ids = await tokenize(prompt + first.text, false);
        const banned = (await client.completions.create({ model, prompt, temperature: 0, max_tokens: 1, logit_bias: { [ids.at(-1)]: -100 } })).choices[0];
        assert.notEqual(banned.text, first.text);
    },

    async 'a grammar and a schema hold a completion'() {
        const yes = await client.completions.create({ model, prompt, max_tokens: 20, seed: 1, grammar: 'root ::= " yes" | " no"' });
        assert.ok([' yes', ' no'].includes(yes.choices[0].text));
        isPerson((await client.completions.create({ model, prompt, max_tokens: 200, seed: 1, json_schema: schema })).choices[0].text);
    },

    async 'no filling in for a model that cannot'() {
        const error = await failure(client.completions.create({ model, prompt, suffix: ' the end.' }));
        assert.ok(error instanceof OpenAI.BadRequestError);
        assert.equal(error.type, 'invalid_request_error');
    },

    async 'a chat'() {
        const request = { model, messages, temperature: 0, max_completion_tokens: 12 };
        const whole = await client.chat.completions.create(request);
        assert.match(whole.id, /^chatcmpl-/);
        assert.equal(whole.object, 'chat.completion');
        const { message, finish_reason } = whole.choices[0];
        assert.equal(message.role, 'assistant');
        assert.equal(message.refusal, null);
        assert.equal(finish_reason, 'length');
        for (const one of [client, local]) {
            const chunks = await collect(await one.chat.completions.create({ ...request, stream: true, stream_options: { include_usage: true } }));
            assert.deepEqual(chunks[0].choices[0].delta, { role: 'assistant', content: '', refusal: null });
            assert.deepEqual(chunks.at(-1).choices, []);
            assert.deepEqual({ ...chunks.at(-1).usage, prompt_tokens_details: 0 }, { ...whole.usage, prompt_tokens_details: 0 });
            const text = chunks.slice(0, -1).map((chunk) => chunk.choices[0].delta.content ?? '').join('');
            assert.equal(text, message.content);
            assert.equal(chunks.at(-2).choices[0].finish_reason, 'length');
        }
    },

    async 'a chat by the streaming helper'() {
        const stream = client.chat.completions.stream({ model, messages, temperature: 0, max_tokens: 12 });
        const whole = await client.chat.completions.create({ model, messages, temperature: 0, max_tokens: 12 });
        assert.equal((await stream.finalChatCompletion()).choices[0].message.content, whole.choices[0].message.content);
    },

    async 'messages in parts, by developers, by tools'() {
        const whole = await client.chat.completions.create({
            model,
            messages: [
                { role: 'developer', content: 'Be short.' },
                { role: 'user', content: [{ type: 'text', text: 'Light ' }, { type: 'text', text: 'on?' }] },
                { role: 'assistant', content: null, tool_calls: [{ id: 'c1', type: 'function', function: { name: 'set_light', arguments: '{"room":"hall","is_on":true}' } }] },
                { role: 'tool', tool_call_id: 'c1', content: 'done' },
            ],
            tools,
            tool_choice: 'none',
            max_tokens: 4,
        });
        assert.equal(typeof whole.choices[0].message.content, 'string');
        const error = await failure(client.chat.completions.create({ model, messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }] }));
        assert.ok(error instanceof OpenAI.BadRequestError && error.param === 'messages');
        assert.match(error.message, /messages\[0\]\.content\[0\]\.type: found "image_url"/);
    },

    async 'log-probabilities of a chat'() {
        const reply = await client.chat.completions.create({ model, messages, temperature: 0, max_tokens: 5, logprobs: true, top_logprobs: 2 });
        const { content } = reply.choices[0].logprobs;
        assert.equal(content.length, 5);
        for (const token of content) {
            assert.equal(Buffer.from(token.bytes).toString(), token.token);
            assert.equal(token.top_logprobs.length, 2);
            assert.equal(token.top_logprobs[0].logprob, token.logprob);
        }
        const error = await failure(client.chat.completions.create({ model, messages, top_logprobs: 2 }));
        assert.equal(error.param, 'top_logprobs');
    },

    async 'several choices of a chat'() {
        const request = { model, messages, n: 3, seed: 2, max_tokens: 8 };
        const whole = await client.chat.completions.create(request);
        const texts = ['', '', ''];
        for (const chunk of await collect(await client.chat.completions.create({ ...request, stream: true })))
            for (const choice of chunk.choices) texts[choice.index] += choice.delta.content ?? '';
        assert.deepEqual(texts, whole.choices.map((choice) => choice.message.content));
    },

    async 'a tool is called'() {
        for (const tool_choice of ['required', { type: 'function', function: { name: 'set_light' } }]) {
            const request = { model, messages, tools, tool_choice, parallel_tool_calls: false, seed: 4, max_tokens: 200 };
            const whole = await client.chat.completions.create(request);
            assert.equal(whole.choices[0].finish_reason, 'tool_calls');
            const [call] = whole.choices[0].message.tool_calls;
            assert.equal(whole.choices[0].message.tool_calls.length, 1);
            assert.equal(call.type, 'function');
            assert.equal(call.function.name, 'set_light');
            isArguments(call.function.arguments);
            const streamed = await client.chat.completions.stream(request).finalChatCompletion();
            assert.equal(streamed.choices[0].finish_reason, 'tool_calls');
            assert.equal(streamed.choices[0].message.tool_calls[0].function.arguments, call.function.arguments);
        }
        const error = await failure(client.chat.completions.create({ model, messages, tools, tool_choice: { type: 'function', function: { name: 'other' } } }));
        assert.equal(error.param, 'tool_choice');
    },

    async 'a reply of a schema'() {
        const response_format = { type: 'json_schema', json_schema: { name: 'person', strict: true, schema } };
        const reply = await client.chat.completions.create({ model, messages, response_format, seed: 8, max_tokens: 200 });
        isPerson(reply.choices[0].message.content);
        const object = await client.chat.completions.create({ model, messages, response_format: { type: 'json_object' }, seed: 8, max_tokens: 8 });
        assert.ok(object.choices[0].message.content.startsWith('{'));
        const error = await failure(client.chat.completions.create({ model, messages, response_format: { type: 'json_schema', json_schema: { name: 'x' } } }));
        assert.equal(error.param, 'response_format');
    },

    async 'a response'() {
        const request = { model, input: 'Tell me a story.', temperature: 0, max_output_tokens: 12 };
        const whole = await client.responses.create(request);
        assert.equal(whole.status, 'incomplete');
        assert.equal(whole.incomplete_details.reason, 'max_output_tokens');
        const chat = await client.chat.completions.create({ model, messages, temperature: 0, max_tokens: 12 });
        assert.equal(whole.output_text, chat.choices[0].message.content);
        assert.equal(whole.usage.output_tokens, 12);
        for (const one of [client, local]) {
            const events = await collect(await one.responses.create({ ...request, stream: true }));
            assert.deepEqual(events.map((event) => event.sequence_number), events.map((_, i) => i));
            const types = events.map((event) => event.type);
            assert.deepEqual(types.slice(0, 4), ['response.created', 'response.in_progress', 'response.output_item.added', 'response.content_part.added']);
            assert.deepEqual(types.slice(-4), ['response.output_text.done', 'response.content_part.done', 'response.output_item.done', 'response.incomplete']);
            const deltas = events.filter((event) => event.type === 'response.output_text.delta');
            assert.equal(deltas.map((event) => event.delta).join(''), whole.output_text);
        }
        const helped = await client.responses.stream(request).finalResponse();
        assert.equal(helped.output_text, whole.output_text);
    },

    async 'a response calls a tool, and reads its result'() {
        const flat = [{ type: 'function', ...tools[0].function, strict: true }];
        const request = { model, input: [{ role: 'user', content: 'Light on.' }], tools: flat, tool_choice: 'required', parallel_tool_calls: false, max_output_tokens: 200 };
        const whole = await client.responses.create({ ...request, seed: 4 });
        const call = whole.output.find((item) => item.type === 'function_call');
        assert.equal(call.name, 'set_light');
        isArguments(call.arguments);
        const streamed = await client.responses.stream({ ...request, seed: 4 }).finalResponse();
        assert.equal(streamed.output.find((item) => item.type === 'function_call').arguments, call.arguments);
        const input = [...request.input, ...whole.output, { type: 'function_call_output', call_id: call.call_id, output: 'done' }];
        const next = await client.responses.create({ model, input, tools: flat, tool_choice: 'none', instructions: 'Be short.', max_output_tokens: 5 });
        assert.equal(next.output[0].type, 'message');
    },

    async 'a response of a schema, and one with state'() {
        const text = { format: { type: 'json_schema', name: 'person', schema, strict: true } };
        isPerson((await client.responses.create({ model, input: 'Who?', text, seed: 8, max_output_tokens: 200 })).output_text);
        for (const state of [{ store: true }, { previous_response_id: 'resp_1' }, { background: true }]) {
            const error = await failure(client.responses.create({ model, input: 'x', ...state }));
            assert.ok(error instanceof OpenAI.BadRequestError && error.param === Object.keys(state)[0]);
            assert.match(error.message, /nothing is stored/);
        }
    },

    async embeddings() {
        const input = ['a cat sat', 'the dog ran away'];
        const numbers = await client.embeddings.create({ model: 'embedder', input, encoding_format: 'float' });
        const packed = await client.embeddings.create({ model: 'embedder', input }); // base64, unpacked by the client
        assert.deepEqual(packed.data.map((one) => [...one.embedding]), numbers.data.map((one) => [...new Float32Array(one.embedding)]));
        assert.deepEqual(numbers.data.map((one) => one.index), [0, 1]);
        assert.ok(numbers.usage.prompt_tokens > 0 && numbers.usage.total_tokens === numbers.usage.prompt_tokens);
        const alone = await local.embeddings.create({ model: 'embedder', input: input[1] });
        assert.deepEqual([...alone.data[0].embedding], [...packed.data[1].embedding]);
        const short = await client.embeddings.create({ model: 'embedder', input: input[0], dimensions: 8 });
        assert.equal(short.data[0].embedding.length, 8);
        assert.ok(Math.abs(Math.hypot(...short.data[0].embedding) - 1) < 1e-5);
        const ids = await client.embeddings.create({ model: 'embedder', input: [[2, 5, 7, 3], [2, 8, 3]] });
        assert.equal(ids.data.length, 2);
    },

    async errors() {
        const missing = await failure(client.chat.completions.create({ model: 'gpt-9', messages }));
        assert.ok(missing instanceof OpenAI.NotFoundError);
        assert.equal(missing.code, 'model_not_found');
        assert.equal(missing.param, 'model');
        const long = await failure(client.completions.create({ model, prompt: 'word '.repeat(3000) }));
        assert.ok(long instanceof OpenAI.BadRequestError);
        assert.equal(long.code, 'context_length_exceeded');
        assert.ok(long.message.includes(String(long.error.n_prompt_tokens)) && long.message.includes(String(long.error.n_ctx)));
        const bad = await failure(client.completions.create({ model, prompt, temperature: 'hot' }));
        assert.ok(bad instanceof OpenAI.BadRequestError && bad.param === 'temperature' && bad.type === 'invalid_request_error');
        const none = await failure(client.completions.create({ model }));
        assert.equal(none.param, 'prompt');
        const route = await failure(client.get('/nothing'));
        assert.ok(route instanceof OpenAI.NotFoundError);
        const wrong = await failure(client.embeddings.create({ model, input: 'x' }));
        assert.ok(wrong instanceof OpenAI.BadRequestError);
        const grammar = await failure(client.completions.create({ model, prompt, grammar: 'root ::= "a' }));
        assert.ok(grammar instanceof OpenAI.BadRequestError);
    },

    async cancellation() {
        const before = await metric(/^hob_jobs_total\{.*kind="cancelled"/);
        const stream = await client.completions.create({ model, prompt, n: 128, max_tokens: -1, stream: true, ignore_eos: true });
        for await (const chunk of stream) {
            assert.equal(chunk.object, 'text_completion');
            break; // the client hangs up
        }
        await until(async () => (await metric(/^hob_jobs_total\{.*kind="cancelled"/)) > before, 'a cancelled job');
        await nothingRuns();
        const controller = new AbortController();
        const whole = client.completions.create({ model, prompt, n: 128, max_tokens: -1, ignore_eos: true }, { signal: controller.signal });
        await until(async () => (await metric(/^hob_running_jobs/)) > 0, 'a running job');
        controller.abort();
        assert.ok(await failure(whole) instanceof OpenAI.APIUserAbortError);
        await nothingRuns();
    },
});
