// The list of conversations: searched, renamed, deleted with a way back.
import { SvelteSet } from "svelte/reactivity";

import { ipc, type ConversationId, type ConversationSummary } from "../ipc";
import type { ToastsState } from "./toasts.svelte";

export class ConversationsState {
  /** Newest first; while something is searched for, what was found. */
  list = $state.raw<ConversationSummary[]>([]);
  query = $state("");

  /** Deleted: what is still told of them is not listened to. */
  readonly #deleted = new SvelteSet<ConversationId>();
  readonly #toasts: ToastsState;
  #round = 0;

  constructor(toasts: ToastsState) {
    this.#toasts = toasts;
  }

  isDeleted(id: ConversationId | null): boolean {
    return id !== null && this.#deleted.has(id);
  }

  /** One that is new or has changed. */
  take(summary: ConversationSummary): void {
    if (this.#deleted.has(summary.id)) return;
    const isListed = this.list.some((other) => other.id === summary.id);
    // What was begun after a search is not among what it found.
    if (!isListed && this.query.trim()) return;
    this.list = [summary, ...this.list.filter((other) => other.id !== summary.id)].sort((a, b) => b.updatedAtMs - a.updatedAtMs);
  }

  async rename(id: ConversationId, title: string): Promise<boolean> {
    return this.#toasts.attempt(async () => this.take(await ipc.renameConversation(id, title)));
  }

  async remove(summary: ConversationSummary): Promise<void> {
    this.#deleted.add(summary.id);
    const done = await this.#toasts.attempt(() => ipc.deleteConversation(summary.id));
    if (!done) {
      this.#deleted.delete(summary.id);
      return;
    }
    this.list = this.list.filter((other) => other.id !== summary.id);
    this.#toasts.say(`Deleted “${summary.title}”.`, { label: "Undo", run: () => void this.#restore(summary.id) });
  }

  async #restore(id: ConversationId): Promise<void> {
    await this.#toasts.attempt(async () => {
      const summary = await ipc.restoreConversation(id);
      this.#deleted.delete(id);
      this.take(summary);
    });
  }

  async search(query: string): Promise<void> {
    this.query = query;
    const round = ++this.#round;
    await this.#toasts.attempt(async () => {
      const found = await ipc.listConversations(query.trim() || null);
      if (round === this.#round) this.list = found.filter((one) => !this.#deleted.has(one.id));
    });
  }

  async endSearch(): Promise<void> {
    if (this.query !== "") await this.search("");
  }
}
