import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mannWhitney } from "./mann-whitney.ts";

/* What ships with R as datasets, and an example of its help page of wilcox.test. */
const ozoneInMay = [41, 36, 12, 18, 28, 23, 19, 8, 7, 16, 11, 14, 18, 14, 34, 6, 30, 11, 1, 11, 4, 32, 23, 45, 115, 37];
const ozoneInAugust = [
  39, 9, 16, 78, 35, 66, 122, 89, 110, 44, 28, 65, 22, 59, 23, 31, 44, 21, 9, 45, 168, 73, 76, 118, 84, 85,
];
const automatic = [
  21.4, 18.7, 18.1, 14.3, 24.4, 22.8, 19.2, 17.8, 16.4, 17.3, 15.2, 10.4, 10.4, 14.7, 21.5, 15.5, 15.2, 13.3, 19.2,
];
const manual = [21, 21, 22.8, 32.4, 30.4, 33.9, 27.3, 26, 30.4, 15.8, 19.7, 15, 21.4];
const versicolor = [
  3.2, 3.2, 3.1, 2.3, 2.8, 2.8, 3.3, 2.4, 2.9, 2.7, 2, 3, 2.2, 2.9, 2.9, 3.1, 3, 2.7, 2.2, 2.5, 3.2, 2.8, 2.5, 2.8, 2.9,
  3, 2.8, 3, 2.9, 2.6, 2.4, 2.4, 2.7, 2.7, 3, 3.4, 3.1, 2.3, 3, 2.5, 2.6, 3, 2.6, 2.3, 2.7, 3, 2.9, 2.9, 2.5, 2.8,
];
const virginica = [
  3.3, 2.7, 3, 2.9, 3, 3, 2.5, 2.9, 2.5, 3.6, 3.2, 2.7, 3, 2.5, 2.8, 3.2, 3, 3.8, 2.6, 2.2, 3.2, 2.8, 2.8, 2.7, 3.3,
  3.2, 2.8, 3, 2.8, 3, 2.8, 3.8, 2.8, 2.8, 2.6, 3, 3.4, 3.1, 3, 3.1, 3.1, 3.1, 2.7, 3.2, 3.3, 3, 2.5, 3, 3.4, 3,
];
const atTerm = [0.8, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
const early = [1.15, 0.88, 0.9, 0.74, 1.21];

describe("the Mann-Whitney U test", () => {
  /*
   * Made with R 4.2.2: wilcox.test(x, y, exact = FALSE, correct = TRUE, conf.int = TRUE, conf.level = level, tol.root = 1e-12).
   * The estimate of the last one is that of exact = TRUE: without ties, a whole range of shifts solves R's approximation.
   */
  it.each([
    ["airquality, May and August", ozoneInMay, ozoneInAugust, 0.95, 127.5, 0.000120807830769, -53, -15, -32],
    ["airquality at 98 %", ozoneInMay, ozoneInAugust, 0.98, 127.5, 0.000120807830769, -55, -12, -32],
    ["mtcars, mpg by am", automatic, manual, 0.95, 42, 0.00187139133318, -11.7, -2.9, -6.8],
    ["iris, many ties", versicolor, virginica, 0.98, 841, 0.00457214220688, -0.3, 0, -0.2],
    ["apart", [10, 20, 30, 40], [1, 2, 3, 4], 0.95, 16, 0.0303828219766, 6, 39, 22.5],
    ["Hollander & Wolfe, 69f", atTerm, early, 0.95, 35, 0.244623605127, -0.15, 0.76, 0.305],
  ])("gives R's values: %s", (_, x, y, level, u, pValue, low, high, estimate) => {
    const result = mannWhitney(x, y, level);
    expect(result.u).toBe(u);
    expect(result.pValue).toBeCloseTo(pValue, 12);
    expect(result.interval?.low).toBeCloseTo(low, 12);
    expect(result.interval?.high).toBeCloseTo(high, 12);
    expect(result.estimate).toBeCloseTo(estimate, 12);
  });

  it.each([
    [[5, 5, 5, 5], [5, 5, 5, 5], 8],
    [[1, 1, 1], [1, 1], 3],
  ])("finds no shift where all values are equal, however few: %j and %j", (x, y, u) => {
    const interval = { low: 0, high: 0 };
    expect(mannWhitney(x, y, 0.95)).toEqual({ u, pairs: x.length * y.length, pValue: 1, estimate: 0, interval });
  });

  it("tells two constants apart", () => {
    const { estimate, interval } = mannWhitney([10, 10, 10, 10, 10], [1, 1, 1, 1, 1], 0.95);
    expect({ estimate, interval }).toEqual({ estimate: 9, interval: { low: 9, high: 9 } });
  });

  it("gives no interval where the samples are too small for the confidence", () => {
    expect(mannWhitney([10, 11], [1, 2], 0.95)).not.toHaveProperty("interval");
    expect(mannWhitney([10, 11], [1, 2], 0.5)).toHaveProperty("interval");
  });
});

/** Whole numbers, so that shifts are exact; few different ones, so that there are ties. */
const sample = fc.array(fc.integer({ min: -20, max: 20 }), { minLength: 5, maxLength: 30 });
const level = fc.constantFrom(0.8, 0.95, 0.98);

describe("the Mann-Whitney U test of any samples", () => {
  it("shares all pairs between the two sides, and turns the shift round when they are swapped", () => {
    fc.assert(
      fc.property(sample, sample, level, (x, y, confidence) => {
        const one = mannWhitney(x, y, confidence);
        const other = mannWhitney(y, x, confidence);
        expect(one.u + other.u).toBe(x.length * y.length);
        expect(one.pValue).toBe(other.pValue);
        expect(one.estimate + other.estimate).toBe(0);
        expect((one.interval?.low ?? 0) + (other.interval?.high ?? 0)).toBe(0);
        expect((one.interval?.high ?? 0) + (other.interval?.low ?? 0)).toBe(0);
      }),
    );
  });

  it("moves the estimate and the interval with the candidate", () => {
    fc.assert(
      fc.property(sample, sample, level, fc.integer({ min: -1000, max: 1000 }), (x, y, confidence, shift) => {
        const before = mannWhitney(x, y, confidence);
        const after = mannWhitney(
          x.map((value) => value + shift),
          y,
          confidence,
        );
        expect(after.estimate - before.estimate).toBe(shift);
        expect((after.interval?.low ?? shift) - (before.interval?.low ?? 0)).toBe(shift);
        expect((after.interval?.high ?? shift) - (before.interval?.high ?? 0)).toBe(shift);
      }),
    );
  });

  it("means the same in any unit", () => {
    fc.assert(
      fc.property(sample, sample, level, fc.constantFrom(2 ** -30, 2 ** -10, 2 ** 20), (x, y, confidence, unit) => {
        const before = mannWhitney(x, y, confidence);
        const inUnit = (values: readonly number[]) => values.map((value) => value * unit);
        const after = mannWhitney(inUnit(x), inUnit(y), confidence);
        expect(after.pValue).toBe(before.pValue);
        expect(after.estimate).toBe(before.estimate * unit);
        expect(after.interval?.low).toBe(before.interval && before.interval.low * unit);
      }),
    );
  });

  it("has the estimate inside the interval", () => {
    fc.assert(
      fc.property(sample, sample, level, (x, y, confidence) => {
        const { estimate, interval } = mannWhitney(x, y, confidence);
        expect(interval?.low ?? estimate).toBeLessThanOrEqual(estimate);
        expect(interval?.high ?? estimate).toBeGreaterThanOrEqual(estimate);
      }),
    );
  });

  it("never has shifts of the other sign in its interval where it rejects that there is none", () => {
    const mostlyZero = fc.array(fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.integer({ min: 0, max: 3 })), {
      minLength: 5,
      maxLength: 60,
    });
    fc.assert(
      fc.property(mostlyZero, mostlyZero, level, (x, y, confidence) => {
        const { u, pairs, pValue, interval } = mannWhitney(x, y, confidence);
        fc.pre(pValue <= 1 - confidence && interval !== undefined);
        expect((u > pairs / 2 ? interval?.low : -(interval?.high ?? 0)) ?? 0).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 500 },
    );
  });

  it("has in its interval exactly the shifts that the test itself does not reject", () => {
    // Halves between whole numbers are no pairwise differences, at which the test is a case of its own.
    const shift = fc.integer({ min: -45, max: 45 }).map((whole) => whole + 0.5);
    fc.assert(
      fc.property(sample, sample, level, shift, (x, y, confidence, by) => {
        const { interval } = mannWhitney(x, y, confidence);
        const shifted = mannWhitney(
          x.map((value) => value - by),
          y,
          confidence,
        );
        const isInside = interval === undefined || (interval.low < by && by < interval.high);
        expect(isInside).toBe(shifted.pValue > 1 - confidence);
      }),
      { numRuns: 500 },
    );
  });
});
