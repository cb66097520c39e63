// The conversation that is open, and the answers being written in any of them.
import { SvelteMap, SvelteSet } from "svelte/reactivity";

import {
  ipc,
  PaddockError,
  type ConversationId,
  type ConversationSummary,
  type GenerationEvent,
  type ImageId,
  type Message,
  type MessageId,
  type ModelEntry,
  type ModelId,
  type SendRequest,
  type TurnOutcome,
} from "../ipc";
import { branch, indexMessages, merge, newestLeaf, pairOf, picturesOf, siblings } from "./tree";
import { follow, LiveTurn, newId } from "./turns.svelte";

type Ask = Parameters<typeof follow>[1];

/** How often an answer is looked for that another window, or this one before it was loaded again, asked for. */
const LOOK_AGAIN_MS = 1500;

type Begun = (question: MessageId, conversation: ConversationId) => void;

interface RunOptions {
  /** The open one if not said. */
  conversation?: ConversationId | null;
  /** Hears that the question was kept. */
  begun?: Begun;
}

export class ChatState {
  /** None: a conversation that has not begun. */
  id = $state<ConversationId | null>(null);
  title = $state("");
  messages = $state.raw<Message[]>([]);
  leaf = $state<MessageId | null>(null);
  opening = $state(false);
  /** Grows whenever other messages stand here than before: another conversation, or a new one. */
  view = $state(0);
  /** Questions that are being changed, with their text so far. */
  readonly edits = new SvelteMap<MessageId, string>();
  /** Why the last thing the user asked for could not be done. */
  failure = $state<PaddockError | null>(null);
  turns = $state<LiveTurn[]>([]);
  /** Questions whose answers are shown side by side, with the name of the model whose answer is awaited, if any. */
  readonly compared = new SvelteMap<MessageId, string>();

  /** How long the model thought before an answer, for those that were seen being written. */
  readonly thought = new SvelteMap<MessageId, number>();

  /** Answers that could not be written to the disk at first, and are there now. */
  readonly #saved = new SvelteSet<MessageId>();
  #unkept: readonly MessageId[] = [];

  readonly #index = $derived(indexMessages(this.messages.map((message) => this.#withoutOldWorry(message))));
  readonly shown = $derived(branch(this.#index, this.leaf));
  /** Pictures of the branch that is shown, in the order in which the model sees them. */
  readonly pictures = $derived(picturesOf(this.shown));
  /** The turn of the open conversation that is running. */
  readonly running = $derived(this.turns.find((turn) => turn.conversation === this.id && (turn.conversation !== null || turn === this.#begun)) ?? null);

  /** A turn that was sent from the new conversation that is still open. */
  #begun = $state<LiveTurn | null>(null);
  /** Grows when another conversation is opened: late answers must not open the old one again. */
  #view = 0;
  #lookAgain: ReturnType<typeof setTimeout> | undefined;
  readonly #changed: (summary: ConversationSummary) => void;
  readonly #isDeleted: (id: ConversationId | null) => boolean;

  constructor(changed: (summary: ConversationSummary) => void, isDeleted: (id: ConversationId | null) => boolean = () => false) {
    this.#changed = changed;
    this.#isDeleted = isDeleted;
  }

  /** Which answers are on the screen and nowhere else; those that were and are no more have been saved. */
  takeUnkept(unkept: readonly MessageId[]): void {
    for (const id of this.#unkept) if (!unkept.includes(id)) this.#saved.add(id);
    this.#unkept = unkept;
  }

  /** A message may come after the word that it was saved: what it says of that is out of date. */
  #withoutOldWorry(message: Message): Message {
    return isUnkept(message) && this.#saved.has(message.id) ? { ...message, failure: null } : message;
  }

  describe(id: ImageId, alt: string | null): void {
    this.messages = this.messages.map((message) => ({
      ...message,
      parts: message.parts.map((part) => (part.kind === "image" && part.image.id === id ? { ...part, image: { ...part.image, alt } } : part)),
    }));
  }

  siblings(message: Message): Message[] {
    return siblings(this.#index, message);
  }

  pairOf(message: Message): Message[] {
    return pairOf(this.#index, message);
  }

  turnOf(message: Message): LiveTurn | null {
    return this.turns.find((turn) => turn.assistant === message.id) ?? null;
  }

  reset(): void {
    this.#view++;
    this.#begun = null;
    this.id = null;
    this.title = "";
    this.messages = [];
    this.leaf = null;
    this.failure = null;
    this.opening = false;
    this.view++;
  }

  /** Opens a kept conversation and returns its draft. */
  async open(id: ConversationId) {
    const view = ++this.#view;
    this.opening = true;
    this.failure = null;
    try {
      const opened = await ipc.openConversation(id);
      if (view !== this.#view) return null;
      this.#begun = null;
      this.id = id;
      this.view++;
      this.title = opened.summary.title;
      this.messages = opened.messages;
      this.leaf = opened.activeLeaf;
      this.#watchUnheard();
      return opened.draft;
    } catch (thrown) {
      if (view === this.#view) this.failure = PaddockError.from(thrown);
      return null;
    } finally {
      if (view === this.#view) this.opening = false;
    }
  }

  /** An answer that is being written, but was not asked for from here, is looked at until it is whole. */
  #watchUnheard(): void {
    clearTimeout(this.#lookAgain);
    const { id } = this;
    const last = this.shown.at(-1);
    if (id === null || last?.status.kind !== "generating" || this.turnOf(last)) return;
    const view = this.#view;
    this.#lookAgain = setTimeout(() => {
      if (view !== this.#view) return;
      ipc.openConversation(id).then(
        (opened) => {
          if (view !== this.#view || this.running) return;
          this.messages = opened.messages;
          this.#watchUnheard();
        },
        () => undefined,
      );
    }, LOOK_AGAIN_MS);
  }

  /** Throws what refused the question; then nothing was kept and the composer gets everything back. */
  async send(text: string, images: ImageId[], begun?: Begun): Promise<void> {
    await this.#run(this.#sending(text, images), begun ? { begun } : {});
  }

  /** The chosen model first, then `other` on the same question, unless the first answer was stopped. */
  async askBoth(text: string, images: ImageId[], other: Pick<ModelEntry, "id" | "name">, begun?: Begun): Promise<void> {
    const compare: Begun = (question, conversation) => {
      this.compared.set(question, other.name);
      begun?.(question, conversation);
    };
    const first = await this.#run(this.#sending(text, images), { begun: compare });
    const question = first.user?.id;
    if (question !== undefined && isStopped(first.assistant)) {
      this.compared.delete(question);
      return;
    }
    const conversation = first.conversation?.id;
    if (conversation === undefined || this.#isDeleted(conversation)) return;
    // The conversation may have been left meanwhile; it still gets both answers.
    const ask: Ask = (generation, channel) => ipc.regenerate(first.assistant.id, generation, other.id, channel);
    await this.#try(ask, { conversation });
    // Nothing is awaited any more; the answers stay side by side.
    if (question !== undefined && this.compared.has(question)) this.compared.set(question, "");
  }

  #sending(text: string, images: ImageId[]): Ask {
    return (generation, channel) => {
      const request: SendRequest = { generation, conversation: this.id, parent: this.leaf, text, images, model: null };
      return ipc.send(request, channel);
    };
  }

  async edit(message: Message, text: string, images: ImageId[]): Promise<boolean> {
    return this.#try((generation, channel) => {
      const request: SendRequest = { generation, conversation: this.id, parent: message.parent, text, images, model: null };
      return ipc.editMessage(message.id, request, channel);
    });
  }

  /** Another answer to the same question, by the chosen model or by `model`. */
  async regenerate(message: Message, model: ModelId | null = null): Promise<boolean> {
    return this.#try((generation, channel) => ipc.regenerate(message.id, generation, model, channel));
  }

  /** Shows the answers to one question side by side, or one at a time again. */
  toggleCompared(question: MessageId): void {
    if (!this.compared.delete(question)) this.compared.set(question, "");
  }

  async stop(turn: LiveTurn | null = this.running): Promise<void> {
    if (!turn) return;
    turn.stopping = true;
    try {
      await ipc.cancel(turn.generation);
    } catch (thrown) {
      turn.stopping = false;
      this.failure = PaddockError.from(thrown);
    }
  }

  /** Shows the branch of a sibling. */
  async select(message: Message): Promise<void> {
    if (this.id === null) return;
    const leaf = newestLeaf(this.#index, message.id);
    this.leaf = leaf;
    try {
      await ipc.selectBranch(this.id, leaf);
    } catch (thrown) {
      this.failure = PaddockError.from(thrown);
    }
  }

  async #try(ask: Ask, options: RunOptions = {}): Promise<boolean> {
    const conversation = options.conversation ?? this.id;
    try {
      await this.#run(ask, options);
      return true;
    } catch (thrown) {
      // Whoever deleted or left it is not told that it is not there.
      if (!this.#isDeleted(conversation) && conversation === this.id) this.failure = PaddockError.from(thrown);
      return false;
    }
  }

  async #run(ask: Ask, { conversation = this.id, begun }: RunOptions = {}): Promise<TurnOutcome> {
    this.failure = null;
    const view = this.#view;
    const fresh = conversation === null;
    const turn = new LiveTurn(newId(), conversation);
    if (fresh) this.#begun = turn;
    this.turns.push(turn);
    const isOpen = (id: ConversationId) => this.id === id || (fresh && this.id === null && view === this.#view);
    const settle = (part: TurnOutcome, moveLeaf: boolean) => {
      // None: it was deleted while the answer was written.
      if (!part.conversation || this.#isDeleted(part.conversation.id)) return;
      this.#changed(part.conversation);
      if (!isOpen(part.conversation.id)) return;
      this.id = part.conversation.id;
      this.title = part.conversation.title;
      this.messages = merge(this.messages, [part.user, part.assistant]);
      if (moveLeaf) this.leaf = part.assistant.id;
    };
    let started = false;
    const progress = (event: GenerationEvent) => {
      if (event.kind !== "started") return;
      started = true;
      settle(event, true);
      if (event.user) begun?.(event.user.id, event.conversation.id);
    };
    try {
      const outcome = await follow(turn, ask, progress);
      settle(outcome, !started);
      if (!started && outcome.user && outcome.conversation) begun?.(outcome.user.id, outcome.conversation.id);
      if (turn.thoughtMs !== null) this.thought.set(outcome.assistant.id, turn.thoughtMs);
      return outcome;
    } finally {
      this.turns = this.turns.filter((other) => other.generation !== turn.generation);
      if (this.#begun?.generation === turn.generation) this.#begun = null;
    }
  }
}

/** It says of itself that it could not be saved yet. */
export function isUnkept(message: Message): boolean {
  return message.failure?.code === "answerNotKept";
}

function isStopped(message: Message): boolean {
  return message.status.kind === "finished" && message.status.reason === "cancelled";
}
