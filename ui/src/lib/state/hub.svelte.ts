// Looking for models on the Hub. Nothing is asked before the person presses a button.
import { SvelteMap } from "svelte/reactivity";

import { ipc, PaddockError, type HubHit, type HubTokenState, type Preflight } from "../ipc";

/** What a download of one repository would bring, as far as it is known. */
export interface RepositoryLook {
  looking: boolean;
  preflight: Preflight | null;
  failure: PaddockError | null;
}

export class HubState {
  hits = $state.raw<HubHit[] | null>(null);
  /** What the hits answer. */
  searched = $state("");
  searching = $state(false);
  failure = $state.raw<PaddockError | null>(null);
  /** Of the server in use: where its access token comes from, or why that cannot be said. */
  token = $state.raw<HubTokenState>({ place: null, removable: false, problem: null });

  /** By what was asked for: what was found for one repository is never shown for another. */
  readonly #looks = new SvelteMap<string, RepositoryLook>();
  #searchRound = 0;

  async search(query: string): Promise<void> {
    const round = ++this.#searchRound;
    this.searching = true;
    this.failure = null;
    try {
      const hits = await ipc.hubSearch(query);
      if (round !== this.#searchRound) return;
      this.hits = hits;
      this.searched = query;
    } catch (thrown) {
      if (round === this.#searchRound) this.failure = PaddockError.from(thrown);
    } finally {
      if (round === this.#searchRound) this.searching = false;
    }
  }

  endSearch(): void {
    this.#searchRound++;
    this.hits = null;
    this.failure = null;
    this.searching = false;
  }

  lookOf(repository: string): RepositoryLook | null {
    return this.#looks.get(repository) ?? null;
  }

  /** Asks what a download of this repository (a name, or an address as it was pasted) would bring. */
  async look(repository: string): Promise<void> {
    const asked: RepositoryLook = { looking: true, preflight: null, failure: null };
    this.#looks.set(repository, asked);
    const done: RepositoryLook = { ...asked, looking: false };
    try {
      done.preflight = await ipc.hubPreflight(repository);
    } catch (thrown) {
      done.failure = PaddockError.from(thrown);
    }
    if (this.#looks.get(repository) === asked) this.#looks.set(repository, done);
  }

  /** What was found may be out of date when it is looked at again. */
  endLooks(): void {
    this.#looks.clear();
  }

  async refreshToken(): Promise<void> {
    this.token = await ipc.hubTokenPlace();
  }

  async keepToken(token: string): Promise<void> {
    await ipc.keepHubToken(token);
    await this.refreshToken();
  }

  async forgetToken(): Promise<void> {
    await ipc.forgetHubToken();
    await this.refreshToken();
  }
}
