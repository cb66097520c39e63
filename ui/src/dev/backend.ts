// A simulated backend, so that the pages can be worked on in a browser (`npm run dev`): every command and event of the
// contract over data in memory. It never is part of a build.
import { emit } from "@tauri-apps/api/event";
import { clearMocks, mockIPC } from "@tauri-apps/api/mocks";

import type { FitQuestion, GenerationEvent, ImageId, ModelEntry, ModelId, SendRequest, Settings, SettingsChange } from "../lib/ipc";
import { withChange } from "../lib/state/settings.svelte";
import * as computer from "./computer";
import * as hub from "./hub";
import { address, picture } from "./pictures";
import { catalogueLines, place, plan, type Place } from "./planner";
import * as talk from "./talk";

/** What the commands are called with, by the names of their parameters. */
interface Input {
  id: string;
  query: string | null;
  title: string;
  leaf: string;
  conversation: string | null;
  text: string;
  images: ImageId[];
  name: string;
  request: SendRequest;
  message: string;
  generation: string;
  model: ModelId | null;
  channel: { onmessage: (event: GenerationEvent) => void };
  question: FitQuestion;
  repository: string;
  token: string;
  changes: SettingsChange[];
}

function fail(message: string, nextStep: string): never {
  // A plain object, as Rust's errors cross the border.
  throw { code: "simulated", message, nextStep };
}

function model(id: ModelId | null): ModelEntry {
  const wanted = id ?? computer.settings.chosen;
  return computer.models.find((one) => one.id === wanted) ?? fail("This model is gone.", "Choose another one.");
}

/** The model of the list that a repository was downloaded to. */
function onDisk(repository: string): ModelId | null {
  const name = repository.split("/")[1] ?? repository;
  return computer.models.find((one) => one.name === name)?.id ?? null;
}

function downloaded(repository: string): ModelId {
  const name = repository.split("/")[1] ?? repository;
  const id = onDisk(repository) ?? `local:/models/${name}`;
  const bytes = hub.list().find((one) => one.repository === repository)?.bytesTotal ?? 0;
  const like = computer.models[1] ?? model("demo");
  if (!onDisk(repository)) computer.models.push({ ...like, id, name, description: "", bytes, parameters: bytes / 2, sight: null, maxContextTokens: 32_768 });
  computer.CATALOGUE_IDS[id] = repository;
  return id;
}

function here(): Place {
  const device = computer.devices().devices[0];
  return { name: device?.name ?? "", bytes: device?.freeBytes ?? 0, isGpu: false };
}

function change(changes: SettingsChange[]): Settings {
  Object.assign(computer.settings, changes.reduce(withChange, computer.settings));
  computer.settings.revision++;
  return { ...computer.settings };
}

async function load(id: ModelId | null): Promise<void> {
  await computer.load(model(id), (snapshot) => void emit("engine", snapshot));
}

async function answer(asked: ReturnType<typeof talk.ask>, { generation, channel }: Pick<Input, "generation" | "channel">, id: ModelId | null, isNew: boolean) {
  if (computer.engine.model?.id !== model(id).id || computer.engine.state.kind !== "ready") await load(id);
  // What a full disk kept from being saved is saved with the next question.
  void emit("answers-unkept", []);
  const outcome = await talk.answer(asked, model(id), generation, isNew, (event) => channel.onmessage(event));
  if (outcome.assistant.failure?.code === "answerNotKept") void emit("answers-unkept", [outcome.assistant.id]);
  return outcome;
}

/** By the names that Rust knows them by. */
export const commands: Record<string, (input: Input) => unknown> = {
  app_snapshot: () => ({
    version: "0.1.0, simulated",
    settings: { ...computer.settings },
    engine: { ...computer.engine },
    conversations: talk.listed(null),
    devices: computer.devices(),
    defaultHubEndpoint: "https://huggingface.co",
    notice: null,
  }),
  open_link: ({ id }) => id,
  diagnostics: () => "Paddock, simulated: nothing to diagnose.",
  copy_text: ({ text }) => navigator.clipboard?.writeText(text),
  list_conversations: ({ query }) => talk.listed(query),
  open_conversation: ({ id }) => talk.opened(id),
  rename_conversation: ({ id, title }) => talk.rename(id, title),
  delete_conversation: ({ id }) => talk.remove(id),
  restore_conversation: ({ id }) => talk.restore(id),
  select_branch: ({ conversation, leaf }) => talk.choose(conversation ?? "", leaf),
  save_draft: ({ conversation, text, images }) => void talk.draft(conversation, { text, images: images.map((id) => picture(id.replace(/0+$/, ""))) }),
  load_draft: ({ conversation }) => talk.draft(conversation),
  attach_from_dialog: () => [{ kind: "attached", attachment: picture("shapes") }],
  attach_from_clipboard: () => ({ kind: "noImage" }),
  attach_sample: ({ name }) => ({ kind: "attached", attachment: picture(name) }),
  edit_picture: ({ id }) => ({ kind: "attached", attachment: picture(id.replace(/0+$/, "")) }),
  attach_page: ({ id }) => ({ kind: "attached", attachment: picture(id.replace(/0+$/, "")) }),
  describe_picture: () => null,
  plan_prompt: ({ text, images }) => ({
    images: images.map((id) => ({
      id,
      grid: { rows: 1, columns: 1 },
      globalTile: false,
      seen: { widthPx: 336, heightPx: 336 },
      canvas: { widthPx: 336, heightPx: 336 },
      tokens: 81,
    })),
    promptTokensEstimate: 24 + Math.ceil(text.length / 4) + images.length * 81,
    contextTokens: Math.min(8192, model(null).maxContextTokens),
    refusal:
      images.length > 0 && !model(null).vision
        ? { code: "modelIsBlind", message: "This model can’t see pictures.", nextStep: "Take them off, or choose a model that sees." }
        : null,
  }),
  send: (input) => answer(talk.ask(input.request), { ...input, generation: input.request.generation }, input.request.model, true),
  edit_message: (input) => answer(talk.ask(input.request), { ...input, generation: input.request.generation }, input.request.model, true),
  regenerate: (input) => answer(talk.question(input.message) ?? fail("This answer is gone.", "Ask again."), input, input.model, false),
  cancel: ({ generation }) => talk.stop(generation),
  engine_snapshot: () => ({ ...computer.engine }),
  load_model: async ({ id }) => {
    change([{ setting: "chosen", value: id }]);
    await load(id);
    return { ...computer.engine };
  },
  restart_engine: async () => {
    await load(null);
    return { ...computer.engine };
  },
  list_models: () => [...computer.models],
  choose_model_folder: () => null,
  choose_model_file: () => null,
  forget_model: ({ id }) => {
    const at = computer.models.findIndex((one) => one.id === id);
    if (at > 0) computer.models.splice(at, 1);
  },
  device_report: () => computer.devices(),
  change_settings: ({ changes }) => change(changes),
  model_catalogue: () => catalogueLines(here(), onDisk),
  fit: ({ question: { target, hardware, ...choice } }) => {
    const where = hardware === null ? here() : place(hardware);
    if (!where) fail(`“${hardware}” is not a device known here.`, "Write it like 24GiB, H100 or 8x80GB.");
    const id = target.kind === "catalogue" ? target.id : target.kind === "hub" ? target.repository : (computer.CATALOGUE_IDS[target.id] ?? "");
    return plan(id, where, choice) ?? fail("Its files could not be read.", "Choose another model.");
  },
  fit_history: () => computer.history,
  hub_search: async ({ query }) => {
    await new Promise((done) => setTimeout(done, 500));
    return hub.search(query ?? "");
  },
  hub_preflight: async ({ text }) => {
    await new Promise((done) => setTimeout(done, 400));
    return hub.preflight(text, onDisk);
  },
  start_download: ({ repository }) => hub.start(repository),
  pause_download: ({ id }) => hub.pause(id),
  resume_download: ({ id }) => hub.resume(id),
  remove_download: ({ id }) => hub.remove(id),
  list_downloads: () => hub.list(),
  hub_token_place: () => hub.tokenState(),
  keep_hub_token: ({ token }) => hub.keepToken(token),
  forget_hub_token: () => hub.keepToken(null),
};

/** `npm run dev`, then `/?conversations=500&messages=2000&pictures`. */
function seedAsAsked(): void {
  const asked = new URLSearchParams(location.search);
  talk.seed(Number(asked.get("conversations") ?? 0), Number(asked.get("messages") ?? 2), asked.has("pictures"));
}

export function simulate(): () => void {
  seedAsAsked();
  globalThis.simulatedPicture = address;
  mockIPC(
    (command, input) => {
      const run = commands[command];
      if (!run) throw new Error(`The simulated backend has no command ${command}.`);
      return (run(input as unknown as Input) ?? null) as never;
    },
    { shouldMockEvents: true },
  );
  hub.run((downloads) => void emit("downloads", downloads), downloaded);
  void load(null);
  return () => clearMocks();
}
