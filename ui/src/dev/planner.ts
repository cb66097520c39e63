// A rough fit planner for the pages alone: the same shape of answer as the real one, from the same catalogue. Its numbers
// are near the real ones and no more; nothing outside the simulated backend may use them.
import catalogue from "../../../src-tauri/crates/models/catalogue/models.json";
import type { Alternative, CatalogueLine, Fit, Verdict } from "../lib/ipc";

const GIB = 1024 ** 3;
const QUANTS = ["none", "q8_0", "q6k", "q5k", "q4k"];
/** Bytes of one weight. */
const QUANT_BYTES: Record<string, number> = { none: 2, q8_0: 34 / 32, q6k: 210 / 256, q5k: 176 / 256, q4k: 144 / 256 };
const GPU_GB: Record<string, number> = { h100: 80, h200: 141, b200: 180, a100: 80, rtx4090: 24, rtx3090: 24, mi300x: 192, l4: 24 };

type Entry = (typeof catalogue.entries)[number];

interface Shape {
  name: string;
  parameters: number;
  /** Bytes of a parameter in the files. */
  stored: number;
  /** Parameters that stay in 16 bits. */
  unquantised: number;
  kvBytesPerToken: number;
  /** Share of the layers whose cache could be short, and how short. */
  windowedShare: number;
  windowTokens: number;
  maxContext: number;
  quants: string[];
  sees: boolean;
  hidden: number;
}

export interface Place {
  name: string;
  bytes: number;
  isGpu: boolean;
}

function number(config: Record<string, unknown>, ...names: string[]): number {
  for (const name of names) if (typeof config[name] === "number") return config[name];
  return 0;
}

function shapeOf(entry: Entry): Shape | null {
  if (!("config" in entry) || !entry.config || !("parameters" in entry) || !entry.parameters) return null;
  const whole = entry.config as Record<string, unknown>;
  const text = (whole.text_config ?? whole) as Record<string, unknown>;
  const heads = number(text, "num_attention_heads");
  const hidden = number(text, "hidden_size");
  const layers = number(text, "num_hidden_layers");
  const headDim = number(text, "head_dim") || hidden / Math.max(1, heads);
  const window = number(text, "attention_chunk_size", "sliding_window");
  return {
    name: entry.name,
    parameters: entry.parameters,
    stored: "experts" in entry ? 1.04 : 2,
    unquantised: number(text, "vocab_size") * hidden + 400e6,
    kvBytesPerToken: 2 * layers * number(text, "num_key_value_heads") * headDim * 2,
    windowedShare: window > 0 ? ("attention_chunk_size" in text ? 0.75 : 5 / 6) : 0,
    windowTokens: window || 1,
    maxContext: number(text, "max_position_embeddings") || 32_768,
    quants: "experts" in entry ? ["none"] : QUANTS,
    sees: entry.modalities.includes("image"),
    hidden,
  };
}

const DEMO: Shape = {
  name: "Paddock demo",
  parameters: 4_300_000,
  stored: 2,
  unquantised: 4_300_000,
  kvBytesPerToken: 2048,
  windowedShare: 0.75,
  windowTokens: 256,
  maxContext: 2048,
  quants: QUANTS,
  sees: true,
  hidden: 128,
};

/** "16GiB" of memory, "1x24GiB" on a GPU, "8xH100"; none if it means nothing. */
export function place(text: string): Place | null {
  const plain = text.replaceAll(/\s/g, "").toLowerCase();
  const [, count, one = ""] = /^(?:(\d+)x)?(.+)$/.exec(plain) ?? [];
  const memory = /^([\d.]+)(gib|gb|tb)$/.exec(one);
  const each = memory ? Number(memory[1]) * { gib: GIB, gb: 1e9, tb: 1e12 }[memory[2] as "gib" | "gb" | "tb"] : (GPU_GB[one] ?? 0) * 1e9;
  if (!(each > 0)) return null;
  return { name: text, bytes: each * Number(count ?? 1), isGpu: count !== undefined || !memory };
}

function total(shape: Shape, quant: string, context: number, images: number) {
  const weights = Math.round(
    quant === "none" ? shape.parameters * shape.stored : shape.unquantised * 2 + Math.max(0, shape.parameters - shape.unquantised) * (QUANT_BYTES[quant] ?? 2),
  );
  const kv = shape.kvBytesPerToken * context;
  const image = shape.sees && images > 0 ? Math.round(shape.hidden * (90_000 + 6_000 * images)) : 0;
  const working = (prompt: number) => Math.round(prompt * shape.hidden * 40 + prompt * prompt * 2 + shape.hidden * 60_000);
  const reserve = 230e6;
  const fixed = weights + kv + reserve;
  const [low, high] = [working(Math.min(context, 1024)), working(Math.min(context, 8192))];
  return { weights, kv, image, activation: high, reserve, low: fixed + Math.max(low, image), high: fixed + Math.max(high, image) };
}

function largest(shape: Shape, quant: string, images: number, bytes: number): number {
  let [fits, not] = [0, shape.maxContext + 1];
  while (not - fits > 1) {
    const middle = Math.floor((fits + not) / 2);
    if (total(shape, quant, middle, images).high <= bytes) fits = middle;
    else not = middle;
  }
  return fits;
}

const gb = (bytes: number) => (bytes < 1e9 ? `${(bytes / 1e6).toFixed(0)} MB` : bytes < 1e12 ? `${(bytes / 1e9).toFixed(1)} GB` : `${(bytes / 1e12).toFixed(2)} TB`);

function alternatives(shape: Shape, quant: string, context: number, images: number, where: Place, most: number): Alternative[] {
  const found: Alternative[] = [];
  const smaller = shape.quants.slice(shape.quants.indexOf(quant) + 1).find((other) => total(shape, other, context, images).high <= where.bytes);
  if (smaller) {
    const high = total(shape, smaller, context, images).high;
    found.push({ kind: "quant", quant: smaller, total_bytes: high, text: `Quantised to ${smaller} it needs ${gb(high)}.` });
  }
  if (most >= 2048 && most < context) {
    const high = total(shape, quant, most, images).high;
    found.push({ kind: "context", context: most, total_bytes: high, text: `With ${most} tokens of context it needs ${gb(high)}.` });
  }
  const others = catalogue.entries
    .flatMap((entry) => {
      const other = shapeOf(entry);
      return other && other.parameters < shape.parameters ? [{ entry, other }] : [];
    })
    .sort((a, b) => b.other.parameters - a.other.parameters);
  for (const { entry, other } of others) {
    const fitting = other.quants.find((one) => total(other, one, Math.min(context, other.maxContext), 1).high <= where.bytes);
    if (!fitting || found.length >= 4) continue;
    const high = total(other, fitting, Math.min(context, other.maxContext), 1).high;
    const how = fitting === "none" ? "" : ` quantised to ${fitting}`;
    found.push({ kind: "model", id: entry.id, name: other.name, quant: fitting, total_bytes: high, text: `${other.name}${how} needs ${gb(high)}.` });
  }
  found.push({ kind: "server", total_bytes: 0, text: "A server with enough memory can run it (vLLM, llama-server); Paddock cannot use one yet." });
  return found;
}

export function plan(id: string, where: Place, choice: { context: number | null; quant: string | null; images: number | null }): Fit | null {
  const entry = catalogue.entries.find((one) => one.id === id || ("repository" in one && one.repository === id));
  const shape = id === "demo" ? DEMO : entry && shapeOf(entry);
  if (!shape) return null;
  const context = Math.min(shape.maxContext, Math.max(1, choice.context ?? 8192));
  const quant = shape.quants.find((one) => one === choice.quant) ?? shape.quants[0] ?? "none";
  const images = choice.images ?? Number(shape.sees);
  const parts = total(shape, quant, context, images);
  const most = largest(shape, quant, images, where.bytes);
  const verdict: Verdict =
    parts.high <= where.bytes ? "fits" : parts.low <= where.bytes ? "tight" : "does_not_fit";
  const windowed = shape.windowedShare;
  return {
    model: shape.name,
    parameters: shape.parameters,
    quant,
    context,
    compute_type: where.isGpu ? "bf16" : "f16",
    weights: [{ class: "all", parameters: shape.parameters, bytes: parts.weights }],
    weights_bytes: parts.weights,
    kv_bytes_per_token: shape.kvBytesPerToken,
    kv_bytes: parts.kv,
    kv_bytes_window_aware: Math.round(parts.kv * (1 - windowed) + shape.kvBytesPerToken * windowed * Math.min(context, shape.windowTokens)),
    image_tokens: images * 1296,
    image_bytes: parts.image,
    activation_bytes: parts.activation,
    reserve_bytes: parts.reserve,
    total_bytes: { low: parts.low, high: parts.high },
    hardware: where.name,
    available_bytes: where.bytes,
    verdict,
    reason:
      verdict === "fits"
        ? `${shape.name} needs ${gb(parts.high)} and ${gb(where.bytes)} are free.`
        : verdict === "tight"
          ? `${shape.name} needs ${gb(parts.low)} to ${gb(parts.high)} and ${gb(where.bytes)} are free: short questions work, long ones may not.`
          : parts.weights > where.bytes
            ? `The weights of ${shape.name} alone are ${gb(parts.weights)}, and ${gb(where.bytes)} are free.`
            : `${shape.name} needs ${gb(parts.high)}, and ${gb(where.bytes)} are free.`,
    max_context: most,
    alternatives: verdict === "fits" ? [] : alternatives(shape, quant, context, images, where, most),
  };
}

export function catalogueLines(where: Place, onDisk: (repository: string) => string | null): CatalogueLine[] {
  const lines = catalogue.entries.map((entry): CatalogueLine => {
    const shape = shapeOf(entry);
    const quant = shape?.quants.find((one) => plan(entry.id, where, { context: null, quant: one, images: null })?.verdict === "fits") ?? shape?.quants.at(-1);
    const repository = "repository" in entry ? (entry.repository ?? null) : null;
    const licence = "licence" in entry && entry.licence ? entry.licence : null;
    return {
      id: entry.id,
      name: entry.name,
      description: entry.description,
      repository,
      status: entry.status === "released" ? "released" : "announced",
      modalities: entry.modalities,
      parameters: shape?.parameters ?? null,
      activeParameters: "activeParameters" in entry ? (entry.activeParameters ?? null) : null,
      licence: licence && {
        name: licence.name,
        url: licence.url ?? null,
        notice: ("notice" in licence && licence.notice) || null,
        badge: ("badge" in licence && licence.badge) || null,
        regional: ("regional" in licence && licence.regional) || null,
      },
      gated: entry.gated,
      downloadBytes: shape && Math.round(shape.parameters * shape.stored),
      maxContextTokens: shape?.maxContext ?? null,
      onDisk: repository && onDisk(repository),
      fit: quant ? plan(entry.id, where, { context: null, quant, images: null }) : null,
    };
  });
  const rank = (line: CatalogueLine) => (line.fit === null ? 2 : line.fit.verdict === "fits" ? 0 : 1);
  return lines.sort((a, b) => rank(a) - rank(b) || (rank(a) === 0 ? -1 : 1) * ((a.parameters ?? 0) - (b.parameters ?? 0)));
}
