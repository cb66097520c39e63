// Answers being written, in whichever conversation. The command's result is the one truth: what its channel
// still brings after it is ignored.
import { Channel, type ConversationId, type GenerationEvent, type GenerationId, type MessageId, type Phase, type TurnOutcome } from "../ipc";
import { splitThinking } from "../text/thinking";

export class LiveTurn {
  readonly generation: GenerationId;
  /** None until a new conversation has its id. */
  conversation = $state<ConversationId | null>(null);
  /** None until the answer has its place. */
  assistant = $state<MessageId | null>(null);
  text = $state("");
  reasoning = $state("");
  phase = $state<Phase | null>(null);
  /** How long the model has thought, once its answer begins. */
  thoughtMs = $state<number | null>(null);
  /** The user asked for the end. */
  stopping = $state(false);

  #thinkingSince: number | null = null;

  constructor(generation: GenerationId, conversation: ConversationId | null) {
    this.generation = generation;
    this.conversation = conversation;
  }

  take(event: GenerationEvent): void {
    switch (event.kind) {
      case "started":
        this.conversation = event.conversation.id;
        this.assistant = event.assistant.id;
        break;
      case "phase":
        this.phase = event.phase;
        break;
      case "delta":
        this.text += event.text;
        this.#think(this.thoughtMs === null && splitThinking(this.text).open);
        break;
      case "reasoning":
        this.reasoning += event.text;
        this.#think(true);
        break;
    }
  }

  #think(thinking: boolean): void {
    if (thinking) this.#thinkingSince ??= Date.now();
    else if (this.#thinkingSince !== null) this.thoughtMs ??= Date.now() - this.#thinkingSince;
  }
}

/** A random UUID; `crypto.randomUUID` is not there in every web view. */
export function newId(): GenerationId {
  const octets = crypto.getRandomValues(new Uint8Array(16));
  octets[6] = ((octets[6] ?? 0) & 0x0f) | 0x40;
  octets[8] = ((octets[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** Runs one turn to its end, handing on each event that comes before the result. */
export async function follow(
  turn: LiveTurn,
  invoke: (generation: GenerationId, channel: Channel<GenerationEvent>) => Promise<TurnOutcome>,
  progress: (event: GenerationEvent) => void,
): Promise<TurnOutcome> {
  let over = false;
  const channel = new Channel<GenerationEvent>();
  channel.onmessage = (event) => {
    if (over) return;
    turn.take(event);
    progress(event);
  };
  try {
    return await invoke(turn.generation, channel);
  } finally {
    over = true;
  }
}
