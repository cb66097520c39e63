// The whole window's state, and what its commands do to it. Components get this object by context.
import { getContext, setContext } from "svelte";

import {
  events,
  ipc,
  PaddockError,
  type Attachment,
  type AttachOutcome,
  type ConversationId,
  type ConversationSummary,
  type DeviceReport,
  type DropEvent,
  type EngineSnapshot,
  type ImageId,
  type ModelEntry,
  type ModelId,
  type PictureEdit,
  type Settings,
  type SightTested,
} from "../ipc";
import { ChatState } from "./chat.svelte";
import { ComposerState } from "./composer.svelte";

export interface Toast {
  key: number;
  text: string;
  action?: { label: string; run: () => void };
}

export interface Look {
  images: { id: string; name: string; alt: string | null }[];
  place: number;
  /** They stand in the composer and can still be changed. */
  inComposer?: boolean;
}

const TOAST_MS = 8000;

export class AppState {
  started = $state(false);
  failure = $state<PaddockError | null>(null);
  version = $state("");
  settings = $state.raw<Settings | null>(null);
  engine = $state.raw<EngineSnapshot>({ revision: -1, model: null, state: { kind: "empty" } });
  conversations = $state.raw<ConversationSummary[]>([]);
  models = $state.raw<ModelEntry[]>([]);
  devices = $state.raw<DeviceReport | null>(null);

  place = $state<"chat" | "settings">("chat");
  sidebar = $state(true);
  picker = $state(false);
  look = $state.raw<Look | null>(null);
  /** All pictures of the conversation. */
  gallery = $state(false);
  drag = $state.raw<{ images: number; others: number } | null>(null);
  /** The address of a link in an answer, shown before it is opened. */
  link = $state<string | null>(null);
  toasts = $state.raw<Toast[]>([]);
  query = $state("");

  readonly chat = new ChatState((summary) => this.#listed(summary));
  readonly composer = new ComposerState();
  readonly model = $derived(this.models.find((model) => model.id === this.settings?.modelId) ?? null);

  #nextToast = 0;
  #searchRound = 0;

  async start(): Promise<void> {
    this.failure = null;
    try {
      await Promise.all([
        events.engine.listen((event) => this.#engine(event.payload)),
        events.sight.listen((event) => this.#sight(event.payload)),
        events.drop.listen((event) => this.#drop(event.payload)),
      ]);
      const snapshot = await ipc.appSnapshot();
      this.version = snapshot.version;
      this.settings = snapshot.settings;
      this.conversations = snapshot.conversations;
      this.models = snapshot.models;
      this.devices = snapshot.devices;
      this.#engine(snapshot.engine);
      await this.composer.show(null, await ipc.loadDraft(null));
      this.started = true;
    } catch (thrown) {
      this.failure = PaddockError.from(thrown);
    }
  }

  // --- conversations

  async newChat(): Promise<void> {
    this.place = "chat";
    if (this.chat.id === null && this.chat.messages.length === 0) return;
    this.chat.reset();
    const draft = await ipc.loadDraft(null).catch(() => null);
    if (this.chat.id === null) await this.composer.show(null, draft);
  }

  async openChat(id: ConversationId): Promise<void> {
    this.place = "chat";
    if (id === this.chat.id) return;
    await this.composer.flush();
    const draft = await this.chat.open(id);
    if (draft) await this.composer.show(id, draft);
  }

  async renameChat(id: ConversationId, title: string): Promise<void> {
    await this.attempt(async () => this.#listed(await ipc.renameConversation(id, title), false));
    if (this.chat.id === id) this.chat.title = title;
  }

  async deleteChat(summary: ConversationSummary): Promise<void> {
    const done = await this.attempt(async () => {
      if (this.chat.id === summary.id) await this.newChat();
      await ipc.deleteConversation(summary.id);
      this.conversations = this.conversations.filter((other) => other.id !== summary.id);
    });
    if (!done) return;
    this.toast(`Deleted “${summary.title}”.`, {
      label: "Undo",
      run: () => void this.attempt(async () => this.#listed(await ipc.restoreConversation(summary.id), false)),
    });
  }

  async search(query: string): Promise<void> {
    this.query = query;
    const round = ++this.#searchRound;
    await this.attempt(async () => {
      const found = await ipc.listConversations(query.trim() || null);
      if (round === this.#searchRound) this.conversations = found;
    });
  }

  #listed(summary: ConversationSummary, first = true): void {
    const others = this.conversations.filter((other) => other.id !== summary.id);
    const list = [summary, ...others];
    this.conversations = first ? list : list.sort((a, b) => b.updatedAtMs - a.updatedAtMs);
  }

  // --- asking

  async send(): Promise<void> {
    if (this.composer.empty || this.chat.running || this.composer.reading > 0) return;
    const before = this.chat.id;
    const taken = this.composer.take();
    try {
      await ipc.saveDraft(before, "", []).catch(() => undefined);
      const sent = this.chat.send(
        taken.text.trim(),
        taken.images.map((image) => image.id),
      );
      await sent;
    } catch (thrown) {
      this.chat.failure = PaddockError.from(thrown);
      // Only into the composer that it came from: another conversation may be open by now.
      if (this.chat.id === before) this.composer.giveBack(taken);
      else
        await ipc
          .saveDraft(before, taken.text, taken.images.map((image) => image.id))
          .catch(() => undefined);
    }
  }

  // --- pictures

  async attachFromDialog(): Promise<void> {
    await this.#attach("", () => ipc.attachFromDialog());
  }

  async attachFromClipboard(): Promise<void> {
    await this.#attach("Clipboard", async () => {
      const content = await ipc.attachFromClipboard();
      return content.kind === "images" ? content.outcomes : [];
    });
  }

  async attachSample(name: string): Promise<void> {
    await this.#attach(name, async () => [await ipc.attachSample(name)]);
  }

  async #attach(name: string, read: () => Promise<AttachOutcome[]>): Promise<void> {
    this.composer.reading++;
    try {
      this.composer.add(await read());
    } catch (thrown) {
      this.composer.refuse(name, PaddockError.from(thrown));
    } finally {
      this.composer.reading--;
    }
  }

  lookAtDraft(place: number): void {
    this.look = { images: this.composer.images.map(({ id, name }) => ({ id, name, alt: null })), place, inComposer: true };
  }

  /** Turns or cuts a picture in the composer. */
  async changePicture(place: number, edit: PictureEdit): Promise<boolean> {
    const image = this.composer.images[place];
    if (!image) return false;
    const changed = await this.#edited(image.id, edit);
    if (!changed) return false;
    this.composer.replace(place, changed);
    if (this.look?.inComposer) this.lookAtDraft(place);
    return true;
  }

  undoPicture(place: number): void {
    this.composer.undo(place);
    if (this.look?.inComposer) this.lookAtDraft(place);
  }

  /** Adds a part of any picture to the next question. */
  async attachPart(id: ImageId, edit: PictureEdit): Promise<boolean> {
    const part = await this.#edited(id, edit);
    if (part) this.composer.add([{ kind: "attached", attachment: part }]);
    return part !== null;
  }

  async #edited(id: ImageId, edit: PictureEdit): Promise<Attachment | null> {
    let edited: Attachment | null = null;
    await this.attempt(async () => {
      const outcome = await ipc.editPicture(id, edit);
      if (outcome.kind === "refused") throw new PaddockError(outcome.failure);
      edited = outcome.attachment;
    });
    return edited;
  }

  #drop(event: DropEvent): void {
    switch (event.kind) {
      case "entered":
        this.drag = { images: event.images, others: event.others };
        break;
      case "left":
        this.drag = null;
        break;
      case "reading":
        this.drag = null;
        this.place = "chat";
        this.composer.reading++;
        break;
      case "dropped":
        this.composer.reading--;
        this.composer.add(event.outcomes);
        break;
    }
  }

  // --- models and settings

  #engine(snapshot: EngineSnapshot): void {
    if (snapshot.revision >= this.engine.revision) this.engine = snapshot;
  }

  #sight({ model, sight }: SightTested): void {
    this.models = this.models.map((entry) => (entry.id === model ? { ...entry, sight } : entry));
  }

  async chooseModel(id: ModelId): Promise<void> {
    await this.attempt(async () => {
      this.#engine(await ipc.loadModel(id));
      if (this.settings) this.settings = { ...this.settings, modelId: id };
    });
  }

  async addModel(choose: () => Promise<ModelEntry | null>): Promise<PaddockError | null> {
    try {
      const added = await choose();
      if (!added) return null;
      this.models = await ipc.listModels();
      if (added.ready) await this.chooseModel(added.id);
      return null;
    } catch (thrown) {
      return PaddockError.from(thrown);
    }
  }

  async forgetModel(id: ModelId): Promise<void> {
    await this.attempt(async () => {
      await ipc.forgetModel(id);
      this.models = await ipc.listModels();
    });
  }

  async restartEngine(): Promise<void> {
    await this.attempt(async () => this.#engine(await ipc.restartEngine()));
  }

  /** Returns why the settings were refused. */
  async saveSettings(change: Partial<Settings>): Promise<PaddockError | null> {
    if (!this.settings) return null;
    const before = this.settings;
    this.settings = { ...before, ...change };
    try {
      this.settings = await ipc.updateSettings(this.settings);
      if (change.device !== undefined) this.devices = await ipc.deviceReport();
      return null;
    } catch (thrown) {
      this.settings = before;
      return PaddockError.from(thrown);
    }
  }

  async refreshModels(): Promise<void> {
    await this.attempt(async () => {
      [this.models, this.devices] = await Promise.all([ipc.listModels(), ipc.deviceReport()]);
    });
  }

  // --- words at the edge

  toast(text: string, action?: { label: string; run: () => void }): void {
    const toast: Toast = { key: this.#nextToast++, text, ...(action ? { action } : {}) };
    this.toasts = [...this.toasts, toast];
    setTimeout(() => this.endToast(toast.key), TOAST_MS);
  }

  endToast(key: number): void {
    this.toasts = this.toasts.filter((toast) => toast.key !== key);
  }

  askToOpen(url: string): void {
    if (/^https?:\/\//i.test(url)) this.link = url;
  }

  async openLink(): Promise<void> {
    const url = this.link;
    this.link = null;
    if (url !== null) await this.attempt(() => ipc.openLink(url));
  }

  async copy(text: string): Promise<boolean> {
    return this.attempt(async () => ipc.copyText(text));
  }

  /** Does it, or says in a toast why it could not be done. */
  async attempt(work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (thrown) {
      const error = PaddockError.from(thrown);
      this.toast(`${error.message} ${error.nextStep}`.trim());
      return false;
    }
  }
}

const KEY = Symbol("app");

export function provideApp(app: AppState): void {
  setContext(KEY, app);
}

export function useApp(): AppState {
  return getContext<AppState>(KEY);
}
