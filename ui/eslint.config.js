import js from "@eslint/js";
import svelte from "eslint-plugin-svelte";
import globals from "globals";
import ts from "typescript-eslint";

import svelteConfig from "./svelte.config.js";

const TAURI = { group: ["@tauri-apps/*"], message: "Rust is reached through lib/ipc only." };

export default ts.config(
  { ignores: ["dist/", "node_modules/", "src/lib/ipc/bindings.ts"] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...svelte.configs.recommended,
  { languageOptions: { globals: { ...globals.browser } } },
  {
    files: ["**/*.svelte", "**/*.svelte.ts"],
    languageOptions: { parserOptions: { extraFileExtensions: [".svelte"], parser: ts.parser, svelteConfig } },
  },
  {
    rules: {
      "@typescript-eslint/no-explicit-any": "error",
      eqeqeq: "error",
      "no-console": "error",
      // The only HTML that is parsed is that of coloured code, sanitised in lib/text/highlight.ts.
      "svelte/no-at-html-tags": "error",
    },
  },
  // One door to Rust: lib/ipc. The state goes through it; what is drawn asks the state.
  {
    files: ["src/**"],
    ignores: ["src/lib/ipc/**", "src/dev/**", "src/test/**", "src/**/*.test.ts", "src/**/*.fixture.ts"],
    rules: { "no-restricted-imports": ["error", { patterns: [TAURI] }] },
  },
  {
    files: ["src/App.svelte", "src/features/**", "src/lib/ui/**", "src/lib/text/**"],
    ignores: ["src/**/*.test.ts"],
    rules: {
      "no-restricted-imports": [
        "error",
        { patterns: [TAURI, { group: ["**/lib/ipc", "**/ipc", "**/ipc/bindings"], importNames: ["ipc", "commands", "events", "Channel"], message: "Components ask the state, which asks Rust." }] },
      ],
    },
  },
);
