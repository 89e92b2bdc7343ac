import { describe, expect, it } from "vitest";
import { readDurationMs } from "./duration.ts";

describe("a duration of a manifest", () => {
  it.each([
    [10, 10_000],
    [0, 0],
    ["10", 10_000],
    ["10s", 10_000],
    ["5m", 300_000],
    ["1h", 3_600_000],
    ["1h30m", 5_400_000],
    ["1.5s", 1_500],
    [".5m", 30_000],
    ["+2m3.5s", 123_500],
    ["250ms", 250],
    ["1500us", 2],
    ["0s", 0],
  ])("%j is %i ms", (written, expected) => {
    expect(readDurationMs(written)).toBe(expected);
  });

  it.each(["", "1z", "s", "1 s", "-10s", -1, "1h30", "1.2.3s", ".s", "1d", Number.NaN, 1.5, "1e3s", "Infinity"])(
    "%j is none",
    (written) => {
      expect(readDurationMs(written)).toBeUndefined();
    },
  );
});
