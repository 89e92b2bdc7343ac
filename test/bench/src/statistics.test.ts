import { expect, it } from "vitest";
import { growthExponent, median } from "./statistics.ts";

it.each([
  { values: [3, 1, 2], middle: 2 },
  { values: [4, 1, 3, 2], middle: 2.5 },
  { values: [7], middle: 7 },
])("takes $middle as the median of $values", ({ values, middle }) => {
  expect(median(values)).toBe(middle);
});

it.each([
  { growth: "linear", cost: (size: number) => 3 * size, exponent: 1 },
  { growth: "quadratic", cost: (size: number) => 0.1 * size ** 2, exponent: 2 },
  { growth: "none", cost: () => 5, exponent: 0 },
])("finds $growth growth", ({ cost, exponent }) => {
  const points = [1, 50, 500].map((size) => ({ size, cost: cost(size) }));
  expect(growthExponent(points)).toBeCloseTo(exponent, 10);
});

it("knows of no growth from a single size", () => {
  expect(growthExponent([{ size: 500, cost: 7 }])).toBeUndefined();
  expect(growthExponent([1, 1].map((size) => ({ size, cost: 7 })))).toBeUndefined();
});
