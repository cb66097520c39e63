// The settings as Rust keeps them. The one place that writes them.
import { ipc, PaddockError, type Settings } from "../ipc";

export class SettingsState {
  /** None until the window has started. */
  value = $state.raw<Settings | null>(null);

  /** Shown at once, put back if it is refused; returns why. */
  async save(change: Partial<Settings>): Promise<PaddockError | null> {
    const before = this.value;
    if (!before) return null;
    this.value = { ...before, ...change };
    try {
      this.value = await ipc.updateSettings(this.value);
      return null;
    } catch (thrown) {
      this.value = before;
      return PaddockError.from(thrown);
    }
  }

  /** Another command changed them. */
  async reload(): Promise<void> {
    this.value = (await ipc.appSnapshot()).settings;
  }
}
