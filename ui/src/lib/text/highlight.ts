// Colours for code; each language is loaded with the first block that is written in it. highlight.js escapes what it is given,
// and what it gives goes through DOMPurify: the only HTML of the window that is parsed.
import DOMPurify from "dompurify";
import type { LanguageFn } from "highlight.js";

type Definition = () => Promise<{ default: LanguageFn }>;

/** How a file of the language ends, and its grammar. */
const languages: Record<string, [ending: string, load: Definition]> = {
  bash: ["sh", () => import("highlight.js/lib/languages/bash")],
  c: ["c", () => import("highlight.js/lib/languages/c")],
  clojure: ["clj", () => import("highlight.js/lib/languages/clojure")],
  cmake: ["cmake", () => import("highlight.js/lib/languages/cmake")],
  cpp: ["cpp", () => import("highlight.js/lib/languages/cpp")],
  csharp: ["cs", () => import("highlight.js/lib/languages/csharp")],
  css: ["css", () => import("highlight.js/lib/languages/css")],
  dart: ["dart", () => import("highlight.js/lib/languages/dart")],
  diff: ["diff", () => import("highlight.js/lib/languages/diff")],
  dockerfile: ["dockerfile", () => import("highlight.js/lib/languages/dockerfile")],
  elixir: ["ex", () => import("highlight.js/lib/languages/elixir")],
  erlang: ["erl", () => import("highlight.js/lib/languages/erlang")],
  fsharp: ["fs", () => import("highlight.js/lib/languages/fsharp")],
  go: ["go", () => import("highlight.js/lib/languages/go")],
  graphql: ["graphql", () => import("highlight.js/lib/languages/graphql")],
  groovy: ["groovy", () => import("highlight.js/lib/languages/groovy")],
  haskell: ["hs", () => import("highlight.js/lib/languages/haskell")],
  http: ["http", () => import("highlight.js/lib/languages/http")],
  ini: ["ini", () => import("highlight.js/lib/languages/ini")],
  java: ["java", () => import("highlight.js/lib/languages/java")],
  javascript: ["js", () => import("highlight.js/lib/languages/javascript")],
  json: ["json", () => import("highlight.js/lib/languages/json")],
  julia: ["jl", () => import("highlight.js/lib/languages/julia")],
  kotlin: ["kt", () => import("highlight.js/lib/languages/kotlin")],
  latex: ["tex", () => import("highlight.js/lib/languages/latex")],
  less: ["less", () => import("highlight.js/lib/languages/less")],
  lua: ["lua", () => import("highlight.js/lib/languages/lua")],
  makefile: ["mk", () => import("highlight.js/lib/languages/makefile")],
  markdown: ["md", () => import("highlight.js/lib/languages/markdown")],
  matlab: ["m", () => import("highlight.js/lib/languages/matlab")],
  nginx: ["conf", () => import("highlight.js/lib/languages/nginx")],
  nix: ["nix", () => import("highlight.js/lib/languages/nix")],
  objectivec: ["m", () => import("highlight.js/lib/languages/objectivec")],
  ocaml: ["ml", () => import("highlight.js/lib/languages/ocaml")],
  perl: ["pl", () => import("highlight.js/lib/languages/perl")],
  php: ["php", () => import("highlight.js/lib/languages/php")],
  powershell: ["ps1", () => import("highlight.js/lib/languages/powershell")],
  protobuf: ["proto", () => import("highlight.js/lib/languages/protobuf")],
  python: ["py", () => import("highlight.js/lib/languages/python")],
  r: ["r", () => import("highlight.js/lib/languages/r")],
  ruby: ["rb", () => import("highlight.js/lib/languages/ruby")],
  rust: ["rs", () => import("highlight.js/lib/languages/rust")],
  scala: ["scala", () => import("highlight.js/lib/languages/scala")],
  scss: ["scss", () => import("highlight.js/lib/languages/scss")],
  sql: ["sql", () => import("highlight.js/lib/languages/sql")],
  swift: ["swift", () => import("highlight.js/lib/languages/swift")],
  typescript: ["ts", () => import("highlight.js/lib/languages/typescript")],
  vim: ["vim", () => import("highlight.js/lib/languages/vim")],
  xml: ["xml", () => import("highlight.js/lib/languages/xml")],
  yaml: ["yaml", () => import("highlight.js/lib/languages/yaml")],
};

const aliases: Record<string, string> = {
  sh: "bash", shell: "bash", zsh: "bash", console: "bash", h: "c", "c++": "cpp", hpp: "cpp", cc: "cpp", "c#": "csharp", cs: "csharp",
  js: "javascript", jsx: "javascript", mjs: "javascript", node: "javascript", ts: "typescript", tsx: "typescript", py: "python",
  python3: "python", rs: "rust", html: "xml", svg: "xml", xhtml: "xml", vue: "xml", svelte: "xml", yml: "yaml", golang: "go",
  toml: "ini", conf: "ini", properties: "ini", rb: "ruby", kt: "kotlin", ps1: "powershell", pwsh: "powershell", patch: "diff",
  docker: "dockerfile", make: "makefile", md: "markdown", tex: "latex", hs: "haskell", ex: "elixir", exs: "elixir", erl: "erlang",
  clj: "clojure", fs: "fsharp", "f#": "fsharp", jl: "julia", pl: "perl", proto: "protobuf", "objective-c": "objectivec", objc: "objectivec",
  ml: "ocaml", gql: "graphql", viml: "vim", jsonc: "json", json5: "json", jsonl: "json", postgresql: "sql", sqlite: "sql", mysql: "sql",
}; // prettier-ignore

function known(name: string): string | null {
  const lower = name.toLowerCase();
  const language = Object.hasOwn(aliases, lower) ? aliases[lower] : lower;
  return language !== undefined && Object.hasOwn(languages, language) ? language : null;
}

/** The ending of a file that the code is saved to. */
export function fileEnding(name: string): string {
  const language = known(name);
  return (language && languages[language]?.[0]) ?? "txt";
}

/** HTML of coloured spans for each line, or nothing for a language that is not known. */
export async function highlight(code: string, name: string): Promise<string[] | null> {
  const language = known(name);
  const definition = language === null ? undefined : languages[language];
  if (language === null || !definition) return null;
  const [{ default: core }, { default: grammar }] = await Promise.all([import("highlight.js/lib/core"), definition[1]()]);
  if (!core.getLanguage(language)) core.registerLanguage(language, grammar);
  return linesOf(core.highlight(code, { language, ignoreIllegals: true }).value);
}

/** A span that goes over several lines is closed at each line's end and opened again on the next. */
export function linesOf(html: string): string[] {
  const open: string[] = [];
  return html.split("\n").map((line) => {
    const before = open.join("");
    for (const [tag] of line.matchAll(/<span[^>]*>|<\/span>/g)) {
      if (tag === "</span>") open.pop();
      else open.push(tag);
    }
    return before + line + "</span>".repeat(open.length);
  });
}

/** Nothing but spans with classes. */
export function sanitiseCode(html: string): string {
  return DOMPurify.sanitize(html, { ALLOWED_TAGS: ["span"], ALLOWED_ATTR: ["class"], ALLOW_DATA_ATTR: false, ALLOW_ARIA_ATTR: false });
}
