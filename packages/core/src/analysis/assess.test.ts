import { describe, expect, it } from "vitest";
import { assess, countMeasurement, noMeasurements, type AnalysisLimits } from "./assess.ts";
import type { Verdict } from "./measurement.ts";

const letters: Readonly<Record<string, Verdict>> = { p: "pass", f: "fail", i: "inconclusive", e: "error" };

function after(measured: string, limits: AnalysisLimits): Verdict | undefined {
  const verdicts = [...measured].map((letter) => letters[letter] ?? "error");
  return assess(limits, verdicts.reduce(countMeasurement, noMeasurements));
}

describe("measurements (pass, fail, inconclusive, error) under limits", () => {
  it.each<[string, AnalysisLimits, Verdict | undefined]>([
    ["", {}, undefined],
    ["p", {}, "pass"],
    ["p", { intervalMs: 100 }, undefined],
    ["pp", { count: 3 }, undefined],
    ["ppp", { count: 3 }, "pass"],
    ["f", { count: 3 }, "fail"],
    ["pf", { count: 3, failureLimit: 1 }, undefined],
    ["pfp", { count: 3, failureLimit: 1 }, "pass"],
    ["pff", { count: 5, failureLimit: 1 }, "fail"],
    ["fff", { count: 3, failureLimit: -1 }, "pass"],
    ["i", { count: 3 }, "inconclusive"],
    ["ipp", { count: 3, inconclusiveLimit: 1 }, "pass"],
    ["eeee", { count: 1 }, undefined],
    ["eeeee", { count: 1 }, "error"],
    ["eeeep", { count: 1 }, "pass"],
    ["eepeep", { count: 3, consecutiveErrorLimit: 2 }, undefined],
    ["e", { count: 1, consecutiveErrorLimit: 0 }, "error"],
    ["pp", { count: 9, consecutiveSuccessLimit: 2 }, "pass"],
    ["pfp", { count: 9, failureLimit: 2, consecutiveSuccessLimit: 2 }, undefined],
    ["pfp", { count: 3, failureLimit: 2, consecutiveSuccessLimit: 2 }, "inconclusive"],
    ["pfp", { count: 3, failureLimit: -1, consecutiveSuccessLimit: 2 }, "fail"],
    ["fi", { count: 9 }, "inconclusive"],
    ["ieeeee", { count: 9 }, "error"],
  ])("%s under %j: %s", (measured, limits, expected) => {
    expect(after(measured, limits)).toBe(expected);
  });
});
