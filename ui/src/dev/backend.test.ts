// The simulated backend against the contract: it may lag behind Rust in nothing but truth.
import { describe, expect, it } from "vitest";

import { commands as contract } from "../lib/ipc/bindings";
import { commands } from "./backend";
import { place, plan } from "./planner";

const snake = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

describe("the simulated backend", () => {
  it("plays every command of the contract, and no other", () => {
    expect(Object.keys(commands).sort()).toEqual(Object.keys(contract).map(snake).sort());
  });

  it("plans what it shows near enough to the truth", () => {
    const h100 = place("H100");
    const scout = h100 && plan("llama-4-scout", h100, { context: 8192, quant: "q4k", images: 1 });
    expect(scout?.parameters).toBe(108_641_793_536);
    expect(scout?.kv_bytes_per_token).toBe(192 * 1024);
    expect(Math.abs((scout?.weights_bytes ?? 0) / 62e9 - 1)).toBeLessThan(0.05);
    expect(scout?.verdict).toBe("fits");
    expect(place("nonsense")).toBeNull();
    expect(place("8xH100")?.bytes).toBe(640e9);
  });
});
