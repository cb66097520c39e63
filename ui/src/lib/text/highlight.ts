// Colours for code, loaded when the first code block appears. highlight.js escapes what it is given.
const languages = {
  bash: () => import("highlight.js/lib/languages/bash"),
  c: () => import("highlight.js/lib/languages/c"),
  cpp: () => import("highlight.js/lib/languages/cpp"),
  css: () => import("highlight.js/lib/languages/css"),
  go: () => import("highlight.js/lib/languages/go"),
  java: () => import("highlight.js/lib/languages/java"),
  javascript: () => import("highlight.js/lib/languages/javascript"),
  json: () => import("highlight.js/lib/languages/json"),
  python: () => import("highlight.js/lib/languages/python"),
  rust: () => import("highlight.js/lib/languages/rust"),
  sql: () => import("highlight.js/lib/languages/sql"),
  typescript: () => import("highlight.js/lib/languages/typescript"),
  xml: () => import("highlight.js/lib/languages/xml"),
  yaml: () => import("highlight.js/lib/languages/yaml"),
};
type Language = keyof typeof languages;

const aliases: Record<string, Language> = {
  sh: "bash", shell: "bash", zsh: "bash", "c++": "cpp", js: "javascript", jsx: "javascript", ts: "typescript", tsx: "typescript",
  py: "python", rs: "rust", html: "xml", svg: "xml", yml: "yaml", golang: "go",
}; // prettier-ignore

/** HTML of coloured spans, or nothing for a language that is not known. */
export async function highlight(code: string, name: string): Promise<string | null> {
  const lower = name.toLowerCase();
  const language = Object.hasOwn(languages, lower) ? (lower as Language) : aliases[lower];
  if (!language) return null;
  const [{ default: core }, { default: definition }] = await Promise.all([import("highlight.js/lib/core"), languages[language]()]);
  if (!core.getLanguage(language)) core.registerLanguage(language, definition);
  return core.highlight(code, { language, ignoreIllegals: true }).value;
}
