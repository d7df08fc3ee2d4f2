// The @anthropic-ai/sdk package against the daemon.
import { assert, base, load, run, socketFetch } from './checks.mjs';

const { default: Anthropic } = await load('@anthropic-ai/sdk');
const client = new Anthropic({ baseURL: base, apiKey: 'none', maxRetries: 0 });
const local = new Anthropic({ baseURL: 'http://localhost', apiKey: 'none', maxRetries: 0, fetch: socketFetch });

const model = 'stories';
const messages = [{ role: 'user', content: 'Tell me a story.' }];
const tools = [{
    name: 'set_light',
    description: 'Turns a light on or off.',
    input_schema: {
        type: 'object',
        properties: { room: { enum: ['kitchen', 'hall'] }, is_on: { type: 'boolean' } },
        required: ['room', 'is_on'],
        additionalProperties: false,
    },
}];

const failure = async (request) => {
    try {
        await request;
    } catch (error) {
        return error;
    }
    return assert.fail('the request was expected to fail');
};

await run({
    async 'a message'() {
        const whole = await client.messages.create({ model, messages, system: 'Be kind.', max_tokens: 12, temperature: 0 });
        assert.match(whole.id, /^msg_/);
        assert.equal(whole.type, 'message');
        assert.equal(whole.role, 'assistant');
        assert.equal(whole.stop_reason, 'max_tokens');
        assert.equal(whole.stop_sequence, null);
        assert.equal(whole.usage.output_tokens, 12);
        assert.equal(whole.content[0].type, 'text');
        assert.ok(whole._request_id);
        const blocks = await local.messages.create({
            model,
            messages: [{ role: 'user', content: [{ type: 'text', text: 'Tell me a story.' }] }],
            system: [{ type: 'text', text: 'Be kind.', cache_control: { type: 'ephemeral' } }],
            max_tokens: 12,
            temperature: 0,
        });
        assert.equal(blocks.content[0].text, whole.content[0].text);
    },

    async 'a streamed message is the whole one'() {
        const request = { model, messages, max_tokens: 12, temperature: 0 };
        const whole = await client.messages.create(request);
        for (const one of [client, local]) {
            const types = [];
            let text = '';
            for await (const event of await one.messages.create({ ...request, stream: true })) {
                types.push(event.type);
                if (event.type === 'content_block_delta') text += event.delta.text;
                if (event.type === 'message_delta') assert.equal(event.usage.output_tokens, 12);
            }
            assert.equal(types[0], 'message_start');
            assert.ok(types.includes('content_block_start'));
            assert.deepEqual(types.slice(-3), ['content_block_stop', 'message_delta', 'message_stop']);
            assert.equal(text, whole.content[0].text);
        }
        const helped = await client.messages.stream(request).finalMessage();
        assert.deepEqual(helped.content, whole.content);
        assert.equal(helped.stop_reason, 'max_tokens');
    },

    async 'a stop sequence'() {
        const plain = await client.messages.create({ model, messages, max_tokens: 60, temperature: 0 });
        const stop = plain.content[0].text.slice(8, 12);
        const cut = await client.messages.create({ model, messages, max_tokens: 60, temperature: 0, stop_sequences: ['zzz', stop] });
        assert.equal(cut.stop_reason, 'stop_sequence');
        assert.equal(cut.stop_sequence, stop);
        assert.equal(cut.content[0].text, plain.content[0].text.slice(0, plain.content[0].text.indexOf(stop)));
    },

    async 'a tool is called, and its result read'() {
        const request = { model, messages, tools, tool_choice: { type: 'tool', name: 'set_light', disable_parallel_tool_use: true }, max_tokens: 200, seed: 4 };
        const whole = await client.messages.create(request);
        assert.equal(whole.stop_reason, 'tool_use');
        const calls = whole.content.filter((block) => block.type === 'tool_use');
        assert.equal(calls.length, 1);
        assert.equal(calls[0].name, 'set_light');
        assert.ok(['kitchen', 'hall'].includes(calls[0].input.room) && typeof calls[0].input.is_on === 'boolean');
        const streamed = await client.messages.stream({ ...request, tool_choice: { type: 'any', disable_parallel_tool_use: true } }).finalMessage();
        assert.equal(streamed.stop_reason, 'tool_use');
        const next = await client.messages.create({
            model,
            tools,
            tool_choice: { type: 'none' },
            max_tokens: 5,
            messages: [
                ...messages,
                { role: 'assistant', content: whole.content },
                { role: 'user', content: [{ type: 'tool_result', tool_use_id: calls[0].id, content: [{ type: 'text', text: 'done' }] }, { type: 'text', text: 'And now?' }] },
            ],
        });
        assert.equal(next.content[0].type, 'text');
    },

    async 'tokens are counted'() {
        const { input_tokens } = await client.messages.countTokens({ model, messages, system: 'Be kind.' });
        const { usage } = await client.messages.create({ model, messages, system: 'Be kind.', max_tokens: 1 });
        assert.equal(input_tokens, usage.input_tokens + usage.cache_read_input_tokens);
    },

    async models() {
        const page = await client.models.list();
        assert.ok(page.data.some((one) => one.id === model && one.type === 'model'));
        assert.equal((await client.models.retrieve(model)).id, model);
        assert.ok(await failure(client.models.retrieve('none')) instanceof Anthropic.NotFoundError);
    },

    async errors() {
        const missing = await failure(client.messages.create({ model: 'claude-9', messages, max_tokens: 5 }));
        assert.ok(missing instanceof Anthropic.NotFoundError);
        assert.equal(missing.error.type, 'error');
        assert.equal(missing.error.error.type, 'not_found_error');
        const noLimit = await failure(client.messages.create({ model, messages }));
        assert.ok(noLimit instanceof Anthropic.BadRequestError);
        assert.match(noLimit.error.error.message, /max_tokens/);
        const image = await failure(client.messages.create({
            model, max_tokens: 5, messages: [{ role: 'user', content: [{ type: 'image', source: { type: 'url', url: 'x' } }] }],
        }));
        assert.match(image.error.error.message, /messages\[0\]\.content\[0\]\.type: found "image"/);
        const long = await failure(client.messages.create({ model, max_tokens: 5, messages: [{ role: 'user', content: 'word '.repeat(3000) }] }));
        assert.ok(long instanceof Anthropic.BadRequestError);
        assert.equal(long.error.error.type, 'invalid_request_error');
    },
});
