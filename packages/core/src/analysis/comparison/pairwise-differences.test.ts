import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { medianDifference, pairwiseDifference } from "./pairwise-differences.ts";

const ascending = (values: readonly number[]) => values.toSorted((a, b) => a - b);
const sample = fc
  .array(fc.oneof(fc.integer({ min: -5, max: 5 }), fc.double({ noNaN: true, min: -1e9, max: 1e9 })), {
    minLength: 1,
    maxLength: 12,
  })
  .map(ascending);

function allDifferences(x: readonly number[], y: readonly number[]): readonly number[] {
  return ascending(x.flatMap((value) => y.map((other) => value - other)));
}

describe("the pairwise differences of two samples", () => {
  it("are found by rank as if they were all written down", () => {
    fc.assert(
      fc.property(sample, sample, (x, y) => {
        const all = allDifferences(x, y);
        expect(all.map((_, index) => pairwiseDifference(x, y, index + 1) + 0)).toEqual(all.map((value) => value + 0));
      }),
    );
  });

  it("have the median that they have when they are all written down", () => {
    fc.assert(
      fc.property(sample, sample, (x, y) => {
        const all = allDifferences(x, y);
        const middle = all.slice(Math.ceil(all.length / 2) - 1, Math.floor(all.length / 2) + 1);
        const expected = middle.reduce((sum, value) => sum + value / middle.length, 0);
        expect(medianDifference(x, y)).toBeCloseTo(expected, 6);
      }),
    );
  });

  it("of two samples of 10,000 are not written down", () => {
    const x = Array.from({ length: 10_000 }, (_, index) => index * 0.1 + 7);
    const y = Array.from({ length: 10_000 }, (_, index) => index * 0.1);
    expect(medianDifference(x, y)).toBeCloseTo(7, 9);
  });

  it("between neighbouring floating-point numbers are told apart", () => {
    expect(pairwiseDifference([1, 1 + Number.EPSILON], [0], 1)).toBe(1);
    expect(pairwiseDifference([1, 1 + Number.EPSILON], [0], 2)).toBe(1 + Number.EPSILON);
  });
});
