// Looking for models on the Hub. Nothing is asked before the person presses a button.
import { ipc, PaddockError, type HubHit, type HubTokenState, type Preflight } from "../ipc";

export class HubState {
  hits = $state.raw<HubHit[] | null>(null);
  /** What the hits answer. */
  searched = $state("");
  searching = $state(false);
  failure = $state.raw<PaddockError | null>(null);

  preflight = $state.raw<Preflight | null>(null);
  /** The repository or address being looked at. */
  looking = $state("");
  lookFailure = $state.raw<PaddockError | null>(null);
  /** Of the server in use: where its access token comes from, or why that cannot be said. */
  token = $state.raw<HubTokenState>({ place: null, removable: false, problem: null });

  #searchRound = 0;
  #lookRound = 0;

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

  /** Asks what a download of this repository would bring. */
  async look(text: string): Promise<void> {
    const round = ++this.#lookRound;
    this.looking = text;
    this.preflight = null;
    this.lookFailure = null;
    try {
      const preflight = await ipc.hubPreflight(text);
      if (round === this.#lookRound) this.preflight = preflight;
    } catch (thrown) {
      if (round === this.#lookRound) this.lookFailure = PaddockError.from(thrown);
    } finally {
      if (round === this.#lookRound) this.looking = "";
    }
  }

  endLook(): void {
    this.#lookRound++;
    this.preflight = null;
    this.lookFailure = null;
    this.looking = "";
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
