import { clearMocks, mockIPC } from "@tauri-apps/api/mocks";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { DeviceReport, FitQuestion } from "../ipc";
import { entry, fit } from "./models.fixture";
import { ModelsState } from "./models.svelte";

let freeBytes: number;
let calls: string[];
const report = (): DeviceReport => ({
  cpu: { name: "CPU", physicalCores: 4, threads: 8, features: [] },
  devices: [{ id: "cpu", kind: "cpu", name: "CPU", totalBytes: 16e9, freeBytes }],
  selected: "cpu",
  reason: "",
});

beforeEach(() => {
  vi.useFakeTimers();
  freeBytes = 8e9;
  calls = [];
  mockIPC((command, input) => {
    calls.push(command);
    if (command === "device_report") return report();
    const { target } = (input as { question: FitQuestion }).question;
    if (target.kind !== "model" || target.id === "broken") throw { code: "broken", message: "Broken.", nextStep: "" };
    return fit(target.id);
  });
});
afterEach(() => {
  clearMocks();
  vi.useRealTimers();
});

const count = (command: string) => calls.filter((call) => call === command).length;

describe("this computer, watched", () => {
  it("is looked at every two seconds while the page can be seen, and no longer", async () => {
    const models = new ModelsState();
    const seen = vi.spyOn(document, "visibilityState", "get").mockReturnValue("visible");
    const end = models.watch();
    await vi.advanceTimersByTimeAsync(4100);
    expect(count("device_report")).toBe(2);
    expect(models.device?.freeBytes).toBe(8e9);
    seen.mockReturnValue("hidden");
    await vi.advanceTimersByTimeAsync(6000);
    expect(count("device_report")).toBe(2);
    seen.mockReturnValue("visible");
    end();
    await vi.advanceTimersByTimeAsync(6000);
    expect(count("device_report")).toBe(2);
  });

  it("says once when much more or less is free", async () => {
    const models = new ModelsState();
    models.devices = report();
    const changed = vi.fn();
    const end = models.watch(changed);
    freeBytes = 7.9e9;
    await vi.advanceTimersByTimeAsync(2000);
    expect(changed).not.toHaveBeenCalled();
    freeBytes = 6e9;
    await vi.advanceTimersByTimeAsync(4000);
    expect(changed).toHaveBeenCalledOnce();
    end();
  });
});

describe("the list", () => {
  it("learns what each model needs, and passes over one that cannot be read", async () => {
    const models = new ModelsState();
    await models.askNeeds(["a", "broken", "b"]);
    expect([...models.needs.keys()]).toEqual(["a", "b"]);
  });

  it("finds models and notes a test of their sight", () => {
    const models = new ModelsState();
    models.list = [entry("a"), entry("b", { ready: false }), entry("c")];
    models.sight({ model: "a", sight: "sees" });
    expect([models.find("a")?.sight, models.find("x"), models.find(null)]).toEqual(["sees", null, null]);
    expect(models.ready("a").map((model) => model.id)).toEqual(["c"]);
  });
});
