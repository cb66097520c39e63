// What the window shows: one page, at most one dialog over it, the list at its side. A dialog that is open takes every key.
import { ipc } from "../ipc";
import type { ToastsState } from "./toasts.svelte";

export type Page = "chat" | "settings" | "models";

export interface LookedAt {
  images: { id: string; name: string; alt: string | null }[];
  place: number;
  /** They stand in the composer and can still be changed. */
  inComposer?: boolean;
}

export type Dialog =
  | { kind: "models" }
  | { kind: "gallery" }
  | { kind: "shortcuts" }
  | { kind: "look"; look: LookedAt }
  /** The address of a link in an answer, shown before it is opened. */
  | { kind: "link"; url: string };

const NARROW_PX = 640;
const ZOOM_KEY = "paddock.zoom";
const ZOOMS = [0.8, 0.9, 1, 1.1, 1.25, 1.5, 1.75, 2];

export class ShellState {
  page = $state<Page>("chat");
  sidebar = $state(true);
  dialog = $state.raw<Dialog | null>(null);
  /** Files that are dragged over the window. */
  drag = $state.raw<{ images: number; others: number } | null>(null);
  zoom = $state(readZoom());
  /** Grows with each wish that what is typed next goes to the composer. */
  composerWanted = $state(0);

  /** The list does not fit beside the page, and lies over it. */
  narrow = $state(false);

  readonly #toasts: ToastsState;

  constructor(toasts: ToastsState) {
    this.#toasts = toasts;
  }

  /** Watches whether there is room for the list; returns what ends it. */
  watchWidth(): () => void {
    const query = window.matchMedia(`(max-width: ${NARROW_PX}px)`);
    const apply = () => {
      this.narrow = query.matches;
      if (query.matches) this.sidebar = false;
    };
    apply();
    query.addEventListener("change", apply);
    return () => query.removeEventListener("change", apply);
  }

  /** Something was chosen from the list that lies over the page. */
  leaveList(): void {
    if (this.narrow) this.sidebar = false;
  }

  focusComposer(): void {
    this.composerWanted++;
  }

  toChat(): void {
    this.page = "chat";
    this.leaveList();
    this.focusComposer();
  }

  look(look: LookedAt): void {
    this.dialog = { kind: "look", look };
  }

  /** Closes it if it is the one that is open: what it led to may have opened another. */
  close(kind: Dialog["kind"]): void {
    if (this.dialog?.kind === kind) this.dialog = null;
  }

  askToOpen(url: string): void {
    if (/^https?:\/\//i.test(url)) this.dialog = { kind: "link", url };
  }

  async openLink(url: string): Promise<void> {
    this.close("link");
    await this.#toasts.attempt(() => ipc.openLink(url));
  }

  /** A step larger or smaller, or back to the size that was meant. */
  zoomBy(step: 1 | -1 | 0): void {
    const at = ZOOMS.indexOf(this.zoom);
    this.zoom = step === 0 ? 1 : (ZOOMS[Math.min(ZOOMS.length - 1, Math.max(0, (at < 0 ? ZOOMS.indexOf(1) : at) + step))] ?? 1);
    try {
      localStorage.setItem(ZOOM_KEY, String(this.zoom));
    } catch {
      // Without storage it lasts as long as the window.
    }
  }
}

function readZoom(): number {
  try {
    const kept = Number(localStorage.getItem(ZOOM_KEY));
    return ZOOMS.includes(kept) ? kept : 1;
  } catch {
    return 1;
  }
}
