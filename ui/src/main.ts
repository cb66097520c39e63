import { mount } from "svelte";

import App from "./App.svelte";
import "./styles/base.css";

function show(): void {
  const target = document.getElementById("app");
  if (target) mount(App, { target });
}

// In a browser there is no Rust: `npm run dev` plays it. The whole branch is gone from a build.
if (import.meta.env.DEV && !("__TAURI_INTERNALS__" in window)) {
  void import("./dev/backend").then(({ simulate }) => {
    simulate();
    show();
  });
} else {
  show();
}
