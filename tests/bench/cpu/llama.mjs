// Reads a prompt and writes an answer with llama.cpp (npm node-llama-cpp), and prints one JSON object of what it took.
//   node llama.mjs MODEL.gguf THREADS PROMPT_TOKENS ANSWER_TOKENS < text
// Run by ./run, in the folder where node-llama-cpp is installed.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { join } from "node:path";

const entry = join(process.cwd(), "node_modules/node-llama-cpp/dist/index.js");
const { getLlama, LlamaLogLevel } = await import(pathToFileURL(entry).href);
const [file, threads, promptTokens, answerTokens] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const text = readFileSync(0, "utf8");

const llama = await getLlama({ gpu: false, build: "never", progressLogs: false, logLevel: LlamaLogLevel.error, maxThreads: threads });
const model = await llama.loadModel({ modelPath: file });
const context = await model.createContext({ contextSize: promptTokens + answerTokens + 64, batchSize: 2048, threads, flashAttention: true });
const sequence = context.getSequence();

const once = model.tokenize(text);
const prompt = Array.from({ length: promptTokens }, (_, index) => once[index % once.length]);

async function timed(work) {
  const [cpu, wall] = [process.cpuUsage(), performance.now()];
  await work();
  const used = process.cpuUsage(cpu);
  return { wall: (performance.now() - wall) / 1e3, cpu: (used.user + used.system) / 1e6 };
}

// Untimed: pages of the weights, threads, buffers.
await sequence.evaluateWithoutGeneratingNewTokens(prompt.slice(0, 16));
await sequence.clearHistory();

const reading = await timed(() => sequence.evaluateWithoutGeneratingNewTokens(prompt));
let written = 0;
const writing = await timed(async () => {
  for await (const _ of sequence.evaluate([once[0]], { temperature: 0, yieldEogToken: true })) {
    if (++written >= answerTokens) break;
  }
});
console.log(JSON.stringify({ reading, writing, promptTokens, written }));
process.exit(0);
