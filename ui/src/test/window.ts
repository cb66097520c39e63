// The whole window on the simulated backend, for component tests in a real browser.
import { flushSync, mount, unmount } from "svelte";

import App from "../App.svelte";
import { simulate } from "../dev/backend";
import "../styles/base.css";

export interface Page {
  find: <E extends HTMLElement = HTMLElement>(selector: string) => E;
  all: (selector: string) => HTMLElement[];
  id: (testid: string) => HTMLElement;
  close: () => Promise<void>;
}

const WAIT_MS = 10_000;

/** Waits until `probe` gives something true. */
export async function until<T>(probe: () => T | null | undefined | false, what: string): Promise<T> {
  const end = performance.now() + WAIT_MS;
  for (;;) {
    const found = probe();
    if (found) return found;
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise(requestAnimationFrame);
  }
}

let stop: (() => void) | undefined;

export async function open(): Promise<Page> {
  stop ??= simulate();
  const target = document.createElement("div");
  target.id = "app";
  document.body.append(target);
  const app = mount(App, { target });
  flushSync();
  const find = <E extends HTMLElement = HTMLElement>(selector: string): E => {
    const found = document.querySelector<E>(selector);
    if (!found) throw new Error(`nothing is ${selector}`);
    return found;
  };
  await until(() => document.querySelector("[data-testid='composer-input']"), "the window to start");
  return {
    find,
    all: (selector) => [...document.querySelectorAll<HTMLElement>(selector)],
    id: (testid) => find(`[data-testid='${testid}']`),
    close: async () => {
      await unmount(app);
      target.remove();
    },
  };
}

export function type(field: HTMLInputElement | HTMLTextAreaElement, text: string): void {
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  flushSync();
}

export function press(key: string, options: KeyboardEventInit = {}, target: Element | null = document.activeElement): boolean {
  const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...options });
  const unhandled = (target ?? document.body).dispatchEvent(event);
  flushSync();
  return !unhandled;
}
