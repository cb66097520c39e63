// A conversation is a tree of messages; what is shown is one branch of it. Pure functions.
import type { ImageRef, Message, MessageId } from "../ipc";

/** From the first question to `leaf`. An unknown leaf or a cycle in hostile data ends the walk. */
export function branch(messages: readonly Message[], leaf: MessageId | null): Message[] {
  const byId = new Map(messages.map((message) => [message.id, message]));
  const result: Message[] = [];
  for (let at = leaf; at !== null; ) {
    const message = byId.get(at);
    if (!message) break;
    byId.delete(at);
    result.push(message);
    at = message.parent;
  }
  return result.reverse();
}

/** The messages that stand in the same place, oldest first: the answers to one question, the versions of one question. */
export function siblings(messages: readonly Message[], message: Message): Message[] {
  return messages
    .filter((other) => other.parent === message.parent && other.role === message.role)
    .sort((a, b) => a.createdAtMs - b.createdAtMs || a.id.localeCompare(b.id));
}

/** The end of the branch that goes on from `from` with the newest message at each step. */
export function newestLeaf(messages: readonly Message[], from: MessageId): MessageId {
  let leaf = from;
  for (let steps = 0; steps <= messages.length; steps++) {
    const next = messages
      .filter((message) => message.parent === leaf)
      .reduce<Message | null>((newest, message) => (newest === null || message.createdAtMs >= newest.createdAtMs ? message : newest), null);
    if (!next) break;
    leaf = next.id;
  }
  return leaf;
}

/**
 * The answer that stands beside `answer` when answers are compared: the newest one by another model, else the newest
 * other one. The older of the two comes first, whichever is chosen. Only `answer` if there is no other.
 */
export function pairOf(messages: readonly Message[], answer: Message): Message[] {
  const others = siblings(messages, answer).filter((other) => other.id !== answer.id).reverse();
  const partner = others.find((other) => other.model?.id !== answer.model?.id) ?? others[0];
  return partner ? siblings([answer, partner], answer) : [answer];
}

/** The list with `changed` put in the place of the messages of the same id, or at the end. */
export function merge(messages: readonly Message[], changed: readonly (Message | null)[]): Message[] {
  const result = [...messages];
  for (const message of changed) {
    if (!message) continue;
    const place = result.findIndex((other) => other.id === message.id);
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
