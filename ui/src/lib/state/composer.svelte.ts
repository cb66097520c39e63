// What stands in the composer. Every conversation has a draft of its own, in memory once it was seen: a picture that is ready
// late, or a question that is given back, goes to the draft that it was meant for, whichever is open by then.
import { SvelteMap } from "svelte/reactivity";

import {
  ipc,
  PaddockError,
  type AttachOutcome,
  type Attachment,
  type ConversationId,
  type Draft as KeptDraft,
  type Failure,
  type ImagePlan,
  type MessageId,
  type PromptPlan,
} from "../ipc";

export interface Refusal {
  key: number;
  /** All files that were refused for this one reason. */
  names: string[];
  failure: Failure;
}

const SAVE_AFTER_MS = 400;
const PLAN_AFTER_MS = 120;

let nextKey = 0;

/** The draft of one conversation. */
export class Draft {
  text = $state("");
  images = $state.raw<Attachment[]>([]);
  refusals = $state.raw<Refusal[]>([]);
  /** Files being read now. */
  reading = $state(0);
  /** None: a conversation that has not begun. */
  conversation = $state<ConversationId | null>(null);

  readonly empty = $derived(this.text.trim() === "" && this.images.length === 0);

  /** What a changed picture was made from, by its id. */
  readonly #before = new SvelteMap<string, Attachment>();
  #saveTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(conversation: ConversationId | null) {
    this.conversation = conversation;
  }

  /** What was kept, unless something stands there already. */
  fill(kept: KeptDraft | null): void {
    if (!kept || !this.empty) return;
    this.text = kept.text;
    this.images = kept.images;
  }

  add(outcomes: AttachOutcome[]): void {
    for (const one of outcomes) if (one.kind === "refused") this.#refuse(one.name, one.failure);
    const attached = outcomes.flatMap((one) => (one.kind === "attached" ? [one.attachment] : []));
    if (attached.length > 0) {
      this.images = [...this.images, ...attached];
      this.changed();
    }
  }

  refuse(name: string, error: PaddockError): void {
    this.#refuse(name, { code: error.code, message: error.message, nextStep: error.nextStep });
  }

  #refuse(name: string, failure: Failure): void {
    const same = this.refusals.find((one) => one.failure.code === failure.code && one.failure.message === failure.message);
    this.refusals = same
      ? this.refusals.map((one) => (one === same ? { ...one, names: [...one.names, name] } : one))
      : [...this.refusals, { key: nextKey++, names: [name], failure }];
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

  /** Empties it for sending; `giveBack` undoes it. */
  take(): { text: string; images: Attachment[] } {
    const taken = { text: this.text, images: this.images };
    this.text = "";
    this.images = [];
    this.refusals = [];
    clearTimeout(this.#saveTimer);
    this.#saveTimer = undefined;
    return taken;
  }

  giveBack(taken: { text: string; images: Attachment[] }): void {
    // What was typed meanwhile stays, below what comes back.
    this.text = this.text.trim() === "" ? taken.text : `${taken.text}\n${this.text}`;
    this.images = [...taken.images, ...this.images];
    this.changed();
  }

  changed(): void {
    clearTimeout(this.#saveTimer);
    this.#saveTimer = setTimeout(() => void this.save(), SAVE_AFTER_MS);
  }

  /** Saves what has not been saved. */
  async flush(): Promise<void> {
    if (this.#saveTimer !== undefined) await this.save();
  }

  async save(): Promise<void> {
    clearTimeout(this.#saveTimer);
    this.#saveTimer = undefined;
    const images = this.images.map((image) => image.id);
    // A draft that cannot be saved is still on the screen; the next change tries again.
    await ipc.saveDraft(this.conversation, this.text, images).catch(() => undefined);
  }
}

export class ComposerState {
  /** The draft of the conversation that is open. */
  draft = $state.raw(new Draft(null));
  plan = $state.raw<PromptPlan | null>(null);

  // eslint-disable-next-line svelte/prefer-svelte-reactivity -- nothing is shown of drafts that are not open
  readonly #drafts = new Map<ConversationId | null, Draft>([[null, this.draft]]);
  #planTimer: ReturnType<typeof setTimeout> | undefined;
  #planRound = 0;

  planOf(image: Attachment): ImagePlan | null {
    return this.plan?.images.find((plan) => plan.id === image.id) ?? null;
  }

  /** Shows a conversation's draft at once. */
  show(conversation: ConversationId | null): Draft {
    void this.draft.flush();
    let draft = this.#drafts.get(conversation);
    if (!draft) {
      draft = new Draft(conversation);
      this.#drafts.set(conversation, draft);
    }
    if (draft !== this.draft) this.plan = null;
    this.draft = draft;
    return draft;
  }

  /** The new conversation got its id: what was typed for it meanwhile belongs to it. */
  adopt(draft: Draft, conversation: ConversationId): void {
    if (draft.conversation !== null) return;
    draft.conversation = conversation;
    this.#drafts.delete(null);
    this.#drafts.set(conversation, draft);
  }

  forget(conversation: ConversationId): void {
    this.#drafts.delete(conversation);
  }

  async flush(): Promise<void> {
    await Promise.all([...this.#drafts.values()].map((draft) => draft.flush()));
  }

  /** Asks for a plan once the typing rests; an older answer never replaces a newer one. */
  replan(leaf: MessageId | null): void {
    clearTimeout(this.#planTimer);
    const round = ++this.#planRound;
    this.#planTimer = setTimeout(() => {
      const { text, images, conversation } = this.draft;
      ipc
        .planPrompt(
          text,
          images.map((image) => image.id),
          conversation,
          leaf,
        )
        .then(
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
