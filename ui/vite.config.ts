import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

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
  // Without it the tests would get Svelte's server build.
  ...(mode === "test" ? { resolve: { conditions: ["browser"] } } : {}),
  test: {
    // jsdom parses HTML as browsers do: the sanitiser is only as good as the parser it is tested with.
    environment: "jsdom",
    include: ["src/**/*.test.ts"],
    restoreMocks: true,
  },
}));
