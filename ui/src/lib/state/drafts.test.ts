// What is written, added and asked stays with the conversation that it was meant for.
import { emit } from "@tauri-apps/api/event";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { AttachOutcome, ConversationSummary } from "../ipc";
import { calls, endBackend, handlers, held, picture, playBackend, settle, started } from "./app.fixture";
import { message, outcome } from "./messages.fixture";

beforeEach(playBackend);
afterEach(endBackend);

const summary = (id: string, updatedAtMs = 1): ConversationSummary => ({ id, title: `Title ${id}`, createdAtMs: 1, updatedAtMs, images: 0 });
const attached: AttachOutcome[] = [{ kind: "attached", attachment: picture }];
const failure = { code: "empty", message: "The file is empty.", nextStep: "Try another." };

function conversations(...ids: string[]): void {
  handlers.open_conversation = ({ id }) => {
    if (!ids.includes(String(id))) return Promise.reject({ code: "notFound", message: `There is no conversation ${String(id)}.`, nextStep: "" });
    return { summary: summary(String(id)), messages: [message(`m-${String(id)}`, null)], activeLeaf: `m-${String(id)}`, draft: { text: "", images: [] } };
  };
}

/** A command whose answers are given by hand. */
function slow<T>(command: string) {
  const answers: ((value: T) => void)[] = [];
  handlers[command] = () => new Promise<T>((resolve) => answers.push(resolve));
  return (value: T) => answers.shift()?.(value);
}

describe("drafts", () => {
  it("get a picture that is ready late, though another conversation is open by then", async () => {
    const app = await started();
    conversations("a", "b");
    await app.openChat("a");
    const read = slow<AttachOutcome[]>("attach_from_dialog");
    const attaching = app.pictures.fromDialog();
    expect(app.composer.draft.reading).toBe(1);
    await app.openChat("b");
    read(attached);
    await attaching;
    expect([app.composer.draft.images.length, app.composer.draft.reading]).toEqual([0, 0]);
    await vi.advanceTimersByTimeAsync(500);
    expect(calls.findLast((call) => call.command === "save_draft")?.args).toMatchObject({ conversation: "a", images: [picture.id] });
    await app.openChat("a");
    expect(app.composer.draft.images).toEqual([picture]);
  });

  it("get dropped pictures that were read late", async () => {
    const app = await started();
    conversations("a", "b");
    await app.openChat("a");
    await emit("drop", { kind: "reading" });
    await app.openChat("b");
    await emit("drop", { kind: "dropped", outcomes: attached });
    expect(app.composer.draft.images).toEqual([]);
    await app.openChat("a");
    expect(app.composer.draft.images).toEqual([picture]);
  });

  it("change hands at once when a new conversation begins", async () => {
    const app = await started();
    conversations("a");
    await app.openChat("a");
    const loaded = slow("load_draft");
    const beginning = app.newChat();
    app.composer.draft.text = "Dear all";
    app.composer.draft.changed();
    loaded({ text: "", images: [] });
    await beginning;
    expect([app.composer.draft.conversation, app.composer.draft.text]).toEqual([null, "Dear all"]);
    await app.openChat("a");
    expect(app.composer.draft.text).toBe("");
  });

  it("keep what is typed while a new conversation gets its id", async () => {
    const app = await started();
    const turn = held();
    app.composer.draft.text = "First";
    void app.send();
    await settle();
    app.composer.draft.text = "next question";
    const { conversation, user, assistant } = outcome("c1", "");
    turn.emit({ kind: "started", conversation, user, assistant });
    expect([app.composer.draft.conversation, app.composer.draft.text]).toEqual(["c1", "next question"]);
  });

  it("get a refused question back, and it is said, though another conversation is open by then", async () => {
    const app = await started();
    conversations("a", "b");
    await app.openChat("a");
    const turn = held();
    app.composer.draft.text = "Too long";
    const sending = app.send();
    await settle();
    await app.openChat("b");
    turn.fail({ code: "contextTooSmall", message: "It is too long.", nextStep: "Shorten it." });
    await sending;
    expect([app.composer.draft.text, app.chat.failure]).toEqual(["", null]);
    expect(app.toasts.list.at(-1)?.text).toContain("It is too long.");
    await app.openChat("a");
    expect(app.composer.draft.text).toBe("Too long");
  });

  it("say once why several files were refused", async () => {
    const app = await started();
    const { draft } = app.composer;
    draft.add(["a", "b", "c"].map((name) => ({ kind: "refused", name, failure })));
    draft.add([{ kind: "refused", name: "d", failure: { ...failure, code: "other", message: "Another." } }]);
    expect(draft.refusals.map((one) => one.names)).toEqual([["a", "b", "c"], ["d"]]);
  });

  it("are saved when the window closes", async () => {
    const app = await started();
    app.composer.draft.text = "half a sen";
    app.composer.draft.changed();
    await app.composer.flush();
    expect(calls.at(-1)).toMatchObject({ command: "save_draft", args: { text: "half a sen" } });
  });
});

describe("deleting a conversation while its answer is written", () => {
  async function deleted() {
    const app = await started();
    const turn = held();
    handlers.cancel = () => null;
    handlers.delete_conversation = () => null;
    app.composer.draft.text = "Tell me";
    void app.send();
    await settle();
    const { conversation, user, assistant } = outcome("c1", "");
    turn.emit({ kind: "started", conversation, user, assistant });
    await app.deleteChat(conversation);
    return { app, turn };
  }

  it("stops it, and a late refusal brings nothing back", async () => {
    const { app, turn } = await deleted();
    expect(calls.some((call) => call.command === "cancel")).toBe(true);
    turn.fail({ code: "notFound", message: "There is no conversation c1.", nextStep: "" });
    await settle();
    expect([app.composer.draft.text, app.chat.failure, app.chat.id]).toEqual(["", null, null]);
  });

  it("is not undone by an answer that comes late", async () => {
    const { app, turn } = await deleted();
    turn.end(outcome("c1", "Late."));
    await settle();
    expect([app.conversations.list, app.chat.messages]).toEqual([[], []]);
  });

  it("ends quietly when the answer has no conversation any more", async () => {
    const { app, turn } = await deleted();
    turn.end({ ...outcome("c1", "Late."), conversation: null });
    await settle();
    expect([app.conversations.list, app.chat.id, app.chat.messages, app.chat.failure, app.chat.turns]).toEqual([[], null, [], null, []]);
    expect([app.composer.draft.conversation, app.composer.draft.text]).toEqual([null, ""]);
    expect(app.toasts.list.map((toast) => toast.text)).toEqual(["Deleted “Title”."]);
  });

  it("can be undone by its toast, also by keyboard", async () => {
    const { app } = await deleted();
    handlers.restore_conversation = () => summary("c1");
    expect(app.toasts.undoLast()).toBe(true);
    await settle();
    expect(app.conversations.list.map((one) => one.id)).toEqual(["c1"]);
    expect(app.toasts.list).toEqual([]);
  });
});

describe("the list of conversations", () => {
  it("does not take what is new into the results of a search, and is whole again afterwards", async () => {
    const app = await started();
    conversations("a");
    handlers.list_conversations = ({ query }) => (query ? [summary("a")] : [summary("a"), summary("b")]);
    await app.conversations.search("apple");
    app.conversations.take(summary("new", 9));
    expect(app.conversations.list.map((one) => one.id)).toEqual(["a"]);
    await app.openChat("a");
    await settle();
    expect([app.conversations.query, app.conversations.list.length]).toEqual(["", 2]);
  });

  it("stays in order when the clock was set back", async () => {
    const app = await started();
    for (const [id, at] of [["a", 5], ["b", 3], ["c", 9]] as const) app.conversations.take(summary(id, at));
    expect(app.conversations.list.map((one) => one.id)).toEqual(["c", "a", "b"]);
  });
});

describe("a start that failed", () => {
  it("does not listen twice after the second try", async () => {
    const good = handlers.app_snapshot;
    handlers.app_snapshot = () => Promise.reject({ code: "x", message: "No.", nextStep: "" });
    const { AppState } = await import("./app.svelte");
    const app = new AppState();
    await app.start();
    expect(app.failure).not.toBeNull();
    if (good) handlers.app_snapshot = good;
    await app.start();
    await emit("drop", { kind: "reading" });
    await emit("drop", { kind: "dropped", outcomes: attached });
    expect(app.composer.draft.images).toHaveLength(1);
  });
});

describe("toasts", () => {
  it("go away by themselves, but not while they are pointed at", async () => {
    const app = await started();
    app.toasts.say("One");
    app.toasts.hold(true);
    await vi.advanceTimersByTimeAsync(20_000);
    app.toasts.say("One");
    expect(app.toasts.list.map((toast) => toast.text)).toEqual(["One"]);
    app.toasts.hold(false);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(app.toasts.list).toEqual([]);
  });
});

describe("looking at a repository's files", () => {
  it("is known for the repository that was asked about, and for no other", async () => {
    const app = await started();
    handlers.hub_preflight = ({ text }) => ({ repository: text });
    await app.hub.look("Qwen/4B");
    expect(app.hub.lookOf("Qwen/4B")?.preflight?.repository).toBe("Qwen/4B");
    expect(app.hub.lookOf("Qwen/8B")).toBeNull();
  });
});

describe("how long a model thought", () => {
  it("is known when its answer begins", async () => {
    const app = await started();
    const turn = held();
    app.composer.draft.text = "Why?";
    void app.send();
    await settle();
    const { conversation, user, assistant } = outcome("c1", "");
    turn.emit({ kind: "started", conversation, user, assistant });
    turn.emit({ kind: "delta", text: "<think>let me see" });
    await vi.advanceTimersByTimeAsync(3000);
    turn.emit({ kind: "delta", text: "</think>Because." });
    expect(app.chat.running?.thoughtMs).toBeGreaterThanOrEqual(3000);
    turn.end(outcome("c1", "<think>let me see</think>Because."));
    await settle();
    expect(app.chat.thought.get("a")).toBeGreaterThanOrEqual(3000);
  });
});

describe("an answer that was being written when the window was loaded again", () => {
  it("is looked for until it is whole", async () => {
    const app = await started();
    let whole = false;
    const answer = () => message("a", "q", { role: "assistant", status: whole ? { kind: "finished", reason: "stop" } : { kind: "generating" } });
    handlers.open_conversation = () => ({ summary: summary("c"), messages: [message("q", null), answer()], activeLeaf: "a", draft: { text: "", images: [] } });
    await app.openChat("c");
    expect(app.chat.shown.at(-1)?.status.kind).toBe("generating");
    whole = true;
    await vi.advanceTimersByTimeAsync(5000);
    expect(app.chat.shown.at(-1)?.status.kind).toBe("finished");
    const opened = () => calls.filter((call) => call.command === "open_conversation").length;
    const before = opened();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(opened()).toBe(before);
  });
});
