// The state against commands and events played by Tauri's own mocks, driven by hand.
import { clearMocks, mockIPC } from "@tauri-apps/api/mocks";
import { flushSync } from "svelte";
import { expect, vi } from "vitest";

import type { AppSnapshot, Attachment, GenerationEvent, SettingsChange, TurnOutcome } from "../ipc";
import { AppState } from "./app.svelte";
import { withChange } from "./settings.svelte";

type Handler = (args: Record<string, unknown>) => unknown;
export const picture: Attachment = {
  id: "f".repeat(64),
  name: "a.png",
  format: "PNG",
  stored: { widthPx: 4, heightPx: 4 },
  upright: { widthPx: 4, heightPx: 4 },
  bytes: 10,
  notes: [],
  alt: null,
  pages: null,
};
export const snapshot = {
  version: "0.1.0",
  settings: { revision: 0, chosen: "demo", perModel: {}, temperature: 0, theme: "system", sendWithEnter: true },
  engine: { revision: 1, model: null, state: { kind: "empty" } },
  conversations: [],
  devices: { devices: [], selected: "cpu", reason: "" },
  defaultHubEndpoint: "https://huggingface.co",
  notice: null,
} as unknown as AppSnapshot;

/** What each command does, and how it was called. Both begin anew with `playBackend`. */
export const handlers: Record<string, Handler> = {};
export const calls: { command: string; args: Record<string, unknown> }[] = [];

export function playBackend(): void {
  vi.useFakeTimers();
  calls.length = 0;
  for (const name of Object.keys(handlers)) Reflect.deleteProperty(handlers, name);
  let settings = snapshot.settings;
  Object.assign(handlers, {
    change_settings: ({ changes }: { changes: SettingsChange[] }) => {
      settings = { ...changes.reduce(withChange, settings), revision: settings.revision + 1 };
      return settings;
    },
    device_report: () => snapshot.devices,
    list_models: () => [],
    app_snapshot: () => snapshot,
    load_draft: () => ({ text: "", images: [] }),
    save_draft: () => null,
    list_downloads: () => [],
    list_conversations: () => [],
    plan_prompt: () => ({ images: [], promptTokensEstimate: 1, contextTokens: 100, refusal: null }),
  });
  mockIPC(
    (command, args) => {
      calls.push({ command, args: args as Record<string, unknown> });
      const handler = handlers[command];
      if (!handler) throw new Error(`no handler for ${command}`);
      return handler(args as Record<string, unknown>);
    },
    { shouldMockEvents: true },
  );
}

export function endBackend(): void {
  clearMocks();
  vi.useRealTimers();
}

export async function started(): Promise<AppState> {
  const app = new AppState();
  await app.start();
  expect(app.failure).toBeNull();
  return app;
}

/** A command with a channel that can be driven by hand; `send` if no other is named. */
export function held(command = "send") {
  let emit!: (event: GenerationEvent) => void;
  let end!: (outcome: TurnOutcome) => void;
  let fail!: (error: unknown) => void;
  handlers[command] = ({ channel }) =>
    new Promise<TurnOutcome>((resolve, reject) => {
      emit = (event) => (channel as { onmessage: (event: GenerationEvent) => void }).onmessage(event);
      end = resolve;
      fail = reject;
    });
  return { emit: (event: GenerationEvent) => emit(event), end: (result: TurnOutcome) => end(result), fail: (error: unknown) => fail(error) };
}

export const settle = async (): Promise<void> => {
  await vi.advanceTimersByTimeAsync(1);
  flushSync();
};
