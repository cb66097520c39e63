// The owners of the window's state, and what concerns several of them. Components get this object by context.
import { getContext, setContext } from "svelte";

import {
  events,
  ipc,
  PaddockError,
  type ConversationId,
  type ConversationSummary,
  type Download,
  type EngineSnapshot,
  type Failure,
  type FitTarget,
  type LoadChoice,
  type MessageId,
  type ModelEntry,
  type ModelId,
} from "../ipc";
import { ChatState } from "./chat.svelte";
import { ComposerState } from "./composer.svelte";
import { ConversationsState } from "./conversations.svelte";
import { DownloadsState, modelOf } from "./downloads.svelte";
import { FitState, type FitChoice } from "./fit.svelte";
import { hostOf } from "./groups";
import { HubState } from "./hub.svelte";
import { ModelsState } from "./models.svelte";
import { PicturesState } from "./pictures.svelte";
import { loadChoice, SettingsState } from "./settings.svelte";
import { ShellState } from "./shell.svelte";
import { ToastsState } from "./toasts.svelte";

export class AppState {
  started = $state(false);
  failure = $state<PaddockError | null>(null);
  version = $state("");
  /** The server for models where the settings name none. */
  defaultHubEndpoint = $state("");
  engine = $state.raw<EngineSnapshot>({ revision: -1, model: null, state: { kind: "empty" } });
  /** A model that is being switched to. */
  choosing = $state<ModelId | null>(null);

  readonly toasts = new ToastsState();
  readonly shell = new ShellState(this.toasts);
  readonly settings = new SettingsState();
  readonly conversations = new ConversationsState(this.toasts);
  readonly chat = new ChatState(
    (summary) => this.conversations.take(summary),
    (id) => this.conversations.isDeleted(id),
  );
  readonly composer = new ComposerState();
  readonly pictures = new PicturesState(this.chat, this.composer, this.shell, this.toasts);
  readonly models = new ModelsState();
  readonly downloads = new DownloadsState((download) => void this.#downloadEnded(download));
  readonly hub = new HubState();
  readonly fit = new FitState();
  readonly model = $derived(this.models.find(this.settings.value?.chosen));
  /** The host that searching and downloading ask. */
  readonly hubHost = $derived(hostOf(this.settings.value?.hubEndpoint || this.defaultHubEndpoint));

  #unlisten: (() => void)[] = [];

  async start(): Promise<void> {
    this.failure = null;
    try {
      await this.#listen();
      const snapshot = await ipc.appSnapshot();
      this.version = snapshot.version;
      this.defaultHubEndpoint = snapshot.defaultHubEndpoint;
      this.settings.take(snapshot.settings);
      this.conversations.list = snapshot.conversations;
      this.models.devices = snapshot.devices;
      this.#engine(snapshot.engine);
      this.composer.show(null).fill(await ipc.loadDraft(null));
      this.started = true;
      if (snapshot.notice) this.#missing(snapshot.notice);
      // Not needed for the first paint, and not a reason to show nothing.
      void this.refreshModels();
      this.downloads.begin(await ipc.listDownloads().catch(() => []));
    } catch (thrown) {
      this.failure = PaddockError.from(thrown);
    }
  }

  /** A second try after a failed start does not listen twice. */
  async #listen(): Promise<void> {
    for (const end of this.#unlisten.splice(0)) end();
    const listening = await Promise.allSettled([
      events.answersUnkept.listen((event) => this.chat.takeUnkept(event.payload)),
      events.engine.listen((event) => this.#engine(event.payload)),
      events.modelMissing.listen((event) => this.#missing(event.payload)),
      events.sight.listen((event) => this.models.sight(event.payload)),
      events.downloads.listen((event) => this.downloads.take(event.payload)),
      events.drop.listen((event) => this.pictures.drop(event.payload)),
    ]);
    this.#unlisten = listening.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    const refused = listening.find((one) => one.status === "rejected");
    if (refused) throw refused.reason;
  }

  // --- conversations

  async newChat(): Promise<void> {
    this.shell.toChat();
    void this.conversations.endSearch();
    if (this.chat.id === null && this.chat.messages.length === 0) return;
    this.chat.reset();
    // At once: what is typed next belongs to the new one.
    const draft = this.composer.show(null);
    draft.fill(await ipc.loadDraft(null).catch(() => null));
  }

  async openChat(id: ConversationId): Promise<void> {
    this.shell.toChat();
    if (id === this.chat.id) return;
    await this.composer.draft.flush();
    const kept = await this.chat.open(id);
    if (kept && this.chat.id === id) this.composer.show(id).fill(kept);
    void this.conversations.endSearch();
  }

  async renameChat(id: ConversationId, title: string): Promise<void> {
    const done = await this.conversations.rename(id, title);
    if (done && this.chat.id === id) this.chat.title = title;
  }

  async deleteChat(summary: ConversationSummary): Promise<void> {
    for (const turn of this.chat.turns) if (turn.conversation === summary.id) void this.chat.stop(turn);
    const removed = this.conversations.remove(summary);
    if (this.chat.id === summary.id) await this.newChat();
    await removed;
    if (this.conversations.isDeleted(summary.id)) this.composer.forget(summary.id);
  }

  // --- asking

  /** Asks the chosen model, and then `other` the same if one is given. */
  async send(other: ModelEntry | null = null): Promise<void> {
    const { draft } = this.composer;
    if (draft.empty || this.chat.running || draft.reading > 0) return;
    const view = this.chat.id;
    const taken = draft.take();
    let begun = false;
    const hear = (_question: MessageId, conversation: ConversationId) => {
      begun = true;
      if (this.chat.id === conversation) this.composer.adopt(draft, conversation);
    };
    try {
      await ipc.saveDraft(draft.conversation, "", []).catch(() => undefined);
      const text = taken.text.trim();
      const images = taken.images.map((image) => image.id);
      await (other ? this.chat.askBoth(text, images, other, hear) : this.chat.send(text, images, hear));
    } catch (thrown) {
      // A question that was taken is kept with its answer; only a refused one comes back, to the draft that it was taken from.
      if (begun && this.conversations.isDeleted(draft.conversation)) return;
      if (!begun) draft.giveBack(taken);
      const error = PaddockError.from(thrown);
      if (this.composer.draft === draft || this.chat.id === view) this.chat.failure = error;
      else this.toasts.fail(error);
    }
  }

  // --- models

  #engine(snapshot: EngineSnapshot): void {
    if (snapshot.revision >= this.engine.revision) this.engine = snapshot;
  }

  /** The chosen model is gone or cannot be read: known before the page, or heard after. */
  #missing(failure: Failure): void {
    this.toasts.say(`${failure.message} ${failure.nextStep}`.trim(), { label: "Models", run: () => this.showModels() });
  }

  async refreshModels(): Promise<void> {
    await this.toasts.attempt(() => this.models.refresh());
  }

  async chooseModel(id: ModelId): Promise<boolean> {
    this.choosing = id;
    const chosen = await this.toasts.attempt(async () => this.#engine(await ipc.loadModel(id)));
    // Rust has chosen it by itself, also when the engine then could not load it.
    await this.settings.reload().catch(() => undefined);
    if (this.choosing === id) this.choosing = null;
    return chosen;
  }

  async addModel(kind: "folder" | "file"): Promise<PaddockError | null> {
    try {
      const added = await (kind === "folder" ? ipc.chooseModelFolder() : ipc.chooseModelFile());
      if (!added) return null;
      this.models.list = await ipc.listModels();
      if (added.ready) await this.chooseModel(added.id);
      return null;
    } catch (thrown) {
      return PaddockError.from(thrown);
    }
  }

  async forgetModel(id: ModelId): Promise<void> {
    await this.toasts.attempt(async () => {
      await ipc.forgetModel(id);
      // If it was the chosen one, another one is chosen now.
      const [list] = await Promise.all([ipc.listModels(), this.settings.reload()]);
      this.models.list = list;
    });
  }

  /** Shows the models page, with one model's needs if one is named. */
  showModels(target: FitTarget | null = null, choice: Partial<FitChoice> = {}): void {
    this.shell.page = "models";
    this.shell.leaveList();
    this.hub.endLooks();
    if (target) this.fit.open(target, choice);
    else this.fit.close();
  }

  async #downloadEnded(download: Download): Promise<void> {
    const id = modelOf(download);
    if (id === null) {
      // Where the list of downloads is shown, it says so itself.
      const seen = this.shell.page === "models" && this.fit.target === null;
      if (download.state.kind === "failed" && !seen) this.toasts.say(`${download.repository} stopped: ${download.state.failure.message}`, { label: "Show", run: () => this.showModels() });
      return;
    }
    await this.toasts.attempt(() => Promise.all([this.models.refresh(), this.models.refreshCatalogue()]));
    const name = this.models.find(id)?.name ?? download.repository;
    this.toasts.say(`${name} is here.`, { label: "Use it", run: () => void this.useModel(id) });
  }

  /** Chooses it, with a context and quantisation if they were planned, and goes to the conversation. */
  async useModel(id: ModelId, planned: Partial<Pick<LoadChoice, "contextTokens" | "quant">> = {}): Promise<void> {
    const settings = this.settings.value;
    if (!settings) return;
    const now = loadChoice(settings, id);
    // The plan first: without it the model may not fit.
    const refused = isOther(planned, now) ? await this.settings.saveLoadChoice(id, planned) : null;
    if (refused) {
      this.toasts.fail(refused);
      return;
    }
    const inUse = id === settings.chosen && this.engine.state.kind === "ready";
    if (inUse || (await this.chooseModel(id))) this.shell.toChat();
  }

  async restartEngine(): Promise<void> {
    await this.toasts.attempt(async () => this.#engine(await ipc.restartEngine()));
  }

  /** How the chosen model is loaded; returns why it was refused. */
  async saveLoadChoice(part: Partial<LoadChoice>): Promise<PaddockError | null> {
    const settings = this.settings.value;
    if (!settings) return null;
    const refused = await this.settings.saveLoadChoice(settings.chosen, part);
    if (!refused && part.device) await this.models.refreshDevices();
    return refused;
  }

  async copyDiagnostics(): Promise<void> {
    const copied = await this.toasts.attempt(async () => ipc.copyText(await ipc.diagnostics()));
    if (copied) this.toasts.say("Copied. Private parts are left out.");
  }

  async copy(text: string): Promise<boolean> {
    return this.toasts.attempt(async () => ipc.copyText(text));
  }
}

function isOther<T extends object>(part: Partial<T>, whole: T): boolean {
  return (Object.keys(part) as (keyof T)[]).some((name) => part[name] !== whole[name]);
}

const KEY = Symbol("app");

export function provideApp(app: AppState): void {
  setContext(KEY, app);
}

export function useApp(): AppState {
  return getContext<AppState>(KEY);
}
