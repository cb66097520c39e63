// Light, dark, or as the system is, also when the system changes.
import type { Theme } from "../ipc";

/** Puts the theme on the page; returns what ends following the system. */
export function followTheme(theme: Theme): () => void {
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const dark = theme === "dark" || (theme === "system" && system.matches);
    document.documentElement.dataset.theme = dark ? "dark" : "light";
  };
  apply();
  system.addEventListener("change", apply);
  return () => system.removeEventListener("change", apply);
}
