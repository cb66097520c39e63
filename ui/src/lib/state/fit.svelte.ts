// What one model needs, asked again with every change. The last answer wins: an older one that comes late is not shown.
import { ipc, PaddockError, type Fit, type FitQuestion, type FitTarget } from "../ipc";

/** What the person set; none of a thing: as Rust thinks best. */
export type FitChoice = Omit<FitQuestion, "target">;

const UNSET: FitChoice = { context: null, quant: null, images: null, hardware: null };
/** A slider that is being moved asks no more often than this. */
const ASK_AFTER_MS = 60;

export class FitState {
  target = $state.raw<FitTarget | null>(null);
  choice = $state.raw<FitChoice>(UNSET);
  /** It stays on the screen while the next one is asked for. */
  answer = $state.raw<Fit | null>(null);
  failure = $state.raw<PaddockError | null>(null);
  asking = $state(false);
  /** Quantisations that were asked for and that this model does not have. */
  missingQuants = $state.raw<string[]>([]);

  #round = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Another model, with what was chosen for it. */
  open(target: FitTarget, choice: Partial<FitChoice> = {}): void {
    this.target = target;
    this.choice = { ...UNSET, ...choice };
    this.answer = null;
    this.missingQuants = [];
    this.#ask(0);
  }

  change(change: Partial<FitChoice>): void {
    this.choice = { ...this.choice, ...change };
    this.#ask(ASK_AFTER_MS);
  }

  /** The same question again: the memory has changed, or the answer failed. */
  again(): void {
    this.#ask(0);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#round++;
    this.target = null;
    this.asking = false;
  }

  #ask(afterMs: number): void {
    clearTimeout(this.#timer);
    const { target, choice } = this;
    if (!target) return;
    const round = ++this.#round;
    this.asking = true;
    this.failure = null;
    this.#timer = setTimeout(() => {
      ipc.fit({ target, ...choice }).then(
        (answer) => {
          if (round !== this.#round) return;
          this.asking = false;
          this.answer = answer;
          if (choice.quant !== null && answer.quant !== choice.quant) {
            this.missingQuants = [...this.missingQuants, choice.quant];
            this.choice = { ...this.choice, quant: answer.quant };
          }
        },
        (thrown: unknown) => {
          if (round !== this.#round) return;
          this.asking = false;
          this.failure = PaddockError.from(thrown);
        },
      );
    }, afterMs);
  }
}
