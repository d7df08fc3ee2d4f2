// What the scripts of this folder share: npm clients from the folder that HOB_CLIENTS names, a fetch through a UNIX socket, checks that
// are run one after the other.
//
//     node openai.mjs http://127.0.0.1:PORT SOCKET
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(process.env.HOB_CLIENTS + '/');
const [base, socket] = process.argv.slice(2);

const load = (name) => import(pathToFileURL(require.resolve(name)).href);

const { Agent, fetch: undiciFetch } = (await load('undici')).default;
const dispatcher = new Agent({ connect: { socketPath: socket } });
// undici's own FormData, Headers and Response differ from Node's: plain requests only.
const socketFetch = (url, init = {}) => undiciFetch(String(url), { ...init, headers: Object.fromEntries(new Headers(init.headers)), dispatcher });

const metric = async (pattern) => {
    const text = await (await fetch(`${base}/metrics`)).text();
    return text.split('\n').filter((line) => pattern.test(line)).reduce((sum, line) => sum + Number(line.split(' ').pop()), 0);
};

// Polls until the condition holds.
const until = async (condition, what) => {
    for (let i = 0; i < 400; i++) {
        if (await condition()) return;
        await new Promise((resolve) => setTimeout(resolve, 25));
    }
    assert.fail(`never came: ${what}`);
};

const nothingRuns = () => until(async () => (await metric(/^hob_running_jobs/)) === 0, 'no running jobs');

// Runs them in order; exit code 1 when one fails.
const run = async (checks) => {
    for (const [name, check] of Object.entries(checks)) {
        try {
            await check();
            console.log(`ok ${name}`);
        } catch (error) {
            console.log(`not ok ${name}\n${error.stack}`);
            process.exitCode = 1;
        }
    }
    await dispatcher.close();
};

export { assert, base, load, metric, nothingRuns, run, socketFetch, until };
