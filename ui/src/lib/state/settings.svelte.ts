// The settings as Rust keeps them, and the one place that changes them. Changes go to Rust one after the other, and are
// shown before it has answered.
import { ipc, PaddockError, type LoadChoice, type ModelId, type Settings, type SettingsChange } from "../ipc";

/** A change of what holds for all models. */
export type PlainChange = Exclude<SettingsChange, { setting: "loadChoice" }>;

/** Why the last change of each setting was refused. */
export type SettingErrors = Partial<Record<PlainChange["setting"] | keyof LoadChoice, PaddockError>>;

/** Made anew for the settings that they are shown on or sent for: an earlier change may be refused meanwhile. */
type Changes = (settings: Settings) => SettingsChange[];

/** How a model is loaded. One for which nothing was chosen has the device and threads of the chosen model, as in Rust. */
export function loadChoice(settings: Settings, id: ModelId): LoadChoice {
  const own = settings.perModel[id];
  if (own) return own;
  const chosen = settings.perModel[settings.chosen];
  return { device: chosen?.device ?? { kind: "auto" }, contextTokens: null, quant: "none", threads: chosen?.threads ?? null };
}

/** The settings after one change, the revision left as it was. */
export function withChange(settings: Settings, change: SettingsChange): Settings {
  if (change.setting === "loadChoice") return { ...settings, perModel: { ...settings.perModel, [change.model]: change.value } };
  return { ...settings, [change.setting]: change.value };
}

export class SettingsState {
  /** As Rust gave them last. */
  #whole = $state.raw<Settings | null>(null);
  /** What Rust has not answered yet, oldest first. */
  #unanswered = $state.raw<Changes[]>([]);
  #lastSent: Promise<unknown> = Promise.resolve();

  /** As they are shown; none until the window has started. */
  readonly value = $derived(this.#whole && this.#unanswered.reduce((settings, changes) => changes(settings).reduce(withChange, settings), this.#whole));

  /** The whole from Rust, unless a newer one is known. */
  take(whole: Settings): void {
    if (!this.#whole || whole.revision >= this.#whole.revision) this.#whole = whole;
  }

  /** Shown at once, put back if it is refused; returns why. */
  async save(...changes: PlainChange[]): Promise<PaddockError | null> {
    return this.#queue(() => changes);
  }

  /** As `save`, for a part of how one model is loaded. */
  async saveLoadChoice(model: ModelId, part: Partial<LoadChoice>): Promise<PaddockError | null> {
    return this.#queue((settings) => [{ setting: "loadChoice", model, value: { ...loadChoice(settings, model), ...part } }]);
  }

  /** Something else changed them. */
  async reload(): Promise<void> {
    this.take((await ipc.appSnapshot()).settings);
  }

  #queue(changes: Changes): Promise<PaddockError | null> {
    this.#unanswered = [...this.#unanswered, changes];
    const sent = this.#lastSent.then(() => this.#send(changes));
    this.#lastSent = sent;
    return sent;
  }

  async #send(changes: Changes): Promise<PaddockError | null> {
    try {
      const before = this.#whole;
      if (before) this.take(await ipc.changeSettings(before.revision, changes(before)));
      return null;
    } catch (thrown) {
      const error = PaddockError.from(thrown);
      if (error.code === "settingChanged") await this.reload().catch(() => undefined);
      return error;
    } finally {
      this.#unanswered = this.#unanswered.filter((other) => other !== changes);
    }
  }
}
