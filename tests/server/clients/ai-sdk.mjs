// The ai package with @ai-sdk/openai-compatible against the daemon.
import { assert, base, load, run, socketFetch } from './checks.mjs';

const { embedMany, generateText, jsonSchema, streamText, tool, Output } = await load('ai');
const { createOpenAICompatible } = await load('@ai-sdk/openai-compatible');

const options = { name: 'hob', includeUsage: true, supportsStructuredOutputs: true };
const hob = createOpenAICompatible({ ...options, baseURL: `${base}/v1` });
const local = createOpenAICompatible({ ...options, baseURL: 'http://localhost/v1', fetch: socketFetch });

const prompt = 'Tell me a story.';
const person = jsonSchema({
    type: 'object',
    properties: { name: { type: 'string', maxLength: 8 }, age: { type: 'integer', minimum: 1, maximum: 99 } },
    required: ['name', 'age'],
    additionalProperties: false,
});

await run({
    async 'a text, whole and streamed'() {
        const whole = await generateText({ model: hob('stories'), prompt, temperature: 0, maxOutputTokens: 12, maxRetries: 0 });
        assert.equal(whole.finishReason, 'length');
        assert.equal(whole.usage.outputTokens, 12);
        for (const provider of [hob, local]) {
            const stream = streamText({ model: provider('stories'), prompt, temperature: 0, maxOutputTokens: 12, maxRetries: 0 });
            let text = '';
            for await (const piece of stream.textStream) text += piece;
            assert.equal(text, whole.text);
            assert.equal((await stream.usage).outputTokens, 12);
        }
    },

    async 'a completion'() {
        const { text } = await generateText({ model: hob.completionModel('stories'), prompt: 'Once upon a time', temperature: 0, maxOutputTokens: 8, maxRetries: 0 });
        assert.ok(text.length > 0);
    },

    async 'a tool'() {
        const inputSchema = jsonSchema({ type: 'object', properties: { who: { enum: ['Lily', 'Tom'] } }, required: ['who'], additionalProperties: false });
        const tools = { greet: tool({ description: 'Greets.', inputSchema }) };
        const { toolCalls, finishReason } = await generateText({
            model: hob('stories'), prompt, tools, toolChoice: 'required', seed: 4, maxOutputTokens: 300, maxRetries: 0,
            providerOptions: { hob: { parallel_tool_calls: false } },
        });
        assert.equal(finishReason, 'tool-calls');
        assert.equal(toolCalls[0].toolName, 'greet');
        assert.ok(['Lily', 'Tom'].includes(toolCalls[0].input.who));
    },

    async 'an object of a schema'() {
        const { output } = await generateText({ model: hob('stories'), prompt, output: Output.object({ schema: person }), seed: 8, maxOutputTokens: 200, maxRetries: 0 });
        assert.ok(output.name.length <= 8 && output.age >= 1 && output.age <= 99);
    },

    async embeddings() {
        const { embeddings, usage } = await embedMany({ model: hob.embeddingModel('embedder'), values: ['a cat', 'a dog'], maxRetries: 0 });
        assert.equal(embeddings.length, 2);
        assert.ok(usage.tokens > 0);
    },

    async 'an error'() {
        await assert.rejects(generateText({ model: hob('none'), prompt, maxRetries: 0 }), (error) => error.statusCode === 404 && /none/.test(error.message));
    },
});
