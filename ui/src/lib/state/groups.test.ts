import { describe, expect, it } from "vitest";

import { catalogueGroups, hostOf, isAddress, pickerGroups } from "./groups";
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
