// The one place where the page talks to Rust: every command either gives its data or throws a PaddockError.
import { commands, type CommandError } from "./bindings";

export { Channel } from "@tauri-apps/api/core";
export { events } from "./bindings";
export type * from "./bindings";

/** A failure as Rust words it: a sentence, a next step, a code to branch on. */
export class PaddockError extends Error {
  readonly code: string;
  readonly nextStep: string;

  constructor({ code, message, nextStep }: CommandError) {
    super(message);
    this.name = "PaddockError";
    this.code = code;
    this.nextStep = nextStep;
  }

  /** Any thrown thing as a PaddockError; a bug in the page gets a sentence too. */
  static from(thrown: unknown): PaddockError {
    if (thrown instanceof PaddockError) return thrown;
    const detail = thrown instanceof Error ? thrown.message : String(thrown);
    return new PaddockError({ code: "page", message: `Something in the window went wrong: ${detail}`, nextStep: "Try it again." });
  }
}

type Answer<T> = { status: "ok"; data: T } | { status: "error"; error: CommandError };
type Unwrapped<F> = F extends (...input: infer A) => Promise<infer R>
  ? (...input: A) => Promise<Extract<R, { status: "ok" }> extends { data: infer T } ? T : never>
  : never;

function unwrap(command: (...input: never[]) => Promise<Answer<unknown>>) {
  return async (...input: never[]) => {
    const answer = await command(...input);
    if (answer.status === "error") throw new PaddockError(answer.error);
    return answer.data;
  };
}

export const ipc = Object.fromEntries(Object.entries(commands).map(([name, command]) => [name, unwrap(command)])) as {
  [K in keyof typeof commands]: Unwrapped<(typeof commands)[K]>;
};

export type PictureForm = "thumb" | "full" | "seen";

declare global {
  /** Set by the simulated backend of `npm run dev`, which has no picture scheme. */
  var simulatedPicture: ((id: string, form: PictureForm) => string) | undefined;
}

/** Address of a picture; `seen` is exactly what the chosen model gets. */
export function pictureUrl(id: string, form: PictureForm): string {
  if (import.meta.env.DEV && globalThis.simulatedPicture) return globalThis.simulatedPicture(id, form);
  return `attachment://localhost/${id}/${form}`;
}
