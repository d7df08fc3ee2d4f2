// Writes tests/data/onnx_models.json: what ONNX Runtime computes for the models of ../shared/onnx-models on seeded inputs.
//
//     npm install onnxruntime-node            (anywhere above, or set NODE_PATH)
//     node tools/onnx-model-goldens.mjs > tests/data/onnx_models.json
//
// Inputs are numbers that tests/engine/test_onnx_models.c makes the same way; of large outputs every step-th item is kept.
import {createRequire} from 'node:module';
import {readFileSync} from 'node:fs';

const require = createRequire(process.env.NODE_PATH ? process.env.NODE_PATH + '/' : import.meta.url);
const ort = require('onnxruntime-node');
const folder = '../shared/onnx-models/';
const KEPT = 240;
// ONNX Runtime's further optimisations put 8-bit arithmetic where a QDQ model says float: another function, by a step of the output.
const OPTIONS = {intraOpNumThreads: 1, logSeverityLevel: 3, graphOptimizationLevel: 'basic'};

// The generators of test_onnx_models.c. Strokes: dark strokes on a bright page, where a text detector finds something.
function strokes(dims) {
    const width = dims[3], height = dims[2], n = dims[0] * dims[1] * dims[2] * dims[3];
    return Float64Array.from({length: n}, (_, i) => {
        const x = i % width, y = Math.floor(i / width) % height;
        return y % 24 >= 8 && y % 24 < 18 && (7 * x + 3 * (y >> 2)) % 11 < 4 ? -1 : 1;
    });
}

// Items in [low, high), integers rounded down.
function seeded({type, dims, seed, low, high}) {
    if (seed < 0) return tensor(type, dims, strokes(dims));
    const n = dims.reduce((a, b) => a * b, 1);
    const numbers = new Float64Array(n);
    let state = seed >>> 0;
    for (let i = 0; i < n; i++) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        numbers[i] = low + (state >>> 8) / 2 ** 24 * (high - low);
    }
    return tensor(type, dims, numbers);
}

function tensor(type, dims, numbers) {
    const data = type === 'int64' ? BigInt64Array.from(numbers, x => BigInt(Math.floor(x)))
        : type === 'int32' ? Int32Array.from(numbers, Math.floor) : Float32Array.from(numbers);
    return new ort.Tensor(type, data, dims);
}

const float = (name, dims, seed, low = -1, high = 1) => ({name, type: 'float32', dims, seed, low, high});

const models = [
    {file: 'mnist_8/model.onnx', inputs: [float('Input3', [1, 1, 28, 28], 1, 0, 255)]},
    {file: 'super_resolution_10/model.onnx', inputs: [float('input', [1, 1, 224, 224], 2, 0, 1)]},
    {file: 'magika/model.onnx', inputs: [{name: 'bytes', type: 'int32', dims: [3, 2048], seed: 3, low: 0, high: 257}]},
    {file: 'micro_kws/micro_kws_m_static_fp32.onnx', inputs: [float('serving_default_input:0', [1, 1960], 4, -4, 4)]},
    {file: 'micro_kws/micro_kws_m_qdq.onnx', inputs: [float('serving_default_input:0', [2, 1960], 5, -4, 4)]},
    {file: 'micro_kws/micro_kws_m_static_qoperator.onnx', inputs: [float('serving_default_input:0', [1, 1960], 6, -4, 4)]},
    {file: 'ppocr/ch_PP-OCRv4_det_infer.onnx', inputs: [float('x', [1, 3, 96, 160], -1)]},
    {file: 'ppocr/ch_PP-OCRv4_det_infer.onnx', inputs: [float('x', [2, 3, 64, 96], -1)]},
    {file: 'ppocr/ch_ppocr_mobile_v2.0_cls_infer.onnx', inputs: [float('x', [2, 3, 48, 192], 9)]},
    {file: 'yolox/yolox_nano.onnx', inputs: [float('images', [1, 3, 416, 416], 10, 0, 255)]},
    {file: 'gtcrn/gtcrn_simple.onnx', inputs: [
        float('mix', [1, 257, 1, 2], 11), float('conv_cache', [2, 1, 16, 16, 33], 12),
        float('tra_cache', [2, 3, 1, 1, 16], 13), float('inter_cache', [2, 1, 33, 16], 14)]},
    {file: 'silero-vad/silero_vad.onnx', inputs: [
        float('input', [1, 576], 15), float('state', [2, 1, 128], 16), {name: 'sr', type: 'int64', dims: [], seed: 0, low: 16000, high: 16000}]},
    {file: 'silero-vad/silero_vad.onnx', inputs: [
        float('input', [2, 288], 17), float('state', [2, 2, 128], 18), {name: 'sr', type: 'int64', dims: [], seed: 0, low: 8000, high: 8000}]},
];

function sample(name, output) {
    const n = output.data.length, step = Math.max(1, Math.ceil(n / KEPT)), items = [];
    for (let i = 0; i < n; i += step) items.push(Number(Number(output.data[i]).toPrecision(7)));
    return {name, dims: output.dims, step, items};
}

async function runModel(model) {
    const session = await ort.InferenceSession.create(folder + model.file, OPTIONS);
    const feeds = Object.fromEntries(model.inputs.map(input => [input.name, seeded(input)]));
    const outputs = await session.run(feeds);
    return {...model, outputs: session.outputNames.map(name => sample(name, outputs[name]))};
}

// The chance of speech in each window of 512 samples, as silero's own wrapper feeds it: 64 samples of the past before them.
async function speech() {
    const wav = readFileSync(folder + 'silero-vad/test.wav');
    const begin = wav.indexOf('data') + 8, n = Math.floor((wav.length - begin) / 2);
    const session = await ort.InferenceSession.create(folder + 'silero-vad/silero_vad.onnx', OPTIONS);
    let state = new ort.Tensor('float32', new Float32Array(256), [2, 1, 128]);
    const sr = new ort.Tensor('int64', BigInt64Array.of(16000n), []), chances = [];
    const input = new Float32Array(576);
    for (let window = 0; (window + 1) * 512 <= n; window++) {
        input.copyWithin(0, 512);
        for (let i = 0; i < 512; i++) input[64 + i] = wav.readInt16LE(begin + 2 * (window * 512 + i)) / 32768;
        const outputs = await session.run({input: new ort.Tensor('float32', input, [1, 576]), state, sr});
        state = outputs.stateN;
        chances.push(Number(outputs.output.data[0].toPrecision(6)));
    }
    return chances;
}

const cases = [];
for (const model of models) cases.push(await runModel(model));
const text = cases.map(c => '  ' + JSON.stringify(c)).join(',\n');
process.stdout.write(`{"cases": [\n${text}],\n"speech": ${JSON.stringify(await speech())}}\n`);
