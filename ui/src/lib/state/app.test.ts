// The state against commands and events played by Tauri's own mocks; the real ones are in the window tests.
import { emit } from "@tauri-apps/api/event";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { Attachment } from "../ipc";
import { calls, endBackend, handlers, held, picture, playBackend, settle, snapshot, started } from "./app.fixture";
import { message, outcome } from "./messages.fixture";
import * as fixtures from "./models.fixture";

beforeEach(playBackend);
afterEach(endBackend);

describe("the start", () => {
  const gone = { code: "modelGone", message: "The chosen model is not there any more.", nextStep: "Choose another model." };

  it("does not wait for the list of models", async () => {
    let listed!: (models: unknown) => void;
    handlers.list_models = () => new Promise((resolve) => (listed = resolve));
    const app = await started();
    expect(app.started).toBe(true);
    expect(app.models.list).toEqual([]);
    listed([fixtures.entry("demo")]);
    await settle();
    expect(app.models.list.map((model) => model.id)).toEqual(["demo"]);
  });

  it("is not kept from by a list that cannot be read", async () => {
    handlers.list_models = () => Promise.reject({ code: "database", message: "It cannot be read.", nextStep: "" });
    const app = await started();
    await settle();
    expect(app.failure).toBeNull();
    expect(app.toasts.list.map((toast) => toast.text)).toEqual(["It cannot be read."]);
  });

  it("says once that the chosen model is gone, told before the page or after", async () => {
    handlers.app_snapshot = () => ({ ...snapshot, notice: gone });
    const app = await started();
    await emit("model-missing", gone);
    await settle();
    expect(app.toasts.list.map((toast) => toast.text)).toEqual(["The chosen model is not there any more. Choose another model."]);
  });
});

describe("diagnostics", () => {
  it("are copied, and it is said what is not among them", async () => {
    const app = await started();
    handlers.diagnostics = () => "Paddock 0.1.0";
    handlers.copy_text = () => null;
    await app.copyDiagnostics();
    expect(calls.at(-1)).toEqual({ command: "copy_text", args: { text: "Paddock 0.1.0" } });
    expect(app.toasts.list.map((toast) => toast.text)).toEqual(["Copied. Private parts are left out."]);
  });
});

describe("asking", () => {
  it("shows the answer as it grows and then as it was kept", async () => {
    const app = await started();
    const turn = held();
    app.composer.draft.text = "What is it?";
    void app.send();
    await settle();
    const { conversation, user, assistant } = outcome("c1", "");
    turn.emit({ kind: "started", conversation, user, assistant: { ...assistant, status: { kind: "generating" } } });
    turn.emit({ kind: "delta", text: "A red" });
    turn.emit({ kind: "delta", text: " circle." });
    expect(app.chat.id).toBe("c1");
    expect(app.chat.running?.text).toBe("A red circle.");
    expect(app.conversations.list.map((one) => one.id)).toEqual(["c1"]);
    turn.end(outcome("c1", "A red circle."));
    await settle();
    expect(app.chat.running).toBeNull();
    expect(app.chat.shown.map((one) => one.id)).toEqual(["q", "a"]);
    expect(app.chat.shown[1]?.parts).toEqual([{ kind: "text", text: "A red circle." }]);
  });

  it("ignores what the channel brings after the result", async () => {
    const app = await started();
    const turn = held();
    app.composer.draft.text = "Hello";
    void app.send();
    await settle();
    turn.end(outcome("c1", "Kept."));
    await settle();
    const { conversation, user, assistant } = outcome("c1", "Late.");
    turn.emit({ kind: "started", conversation, user, assistant });
    turn.emit({ kind: "delta", text: "Late." });
    expect(app.chat.shown[1]?.parts).toEqual([{ kind: "text", text: "Kept." }]);
    expect(app.chat.running).toBeNull();
  });

  it("gives text and pictures back when a question is refused, and says why", async () => {
    const app = await started();
    app.composer.draft.text = "See this";
    app.composer.draft.add([{ kind: "attached", attachment: picture }]);
    const turn = held();
    const sending = app.send();
    await settle();
    expect(app.composer.draft.empty).toBe(true);
    turn.fail({ code: "contextTooSmall", message: "It is too long.", nextStep: "Shorten it." });
    await sending;
    expect(app.composer.draft.text).toBe("See this");
    expect(app.composer.draft.images).toEqual([picture]);
    expect(app.chat.failure?.message).toBe("It is too long.");
    expect(app.chat.failure?.code).toBe("contextTooSmall");
  });

  it("does not switch back to a conversation that was left before it began", async () => {
    const app = await started();
    const turn = held();
    app.composer.draft.text = "First";
    void app.send();
    await settle();
    handlers.open_conversation = () => ({
      summary: { id: "other", title: "Other", createdAtMs: 1, updatedAtMs: 1, images: 0 },
      messages: [message("m", null, { conversationId: "other" })],
      activeLeaf: "m",
      draft: { text: "draft of the other", images: [] },
    });
    await app.openChat("other");
    const { conversation, user, assistant } = outcome("c1", "");
    turn.emit({ kind: "started", conversation, user, assistant });
    turn.end(outcome("c1", "Answer."));
    await settle();
    expect(app.chat.id).toBe("other");
    expect(app.chat.shown.map((one) => one.id)).toEqual(["m"]);
    expect(app.composer.draft.text).toBe("draft of the other");
    expect(app.conversations.list.some((one) => one.id === "c1")).toBe(true);
  });
});

describe("answers that could not be saved at first", () => {
  const failure = { code: "answerNotKept", message: "This answer could not be saved yet.", nextStep: "Copy it to be safe." };

  async function answered(unkept: typeof failure) {
    const app = await started();
    const turn = held();
    app.composer.draft.text = "Hello";
    void app.send();
    await settle();
    const ended = outcome("c1", "Words.");
    const end = async () => {
      turn.end({ ...ended, assistant: { ...ended.assistant, failure: unkept } });
      await settle();
    };
    const shown = () => app.chat.shown.find((one) => one.id === ended.assistant.id)?.failure;
    return { end, shown, id: ended.assistant.id };
  }

  it("say so until they are", async () => {
    const { end, shown, id } = await answered(failure);
    await emit("answers-unkept", [id, "other"]);
    await end();
    await emit("answers-unkept", [id]);
    expect(shown()).toEqual(failure);
    await emit("answers-unkept", []);
    expect(shown()).toBeNull();
  });

  it("say nothing of it when they were saved before they came", async () => {
    const { end, shown, id } = await answered(failure);
    await emit("answers-unkept", [id]);
    await emit("answers-unkept", []);
    await end();
    expect(shown()).toBeNull();
  });

  it("keep what else went wrong", async () => {
    const other = { ...failure, code: "engineCrashed" };
    const { end, shown, id } = await answered(other);
    await end();
    await emit("answers-unkept", [id]);
    await emit("answers-unkept", []);
    expect(shown()).toEqual(other);
  });
});

describe("models from elsewhere", () => {
  it("says which server is asked for models, before it is asked", async () => {
    const app = await started();
    expect(app.hubHost).toBe("huggingface.co");
    await app.settings.save({ setting: "hubEndpoint", value: "https://hub.example.org/mirror" });
    expect(app.hubHost).toBe("hub.example.org");
  });
});

describe("the composer", () => {
  it("keeps a refused file's reason and the good ones", async () => {
    const app = await started();
    const failure = { code: "empty", message: "The file is empty.", nextStep: "Try another." };
    app.composer.draft.add([{ kind: "refused", name: "b.png", failure }, { kind: "attached", attachment: picture }]);
    expect(app.composer.draft.images).toHaveLength(1);
    const [refused] = app.composer.draft.refusals;
    expect(refused).toMatchObject({ names: ["b.png"], failure });
    if (refused) app.composer.draft.dismiss(refused);
    expect(app.composer.draft.refusals).toEqual([]);
  });

  it("saves the draft once the typing rests", async () => {
    const app = await started();
    for (const text of ["a", "ab", "abc"]) {
      app.composer.draft.text = text;
      app.composer.draft.changed();
      await vi.advanceTimersByTimeAsync(100);
    }
    const saves = () => calls.filter((call) => call.command === "save_draft");
    expect(saves()).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(500);
    expect(saves().map((call) => call.args.text)).toEqual(["abc"]);
  });

  it("never lets an older plan replace a newer one", async () => {
    const app = await started();
    const answers: ((tokens: number) => void)[] = [];
    handlers.plan_prompt = () =>
      new Promise((resolve) => {
        answers.push((tokens) => resolve({ images: [], promptTokensEstimate: tokens, contextTokens: 100, refusal: null }));
      });
    app.composer.replan(null);
    await vi.advanceTimersByTimeAsync(200);
    app.composer.replan(null);
    await vi.advanceTimersByTimeAsync(200);
    answers[1]?.(2);
    await settle();
    answers[0]?.(1);
    await settle();
    expect(app.composer.plan?.promptTokensEstimate).toBe(2);
  });

  it("changes the order of pictures", async () => {
    const app = await started();
    const other = { ...picture, id: "e".repeat(64) };
    app.composer.draft.add([picture, other].map((attachment) => ({ kind: "attached", attachment })));
    app.composer.draft.move(1, -1);
    expect(app.composer.draft.images.map((image) => image.id)).toEqual([other.id, picture.id]);
    app.composer.draft.move(0, -1);
    expect(app.composer.draft.images.map((image) => image.id)).toEqual([other.id, picture.id]);
  });
});

describe("choosing a model", () => {
  const b = { device: { kind: "auto" as const }, contextTokens: 4096, quant: "none", threads: null };
  const own = { ...snapshot.settings, revision: 1, chosen: "local:b", perModel: { "local:b": b } };
  beforeEach(() => {
    handlers.load_model = () => ({ revision: 2, model: null, state: { kind: "empty" } });
  });

  it("takes the settings over in which it is chosen", async () => {
    const app = await started();
    handlers.app_snapshot = () => ({ ...snapshot, settings: own });
    expect(await app.chooseModel("local:b")).toBe(true);
    expect(app.settings.value).toEqual(own);
  });

  it("keeps a planned context and quantisation before it is loaded, and only what is another", async () => {
    handlers.app_snapshot = () => ({ ...snapshot, settings: { ...own, chosen: "demo" } });
    const app = await started();
    handlers.app_snapshot = () => ({ ...snapshot, settings: own });
    app.shell.page = "models";
    const told = () => calls.map((call) => call.command).filter((command) => command === "change_settings" || command === "load_model");
    await app.useModel("local:b", { contextTokens: 4096, quant: "none" });
    expect([app.shell.page, told()]).toEqual(["chat", ["load_model"]]);
    calls.length = 0;
    await app.useModel("local:b", { quant: "q4k" });
    expect(told()).toEqual(["change_settings", "load_model"]);
    expect(calls[0]?.args).toEqual({ revision: 1, changes: [{ setting: "loadChoice", model: "local:b", value: { ...b, quant: "q4k" } }] });
  });

  it("does not load what was planned in vain", async () => {
    const app = await started();
    handlers.change_settings = () => Promise.reject({ code: "settingOutOfRange", message: "No.", nextStep: "Another." });
    app.shell.page = "models";
    await app.useModel("local:b", { contextTokens: 1 });
    expect([app.shell.page, calls.some((call) => call.command === "load_model")]).toEqual(["models", false]);
    expect(app.toasts.list.at(-1)?.text).toBe("No. Another.");
  });

  it("knows that it is chosen though the engine cannot load it", async () => {
    const app = await started();
    handlers.load_model = () => Promise.reject({ code: "engineCrashed", message: "The engine ended.", nextStep: "Try again." });
    handlers.app_snapshot = () => ({ ...snapshot, settings: own });
    expect(await app.chooseModel("local:b")).toBe(false);
    expect(app.settings.value?.chosen).toBe("local:b");
  });

  it("knows which one is chosen after the chosen one was forgotten", async () => {
    handlers.app_snapshot = () => ({ ...snapshot, settings: own });
    const app = await started();
    handlers.forget_model = () => null;
    handlers.app_snapshot = () => ({ ...snapshot, settings: { ...own, chosen: "demo", revision: 2 } });
    await app.forgetModel("local:b");
    expect(app.settings.value?.chosen).toBe("demo");
  });

  it("keeps the old one when the new one cannot be loaded, and says why", async () => {
    const app = await started();
    handlers.load_model = () => Promise.reject({ code: "modelGone", message: "This model is gone.", nextStep: "Choose another one." });
    expect(await app.chooseModel("local:gone")).toBe(false);
    expect([app.settings.value?.chosen, app.choosing]).toEqual(["demo", null]);
    expect(app.toasts.list.at(-1)?.text).toContain("This model is gone.");
  });
});

describe("a download that ends", () => {
  const { download } = fixtures;

  it("brings the model into the list and offers to use it", async () => {
    const app = await started();
    handlers.list_models = () => [fixtures.entry("local:new", { name: "New" })];
    handlers.model_catalogue = () => [];
    await emit("downloads", [download("a", { kind: "verifying" })]);
    await emit("downloads", [download("a", { kind: "done", model: "local:new" })]);
    await settle();
    expect(app.models.find("local:new")?.name).toBe("New");
    expect(app.toasts.list.at(-1)).toMatchObject({ text: "New is here.", action: { label: "Use it" } });
  });

  it("says why it stopped, unless the list of downloads says so already", async () => {
    const app = await started();
    const failure = { code: "diskFull", message: "The disk is full.", nextStep: "Free some space." };
    const stop = async (id: string) => {
      await emit("downloads", [download(id, { kind: "running" })]);
      await emit("downloads", [download(id, { kind: "failed", failure })]);
    };
    await stop("a");
    expect(app.toasts.list.map((toast) => toast.text)).toEqual(["owner/a stopped: The disk is full."]);
    app.showModels();
    await stop("b");
    expect(app.toasts.list).toHaveLength(1);
  });
});

describe("changing a picture before it is sent", () => {
  const part: Attachment = { ...picture, id: "a".repeat(64), name: "Part of a.png" };
  const region = { left: 0, top: 0, width: 0.5, height: 1 };

  it("puts the part in its place, and the picture back on undo", async () => {
    const app = await started();
    app.composer.draft.add([{ kind: "attached", attachment: picture }, { kind: "attached", attachment: { ...picture, name: "b.png" } }]);
    handlers.edit_picture = () => ({ kind: "attached", attachment: part });
    app.pictures.lookAtDraft(0);
    expect(await app.pictures.change(0, { quarterTurns: 0, region })).toBe(true);
    expect(app.composer.draft.images.map((image) => image.name)).toEqual(["Part of a.png", "b.png"]);
    expect(app.shell.dialog?.kind === "look" && app.shell.dialog.look.images[0]?.id).toBe(part.id);
    expect(app.composer.draft.canUndo(part)).toBe(true);
    app.pictures.undo(0);
    expect(app.composer.draft.images.map((image) => image.name)).toEqual(["a.png", "b.png"]);
    expect(app.composer.draft.canUndo(picture)).toBe(false);
  });

  it("keeps the picture and says why when it cannot be changed", async () => {
    const app = await started();
    app.composer.draft.add([{ kind: "attached", attachment: picture }]);
    const failure = { code: "emptyRegion", message: "The chosen part lies outside the picture.", nextStep: "Draw it inside." };
    handlers.edit_picture = () => ({ kind: "refused", name: "a.png", failure });
    expect(await app.pictures.change(0, { quarterTurns: 1, region: null })).toBe(false);
    expect(await app.pictures.attachPart(picture.id, { quarterTurns: 0, region })).toBe(false);
    expect(app.composer.draft.images).toEqual([picture]);
    expect(app.toasts.list[0]?.text).toContain("outside the picture");
  });

  it("adds a part of any picture to the next question", async () => {
    const app = await started();
    handlers.edit_picture = () => ({ kind: "attached", attachment: part });
    expect(await app.pictures.attachPart(picture.id, { quarterTurns: 0, region })).toBe(true);
    expect(app.composer.draft.images).toEqual([part]);
  });
});
