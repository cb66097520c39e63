// Light, dark, or as the system is, also when the system changes. What was chosen is kept in the browser too: `public/theme.js`
// puts it on the page before the first paint, when the settings are not there yet.
import type { Theme } from "../ipc";

const KEY = "paddock.theme";

/** Puts the theme on the page; none: it is not known yet, and what was put there stays. Returns what ends following the system. */
export function followTheme(theme: Theme | null): () => void {
  if (theme === null) return () => undefined;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Without storage the page begins as the system is.
  }
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const dark = theme === "dark" || (theme === "system" && system.matches);
    document.documentElement.dataset.theme = dark ? "dark" : "light";
  };
  apply();
  system.addEventListener("change", apply);
  return () => system.removeEventListener("change", apply);
}
