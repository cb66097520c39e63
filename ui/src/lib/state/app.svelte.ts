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
  type Download,
  type DropEvent,
  type EngineSnapshot,
  type Failure,
  type FitTarget,
  type ImageId,
  type ModelEntry,
  type ModelId,
  type PictureEdit,
  type Settings,
} from "../ipc";
import { ChatState } from "./chat.svelte";
import { ComposerState } from "./composer.svelte";
import { DownloadsState, modelOf } from "./downloads.svelte";
import { FitState, type FitChoice } from "./fit.svelte";
import { hostOf } from "./groups";
import { HubState } from "./hub.svelte";
import { ModelsState } from "./models.svelte";

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
  /** The server for models where the settings name none. */
  defaultHubEndpoint = $state("");
  settings = $state.raw<Settings | null>(null);
  engine = $state.raw<EngineSnapshot>({ revision: -1, model: null, state: { kind: "empty" } });
  conversations = $state.raw<ConversationSummary[]>([]);

  /** A model that is being switched to. */
  choosing = $state<ModelId | null>(null);

  place = $state<"chat" | "settings" | "models">("chat");
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
  readonly models = new ModelsState();
  readonly downloads = new DownloadsState((download) => void this.#downloadEnded(download));
  readonly hub = new HubState();
  readonly fit = new FitState();
  readonly model = $derived(this.models.find(this.settings?.modelId));
  /** The host that searching and downloading ask. */
  readonly hubHost = $derived(hostOf(this.settings?.hubEndpoint || this.defaultHubEndpoint));

  #nextToast = 0;
  #searchRound = 0;

  async start(): Promise<void> {
    this.failure = null;
    try {
      await Promise.all([
        events.engine.listen((event) => this.#engine(event.payload)),
        events.modelMissing.listen((event) => this.#missing(event.payload)),
        events.sight.listen((event) => this.models.sight(event.payload)),
        events.downloads.listen((event) => this.downloads.take(event.payload)),
        events.drop.listen((event) => this.#drop(event.payload)),
      ]);
      const snapshot = await ipc.appSnapshot();
      this.version = snapshot.version;
      this.defaultHubEndpoint = snapshot.defaultHubEndpoint;
      this.settings = snapshot.settings;
      this.conversations = snapshot.conversations;
      this.models.devices = snapshot.devices;
      this.#engine(snapshot.engine);
      await this.composer.show(null, await ipc.loadDraft(null));
      this.started = true;
      if (snapshot.notice) this.#missing(snapshot.notice);
      // Not needed for the first paint, and not a reason to show nothing.
      void this.refreshModels();
      this.downloads.begin(await ipc.listDownloads().catch(() => []));
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

  /** Asks the chosen model, and then `other` the same if one is given. */
  async send(other: ModelEntry | null = null): Promise<void> {
    if (this.composer.empty || this.chat.running || this.composer.reading > 0) return;
    const before = this.chat.id;
    const taken = this.composer.take();
    try {
      await ipc.saveDraft(before, "", []).catch(() => undefined);
      const text = taken.text.trim();
      const images = taken.images.map((image) => image.id);
      await (other ? this.chat.askBoth(text, images, other) : this.chat.send(text, images));
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
    this.look = { images: this.composer.images.map(({ id, name, alt }) => ({ id, name, alt })), place, inComposer: true };
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

  /** Shows another page of the file that a picture is from, or adds it as one more picture. */
  async takePage(place: number, number: number, how: "instead" | "besides"): Promise<void> {
    const image = this.composer.images[place];
    if (!image) return;
    await this.attempt(async () => {
      const outcome = await ipc.attachPage(image.id, number);
      if (outcome.kind === "refused") throw new PaddockError(outcome.failure);
      if (how === "instead") this.composer.put(place, outcome.attachment);
      else this.composer.insert(place + 1, outcome.attachment);
    });
  }

  /** Keeps what is on a picture, in words, and shows it wherever the picture stands. */
  async describePicture(id: ImageId, words: string): Promise<void> {
    await this.attempt(async () => {
      await ipc.describePicture(id, words);
      const alt = words.trim() || null;
      this.composer.describe(id, alt);
      this.chat.describe(id, alt);
      if (this.look) this.look = { ...this.look, images: this.look.images.map((image) => (image.id === id ? { ...image, alt } : image)) };
    });
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

  /** The chosen model is gone or cannot be read; said once, whether it was known before the page or after. */
  #missing(failure: Failure): void {
    const text = `${failure.message} ${failure.nextStep}`.trim();
    if (this.toasts.some((toast) => toast.text === text)) return;
    this.toast(text, { label: "Models", run: () => this.showModels() });
  }

  async chooseModel(id: ModelId): Promise<boolean> {
    this.choosing = id;
    const chosen = await this.attempt(async () => {
      this.#engine(await ipc.loadModel(id));
      // Device, context, quantisation and threads are the new model's own.
      this.settings = (await ipc.appSnapshot()).settings;
    });
    if (this.choosing === id) this.choosing = null;
    return chosen;
  }

  async addModel(choose: () => Promise<ModelEntry | null>): Promise<PaddockError | null> {
    try {
      const added = await choose();
      if (!added) return null;
      this.models.list = await ipc.listModels();
      if (added.ready) await this.chooseModel(added.id);
      return null;
    } catch (thrown) {
      return PaddockError.from(thrown);
    }
  }

  async forgetModel(id: ModelId): Promise<void> {
    await this.attempt(async () => {
      await ipc.forgetModel(id);
      this.models.list = await ipc.listModels();
    });
  }

  /** Shows the models page, with one model's needs if one is named. */
  showModels(target: FitTarget | null = null, choice: Partial<FitChoice> = {}): void {
    this.place = "models";
    this.hub.endLook();
    if (target) this.fit.open(target, choice);
    else this.fit.close();
  }

  async #downloadEnded(download: Download): Promise<void> {
    const id = modelOf(download);
    if (id === null) {
      // Where the list of downloads is shown, it says so itself.
      const seen = this.place === "models" && this.fit.target === null;
      if (download.state.kind === "failed" && !seen) this.toast(`${download.repository} stopped: ${download.state.failure.message}`, { label: "Show", run: () => this.showModels() });
      return;
    }
    await this.attempt(() => Promise.all([this.models.refresh(), this.models.refreshCatalogue()]));
    const name = this.models.find(id)?.name ?? download.repository;
    this.toast(`${name} is here.`, { label: "Use it", run: () => void this.useModel(id) });
  }

  /** Chooses it, with a context and quantisation if they were planned, and goes to the conversation. */
  async useModel(id: ModelId, planned: Partial<Pick<Settings, "contextTokens" | "quant">> = {}): Promise<void> {
    const inUse = id === this.settings?.modelId && this.engine.state.kind === "ready";
    if (!inUse && !(await this.chooseModel(id))) return;
    const { settings } = this;
    const changed = settings !== null && Object.entries(planned).some(([name, value]) => settings[name as keyof typeof planned] !== value);
    const refused = changed ? await this.saveSettings(planned) : null;
    if (refused) this.toast(`${refused.message} ${refused.nextStep}`.trim());
    else this.place = "chat";
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
      if (change.device !== undefined) this.models.devices = await ipc.deviceReport();
      return null;
    } catch (thrown) {
      this.settings = before;
      return PaddockError.from(thrown);
    }
  }

  async refreshModels(): Promise<void> {
    await this.attempt(() => this.models.refresh());
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
