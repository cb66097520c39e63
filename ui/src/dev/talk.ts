// Simulated conversations: kept while the page is open, answered word by word.
import type {
  ConversationSummary,
  ConversationView,
  Draft,
  Failure,
  FinishReason,
  GenerationEvent,
  Message,
  ModelEntry,
  Part,
  SendRequest,
  TurnOutcome,
} from "../lib/ipc";
import { textOf } from "../lib/state/tree";
import { label } from "./computer";
import { nameOf, reference } from "./pictures";
import { SHOWCASE } from "./showcase";

/** How long a word takes; tests hurry or hold it. */
export const pace = { wordMs: 60 };
const SEEN: Record<string, string> = { "red-circle": "a red circle", "square-and-star": "a red square and a blue star", shapes: "a circle, a square and a triangle" };

const summaries = new Map<string, ConversationSummary>();
const messages = new Map<string, Message[]>();
const leaves = new Map<string, string>();
const drafts = new Map<string, Draft>();
const stopped = new Set<string>();
let nextId = 1;

const wait = (ms: number) => new Promise((done) => setTimeout(done, ms));
const newId = (kind: string) => `${kind}-${nextId++}`;

export function listed(query: string | null): ConversationSummary[] {
  const wanted = query?.toLowerCase() ?? "";
  return [...summaries.values()].filter((one) => one.title.toLowerCase().includes(wanted)).sort((a, b) => b.updatedAtMs - a.updatedAtMs);
}

export function opened(id: string): ConversationView {
  const summary = summaries.get(id);
  if (!summary) throw { code: "notFound", message: "This conversation is gone.", nextStep: "Choose another one." };
  return { summary, messages: messages.get(id) ?? [], activeLeaf: leaves.get(id) ?? null, draft: drafts.get(id) ?? { text: "", images: [] } };
}

export function rename(id: string, title: string): ConversationSummary {
  const summary = { ...opened(id).summary, title };
  summaries.set(id, summary);
  return summary;
}

const deleted = new Map<string, ConversationSummary>();

export function remove(id: string): void {
  const summary = summaries.get(id);
  if (summary) deleted.set(id, summary);
  summaries.delete(id);
}

export function restore(id: string): ConversationSummary | undefined {
  const summary = deleted.get(id);
  if (summary) summaries.set(id, summary);
  return summary;
}

export function choose(id: string, leaf: string): ConversationView {
  leaves.set(id, leaf);
  return opened(id);
}

export function draft(id: string | null, change?: Draft): Draft {
  if (change) drafts.set(id ?? "", change);
  return drafts.get(id ?? "") ?? { text: "", images: [] };
}

export function stop(generation: string): void {
  stopped.add(generation);
}

function base(conversationId: string, parent: string | null, role: Message["role"], parts: Part[]): Message {
  return {
    id: newId(role),
    conversationId,
    parent,
    role,
    parts,
    reasoning: null,
    createdAtMs: Date.now(),
    status: role === "user" ? { kind: "complete" } : { kind: "generating" },
    failure: null,
    model: null,
    usage: null,
    timings: null,
    receipts: [],
  };
}

function put(message: Message): void {
  const list = (messages.get(message.conversationId) ?? []).filter((other) => other.id !== message.id);
  messages.set(message.conversationId, [...list, message]);
  leaves.set(message.conversationId, message.id);
}

const DAY_MS = 86_400_000;

/** Conversations that lie there already, the first of them with so many messages and, if wanted, pictures in its questions. */
export function seed(conversations: number, messagesEach: number, withPictures = false): void {
  for (let place = 0; place < conversations; place++) {
    const id = newId("conversation");
    const updatedAtMs = Date.now() - (place * DAY_MS) / 4;
    const list: Message[] = [];
    for (let at = 0; at < (place === 0 ? messagesEach : 2); at++) {
      const role = at % 2 === 0 ? "user" : "assistant";
      const text = role === "user" ? `Question ${at / 2 + 1} of conversation ${place + 1}` : `Answer ${(at + 1) / 2}: ${"some words that fill the line and the next one too. ".repeat(1 + (at % 7))}\n\n- one\n- two`;
      const pictures: Part[] = withPictures && role === "user" ? [{ kind: "image", image: reference("shapes".padEnd(64, "0")) }] : [];
      list.push({ ...base(id, list.at(-1)?.id ?? null, role, [...pictures, { kind: "text", text }]), createdAtMs: updatedAtMs + at, status: role === "user" ? { kind: "complete" } : { kind: "finished", reason: "stop" } });
    }
    summaries.set(id, { id, title: `Conversation ${place + 1}`, createdAtMs: updatedAtMs, updatedAtMs, images: 0 });
    messages.set(id, list);
    leaves.set(id, list.at(-1)?.id ?? "");
  }
}

/** The question as a message, in a conversation that is begun if needed. */
export function ask(request: SendRequest): Message {
  const id = request.conversation ?? newId("conversation");
  const parts: Part[] = [
    ...request.images.map((image): Part => ({ kind: "image", image: reference(image) })),
    ...(request.text ? [{ kind: "text" as const, text: request.text }] : []),
  ];
  const message = base(id, request.parent, "user", parts);
  const now = Date.now();
  const old = summaries.get(id);
  summaries.set(id, {
    id,
    title: old?.title ?? (request.text.slice(0, 48) || "A picture"),
    createdAtMs: old?.createdAtMs ?? now,
    updatedAtMs: now,
    images: (old?.images ?? 0) + request.images.length,
  });
  put(message);
  return message;
}

export function question(answer: string): Message | undefined {
  const all = [...messages.values()].flat();
  const parent = all.find((message) => message.id === answer)?.parent;
  return all.find((message) => message.id === parent);
}

function words(asked: Message, model: ModelEntry): string[] {
  const pictures = asked.parts.flatMap((part) => (part.kind === "image" ? [part.image.id] : []));
  const text = textOf(asked);
  const answer =
    pictures.length > 0 && model.demo
      ? `${SEEN[nameOf(pictures[0] ?? "")] ?? "a shape"}.`.replace(/^a/, "A")
      : pictures.length > 0
        ? `The picture shows **${SEEN[nameOf(pictures[0] ?? "")] ?? "a shape"}** on a plain background. It is drawn with clean edges and without shading, as an icon or an exercise sheet would be.`
        : /markdown/i.test(text)
          ? SHOWCASE
          : /story/i.test(text)
            ? `Once upon a time there was a little red circle. ${"It rolled over the hill and met a square. ".repeat(6)}The end.`
            : `Hello! I am ${model.name} of the simulated backend: every word of mine is made up.`;
  return answer.split(/(?<= )/);
}

export async function answer(asked: Message, model: ModelEntry, generation: string, isNew: boolean, tell: (event: GenerationEvent) => void): Promise<TurnOutcome> {
  const conversation = opened(asked.conversationId).summary;
  let assistant: Message = { ...base(asked.conversationId, asked.id, "assistant", []), model: label(model) };
  put(assistant);
  tell({ kind: "started", conversation, user: isNew ? asked : null, assistant });
  const begun = Date.now();
  const pictures = asked.parts.flatMap((part) => (part.kind === "image" ? [part.image.id] : []));
  for (let done = 0; done < pictures.length; done++) {
    tell({ kind: "phase", phase: { kind: "encodingImages", done, total: pictures.length } });
    await wait(300);
  }
  tell({ kind: "phase", phase: { kind: "readingPrompt", tokens: 40 + pictures.length * 81 } });
  await wait(350);
  tell({ kind: "phase", phase: { kind: "generating" } });
  const first = Date.now();
  let text = "";
  let reason: FinishReason = "stop";
  let count = 0;
  for (const word of words(asked, model)) {
    if (stopped.has(generation)) {
      reason = "cancelled";
      break;
    }
    text += word;
    count++;
    tell({ kind: "delta", text: word });
    await wait(pace.wordMs);
  }
  const failure: Failure | null = /full disk/i.test(textOf(asked))
    ? { code: "answerNotKept", message: "This answer could not be saved yet. The disk is full.", nextStep: "Copy it to be safe; saving is tried again until it works." }
    : null;
  assistant = {
    ...assistant,
    failure,
    parts: [{ kind: "text", text }],
    status: { kind: "finished", reason },
    usage: { promptTokens: 40 + pictures.length * 81, completionTokens: count },
    timings: { firstTokenMs: first - begun, totalMs: Date.now() - begun },
    receipts: pictures.map((id) => ({ id, seen: { widthPx: 336, heightPx: 336 }, rows: 1, columns: 1, plannedTokens: 81, tokens: 81, matches: true })),
  };
  put(assistant);
  return { conversation, user: isNew ? asked : null, assistant };
}
