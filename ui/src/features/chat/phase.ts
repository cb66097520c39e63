import type { LiveTurn } from "../../lib/state/turns.svelte";
import { count } from "../../lib/text/format";

/** What the model is doing before and while it writes; nothing while words come. */
export function phaseWords(turn: LiveTurn): string {
  if (turn.stopping) return "Stopping…";
  const phase = turn.phase;
  switch (phase?.kind) {
    case "loadingModel":
      return "Loading the model…";
    case "queued":
      return "Waiting for another answer…";
    case "encodingImages":
      return phase.total > 1 ? `Looking at picture ${Math.min(phase.done + 1, phase.total)} of ${phase.total}…` : "Looking at the picture…";
    case "readingPrompt":
      return `Reading ${count(phase.tokens)} tokens…`;
    case "generating":
      return "";
    default:
      return "Thinking…";
  }
}
