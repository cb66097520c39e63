import { clearMocks, mockIPC } from "@tauri-apps/api/mocks";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { ShellState } from "./shell.svelte";
import { ToastsState } from "./toasts.svelte";

let shell: ShellState;
beforeEach(() => {
  localStorage.clear();
  shell = new ShellState(new ToastsState());
});
afterEach(clearMocks);

describe("dialogs", () => {
  it("are one at a time, and closing one does not close what it led to", () => {
    shell.dialog = { kind: "gallery" };
    shell.look({ images: [], place: 0 });
    shell.close("gallery");
    expect(shell.dialog?.kind).toBe("look");
    shell.close("look");
    expect(shell.dialog).toBeNull();
  });

  it("ask only about web addresses, and open them once", async () => {
    for (const url of ["javascript:alert(1)", "file:///etc/passwd", "attachment://localhost/a"]) shell.askToOpen(url);
    expect(shell.dialog).toBeNull();
    const opened: unknown[] = [];
    mockIPC((command, args) => void opened.push([command, (args as { url?: string }).url]));
    shell.askToOpen("https://example.com/");
    expect(shell.dialog).toEqual({ kind: "link", url: "https://example.com/" });
    await shell.openLink("https://example.com/");
    expect(shell.dialog).toBeNull();
    expect(opened).toEqual([["open_link", "https://example.com/"]]);
  });
});

describe("the size of the text", () => {
  it("goes in steps, has ends, and is kept", () => {
    shell.zoomBy(1);
    expect([shell.zoom, new ShellState(new ToastsState()).zoom]).toEqual([1.1, 1.1]);
    for (let step = 0; step < 20; step++) shell.zoomBy(1);
    expect(shell.zoom).toBe(2);
    for (let step = 0; step < 20; step++) shell.zoomBy(-1);
    expect(shell.zoom).toBe(0.8);
    shell.zoomBy(0);
    expect(shell.zoom).toBe(1);
  });

  it("is as meant where what was kept means nothing", () => {
    localStorage.setItem("paddock.zoom", "huge");
    expect(new ShellState(new ToastsState()).zoom).toBe(1);
  });
});

describe("the list over a narrow page", () => {
  it("goes when something was chosen from it, and stays beside a wide one", () => {
    shell.toChat();
    expect(shell.sidebar).toBe(true);
    shell.narrow = true;
    shell.toChat();
    expect(shell.sidebar).toBe(false);
  });
});
