// Models, plans and downloads for tests, whole as Rust sends them.
import type { CatalogueLine, Download, Fit, ModelEntry, Verdict } from "../ipc";

export function entry(id: string, change: Partial<ModelEntry> = {}): ModelEntry {
  return {
    id,
    name: id,
    description: "",
    place: "this computer",
    ready: true,
    vision: true,
    demo: false,
    architecture: "",
    parameters: 0,
    bytes: 0,
    maxContextTokens: 8192,
    quants: ["none"],
    problem: null,
    sight: null,
    source: "added",
    ...change,
  };
}

export function fit(model: string, change: Partial<Fit> = {}): Fit {
  return {
    model,
    parameters: 1e9,
    quant: "none",
    context: 8192,
    compute_type: "f32",
    weights: [],
    weights_bytes: 4e9,
    kv_bytes_per_token: 1000,
    kv_bytes: 8_192_000,
    kv_bytes_window_aware: 8_192_000,
    image_tokens: 0,
    image_bytes: 0,
    activation_bytes: 1e8,
    reserve_bytes: 1e8,
    total_bytes: { low: 4.2e9, high: 4.3e9 },
    hardware: "CPU",
    available_bytes: 8e9,
    verdict: "fits",
    reason: "",
    max_context: 8192,
    alternatives: [],
    ...change,
  };
}

export function line(id: string, verdict: Verdict | null, change: Partial<CatalogueLine> = {}): CatalogueLine {
  return {
    id,
    name: id,
    description: "",
    repository: verdict ? `owner/${id}` : null,
    status: verdict ? "released" : "announced",
    modalities: ["text"],
    parameters: null,
    activeParameters: null,
    licence: null,
    gated: false,
    downloadBytes: null,
    maxContextTokens: null,
    onDisk: null,
    fit: verdict && fit(id, { verdict }),
    ...change,
  };
}

export function download(id: string, state: Download["state"], change: Partial<Download> = {}): Download {
  return { id, repository: `owner/${id}`, state, bytesDone: 0, bytesTotal: 8.9e9, bytesPerSecond: 0, secondsLeft: null, ...change };
}
