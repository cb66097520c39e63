import { existsSync } from "node:fs";

import { svelte } from "@sveltejs/vite-plugin-svelte";
import { playwright } from "@vitest/browser-playwright";
import { defineConfig } from "vitest/config";

const BROWSERS = [process.env["PADDOCK_CHROMIUM"], "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

function chromium(): string {
  const found = BROWSERS.find((path) => path && existsSync(path));
  // Leaving these tests out would look like passing them.
  if (!found) throw new Error("The component tests need Chromium: install the package chromium, or name its program in PADDOCK_CHROMIUM.");
  return found;
}

export default defineConfig(({ mode }) => ({
  plugins: [svelte()],
  // Tauri shows compiler errors in its own terminal.
  clearScreen: false,
  // The pages use the sample pictures, and the simulated backend the catalogue, of `src-tauri`.
  server: { port: 5173, strictPort: true, fs: { allow: [".."] } },
  build: {
    // WebKitGTK 4.1 of Debian 12 and Ubuntu 22.04.
    target: "safari15",
    // The content policy of the window allows no data: addresses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  test: {
    restoreMocks: true,
    projects: mode !== "test" ? [] : [
      {
        extends: true,
        // Without it the tests would get Svelte's server build.
        resolve: { conditions: ["browser"] },
        test: {
          name: "state",
          // jsdom parses HTML as browsers do: the sanitiser is only as good as the parser it is tested with.
          environment: "jsdom",
          include: ["src/**/*.test.ts"],
          exclude: ["src/**/*.browser.test.ts"],
        },
      },
      {
        extends: true,
        // Found before the first test: a page that is loaded again in the middle of one fails it.
        optimizeDeps: { include: ["katex", "highlight.js/lib/core", "dompurify", "marked", "remend", "axe-core"], exclude: ["virtua/svelte"] },
        test: {
          name: "browser",
          include: ["src/**/*.browser.test.ts"],
          testTimeout: 30_000,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            viewport: { width: 1120, height: 800 },
            provider: playwright({
              launchOptions: {
                executablePath: chromium(),
                args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
              },
            }),
            instances: [{ browser: "chromium" }],
          },
        },
      },
    ],
  },
}));
