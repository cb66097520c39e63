// Taking pictures in and changing them before they are sent. Each goes to the draft that was open when it was asked for.
import { ipc, PaddockError, type AttachOutcome, type Attachment, type DropEvent, type ImageId, type ImagePlan, type PictureEdit } from "../ipc";
import type { ChatState } from "./chat.svelte";
import type { ComposerState, Draft } from "./composer.svelte";
import type { ShellState } from "./shell.svelte";
import type { ToastsState } from "./toasts.svelte";

export class PicturesState {
  readonly #chat: ChatState;
  readonly #composer: ComposerState;
  readonly #shell: ShellState;
  readonly #toasts: ToastsState;
  /** Drafts that dropped files are being read for, in the order in which they were dropped. */
  readonly #dropped: Draft[] = [];

  constructor(chat: ChatState, composer: ComposerState, shell: ShellState, toasts: ToastsState) {
    this.#chat = chat;
    this.#composer = composer;
    this.#shell = shell;
    this.#toasts = toasts;
  }

  async fromDialog(): Promise<void> {
    await this.#attach("", () => ipc.attachFromDialog());
  }

  async fromClipboard(): Promise<void> {
    await this.#attach("Clipboard", async () => {
      const content = await ipc.attachFromClipboard();
      return content.kind === "images" ? content.outcomes : [];
    });
  }

  async sample(name: string): Promise<void> {
    await this.#attach(name, async () => [await ipc.attachSample(name)]);
  }

  async #attach(name: string, read: () => Promise<AttachOutcome[]>): Promise<void> {
    const { draft } = this.#composer;
    draft.reading++;
    try {
      draft.add(await read());
    } catch (thrown) {
      draft.refuse(name, PaddockError.from(thrown));
    } finally {
      draft.reading--;
    }
  }

  drop(event: DropEvent): void {
    switch (event.kind) {
      case "entered":
        this.#shell.drag = { images: event.images, others: event.others };
        break;
      case "left":
        this.#shell.drag = null;
        break;
      case "reading":
        this.#shell.drag = null;
        this.#shell.toChat();
        this.#composer.draft.reading++;
        this.#dropped.push(this.#composer.draft);
        break;
      case "dropped": {
        const draft = this.#dropped.shift() ?? this.#composer.draft;
        draft.reading = Math.max(0, draft.reading - 1);
        draft.add(event.outcomes);
        break;
      }
    }
  }

  lookAtDraft(place: number): void {
    this.#shell.look({ images: this.#composer.draft.images.map(({ id, name, alt }) => ({ id, name, alt })), place, inComposer: true });
  }

  /** Turns or cuts a picture in the composer. */
  async change(place: number, edit: PictureEdit): Promise<boolean> {
    const { draft } = this.#composer;
    const image = draft.images[place];
    if (!image) return false;
    const changed = await this.#edited(image.id, edit);
    if (!changed) return false;
    draft.replace(place, changed);
    this.#lookAgain(place);
    return true;
  }

  undo(place: number): void {
    this.#composer.draft.undo(place);
    this.#lookAgain(place);
  }

  #lookAgain(place: number): void {
    const { dialog } = this.#shell;
    if (dialog?.kind === "look" && dialog.look.inComposer) this.lookAtDraft(place);
  }

  /** Shows another page of the file that a picture is from, or adds it as one more picture. */
  async takePage(place: number, number: number, how: "instead" | "besides"): Promise<void> {
    const { draft } = this.#composer;
    const image = draft.images[place];
    if (!image) return;
    await this.#toasts.attempt(async () => {
      const outcome = await ipc.attachPage(image.id, number);
      if (outcome.kind === "refused") throw new PaddockError(outcome.failure);
      if (how === "instead") draft.put(place, outcome.attachment);
      else draft.insert(place + 1, outcome.attachment);
    });
  }

  /** Keeps what is on a picture, in words, and shows it wherever the picture stands. */
  async describe(id: ImageId, words: string): Promise<void> {
    await this.#toasts.attempt(async () => {
      await ipc.describePicture(id, words);
      const alt = words.trim() || null;
      this.#composer.draft.describe(id, alt);
      this.#chat.describe(id, alt);
      const { dialog } = this.#shell;
      if (dialog?.kind === "look") this.#shell.look({ ...dialog.look, images: dialog.look.images.map((image) => (image.id === id ? { ...image, alt } : image)) });
    });
  }

  /** What the chosen model makes of one picture, and the context that it has room in; none if it cannot be said. */
  async planOf(id: ImageId): Promise<{ plan: ImagePlan | null; contextTokens: number } | null> {
    return ipc.planPrompt("", [id], null, null).then(
      ({ images, contextTokens }) => ({ plan: images[0] ?? null, contextTokens }),
      () => null,
    );
  }

  /** Adds a part of any picture to the next question. */
  async attachPart(id: ImageId, edit: PictureEdit): Promise<boolean> {
    const { draft } = this.#composer;
    const part = await this.#edited(id, edit);
    if (part) draft.add([{ kind: "attached", attachment: part }]);
    return part !== null;
  }

  async #edited(id: ImageId, edit: PictureEdit): Promise<Attachment | null> {
    let edited: Attachment | null = null;
    await this.#toasts.attempt(async () => {
      const outcome = await ipc.editPicture(id, edit);
      if (outcome.kind === "refused") throw new PaddockError(outcome.failure);
      edited = outcome.attachment;
    });
    return edited;
  }
}
