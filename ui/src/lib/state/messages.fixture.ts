// Messages for tests, whole as Rust sends them.
import type { ConversationSummary, Message, TurnOutcome } from "../ipc";

export function message(id: string, parent: string | null, change: Partial<Message> = {}): Message {
  return {
    id,
    conversationId: "c1",
    parent,
    role: "user",
    parts: [{ kind: "text", text: id }],
    reasoning: null,
    createdAtMs: 0,
    status: { kind: "complete" },
    failure: null,
    model: null,
    usage: null,
    timings: null,
    receipts: [],
    ...change,
  };
}

export function outcome(conversation: string, answer: string): TurnOutcome & { conversation: ConversationSummary } {
  return {
    conversation: { id: conversation, title: "Title", createdAtMs: 1, updatedAtMs: 2, images: 0 },
    user: message("q", null),
    assistant: message("a", "q", { role: "assistant", parts: [{ kind: "text", text: answer }], status: { kind: "finished", reason: "stop" } }),
  };
}
