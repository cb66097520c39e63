// The models that can be asked, the catalogue with its verdicts, and this computer's memory, watched while it is shown.
import { SvelteMap } from "svelte/reactivity";

import { ipc, type CatalogueLine, type DeviceReport, type Fit, type FitRecord, type ModelEntry, type ModelId, type SightTested } from "../ipc";

const WATCH_EVERY_MS = 2000;
/** A change of the free memory by this share of all can change a verdict. */
const NOTABLE_SHARE = 0.02;

export class ModelsState {
  list = $state.raw<ModelEntry[]>([]);
  catalogue = $state.raw<CatalogueLine[]>([]);
  devices = $state.raw<DeviceReport | null>(null);
  /** Predicted and measured, newest first. */
  history = $state.raw<FitRecord[]>([]);
  /** What each model that lies here needs, as far as it was asked. */
  readonly needs = new SvelteMap<ModelId, Fit>();

  /** The device that a model would run on. */
  readonly device = $derived(this.devices?.devices.find((device) => device.id === this.devices?.selected) ?? null);

  #catalogueRound = 0;
  #needsRound = 0;

  find(id: ModelId | null | undefined): ModelEntry | null {
    return this.list.find((model) => model.id === id) ?? null;
  }

  /** Those that can be asked, without `except`. */
  ready(except: ModelId | null | undefined): ModelEntry[] {
    return this.list.filter((model) => model.ready && model.id !== except);
  }

  sight({ model, sight }: SightTested): void {
    this.list = this.list.map((entry) => (entry.id === model ? { ...entry, sight } : entry));
  }

  async refresh(): Promise<void> {
    [this.list, this.devices] = await Promise.all([ipc.listModels(), ipc.deviceReport()]);
  }

  async refreshDevices(): Promise<void> {
    this.devices = await ipc.deviceReport();
  }

  async refreshCatalogue(): Promise<void> {
    const round = ++this.#catalogueRound;
    const catalogue = await ipc.modelCatalogue();
    if (round === this.#catalogueRound) this.catalogue = catalogue;
  }

  async refreshHistory(): Promise<void> {
    this.history = await ipc.fitHistory();
  }

  /** Asks one after the other what the models need as they would be loaded; one that cannot be said has no bar. */
  async askNeeds(ids: readonly ModelId[]): Promise<void> {
    const round = ++this.#needsRound;
    for (const id of ids) {
      const fit = await ipc.fit({ target: { kind: "model", id }, context: null, quant: null, images: null, hardware: null }).catch(() => null);
      if (round !== this.#needsRound) return;
      if (fit) this.needs.set(id, fit);
    }
  }

  /**
   * Asks for the devices every two seconds while the page can be seen, and says (`changed`) when so much memory came or
   * went that verdicts may be others. Returns what ends it.
   */
  watch(changed?: () => void): () => void {
    let asking = false;
    let noted = this.device?.freeBytes ?? 0;
    const look = async () => {
      if (asking || document.visibilityState !== "visible") return;
      asking = true;
      try {
        this.devices = await ipc.deviceReport();
        const device = this.device;
        if (device && Math.abs(device.freeBytes - noted) > device.totalBytes * NOTABLE_SHARE) {
          noted = device.freeBytes;
          changed?.();
        }
      } catch {
        // The last report stays; the next look may succeed.
      } finally {
        asking = false;
      }
    };
    const timer = setInterval(() => void look(), WATCH_EVERY_MS);
    return () => clearInterval(timer);
  }
}
