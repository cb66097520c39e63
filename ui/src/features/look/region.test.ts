import { describe, expect, it } from "vitest";

import { between, isRectangle, moved, resized } from "./region";

describe("a part of a picture", () => {
  it("lies between two corners, whichever was first, and inside", () => {
    expect(between({ x: 0.75, y: 1.5 }, { x: 0.25, y: -1 })).toEqual({ left: 0.25, top: 0, width: 0.5, height: 1 });
  });

  it("is no rectangle after a click", () => {
    expect(isRectangle(between({ x: 0.5, y: 0.5 }, { x: 0.501, y: 0.9 }))).toBe(false);
    expect(isRectangle(between({ x: 0.5, y: 0.5 }, { x: 0.6, y: 0.6 }))).toBe(true);
  });

  it("keeps its size when it is moved against an edge", () => {
    const part = { left: 0.5, top: 0.5, width: 0.25, height: 0.25 };
    expect(moved(part, 1, -1)).toEqual({ left: 0.75, top: 0, width: 0.25, height: 0.25 });
  });

  it("grows to the edge and never shrinks to nothing", () => {
    const part = { left: 0.5, top: 0.5, width: 0.25, height: 0.25 };
    expect(resized(part, 1, 0.125)).toEqual({ left: 0.5, top: 0.5, width: 0.5, height: 0.375 });
    expect(isRectangle(resized(part, -1, -1))).toBe(true);
  });
});
