// Where the keyboard goes on when something that had the focus is gone.

/** Remembers who has the focus; the returned function gives it back if nobody took it meanwhile, or to where one types. */
export function returnFocus(): () => void {
  const before = document.activeElement;
  return () => {
    // The part that ends is taken out of the page in this moment: what follows decides first.
    queueMicrotask(() => {
      const nobody = document.activeElement === null || document.activeElement === document.body;
      if (!nobody) return;
      const still = before instanceof HTMLElement && before !== document.body && before.isConnected;
      const wanted = still ? before : document.querySelector<HTMLElement>("[data-focus-home]");
      wanted?.focus({ preventScroll: true });
    });
  };
}

/** For an attachment: has the focus as soon as it is there, whatever had it before. */
export function focusNow(element: HTMLElement): void {
  element.focus({ preventScroll: true });
  if (element instanceof HTMLInputElement) element.select();
}

/**
 * For an attachment on a row of buttons: one stop for Tab, the arrows go from one to the next. Buttons may come and go.
 */
export function roving(row: HTMLElement): () => void {
  const buttons = () => [...row.querySelectorAll<HTMLButtonElement>("button")];
  let current: HTMLButtonElement | null = null;
  const apply = () => {
    const all = buttons();
    const usable = all.filter((button) => !button.disabled);
    if (!current || !usable.includes(current)) current = usable[0] ?? null;
    for (const button of all) button.tabIndex = button === current ? 0 : -1;
  };
  const focused = (event: FocusEvent) => {
    current = event.target instanceof HTMLButtonElement ? event.target : current;
    apply();
  };
  const keys = (event: KeyboardEvent) => {
    const forward = getComputedStyle(row).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
    const backward = forward === "ArrowRight" ? "ArrowLeft" : "ArrowRight";
    const usable = buttons().filter((button) => !button.disabled);
    const at = usable.findIndex((button) => button === document.activeElement);
    if (at < 0) return;
    const to = { [forward]: at + 1, [backward]: at - 1, Home: 0, End: usable.length - 1 }[event.key];
    const next = to === undefined ? undefined : usable[(to + usable.length) % usable.length];
    if (!next) return;
    event.preventDefault();
    next.focus();
  };
  const watcher = new MutationObserver(apply);
  watcher.observe(row, { childList: true, subtree: true, attributes: true, attributeFilter: ["disabled"] });
  row.addEventListener("focusin", focused);
  row.addEventListener("keydown", keys);
  apply();
  return () => {
    watcher.disconnect();
    row.removeEventListener("focusin", focused);
    row.removeEventListener("keydown", keys);
  };
}
