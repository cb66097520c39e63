import { describe, expect, it } from "vitest";

import { bytes, contextName, count, dayGroup, duration, parameters, quantName, span, speed, timeLeft, tokens } from "./format";

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
    expect(bytes(1_900_000_000_000)).toBe("1.90 TB");
  });

  it("says a span once when both ends read the same", () => {
    expect(span(6_200_000_000, 7_100_000_000)).toBe("6.2 to 7.1 GB");
    expect(span(900_000_000, 1_100_000_000)).toBe("900 MB to 1.1 GB");
    expect(span(6_210_000_000, 6_240_000_000)).toBe("6.2 GB");
  });

  it("names contexts by powers of two", () => {
    expect([512, 2048, 3072, 33_024, 131_072, 1_048_576, 10_485_760].map(contextName)).toEqual(["512", "2k", "3k", "32.3k", "128k", "1M", "10M"]);
    expect([1000, 40_000, 128_000].map(contextName)).toEqual(["1k", "40k", "128k"]);
  });

  it("says how fast a download is, and roughly how long it still takes", () => {
    expect(speed(12_345_678)).toBe("12 MB/s");
    expect(speed(512.7)).toBe("513 bytes/s");
    expect([0, 9, 31, 54, 55, 61, 1800, 3600, 7300, 200_000].map(timeLeft)).toEqual([
      "a few seconds left",
      "a few seconds left",
      "about 30 seconds left",
      "about 55 seconds left",
      "about 1 minute left",
      "about 1 minute left",
      "about 30 minutes left",
      "about 1 hour left",
      "about 2 hours left",
      "about 2 days left",
    ]);
  });

  it("names quantisations", () => {
    expect(["none", "q8_0", "q4k", "q2k"].map(quantName)).toEqual(["as stored", "Q8_0", "Q4_K", "Q2K"]);
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
    [new Date(2026, 5, 13, 12, 0), "Last 7 days"],
    [new Date(2026, 4, 28, 12, 0), "Last 30 days"],
    [new Date(2025, 4, 28, 12, 0), "Earlier"],
  ])("%s is %s", (date, group) => {
    expect(dayGroup(date.getTime(), now)).toBe(group);
  });
});
