// Asking one question to two models, against a backend that is driven by hand.
import { clearMocks, mockIPC } from "@tauri-apps/api/mocks";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import type { FinishReason, GenerationEvent, Message, TurnOutcome } from "../ipc";
import { ChatState } from "./chat.svelte";
import { message, outcome } from "./messages.fixture";

interface Call {
  command: string;
  input: Record<string, unknown>;
  emit: (event: GenerationEvent) => void;
  end: (outcome: TurnOutcome) => void;
  fail: (error: unknown) => void;
}

let calls: Call[];
beforeEach(() => {
  calls = [];
  mockIPC((command, args) => {
    const input = args as Record<string, unknown>;
    return new Promise((end, fail) => {
      calls.push({ command, input, end, fail, emit: (event) => (input.channel as { onmessage: (event: GenerationEvent) => void }).onmessage(event) });
    });
  });
});
afterEach(clearMocks);

const second = { id: "local:b", name: "B" };
const settle = () => new Promise((done) => setTimeout(done, 0));

function answer(id: string, model: string, createdAtMs: number, reason: FinishReason = "stop"): Message {
  return message(id, "q", {
    role: "assistant",
    createdAtMs,
    status: { kind: "finished", reason },
    model: { id: model, name: model, quant: "none", place: "this computer" },
  });
}

function ended(assistant: Message, withQuestion: boolean): TurnOutcome {
  const { conversation, user } = outcome("c1", "");
  return { conversation, user: withQuestion ? user : null, assistant };
}

async function begun() {
  const chat = new ChatState(() => undefined);
  const asking = chat.askBoth("What is it?", [], second);
  await settle();
  const first = calls[0];
  const { conversation, user } = outcome("c1", "");
  first?.emit({ kind: "started", conversation, user, assistant: { ...answer("a", "demo", 1), status: { kind: "generating" } } });
  return { chat, asking, first };
}

describe("asking two models", () => {
  it("asks the second when the first has ended, about the same question", async () => {
    const { chat, asking, first } = await begun();
    expect(first?.command).toBe("send");
    expect(first?.input.request).toMatchObject({ text: "What is it?", model: null });
    expect(chat.compared.get("q")).toBe("B");
    await settle();
    expect(calls).toHaveLength(1);
    first?.end(ended(answer("a", "demo", 1), true));
    await settle();
    expect(calls[1]?.command).toBe("regenerate");
    expect(calls[1]?.input).toMatchObject({ message: "a", model: "local:b" });
    expect(calls[1]?.input.generation).not.toBe((first?.input.request as { generation: string }).generation);
    expect(chat.running?.conversation).toBe("c1");
    calls[1]?.end(ended(answer("b", "local:b", 2), false));
    await asking;
    expect(chat.siblings(answer("b", "local:b", 2)).map((one) => one.id)).toEqual(["a", "b"]);
    // The conversation goes on from the second, both stay side by side, nothing is awaited.
    expect([chat.leaf, chat.compared.get("q"), chat.running]).toEqual(["b", "", null]);
  });

  it("does not ask the second when the first was stopped", async () => {
    const { chat, asking, first } = await begun();
    first?.end(ended(answer("a", "demo", 1, "cancelled"), true));
    await asking;
    expect(calls).toHaveLength(1);
    expect(chat.compared.size).toBe(0);
  });

  it("asks nobody in a conversation that was deleted", async () => {
    const { asking, first } = await begun();
    first?.end({ ...ended(answer("a", "demo", 1), true), conversation: null });
    await asking;
    expect(calls).toHaveLength(1);
  });

  it("asks the second also when the first failed", async () => {
    const { asking, first } = await begun();
    first?.end(ended(answer("a", "demo", 1, "failed"), true));
    await settle();
    expect(calls[1]?.input).toMatchObject({ message: "a", model: "local:b" });
    calls[1]?.end(ended(answer("b", "local:b", 2), false));
    await asking;
  });

  it("keeps the first answer and says why when the second cannot be asked", async () => {
    const { chat, asking, first } = await begun();
    first?.end(ended(answer("a", "demo", 1), true));
    await settle();
    calls[1]?.fail({ code: "modelIsBlind", message: "This model can’t see pictures.", nextStep: "Choose another." });
    await asking;
    expect([chat.failure?.code, chat.leaf]).toEqual(["modelIsBlind", "a"]);
  });

  it("gives a refused question back to whoever asked, and asks nobody else", async () => {
    const chat = new ChatState(() => undefined);
    const asking = chat.askBoth("Too long", [], second);
    await settle();
    calls[0]?.fail({ code: "contextTooSmall", message: "It is too long.", nextStep: "Shorten it." });
    await expect(asking).rejects.toMatchObject({ code: "contextTooSmall" });
    expect([calls.length, chat.compared.size]).toEqual([1, 0]);
  });

  it("finishes in the conversation that was left, and stays in the one that is open", async () => {
    const { chat, asking, first } = await begun();
    chat.reset();
    first?.end(ended(answer("a", "demo", 1), true));
    await settle();
    expect(calls[1]?.command).toBe("regenerate");
    expect(chat.running).toBeNull();
    calls[1]?.end(ended(answer("b", "local:b", 2), false));
    await asking;
    expect([chat.id, chat.messages]).toEqual([null, []]);
  });
});

describe("another model's answer", () => {
  it("names the model, or leaves it to the chosen one", async () => {
    const chat = new ChatState(() => undefined);
    void chat.regenerate(answer("a", "demo", 1), "local:b");
    void chat.regenerate(answer("a", "demo", 1));
    await settle();
    expect(calls.map((call) => call.input.model)).toEqual(["local:b", null]);
  });
});
