// The simulated computer: its memory, the models that lie on it, and the engine that has one of them.
import type { Cpu, DeviceReport, EngineSnapshot, FitRecord, ModelEntry, ModelLabel, Settings } from "../lib/ipc";
import { loadChoice } from "../lib/state/settings.svelte";

const GIB = 1024 ** 3;
const TOTAL_BYTES = 16 * GIB;

export const settings: Settings = {
  revision: 0,
  chosen: "demo",
  perModel: {},
  temperature: 0.7,
  maxAnswerTokens: null,
  systemPrompt: "",
  theme: "system",
  sendWithEnter: true,
  keepOriginals: false,
  keepAliveMinutes: null,
  hubEndpoint: null,
  downloadBytesPerSecond: null,
};

const QUANTS = ["none", "q8_0", "q6k", "q5k", "q4k"];

function entry(change: Partial<ModelEntry> & Pick<ModelEntry, "id" | "name">): ModelEntry {
  return {
    description: "",
    place: "this computer",
    ready: true,
    vision: true,
    demo: false,
    architecture: "",
    parameters: 0,
    bytes: 0,
    maxContextTokens: 32_768,
    quants: QUANTS,
    problem: null,
    sight: null,
    source: "added",
    ...change,
  };
}

export const models: ModelEntry[] = [
  entry({
    id: "demo",
    name: "Paddock demo",
    description: "A tiny Llama 4 made for trying things out: it knows a few shapes and colours and a little small talk, and works offline.",
    demo: true,
    architecture: "Llama4ForConditionalGeneration",
    parameters: 4_300_000,
    bytes: 8_900_000,
    maxContextTokens: 2048,
    sight: "sees",
    source: "demo",
  }),
  entry({
    id: "local:/models/SmolVLM-256M-Instruct",
    name: "SmolVLM-256M-Instruct",
    description: "SmolVLM, 256.5 million parameters in bf16, 513 MB, sees pictures",
    architecture: "Idefics3ForConditionalGeneration",
    parameters: 256_484_928,
    bytes: 513_000_000,
    maxContextTokens: 8192,
    sight: "unsure",
    source: "downloaded",
  }),
  entry({
    id: "local:/cache/Qwen2.5-VL-3B-Instruct",
    name: "Qwen2.5-VL-3B-Instruct",
    description: "Qwen2.5-VL, 3.8 billion parameters in bf16, 7.5 GB, sees pictures",
    architecture: "Qwen2_5_VLForConditionalGeneration",
    parameters: 3_754_622_976,
    bytes: 7_509_245_952,
    maxContextTokens: 128_000,
    source: "huggingFace",
  }),
  entry({
    id: "local:/lm/mistral-7b-instruct.Q4_K_M.gguf",
    name: "mistral-7b-instruct.Q4_K_M",
    description: "Mistral, 7.2 billion parameters in q4k, 4.4 GB, text only",
    vision: false,
    architecture: "llama",
    parameters: 7_241_732_096,
    bytes: 4_368_438_976,
    quants: ["none"],
    source: "lmStudio",
  }),
  entry({
    id: "local:/ollama/llava",
    name: "llava:7b",
    ready: false,
    vision: false,
    architecture: "llama",
    bytes: 4_733_363_377,
    source: "ollama",
    problem: { code: "ggufVision", message: "The engine cannot use the picture part of GGUF files.", nextStep: "Choose the model as safetensors." },
  }),
];

/** Which models of the catalogue these are, for the planner. */
export const CATALOGUE_IDS: Record<string, string> = {
  demo: "demo",
  "local:/models/SmolVLM-256M-Instruct": "HuggingFaceTB/SmolVLM-256M-Instruct",
  "local:/cache/Qwen2.5-VL-3B-Instruct": "Qwen/Qwen2.5-VL-3B-Instruct",
};

const CPU: Cpu = { name: "Simulated processor", physicalCores: 8, threads: 16, features: ["avx2", "fma", "f16c"] };

/** Free memory wanders a little, as it does. */
export function devices(): DeviceReport {
  const freeBytes = Math.round(10.4e9 + 0.1e9 * Math.sin(Date.now() / 4000));
  return {
    cpu: CPU,
    devices: [{ id: "cpu", kind: "cpu", name: CPU.name, totalBytes: TOTAL_BYTES, freeBytes }],
    selected: "cpu",
    reason: "No GPU that this engine can use was found; the processor works everywhere.",
  };
}

export const history: FitRecord[] = [
  { model: "Qwen2.5-VL-3B-Instruct", quant: "q8_0", device: "cpu", context: 8192, predictedBytes: { low: 5.31e9, high: 6.12e9 }, measuredBytes: 5.74e9, atMs: Date.now() - 7.2e6 },
  { model: "SmolVLM-256M-Instruct", quant: "none", device: "cpu", context: 8192, predictedBytes: { low: 1.32e9, high: 1.71e9 }, measuredBytes: 1.49e9, atMs: Date.now() - 8.6e7 },
  { model: "Paddock demo", quant: "none", device: "cpu", context: 2048, predictedBytes: { low: 1.42e8, high: 1.66e8 }, measuredBytes: 1.71e8, atMs: Date.now() - 9e7 },
];

export const engine: EngineSnapshot = { revision: 0, model: null, state: { kind: "empty" } };

export function label(model: ModelEntry): ModelLabel {
  return { id: model.id, name: model.name, quant: loadChoice(settings, model.id).quant, place: model.place };
}

/** Loads in a second or so, telling about it as the real one does. */
export async function load(model: ModelEntry, changed: (snapshot: EngineSnapshot) => void): Promise<void> {
  const say = (state: EngineSnapshot["state"]) => {
    Object.assign(engine, { revision: engine.revision + 1, model: label(model), state });
    changed({ ...engine });
  };
  const choice = loadChoice(settings, model.id);
  const steps = model.bytes > 1e9 ? 12 : 3;
  for (let step = 0; step < steps; step++) {
    say({ kind: "loading", bytesRead: Math.round((model.bytes * step) / steps), bytesTotal: model.bytes, stage: "weights" });
    await new Promise((done) => setTimeout(done, 100));
  }
  say({
    kind: "ready",
    device: "cpu",
    dtype: "f32",
    quant: choice.quant,
    contextTokens: choice.contextTokens ?? Math.min(8192, model.maxContextTokens),
    residentBytes: Math.round(model.bytes * 1.1 + 1.2e8),
    loadMs: steps * 100,
  });
}
