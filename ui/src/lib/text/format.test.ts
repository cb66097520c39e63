import { describe, expect, it } from "vitest";

import { bytes, count, dayGroup, duration, parameters, tokens } from "./format";

describe("numbers as people say them", () => {
  it("groups thousands with thin spaces", () => {
    expect(count(0)).toBe("0");
    expect(count(999)).toBe("999");
    expect(count(10_485_760)).toBe("10\u2009485\u2009760");
    expect(tokens(1)).toBe("1 token");
  });

  it("says sizes in decimal units", () => {
    expect(bytes(12)).toBe("12 bytes");
    expect(bytes(1500)).toBe("2 kB");
    expect(bytes(2_540_000)).toBe("2.5 MB");
    expect(bytes(116_000_000_000)).toBe("116.0 GB");
  });

  it("says times in the unit that fits", () => {
    expect(duration(87.4)).toBe("87 ms");
    expect(duration(1250)).toBe("1.3 s");
    expect(duration(125_000)).toBe("2 min 5 s");
  });

  it("says how many parameters", () => {
    expect(parameters(108_641_793_536)).toBe("109B");
    expect(parameters(2_246_272_880)).toBe("2.2B");
    expect(parameters(1_500_000)).toBe("1.5M");
  });
});

describe("days", () => {
  const now = new Date(2026, 5, 15, 13, 0).getTime();
  it.each([
    [new Date(2026, 5, 15, 0, 1), "Today"],
    [new Date(2026, 5, 14, 23, 59), "Yesterday"],
    [new Date(2026, 5, 13, 12, 0), "This week"],
    [new Date(2026, 4, 28, 12, 0), "This month"],
    [new Date(2025, 4, 28, 12, 0), "Earlier"],
  ])("%s is %s", (date, group) => {
    expect(dayGroup(date.getTime(), now)).toBe(group);
  });
});
