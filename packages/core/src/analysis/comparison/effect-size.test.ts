import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { commonLanguageEffectSize, meanRatio } from "./effect-size.ts";
import { mannWhitney } from "./mann-whitney.ts";

describe("the ratio of the means", () => {
  it.each([
    ["the candidate's by the baseline's", [20, 40], [10, 20], 2],
    ["no change", [1, 3], [2, 2], 1],
    ["no change where both are zero", [0, 0], [0, 0], 1],
    ["no change below zero", [-4, -2], [-3, -3], 1],
    ["nothing against a baseline of zero", [54.9, 54.5], [0, 0], undefined],
    ["nothing for a candidate of zero", [0, 0], [54.9, 54.5], undefined],
    ["nothing below zero, where a higher mean would make a lower ratio", [-5, -5], [-10, -10], undefined],
  ])("says %s", (_, candidate, baseline, expected) => {
    expect(meanRatio(candidate, baseline)).toBe(expected);
  });
});

describe("the common language effect size", () => {
  it("is the part of the pairs in which the candidate's value is greater, ties by half", () => {
    const sample = fc.array(fc.integer({ min: -5, max: 5 }), { minLength: 1, maxLength: 15 });
    fc.assert(
      fc.property(sample, sample, (candidate, baseline) => {
        const outcomes = candidate.flatMap((one) => baseline.map((other) => (Math.sign(one - other) + 1) / 2));
        const expected = outcomes.reduce((sum, outcome) => sum + outcome, 0) / outcomes.length;
        expect(commonLanguageEffectSize(mannWhitney(candidate, baseline, 0.95))).toBe(expected);
      }),
    );
  });
});
