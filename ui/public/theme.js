// Before the first paint, and therefore not a module: the theme that was chosen last. `src/lib/state/theme.ts` keeps it.
{
  let theme = "system";
  try {
    theme = localStorage.getItem("paddock.theme") ?? "system";
  } catch {
    // Without storage the page begins as the system is.
  }
  const dark = theme === "dark" || (theme === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
}
