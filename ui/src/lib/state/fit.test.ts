import { clearMocks, mockIPC } from "@tauri-apps/api/mocks";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { Fit, FitQuestion } from "../ipc";
import { FitState } from "./fit.svelte";
import { fit } from "./models.fixture";

interface Asked {
  question: FitQuestion;
  answer: (fit: Fit) => void;
  fail: (error: unknown) => void;
}

let asked: Asked[];
beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  mockIPC((_, input) => {
    const { question } = input as { question: FitQuestion };
    return new Promise((answer, fail) => asked.push({ question, answer, fail }));
  });
});
afterEach(() => {
  clearMocks();
  vi.useRealTimers();
});

const pause = (ms: number) => vi.advanceTimersByTimeAsync(ms);

async function opened(): Promise<FitState> {
  const state = new FitState();
  state.open({ kind: "catalogue", id: "scout" });
  await pause(1);
  expect(asked).toHaveLength(1);
  return state;
}

describe("what one model needs", () => {
  it("is asked once while a slider is moved", async () => {
    const state = await opened();
    for (const context of [4096, 8192, 16_384]) {
      state.change({ context });
      await pause(20);
    }
    expect(asked).toHaveLength(1);
    await pause(60);
    expect(asked).toHaveLength(2);
    expect(asked[1]?.question).toEqual({ target: { kind: "catalogue", id: "scout" }, context: 16_384, quant: null, images: null, hardware: null });
    // The slider shows what was set at once, not when the answer is there.
    expect(state.choice.context).toBe(16_384);
  });

  it("shows the last answer, in whatever order they come", async () => {
    const state = await opened();
    state.change({ context: 4096 });
    await pause(100);
    state.change({ context: 16_384 });
    await pause(100);
    asked[2]?.answer(fit("third"));
    await pause(1);
    expect(state.answer?.model).toBe("third");
    expect(state.asking).toBe(false);
    asked[1]?.answer(fit("second"));
    asked[0]?.fail({ code: "late", message: "Late.", nextStep: "" });
    await pause(1);
    expect(state.answer?.model).toBe("third");
    expect(state.failure).toBeNull();
  });

  it("says why there is no answer and asks again", async () => {
    const state = await opened();
    asked[0]?.fail({ code: "noHeaders", message: "Its files could not be read.", nextStep: "Choose another." });
    await pause(1);
    expect(state.failure?.message).toBe("Its files could not be read.");
    state.again();
    await pause(1);
    asked[1]?.answer(fit("scout"));
    await pause(1);
    expect([state.failure, state.answer?.model]).toEqual([null, "scout"]);
  });

  it("asks for another model as it is chosen, and forgets what was set for the first", async () => {
    const state = await opened();
    state.change({ hardware: "8xH100", context: 4096 });
    await pause(100);
    state.open({ kind: "catalogue", id: "maverick" }, { quant: "q4k", hardware: state.choice.hardware });
    await pause(1);
    expect(asked[2]?.question).toEqual({ target: { kind: "catalogue", id: "maverick" }, context: null, quant: "q4k", images: null, hardware: "8xH100" });
    asked[1]?.answer(fit("scout"));
    await pause(1);
    expect(state.answer).toBeNull();
  });

  it("learns which quantisations a model does not have", async () => {
    const state = await opened();
    state.change({ quant: "q4k" });
    await pause(100);
    asked[1]?.answer(fit("fp8", { quant: "none" }));
    await pause(1);
    expect([state.missingQuants, state.choice.quant]).toEqual([["q4k"], "none"]);
  });

  it("forgets the question that is open when it is closed", async () => {
    const state = await opened();
    state.close();
    asked[0]?.answer(fit("scout"));
    await pause(1);
    expect([state.target, state.answer, state.asking]).toEqual([null, null, false]);
  });
});
