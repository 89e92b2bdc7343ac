import { describe, expect, it } from "vitest";
import { parseInput } from "../../parse-input.ts";
import { compareSamples, type ComparisonRequest } from "./compare.ts";
import { comparisonSchema } from "./comparison-options.ts";

/** Evenly spread about a middle, as measurements of one thing are. */
function around(middle: number, count = 60): readonly number[] {
  return Array.from({ length: count }, (_, index) => middle + (index / (count - 1) - 0.5) * 10);
}

const alike: ComparisonRequest = { candidate: around(100.3), baseline: around(100) };
const slower: ComparisonRequest = { candidate: around(120), baseline: around(100) };
const faster: ComparisonRequest = { candidate: around(80), baseline: around(100) };

describe("the comparison of a candidate with a baseline", () => {
  it.each([
    ["alike", alike, "either", "pass", "pass"],
    ["higher, where either is bad", slower, "either", "fail", "high"],
    ["higher, where an increase is bad", slower, "increase", "fail", "high"],
    ["higher, where a decrease is bad", slower, "decrease", "pass", "pass"],
    ["lower, where either is bad", faster, "either", "fail", "low"],
    ["lower, where an increase is bad", faster, "increase", "pass", "pass"],
    ["lower, where a decrease is bad", faster, "decrease", "fail", "low"],
  ] as const)("of a candidate that is %s", (_, samples, direction, verdict, classification) => {
    expect(compareSamples({ ...samples, direction })).toMatchObject({ verdict, classification, critical: false });
  });

  it("takes a change in either direction for bad unless told otherwise", () => {
    expect(compareSamples(slower).classification).toBe("high");
    expect(compareSamples(faster).classification).toBe("low");
  });

  it("says what was found, with its numbers", () => {
    const { message, pValue, estimate, interval, effectSize, ...outcome } = compareSamples({
      ...slower,
      direction: "increase",
    });
    expect(outcome).toEqual({ verdict: "fail", classification: "high", critical: false });
    expect(message).toMatch(
      /^The candidate is higher than the baseline: shifted by 20 \(18\.\d+ to 21\.\d+ with a confidence of 98 %\), meanRatio 1\.2, p = \d\.\d+e-\d+, 60 of the candidate, 60 of the baseline\.$/,
    );
    expect(pValue).toBeLessThan(1e-10);
    expect(estimate).toBeCloseTo(20, 10);
    expect(effectSize).toBeCloseTo(1.2, 10);
    expect(interval?.low).toBeLessThan(20);
    expect(interval?.high).toBeGreaterThan(20);
  });

  it.each([
    ["increase", "The candidate is not shown to be higher than the baseline: "],
    ["decrease", "The candidate is not shown to be lower than the baseline: "],
    ["either", "The candidate is not shown to differ from the baseline: "],
  ] as const)("says of a pass only that nothing is shown: %s", (direction, start) => {
    expect(compareSamples({ ...alike, direction }).message.startsWith(start)).toBe(true);
  });

  it("finds the same change in any unit", () => {
    const inSeconds = (samples: readonly number[]) => samples.map((value) => value / 1e6);
    const { candidate, baseline } = slower;
    expect(compareSamples({ candidate: inSeconds(candidate), baseline: inSeconds(baseline) }).classification).toBe(
      "high",
    );
  });

  it("passes a shift that is not sure enough for the tolerance", () => {
    const samples = { candidate: around(102), baseline: around(100) };
    const { interval, estimate } = compareSamples(samples);
    expect(interval?.low).toBeGreaterThan(0);
    expect(interval?.low).toBeLessThan((estimate ?? 0) * 0.6);
    expect(compareSamples({ ...samples, tolerance: 0.6 }).verdict).toBe("pass");
    expect(compareSamples({ ...samples, tolerance: 0 }).verdict).toBe("fail");
  });
});

describe("an error rate that is mostly zero", () => {
  /** In so many of 200 minutes there was one error, in the others none. */
  const rate = (minutes: number) =>
    Array.from({ length: 200 }, (_, minute) => (minute < minutes ? 1 + minute / 100 : 0));

  it.each([
    ["rises", 60, 20, "either", "high"],
    ["rises from nothing", 60, 0, "either", "high"],
    ["rises, where only a decrease is bad", 60, 20, "decrease", "pass"],
    ["falls", 20, 60, "either", "low"],
    ["falls, where only an increase is bad", 20, 60, "increase", "pass"],
    ["hardly changes", 22, 20, "either", "pass"],
  ] as const)(
    "is seen when it %s, though the shift of most values is 0",
    (_, candidate, baseline, direction, expected) => {
      const result = compareSamples({ candidate: rate(candidate), baseline: rate(baseline), direction });
      expect(result).toMatchObject({ estimate: 0, classification: expected });
    },
  );

  it("is let through below the effect size that has to be reached", () => {
    const samples = { candidate: rate(60), baseline: rate(20) };
    expect(compareSamples({ ...samples, effectSize: { allowedIncrease: 10 } }).verdict).toBe("pass");
  });
});

describe("the effect size that has to be reached", () => {
  it.each([
    ["an increase below it", slower, { allowedIncrease: 1.21 }, "pass"],
    ["an increase from it on", slower, { allowedIncrease: 1.19 }, "high"],
    ["a decrease above it", faster, { allowedDecrease: 0.79 }, "pass"],
    ["a decrease down to it", faster, { allowedDecrease: 0.81 }, "low"],
    ["an increase below it, by cles", slower, { measure: "cles", allowedIncrease: 1 }, "high"],
    [
      "a slight increase, by cles",
      { ...slower, candidate: around(103) },
      { measure: "cles", allowedIncrease: 0.9 },
      "pass",
    ],
  ] as const)("lets %s through or not", (_, samples, effectSize, classification) => {
    expect(compareSamples({ ...samples, effectSize }).classification).toBe(classification);
  });

  it.each([
    ["a baseline of zero", { candidate: around(50), baseline: around(50).map(() => 0) }, "high"],
    ["values below zero", { candidate: around(-50), baseline: around(-100) }, "high"],
  ] as const)("excuses nothing where it has no meaning: %s", (_, samples, classification) => {
    const result = compareSamples({ ...samples, effectSize: { allowedIncrease: 1000 } });
    expect(result).not.toHaveProperty("effectSize");
    expect(result).toMatchObject({ verdict: "fail", classification });
    expect(result.message).toContain("meanRatio without meaning here");
  });
});

describe("too few values", () => {
  it.each([
    ["of the candidate", 49, 60, {}, "49 of the candidate, 60 of the baseline", "50 of each are wanted"],
    ["of the baseline", 60, 49, {}, "60 of the candidate, 49 of the baseline", "50 of each are wanted"],
    ["for a minimum of one's own", 60, 60, { minimumSamples: 61 }, "60 of the candidate", "61 of each are wanted"],
    ["because there are none", 0, 60, {}, "0 of the candidate, 60 of the baseline", "50 of each are wanted"],
    ["without a minimum, because there are none", 0, 60, { minimumSamples: 0 }, "0 of the candidate", "1 of each"],
    ["for the confidence", 3, 3, { minimumSamples: 1 }, "3 of the candidate, 3 of the baseline", "confidence of 98 %"],
  ] as const)("are inconclusive, %s", (_, candidates, baselines, options, sizes, wanted) => {
    const result = compareSamples({ candidate: around(120, candidates), baseline: around(100, baselines), ...options });
    expect(result).toMatchObject({ verdict: "inconclusive", classification: "noData" });
    expect(result.message).toContain(sizes);
    expect(result.message).toContain(wanted);
  });

  it("are judged from the minimum on", () => {
    expect(compareSamples({ candidate: around(120, 50), baseline: around(100, 50) }).verdict).toBe("fail");
  });

  it("fail where there must be data and a side has none", () => {
    const request: ComparisonRequest = { candidate: [], baseline: around(100), mustHaveData: true };
    expect(compareSamples(request)).toMatchObject({ verdict: "fail", classification: "noData" });
    expect(compareSamples({ ...request, candidate: around(100, 10) }).verdict).toBe("inconclusive");
  });
});

describe("values that are not numbers", () => {
  const gaps = around(0, 30).map(() => Number.NaN);

  it("are left out, and do not count towards the minimum", () => {
    const result = compareSamples({ candidate: [...around(100, 30), ...gaps], baseline: around(100) });
    expect(result.verdict).toBe("inconclusive");
    expect(result.message).toContain("30 of the candidate");
    expect(compareSamples({ candidate: [...slower.candidate, ...gaps], baseline: around(100) }).estimate).toBeCloseTo(
      20,
    );
  });

  it("stand for zero where the options say so", () => {
    const zeros = gaps.map(() => 0);
    const options = { nanStrategy: "replace", minimumSamples: 30 } as const;
    const candidate = around(100);
    expect(compareSamples({ candidate, baseline: gaps, ...options })).toEqual(
      compareSamples({ candidate, baseline: zeros, ...options }),
    );
  });

  it("let no values at all pass only where they stand for zero and no minimum is asked for", () => {
    const nothing: ComparisonRequest = { candidate: [], baseline: [], nanStrategy: "replace" };
    expect(compareSamples({ ...nothing, minimumSamples: 0 }).verdict).toBe("pass");
    expect(compareSamples(nothing).verdict).toBe("inconclusive");
    expect(compareSamples({ ...nothing, nanStrategy: "remove", minimumSamples: 0 }).verdict).toBe("inconclusive");
  });

  it("prove nothing where they are infinite", () => {
    const result = compareSamples({ candidate: [...around(100), Number.POSITIVE_INFINITY], baseline: around(100) });
    expect(result).toMatchObject({ verdict: "inconclusive", classification: "noData" });
    expect(result.message).toContain("there are 1");
  });
});

describe("a critical comparison", () => {
  it.each([
    ["decides when it is high", slower, {}, true],
    ["does not decide when it passes", alike, {}, false],
    ["decides when there is no data", { ...slower, candidate: [] }, {}, true],
    ["does not decide below the critical increase", slower, { criticalIncrease: 1.5 }, false],
    ["decides from the critical increase on", slower, { criticalIncrease: 1.1 }, true],
    ["does not decide above the critical decrease", faster, { criticalDecrease: 0.5 }, false],
    ["decides down to the critical decrease", faster, { criticalDecrease: 0.9 }, true],
  ] as const)("%s", (_, samples, effectSize, critical) => {
    expect(compareSamples({ ...samples, effectSize, critical: true }).critical).toBe(critical);
  });
});

describe("the options of a comparison", () => {
  it("may all be left out", () => {
    expect(comparisonSchema.parse({})).toEqual({});
  });

  it.each([
    [{ direction: "up" }, "direction"],
    [{ tolerance: 1 }, "tolerance = 1: must be less than 1, or no change would ever count"],
    [{ tolerance: -0.1 }, "tolerance"],
    [{ confidenceLevel: 98 }, "confidenceLevel"],
    [{ minimumSamples: 0.5 }, "minimumSamples"],
    [{ effectSize: { measure: "cles", allowedIncrease: 1.2 } }, "effectSize.allowedIncrease = 1.2: must be at most 1"],
    [{ effectSize: { measure: "cohen" } }, "effectSize.measure"],
    [{ outliers: "remove" }, "outliers is not a known field"],
  ])("are refused when they are wrong: %j", (options, message) => {
    expect(() => parseInput(comparisonSchema, options, "comparison")).toThrow(message);
  });
});
