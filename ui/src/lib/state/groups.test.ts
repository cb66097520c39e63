import { describe, expect, it } from "vitest";

import { catalogueGroups, hostOf, isAddress, pickerGroups, recommended } from "./groups";
import { entry, line } from "./models.fixture";

const names = (list: { id: string }[]) => list.map((one) => one.id);

describe("the model picker", () => {
  const models = [
    entry("demo", { source: "demo" }),
    entry("broken", { ready: false }),
    entry("ollama", { source: "ollama" }),
    entry("mine", { source: "downloaded" }),
  ];
  const catalogue = [
    line("here", "fits", { onDisk: "mine" }),
    line("tight", "tight"),
    ...["a", "b", "c", "d"].map((id) => line(id, "fits")),
    line("behemoth", null),
  ];

  it("groups what is ready, what lies here, and three that can be had", () => {
    const groups = pickerGroups(models, catalogue, "");
    expect(names(groups.ready)).toEqual(["demo", "mine"]);
    expect(names(groups.here)).toEqual(["ollama", "broken"]);
    expect(names(groups.offers)).toEqual(["a", "b", "c"]);
  });

  it("finds by all words of the name or place", () => {
    expect(names(pickerGroups(models, catalogue, "folder OLLAMA").here)).toEqual(["ollama"]);
    expect(names(pickerGroups(models, catalogue, "d owner").offers)).toEqual(["d"]);
    expect(pickerGroups(models, catalogue, "nothing")).toEqual({ ready: [], here: [], offers: [] });
  });
});

describe("the catalogue", () => {
  it("keeps the order and sets apart what is too big and what was never released", () => {
    const groups = catalogueGroups([line("a", "fits"), line("b", "tight"), line("scout", "does_not_fit"), line("c", "does_not_fit"), line("behemoth", null)], "");
    expect(names(groups.fitting)).toEqual(["a", "b"]);
    expect(names(groups.beyond)).toEqual(["scout", "c"]);
    expect(names(groups.announced)).toEqual(["behemoth"]);
  });
});

describe("the model that is recommended", () => {
  const needing = (id: string, high: number, onDisk: string | null = null) => {
    const one = line(id, "fits", { onDisk });
    return { ...one, fit: one.fit && { ...one.fit, total_bytes: { low: high, high } } };
  };

  it("is the first that leaves room and is not here yet", () => {
    expect(recommended([needing("full", 7.9e9), needing("here", 2e9, "local:here"), needing("roomy", 6e9), needing("small", 1e9)])?.id).toBe("roomy");
    expect(recommended([needing("full", 7.9e9), line("big", "does_not_fit")])).toBeNull();
  });

  it("is not hidden by wanting pictures only", () => {
    const seeing = line("eyes", "fits", { modalities: ["text", "image"] });
    expect(names(catalogueGroups([line("words", "fits"), seeing], "", true).fitting)).toEqual(["eyes"]);
  });
});

describe("the field for models", () => {
  it.each(["Qwen/Qwen2.5-VL-3B-Instruct", "https://huggingface.co/google/gemma-3-4b-it", "huggingface.co/google/gemma-3-4b-it", "google/gemma-3-4b-it-GGUF:Q4_K_M", "hf.co/google/gemma-3-4b-it-GGUF:Q4_K_M"])("%s is an address", (text) => {
    expect(isAddress(text)).toBe(true);
  });
  it.each(["gemma", "qwen 2.5", "a/b/c", "", "google/gemma 3"])("%j is searched for", (text) => {
    expect(isAddress(text)).toBe(false);
  });

  it("names the host of an address", () => {
    expect(["https://huggingface.co", "https://hf-mirror.example/", "http://127.0.0.1:8080", "no address"].map(hostOf)).toEqual([
      "huggingface.co",
      "hf-mirror.example",
      "127.0.0.1:8080",
      "no address",
    ]);
  });
});
