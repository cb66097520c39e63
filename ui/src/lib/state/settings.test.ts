// Changes of settings against a Rust that is driven by hand.
import { clearMocks, mockIPC } from "@tauri-apps/api/mocks";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import type { LoadChoice, Settings, SettingsChange } from "../ipc";
import { snapshot } from "./app.fixture";
import { loadChoice, SettingsState, withChange } from "./settings.svelte";

interface Asked {
  command: string;
  revision: number;
  changes: SettingsChange[];
  answer: (value: unknown) => void;
  refuse: (code: string) => void;
}

let asked: Asked[];
beforeEach(() => {
  asked = [];
  mockIPC((command, args) => {
    const { revision, changes } = args as unknown as Asked;
    return new Promise((answer, reject) => {
      asked.push({ command, revision, changes, answer, refuse: (code) => reject({ code, message: "No.", nextStep: "Another." }) });
    });
  });
});
afterEach(clearMocks);

const settle = () => new Promise((done) => setTimeout(done, 0));
const first: Settings = { ...snapshot.settings, revision: 4, temperature: 0.5, theme: "system" };
const dark: SettingsChange = { setting: "theme", value: "dark" };

function known(settings = first): SettingsState {
  const state = new SettingsState();
  state.take(settings);
  return state;
}

/** As Rust does it. */
function done(at: number, on: Settings): Settings {
  const one = asked[at];
  if (!one) throw new Error(`nothing was asked at ${at}`);
  const whole = { ...one.changes.reduce(withChange, on), revision: on.revision + 1 };
  one.answer(whole);
  return whole;
}

describe("a change", () => {
  it("is shown at once, sent alone with the revision that it was made on, and followed by the whole", async () => {
    const state = known();
    const saving = state.save({ setting: "theme", value: "dark" });
    expect(state.value?.theme).toBe("dark");
    await settle();
    expect(asked[0]).toMatchObject({ command: "change_settings", revision: 4, changes: [dark] });
    // Meanwhile something else was changed: the whole brings it.
    asked[0]?.answer({ ...first, theme: "dark", sendWithEnter: false, revision: 9 });
    expect(await saving).toBeNull();
    expect(state.value).toEqual({ ...first, theme: "dark", sendWithEnter: false, revision: 9 });
  });

  it("is put back when it is refused, with the reason", async () => {
    const state = known();
    const saving = state.save({ setting: "temperature", value: 9 });
    await settle();
    asked[0]?.refuse("settingOutOfRange");
    expect((await saving)?.code).toBe("settingOutOfRange");
    expect(state.value).toEqual(first);
  });

  it("is not brought back by an older whole", () => {
    const state = known();
    state.take({ ...first, theme: "light", revision: 3 });
    expect(state.value).toEqual(first);
  });

  it("that was made elsewhere too is looked up, and said", async () => {
    const state = known();
    const saving = state.save({ setting: "theme", value: "dark" });
    await settle();
    asked[0]?.refuse("settingChanged");
    await settle();
    expect(asked[1]?.command).toBe("app_snapshot");
    const now = { ...first, theme: "light", revision: 6 } as const;
    asked[1]?.answer({ ...snapshot, settings: now });
    expect((await saving)?.code).toBe("settingChanged");
    expect(state.value).toEqual(now);
  });
});

describe("several quick changes", () => {
  it("go one after the other, and none is lost", async () => {
    const state = known();
    const saving = [state.save({ setting: "theme", value: "dark" }), state.save({ setting: "sendWithEnter", value: false }), state.save({ setting: "temperature", value: 1 })];
    await settle();
    expect(asked).toHaveLength(1);
    let whole = done(0, first);
    await settle();
    // The answer to the first does not take the later ones off the screen.
    expect(state.value).toMatchObject({ theme: "dark", sendWithEnter: false, temperature: 1 });
    whole = done(1, whole);
    await settle();
    done(2, whole);
    expect(await Promise.all(saving)).toEqual([null, null, null]);
    expect(asked.map((one) => one.revision)).toEqual([4, 5, 6]);
    expect(state.value).toEqual({ ...first, theme: "dark", sendWithEnter: false, temperature: 1, revision: 7 });
  });

  it("go on after one that was refused, without it", async () => {
    const state = known();
    const saving = [state.saveLoadChoice("demo", { contextTokens: 1 }), state.saveLoadChoice("demo", { threads: 2 })];
    expect(state.value && loadChoice(state.value, "demo")).toMatchObject({ contextTokens: 1, threads: 2 });
    await settle();
    asked[0]?.refuse("settingOutOfRange");
    await settle();
    const value: LoadChoice = { device: { kind: "auto" }, contextTokens: null, quant: "none", threads: 2 };
    expect(asked[1]).toMatchObject({ revision: 4, changes: [{ setting: "loadChoice", model: "demo", value }] });
    done(1, first);
    expect((await Promise.all(saving)).map((error) => error?.code)).toEqual(["settingOutOfRange", undefined]);
    expect(state.value?.perModel).toEqual({ demo: value });
  });
});

describe("how a model is loaded", () => {
  const chosen: LoadChoice = { device: { kind: "fixed", id: "cpu" }, contextTokens: 2048, quant: "q4k", threads: 2 };

  it("is its own, or has the device and threads of the chosen one", () => {
    const settings = { ...first, perModel: { demo: chosen } };
    expect(loadChoice(settings, "demo")).toEqual(chosen);
    expect(loadChoice(settings, "local:b")).toEqual({ device: { kind: "fixed", id: "cpu" }, contextTokens: null, quant: "none", threads: 2 });
    expect(loadChoice(first, "local:b")).toEqual({ device: { kind: "auto" }, contextTokens: null, quant: "none", threads: null });
  });
});
