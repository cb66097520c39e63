import { describe, expect, it } from "vitest";

import { fit, hold, zoom } from "./view";

describe("looking closer", () => {
  it("shows the whole picture, a small one at most four times as large", () => {
    expect(fit({ width: 2000, height: 1000 }, { width: 1000, height: 1000 })).toEqual({ scale: 0.5, x: 0, y: 0 });
    expect(fit({ width: 10, height: 10 }, { width: 1000, height: 1000 }).scale).toBe(4);
    expect(fit({ width: 0, height: 0 }, { width: 0, height: 0 }).scale).toBe(1);
  });

  it("keeps what is under the pointer under the pointer", () => {
    const before = { scale: 0.5, x: 30, y: -20 };
    const at = { x: 120, y: 80 };
    const under = (view: typeof before) => [(at.x - view.x) / view.scale, (at.y - view.y) / view.scale];
    const after = zoom(before, 2.5, at, 0.5);
    expect(after.scale).toBeCloseTo(1.25);
    under(after).forEach((value, axis) => expect(value).toBeCloseTo(under(before)[axis] ?? Number.NaN));
  });

  it("stops at its limits", () => {
    expect(zoom({ scale: 1, x: 0, y: 0 }, 1000, { x: 0, y: 0 }, 0.5).scale).toBe(16);
    expect(zoom({ scale: 1, x: 0, y: 0 }, 0.001, { x: 0, y: 0 }, 0.5).scale).toBe(0.5);
  });

  it("does not let the picture leave the screen", () => {
    expect(hold({ scale: 2, x: 900, y: -900 }, { width: 100, height: 50 })).toEqual({ scale: 2, x: 100, y: -50 });
  });
});
