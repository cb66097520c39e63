// How models are listed: what can be asked now, what other programs left on this computer, what can be had. Pure functions.
import type { CatalogueLine, ModelEntry, ModelSource } from "../ipc";
import { holdsWords } from "../text/marks";

/** What the picker offers from the catalogue. */
const MOST_OFFERS = 3;

export const SOURCE_NAMES: Record<ModelSource, string> = {
  demo: "built in",
  added: "added by you",
  downloaded: "downloaded here",
  huggingFace: "found in the Hugging Face folder",
  lmStudio: "found in LM Studio’s folder",
  ollama: "found in Ollama’s folder",
};

/** It belongs to another program, which may change or delete it. */
export function isFound(model: ModelEntry): boolean {
  return model.source === "huggingFace" || model.source === "lmStudio" || model.source === "ollama";
}

export interface PickerGroups {
  /** Can be asked at once. */
  ready: ModelEntry[];
  /** Lies here: found in place, or brought but not usable yet. */
  here: ModelEntry[];
  /** Fits, and can be downloaded. */
  offers: CatalogueLine[];
}

export function pickerGroups(models: readonly ModelEntry[], catalogue: readonly CatalogueLine[], filter: string): PickerGroups {
  const wanted = filter.trim();
  const matching = models.filter((model) => holdsWords(`${model.name} ${model.architecture} ${model.place} ${SOURCE_NAMES[model.source]}`, wanted));
  const ready = matching.filter((model) => model.ready && !isFound(model));
  const here = matching.filter((model) => !ready.includes(model));
  const offers = catalogue.filter((line) => obtainable(line) && matchesLine(line, wanted)).slice(0, MOST_OFFERS);
  return { ready, here: [...here.filter((model) => model.ready), ...here.filter((model) => !model.ready)], offers };
}

/** Fits this computer, is not here yet, and there is something to download. */
export function obtainable(line: CatalogueLine): boolean {
  return line.repository !== null && line.onDisk === null && line.fit?.verdict === "fits";
}

/** A suggestion leaves so much of the free memory to everything else. */
const ROOMY_SHARE = 0.8;

/** The one that is offered first: Rust ranks them, and this is the first that leaves room. */
export function recommended(catalogue: readonly CatalogueLine[]): CatalogueLine | null {
  return catalogue.find((line) => obtainable(line) && line.fit !== null && line.fit.total_bytes.high <= line.fit.available_bytes * ROOMY_SHARE) ?? null;
}

export function matchesLine(line: CatalogueLine, filter: string): boolean {
  return holdsWords(`${line.name} ${line.repository ?? ""} ${line.description} ${line.licence?.name ?? ""}`, filter.trim());
}

export interface CatalogueGroups {
  fitting: CatalogueLine[];
  /** Weights exist, but not for this computer's memory or engine. */
  beyond: CatalogueLine[];
  /** Announced, never released. */
  announced: CatalogueLine[];
}

/** In the order in which Rust ranked them. */
export function catalogueGroups(catalogue: readonly CatalogueLine[], filter: string, seeingOnly = false): CatalogueGroups {
  const matching = catalogue.filter((line) => matchesLine(line, filter) && (!seeingOnly || line.modalities.includes("image")));
  const released = matching.filter((line) => line.status === "released");
  const fits = (line: CatalogueLine) => line.fit?.verdict === "fits" || line.fit?.verdict === "tight";
  return {
    fitting: released.filter(fits),
    beyond: released.filter((line) => !fits(line)),
    announced: matching.filter((line) => line.status === "announced"),
  };
}

/** What the field's text asks for: a repository's address is looked at, words are searched for. */
export function isAddress(text: string): boolean {
  const plain = text.trim();
  return /^https?:\/\/\S+$/i.test(plain) || /^[\w.-]+\/[\w.-]+(:[\w.-]+)?$/.test(plain) || /^[\w-]+(\.[\w-]+)+\/\S+\/\S+$/.test(plain);
}

/** The host of a server's address, as one reads it. */
export function hostOf(endpoint: string): string {
  try {
    return new URL(endpoint).host || endpoint;
  } catch {
    return endpoint;
  }
}
