import { describe, expect, it } from "vitest";

import type { Download } from "../ipc";
import { DownloadsState, progressWords, shareDone } from "./downloads.svelte";
import { download } from "./models.fixture";

const failure = { code: "diskFull", message: "The disk is full.", nextStep: "Free some space." };

describe("a download in words", () => {
  it.each<[Download, string]>([
    [download("a", { kind: "waiting" }), "Waiting · 8.9 GB"],
    [download("a", { kind: "running" }, { bytesDone: 3.2e9, bytesPerSecond: 12_345_678, secondsLeft: 462 }), "3.2 of 8.9 GB · 12 MB/s · about 8 minutes left"],
    [download("a", { kind: "running" }, { bytesDone: 320e6 }), "320 MB of 8.9 GB"],
    [download("a", { kind: "paused" }, { bytesDone: 3.2e9 }), "3.2 of 8.9 GB · paused"],
    [download("a", { kind: "verifying" }, { bytesDone: 8.9e9 }), "8.9 GB · checking every file"],
    [download("a", { kind: "failed", failure }, { bytesDone: 3.2e9 }), "3.2 of 8.9 GB"],
    [download("a", { kind: "done", model: "m" }, { bytesDone: 8.9e9 }), "8.9 GB"],
  ])("%o", (one, words) => {
    expect(progressWords(one)).toBe(words);
  });

  it("never shows more than all, and nothing of nothing", () => {
    expect(shareDone(download("a", { kind: "running" }, { bytesDone: 9e9 }))).toBe(1);
    expect(shareDone(download("a", { kind: "running" }, { bytesTotal: 0 }))).toBe(0);
  });
});

describe("downloads", () => {
  it("tells once of each one that ends, and not of those that were over before", () => {
    const ended: string[] = [];
    const state = new DownloadsState((one) => ended.push(`${one.id} ${one.state.kind}`));
    state.begin([download("old", { kind: "done", model: "o" })]);
    state.take([download("old", { kind: "done", model: "o" }), download("a", { kind: "running" }), download("unknown", { kind: "done", model: "u" })]);
    expect(ended).toEqual([]);
    state.take([download("a", { kind: "failed", failure })]);
    state.take([download("a", { kind: "failed", failure })]);
    state.take([download("a", { kind: "running" })]);
    state.take([download("a", { kind: "verifying" })]);
    state.take([download("a", { kind: "done", model: "m" })]);
    state.take([download("a", { kind: "done", model: "m" })]);
    expect(ended).toEqual(["a failed", "a done"]);
  });

  it("adds up what is on its way", () => {
    const state = new DownloadsState(() => undefined);
    state.take([
      download("a", { kind: "running" }, { bytesDone: 1e9, bytesTotal: 2e9 }),
      download("b", { kind: "waiting" }, { bytesDone: 0, bytesTotal: 2e9 }),
      download("c", { kind: "paused" }, { bytesDone: 5e9, bytesTotal: 9e9 }),
    ]);
    expect([state.active.length, state.share]).toEqual([2, 0.25]);
    expect(state.of("OWNER/B")?.id).toBe("b");
    expect(state.of(null)).toBeNull();
    state.take([download("owner/b/b-Q4_K_M.gguf", { kind: "running" }, { repository: "owner/b" })]);
    expect([state.of("owner/b", "b-Q4_K_M.gguf")?.id, state.of("owner/b", "b-Q8_0.gguf")]).toEqual(["owner/b/b-Q4_K_M.gguf", null]);
  });
});
