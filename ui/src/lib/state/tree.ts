// A conversation is a tree of messages; what is shown is one branch of it. Pure functions.
import type { ImageRef, Message, MessageId } from "../ipc";

/** Where each message is, and what follows it: made once for each change of the messages, not for each look at them. */
export interface MessageIndex {
  byId: ReadonlyMap<MessageId, Message>;
  /** What answers or continues each message, oldest first. */
  children: ReadonlyMap<MessageId | null, readonly Message[]>;
}

export function indexMessages(messages: readonly Message[]): MessageIndex {
  const children = new Map<MessageId | null, Message[]>();
  for (const message of messages) {
    const list = children.get(message.parent);
    if (list) list.push(message);
    else children.set(message.parent, [message]);
  }
  for (const list of children.values()) list.sort(byAge);
  return { byId: new Map(messages.map((message) => [message.id, message])), children };
}

function byAge(a: Message, b: Message): number {
  return a.createdAtMs - b.createdAtMs || a.id.localeCompare(b.id);
}

/** From the first question to `leaf`. An unknown leaf or a cycle in hostile data ends the walk. */
export function branch(index: MessageIndex, leaf: MessageId | null): Message[] {
  const seen = new Set<MessageId>();
  const result: Message[] = [];
  for (let at = leaf; at !== null && !seen.has(at); ) {
    const message = index.byId.get(at);
    if (!message) break;
    seen.add(at);
    result.push(message);
    at = message.parent;
  }
  return result.reverse();
}

/** The messages that stand in the same place, oldest first: the answers to one question, the versions of one question. */
export function siblings(index: MessageIndex, message: Message): Message[] {
  return (index.children.get(message.parent) ?? []).filter((other) => other.role === message.role);
}

/** The end of the branch that goes on from `from` with the newest message at each step. */
export function newestLeaf(index: MessageIndex, from: MessageId): MessageId {
  let leaf = from;
  for (const seen = new Set<MessageId>(); !seen.has(leaf); ) {
    seen.add(leaf);
    leaf = index.children.get(leaf)?.at(-1)?.id ?? leaf;
  }
  return leaf;
}

/**
 * The answer that stands beside `answer` when answers are compared: the newest one by another model, else the newest
 * other one. The older of the two comes first, whichever is chosen. Only `answer` if there is no other.
 */
export function pairOf(index: MessageIndex, answer: Message): Message[] {
  const others = siblings(index, answer).filter((other) => other.id !== answer.id).reverse();
  const partner = others.find((other) => other.model?.id !== answer.model?.id) ?? others[0];
  return partner ? [answer, partner].sort(byAge) : [answer];
}

/** The list with `changed` put in the place of the messages of the same id, or at the end. */
export function merge(messages: readonly Message[], changed: readonly (Message | null)[]): Message[] {
  const result = [...messages];
  for (const message of changed) {
    if (!message) continue;
    // What changes is nearly always at the end.
    const place = result.findLastIndex((other) => other.id === message.id);
    if (place >= 0) result[place] = message;
    else result.push(message);
  }
  return result;
}

/** All the text of a message. */
export function textOf(message: Message): string {
  return message.parts.map((part) => (part.kind === "text" ? part.text : "")).join("");
}

/** The pictures of one or many messages, in the order in which the model sees them. */
export function picturesOf(messages: readonly Message[]): ImageRef[] {
  return messages.flatMap((message) => message.parts.flatMap((part) => (part.kind === "image" ? [part.image] : [])));
}
