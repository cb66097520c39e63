// What stands in the composer: text, pictures, what was refused, and what sending would cost. It is saved as
// the conversation's draft, and given back whole when sending fails.
import { SvelteMap } from "svelte/reactivity";

import {
  ipc,
  PaddockError,
  type AttachOutcome,
  type Attachment,
  type ConversationId,
  type Draft,
  type Failure,
  type ImagePlan,
  type MessageId,
  type PromptPlan,
} from "../ipc";

export interface Refusal {
  key: number;
  name: string;
  failure: Failure;
}

const SAVE_AFTER_MS = 400;
const PLAN_AFTER_MS = 120;

export class ComposerState {
  text = $state("");
  images = $state.raw<Attachment[]>([]);
  refusals = $state.raw<Refusal[]>([]);
  /** Files being read now. */
  reading = $state(0);
  plan = $state.raw<PromptPlan | null>(null);

  readonly empty = $derived(this.text.trim() === "" && this.images.length === 0);

  /** What a changed picture was made from, by its id. */
  readonly #before = new SvelteMap<string, Attachment>();
  #conversation: ConversationId | null = null;
  #saveTimer: ReturnType<typeof setTimeout> | undefined;
  #planTimer: ReturnType<typeof setTimeout> | undefined;
  #planRound = 0;
  #nextKey = 0;

  planOf(image: Attachment): ImagePlan | null {
    return this.plan?.images.find((plan) => plan.id === image.id) ?? null;
  }

  add(outcomes: AttachOutcome[]): void {
    const refused = outcomes.flatMap((one) => (one.kind === "refused" ? [{ key: this.#nextKey++, name: one.name, failure: one.failure }] : []));
    const attached = outcomes.flatMap((one) => (one.kind === "attached" ? [one.attachment] : []));
    this.refusals = [...this.refusals, ...refused];
    if (attached.length > 0) {
      this.images = [...this.images, ...attached];
      this.changed();
    }
  }

  refuse(name: string, error: PaddockError): void {
    const failure = { code: error.code, message: error.message, nextStep: error.nextStep };
    this.refusals = [...this.refusals, { key: this.#nextKey++, name, failure }];
  }

  dismiss(refusal: Refusal): void {
    this.refusals = this.refusals.filter((other) => other.key !== refusal.key);
  }

  remove(place: number): void {
    this.images = this.images.filter((_, index) => index !== place);
    this.changed();
  }

  /** Puts a changed picture in the place of what it was made from. */
  replace(place: number, changed: Attachment): void {
    const before = this.images[place];
    if (!before) return;
    // The same picture again (a full turn) has no history of its own.
    if (before.id !== changed.id) this.#before.set(changed.id, before);
    this.put(place, changed);
  }

  canUndo(image: Attachment): boolean {
    return this.#before.has(image.id);
  }

  undo(place: number): void {
    const image = this.images[place];
    const before = image && this.#before.get(image.id);
    if (!before) return;
    this.#before.delete(image.id);
    this.put(place, before);
  }

  put(place: number, image: Attachment): void {
    this.images = this.images.map((old, index) => (index === place ? image : old));
    this.changed();
  }

  describe(id: string, alt: string | null): void {
    this.images = this.images.map((image) => (image.id === id ? { ...image, alt } : image));
  }

  insert(place: number, image: Attachment): void {
    this.images = [...this.images.slice(0, place), image, ...this.images.slice(place)];
    this.changed();
  }

  move(place: number, by: -1 | 1): void {
    const images = [...this.images];
    const [taken] = images.splice(place, 1);
    if (!taken) return;
    images.splice(Math.max(0, place + by), 0, taken);
    this.images = images;
    this.changed();
  }

  /** Empties the composer for sending; `giveBack` undoes it. */
  take(): { text: string; images: Attachment[] } {
    const taken = { text: this.text, images: this.images };
    this.text = "";
    this.images = [];
    this.refusals = [];
    this.plan = null;
    clearTimeout(this.#saveTimer);
    return taken;
  }

  giveBack(taken: { text: string; images: Attachment[] }): void {
    // What was typed meanwhile stays, below what comes back.
    this.text = this.text.trim() === "" ? taken.text : `${taken.text}\n${this.text}`;
    this.images = [...taken.images, ...this.images];
    this.changed();
  }

  /** Shows another conversation's draft; the one that was open is saved first. */
  async show(conversation: ConversationId | null, draft: Draft | null): Promise<void> {
    await this.flush();
    this.#conversation = conversation;
    this.refusals = [];
    this.plan = null;
    this.text = draft?.text ?? "";
    this.images = draft?.images ?? [];
  }

  /** The new conversation got its id; what is typed from now on belongs to it. */
  adopt(conversation: ConversationId): void {
    this.#conversation = conversation;
  }

  get conversation(): ConversationId | null {
    return this.#conversation;
  }

  changed(): void {
    clearTimeout(this.#saveTimer);
    this.#saveTimer = setTimeout(() => void this.#save(), SAVE_AFTER_MS);
  }

  async flush(): Promise<void> {
    if (this.#saveTimer === undefined) return;
    clearTimeout(this.#saveTimer);
    await this.#save();
  }

  async #save(): Promise<void> {
    this.#saveTimer = undefined;
    const images = this.images.map((image) => image.id);
    // A draft that cannot be saved is still on the screen; the next change tries again.
    await ipc.saveDraft(this.#conversation, this.text, images).catch(() => undefined);
  }

  /** Asks for a plan once the typing rests; an older answer never replaces a newer one. */
  replan(leaf: MessageId | null): void {
    clearTimeout(this.#planTimer);
    const round = ++this.#planRound;
    this.#planTimer = setTimeout(() => {
      const images = this.images.map((image) => image.id);
      ipc.planPrompt(this.text, images, this.#conversation, leaf).then(
        (plan) => {
          if (round === this.#planRound) this.plan = plan;
        },
        () => {
          if (round === this.#planRound) this.plan = null;
        },
      );
    }, PLAN_AFTER_MS);
  }
}
