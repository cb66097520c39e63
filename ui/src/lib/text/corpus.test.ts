// The corpus at the level of data: however it is cut into pieces, the end is the same, and what is complete does not change.
import { describe, expect, it } from "vitest";

import { CORPUS } from "./corpus.fixture";
import { MarkdownDocument, wordsOf } from "./markdown";
import { OPEN_END } from "./syntax";

/** The blocks at the end that may still become something else. */
const OPEN_BLOCKS = 2;

describe("an answer that comes in pieces", () => {
  it("is of many kinds", () => {
    expect(CORPUS.length).toBeGreaterThanOrEqual(200);
    expect(new Set(CORPUS.map((one) => one.name)).size).toBe(CORPUS.length);
  });

  it.each([1, 3, 17])("of %i characters ends as the whole does, and its complete blocks stay", (size) => {
    for (const { name, source, late } of CORPUS) {
      const whole = new MarkdownDocument().update(source);
      const document = new MarkdownDocument();
      const complete: string[] = [];
      for (let end = size; end < source.length + size; end += size) {
        const blocks = document.update(source.slice(0, end), true);
        expect(wordsOf(blocks), name).not.toContain(OPEN_END);
        for (const block of blocks.slice(complete.length, Math.max(0, blocks.length - OPEN_BLOCKS - 1))) complete.push(JSON.stringify(block));
      }
      expect(document.update(source), name).toEqual(whole);
      if (!late) expect(complete, name).toEqual(whole.slice(0, complete.length).map((block) => JSON.stringify(block)));
    }
  }, 120_000);
});
