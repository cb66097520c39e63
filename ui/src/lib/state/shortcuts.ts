// Keys of the whole window. A dialog that is open takes every key; what is typed nowhere goes to the composer.
import type { AppState } from "./app.svelte";

/** As the page of shortcuts lists them. */
export const SHORTCUTS: { group: string; keys: [name: string, keys: string][] }[] = [
  {
    group: "Everywhere",
    keys: [
      ["New conversation", "Ctrl N"],
      ["Search conversations", "Ctrl K"],
      ["Choose the model", "Ctrl L"],
      ["Show or hide the list", "Ctrl B"],
      ["Settings", "Ctrl ,"],
      ["Next part of the window", "F6"],
      ["Larger, smaller, as meant", "Ctrl + − 0"],
      ["Undo a deletion", "Ctrl Z"],
      ["These shortcuts", "?"],
      ["Stop the answer, go back, close", "Esc"],
    ],
  },
  {
    group: "Writing",
    keys: [
      ["Send", "Enter"],
      ["New line", "Shift Enter"],
      ["Change the last question", "↑"],
      ["Add a picture from the clipboard", "Ctrl V"],
    ],
  },
  {
    group: "List of conversations",
    keys: [
      ["Next, previous", "↓ ↑"],
      ["Rename", "F2"],
      ["Delete", "Del"],
    ],
  },
  {
    group: "Looking at a picture",
    keys: [
      ["Next, previous", "→ ←"],
      ["Larger, smaller, whole", "+ − 0"],
      ["What the model sees", "S"],
      ["Choose a part", "P"],
      ["Compare with the next", "C"],
      ["Undo", "Ctrl Z"],
    ],
  },
];

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || target.matches("input, textarea, select"));
}

function isButton(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest("button, a, summary, [role='menu'], [role='listbox'], [tabindex]") !== null;
}

/** From one part of the window to the next, as F6 does everywhere. */
function nextRegion(back: boolean): void {
  const FOCUSABLE = "button:not(:disabled), a[href], textarea, input, [tabindex='0']";
  const regions = [...document.querySelectorAll<HTMLElement>("[data-region]")].filter((region) => region.getClientRects().length > 0 && region.querySelector(FOCUSABLE));
  const at = regions.findIndex((region) => region.contains(document.activeElement));
  const next = regions[(at + (back ? regions.length - 1 : 1) + regions.length) % regions.length];
  const stops = [...(next?.querySelectorAll<HTMLElement>(FOCUSABLE) ?? [])].filter((stop) => stop.tabIndex >= 0 && stop.getClientRects().length > 0);
  (stops.find((stop) => stop.matches("[data-testid='composer-input']")) ?? stops[0])?.focus();
}

function escape(app: AppState): boolean {
  const { shell } = app;
  if (shell.narrow && shell.sidebar) shell.sidebar = false;
  else if (shell.page === "models" && app.fit.target) app.fit.close();
  else if (shell.page !== "chat") shell.toChat();
  else if (app.chat.running) void app.chat.stop();
  else return false;
  return true;
}

function search(app: AppState): void {
  app.shell.sidebar = true;
  requestAnimationFrame(() => document.querySelector<HTMLInputElement>("#search")?.focus());
}

export function shortcut(event: KeyboardEvent, app: AppState): void {
  const { shell } = app;
  if (event.defaultPrevented || event.isComposing || !app.started || shell.dialog) return;
  const typing = isTyping(event.target);
  const done = (act: () => unknown) => {
    if (act() !== false) event.preventDefault();
  };
  if (event.key === "Escape") return done(() => escape(app));
  if (event.key === "F6") return done(() => nextRegion(event.shiftKey));
  if (event.altKey) return;
  const key = event.key.toLowerCase();
  if (!event.ctrlKey && !event.metaKey) {
    if (typing || event.key.length !== 1 || shell.page !== "chat") {
      if (event.key === "?" && !typing) done(() => (shell.dialog = { kind: "shortcuts" }));
      return;
    }
    if (event.key === "?") return done(() => (shell.dialog = { kind: "shortcuts" }));
    // Typing lands in the composer; a space presses the button that has the focus.
    if (event.key !== " " || !isButton(event.target)) shell.focusComposer();
    return;
  }
  if (key === "v" && !typing && shell.page === "chat") return shell.focusComposer();
  if (key === "z" && !typing && !event.shiftKey) return done(() => app.toasts.undoLast());
  if (key === "+" || key === "=") return done(() => shell.zoomBy(1));
  if (key === "-") return done(() => shell.zoomBy(-1));
  if (key === "0") return done(() => shell.zoomBy(0));
  if (event.shiftKey && key !== "o") return;
  const acts: Record<string, () => void> = {
    n: () => void app.newChat(),
    ...(event.shiftKey ? { o: () => void app.newChat() } : {}),
    k: () => search(app),
    l: () => (shell.dialog = { kind: "models" }),
    b: () => (shell.sidebar = !shell.sidebar),
    ",": () => (shell.page === "settings" ? shell.toChat() : (shell.page = "settings")),
  };
  const act = acts[key];
  if (act) done(act);
}
