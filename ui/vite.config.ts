import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [svelte()],
  // Tauri shows compiler errors in its own terminal.
  clearScreen: false,
  server: { port: 5173, strictPort: true },
  build: {
    // WebKitGTK 4.1 of Debian 12 and Ubuntu 22.04.
    target: "safari15",
    // The content policy of the window allows no data: addresses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  // Svelte's server build would be taken without it.
  resolve: process.env.VITEST ? { conditions: ["browser"] } : {},
  test: { environment: "happy-dom", include: ["src/**/*.test.ts"], restoreMocks: true },
});
