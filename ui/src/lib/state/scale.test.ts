import { describe, expect, it } from "vitest";

import { marks, scaleTo, shareOf, stopOf, tokensAt } from "./scale";

describe("the context slider", () => {
  it.each([131_072, 10_485_760, 40_960, 8192, 2049])("goes from 2,048 to exactly %i", (most) => {
    const scale = scaleTo(most);
    expect(tokensAt(scale, 0)).toBe(2048);
    expect(tokensAt(scale, scale.last)).toBe(most);
    const stops = Array.from({ length: scale.last + 1 }, (_, stop) => tokensAt(scale, stop));
    expect(stops).toEqual([...stops].sort((a, b) => a - b));
    expect(Math.max(...stops)).toBe(most);
  });

  it("has every doubling as a stop of its own, and finds it again", () => {
    const scale = scaleTo(131_072);
    for (const tokens of [2048, 4096, 8192, 16_384, 32_768, 65_536, 131_072]) {
      expect(tokensAt(scale, stopOf(scale, tokens))).toBe(tokens);
    }
    expect(stopOf(scale, 1)).toBe(0);
    expect(stopOf(scale, 1e9)).toBe(scale.last);
  });

  it("places equal ratios at equal distances", () => {
    const scale = scaleTo(32_768);
    expect([2048, 8192, 32_768].map((tokens) => shareOf(scale, tokens))).toEqual([0, 0.5, 1]);
    expect(shareOf(scale, 100)).toBe(0);
  });

  it("serves models with a tiny context", () => {
    const scale = scaleTo(2048);
    expect([tokensAt(scale, 0), tokensAt(scale, scale.last)]).toEqual([256, 2048]);
    const one = scaleTo(0);
    expect([one.last, tokensAt(one, 0), shareOf(one, 5), marks(one)]).toEqual([0, 1, 0, [1]]);
  });

  it("writes few marks, the last is the largest", () => {
    expect(marks(scaleTo(32_768))).toEqual([2048, 4096, 8192, 16_384, 32_768]);
    expect(marks(scaleTo(10_485_760))).toEqual([2048, 8192, 32_768, 131_072, 524_288, 2_097_152, 10_485_760]);
    // 40k stands too near to 32k to be written beside it.
    expect(marks(scaleTo(40_960))).toEqual([2048, 4096, 8192, 16_384, 40_960]);
  });
});
