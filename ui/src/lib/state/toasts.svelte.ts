// Short words at the edge of the window. They end by themselves, but not while someone reads or reaches for them.
import { PaddockError } from "../ipc";

export interface ToastAction {
  label: string;
  run: () => void;
}

export interface Toast {
  key: number;
  text: string;
  action?: ToastAction;
}

const LASTS_MS = 8000;

export class ToastsState {
  list = $state.raw<Toast[]>([]);

  #nextKey = 0;
  #held = false;
  // eslint-disable-next-line svelte/prefer-svelte-reactivity -- timers are not shown
  readonly #timers = new Map<number, ReturnType<typeof setTimeout>>();

  say(text: string, action?: ToastAction): void {
    const key = this.#nextKey++;
    // The same words twice are one toast that lasts longer.
    for (const old of this.list) if (old.text === text) this.end(old.key);
    this.list = [...this.list, { key, text, ...(action ? { action } : {}) }];
    if (!this.#held) this.#begin(key);
  }

  end(key: number): void {
    clearTimeout(this.#timers.get(key));
    this.#timers.delete(key);
    this.list = this.list.filter((toast) => toast.key !== key);
  }

  /** Undoes what the newest toast offers to undo. */
  undoLast(): boolean {
    const toast = this.list.findLast((one) => one.action?.label === "Undo");
    if (!toast?.action) return false;
    toast.action.run();
    this.end(toast.key);
    return true;
  }

  /** While it is pointed at or has the focus, nothing goes away. */
  hold(held: boolean): void {
    if (held === this.#held) return;
    this.#held = held;
    for (const { key } of this.list) {
      clearTimeout(this.#timers.get(key));
      if (!held) this.#begin(key);
    }
  }

  /** Does it, or says why it could not be done. */
  async attempt(work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (thrown) {
      this.fail(PaddockError.from(thrown));
      return false;
    }
  }

  fail(error: PaddockError): void {
    this.say(`${error.message} ${error.nextStep}`.trim());
  }

  #begin(key: number): void {
    this.#timers.set(
      key,
      setTimeout(() => this.end(key), LASTS_MS),
    );
  }
}
