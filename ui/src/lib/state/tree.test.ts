import { describe, expect, it } from "vitest";

import { message } from "./messages.fixture";
import { branch, indexMessages, merge, newestLeaf, pairOf, siblings } from "./tree";

const tree = [
  message("q1", null, { createdAtMs: 1 }),
  message("a1", "q1", { role: "assistant", createdAtMs: 2 }),
  message("a2", "q1", { role: "assistant", createdAtMs: 5 }),
  message("q2", "a1", { createdAtMs: 3 }),
  message("a3", "q2", { role: "assistant", createdAtMs: 4 }),
];
const index = indexMessages(tree);
const ids = (messages: { id: string }[]) => messages.map((one) => one.id);

describe("a conversation's tree", () => {
  it("shows the branch of a leaf", () => {
    expect(ids(branch(index, "a3"))).toEqual(["q1", "a1", "q2", "a3"]);
    expect(ids(branch(index, "a2"))).toEqual(["q1", "a2"]);
    expect(branch(index, null)).toEqual([]);
    expect(branch(index, "unknown")).toEqual([]);
  });

  it("survives a cycle", () => {
    expect(branch(indexMessages([message("x", "y"), message("y", "x")]), "x")).toHaveLength(2);
    expect(["x", "y"]).toContain(newestLeaf(indexMessages([message("x", "y"), message("y", "x")]), "x"));
  });

  it("knows the versions of an answer, oldest first", () => {
    expect(ids(siblings(index, message("a2", "q1", { role: "assistant" })))).toEqual(["a1", "a2"]);
  });

  it("goes to the newest end of a branch", () => {
    expect(newestLeaf(index, "a1")).toBe("a3");
    expect(newestLeaf(index, "q1")).toBe("a2");
  });

  it("puts changed messages in their places and new ones at the end", () => {
    const merged = merge(tree, [message("a1", "q1", { role: "assistant", reasoning: "new" }), null, message("q9", null)]);
    expect(ids(merged)).toEqual(["q1", "a1", "a2", "q2", "a3", "q9"]);
    expect(merged[1]?.reasoning).toBe("new");
  });

  describe("answers side by side", () => {
    const by = (model: string) => ({ id: model, name: model, quant: "none", place: "this computer" });
    const answer = (id: string, model: string, createdAtMs: number) => message(id, "q", { role: "assistant", createdAtMs, model: by(model) });
    const answers = [answer("a", "one", 1), answer("b", "two", 2), answer("c", "one", 3), answer("d", "two", 4)];
    const pair = (id: string, of = answers) => ids(pairOf(indexMessages(of), of.find((one) => one.id === id) ?? answer(id, "none", 0)));

    it("sets the newest answer of another model beside the chosen one, the older one first", () => {
      expect(pair("a")).toEqual(["a", "d"]);
      expect(pair("b")).toEqual(["b", "c"]);
      expect(pair("d")).toEqual(["c", "d"]);
    });

    it("compares versions of one model, and leaves an only answer alone", () => {
      const same = [answer("a", "one", 1), answer("b", "one", 2)];
      expect(pair("a", same)).toEqual(["a", "b"]);
      expect(pair("a", same.slice(0, 1))).toEqual(["a"]);
    });
  });
});
