// The simulated Hub: what the catalogue knows can be found, looked at, and "downloaded" without a byte of it.
import catalogue from "../../../src-tauri/crates/models/catalogue/models.json";
import type { Download, HubHit, HubTokenState, Preflight } from "../lib/ipc";

const BYTES_PER_SECOND = 180e6;
const TICK_MS = 250;
const FREE_BYTES = 96e9;

let downloads: Download[] = [];
let token: string | null = null;

const listed = catalogue.entries.flatMap((entry) =>
  "repository" in entry && entry.repository && "parameters" in entry && entry.parameters
    ? [{ repository: entry.repository, bytes: entry.parameters * 2, gated: entry.gated, licence: ("licence" in entry && entry.licence?.name) || null }]
    : [],
);

export function tokenState(): HubTokenState {
  return { place: token === null ? null : "the system’s keychain", removable: token !== null, problem: null };
}

export function keepToken(text: string | null): void {
  token = text;
}

export function search(query: string): HubHit[] {
  const words = query.toLowerCase().split(/\s+/);
  return listed
    .filter((one) => words.every((word) => one.repository.toLowerCase().includes(word)))
    .map((one, place) => ({ repository: one.repository, downloads: 2_400_000 - place * 310_000, likes: 1900 - place * 140, gated: one.gated, task: "image-text-to-text" }));
}

export function preflight(text: string, onDisk: (repository: string) => string | null): Preflight {
  const repository = text.replace(/^https?:\/\/[^/]+\//, "").split("/").slice(0, 2).join("/");
  const found = listed.find((one) => one.repository.toLowerCase() === repository.toLowerCase());
  // A plain object, as Rust's errors cross the border.
  if (!found) throw { code: "hubNotFound", message: `huggingface.co has no model ${repository}.`, nextStep: "Check the name, or search for it." };
  const shards = Math.max(1, Math.ceil(found.bytes / 5e9));
  const files = [
    ...Array.from({ length: shards }, (_, at) => ({
      path: shards === 1 ? "model.safetensors" : `model-${String(at + 1).padStart(5, "0")}-of-${String(shards).padStart(5, "0")}.safetensors`,
      bytes: Math.round(found.bytes / shards),
    })),
    { path: "tokenizer.json", bytes: 11_400_000 },
    { path: "config.json", bytes: 1_400 },
    { path: "preprocessor_config.json", bytes: 570 },
    { path: "generation_config.json", bytes: 216 },
  ];
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  return {
    repository: found.repository,
    revision: "66285546d2b821cf421d4f5eb2576359d3770cd3",
    gate: found.gated ? "manual" : "open",
    licence: found.licence,
    files,
    bytes,
    presentBytes: 0,
    freeBytes: FREE_BYTES,
    hasToken: token !== null,
    notes: shards > 1 ? [`${shards} files of weights.`] : [],
    problem:
      bytes > FREE_BYTES
        ? { code: "diskFull", message: `It needs ${(bytes / 1e9).toFixed(1)} GB and ${(FREE_BYTES / 1e9).toFixed(1)} GB of disk are free.`, nextStep: "Free some space, or choose a smaller model." }
        : null,
    onDisk: onDisk(found.repository),
    host: "huggingface.co",
  };
}

export function list(): Download[] {
  return downloads;
}

function change(id: string, part: Partial<Download>): Download[] {
  downloads = downloads.map((one) => (one.id === id ? { ...one, ...part } : one));
  return downloads;
}

export function start(repository: string): Download[] {
  const bytesTotal = listed.find((one) => one.repository === repository)?.bytes ?? 1e9;
  downloads = [{ id: repository, repository, state: { kind: "waiting" }, bytesDone: 0, bytesTotal, bytesPerSecond: 0, secondsLeft: null }, ...downloads.filter((one) => one.id !== repository)];
  return downloads;
}

export function pause(id: string): Download[] {
  return change(id, { state: { kind: "paused" }, bytesPerSecond: 0, secondsLeft: null });
}

export function resume(id: string): Download[] {
  return change(id, { state: { kind: "waiting" } });
}

export function remove(id: string): Download[] {
  downloads = downloads.filter((one) => one.id !== id);
  return downloads;
}

/** Moves every download on; one of them fails once in its middle, so that this can be seen too. */
export function run(changed: (downloads: Download[]) => void, done: (repository: string) => string): void {
  const failed = new Set<string>();
  setInterval(() => {
    let moved = false;
    for (const one of downloads) {
      moved ||= one.state.kind === "waiting" || one.state.kind === "running" || one.state.kind === "verifying";
      if (one.state.kind === "waiting") change(one.id, { state: { kind: "running" } });
      if (one.state.kind === "verifying") change(one.id, { state: { kind: "done", model: done(one.repository) } });
      if (one.state.kind !== "running") continue;
      const bytesDone = Math.min(one.bytesTotal, one.bytesDone + (BYTES_PER_SECOND * TICK_MS) / 1000);
      if (one.repository.includes("gemma") && bytesDone > one.bytesTotal / 3 && !failed.has(one.id)) {
        failed.add(one.id);
        const failure = { code: "hubStalled", message: "huggingface.co sent nothing for 30 seconds, five times.", nextStep: "Resume when the connection is better; what came is kept." };
        change(one.id, { state: { kind: "failed", failure }, bytesPerSecond: 0, secondsLeft: null });
      } else if (bytesDone === one.bytesTotal) {
        change(one.id, { state: { kind: "verifying" }, bytesDone, bytesPerSecond: 0, secondsLeft: null });
      } else {
        change(one.id, { bytesDone, bytesPerSecond: BYTES_PER_SECOND, secondsLeft: Math.round((one.bytesTotal - bytesDone) / BYTES_PER_SECOND) });
      }
    }
    if (moved) changed(downloads);
  }, TICK_MS);
}
