import { describe, expect, it } from "vitest";

import { LiveTurn } from "../../lib/state/turns.svelte";
import { phaseWords } from "./phase";

describe("what a model is doing", () => {
  it("is said while another answer comes first, and until it is stopped", () => {
    const turn = new LiveTurn("g", "c");
    turn.take({ kind: "phase", phase: { kind: "queued" } });
    expect(phaseWords(turn)).toBe("Waiting for another answer…");
    turn.stopping = true;
    expect(phaseWords(turn)).toBe("Stopping…");
  });
});
