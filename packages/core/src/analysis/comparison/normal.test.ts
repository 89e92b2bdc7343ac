import { describe, expect, it } from "vitest";
import { normalProbability, normalQuantile } from "./normal.ts";

/** Relative error. */
function errorOf(actual: number, expected: number): number {
  return Math.abs(actual - expected) / Math.abs(expected);
}

describe("the normal distribution, as R has it", () => {
  it.each([
    [-0.5, 0.30853753872598694],
    [-1, 0.15865525393145705],
    [-1.96, 0.024997895148220428],
    [-2.5, 0.0062096653257761349],
    [-3, 0.0013498980316300946],
    [-3.5, 0.00023262907903552494],
    [-5, 2.8665157187919391e-7],
    [-8, 6.2209605742717849e-16],
    [-20, 2.7536241186062337e-89],
  ])("pnorm(%d) is %d", (z, expected) => {
    expect(errorOf(normalProbability(z), expected)).toBeLessThan(1e-12);
    expect(normalProbability(-z)).toBeCloseTo(1 - expected, 14);
  });

  it.each([
    [0.4, -0.25334710313579978],
    [0.25, -0.67448975019608171],
    [0.05, -1.6448536269514726],
    [0.025, -1.9599639845400538],
    [0.01, -2.3263478740408408],
    [0.0001, -3.71901648545568],
    [1e-8, -5.61200124417479],
  ])("qnorm(%d) is %d", (probability, expected) => {
    expect(errorOf(normalQuantile(probability), expected)).toBeLessThan(1e-12);
  });

  it("is symmetric about 0", () => {
    expect(normalProbability(0)).toBe(0.5);
    expect(normalQuantile(0.5)).toBe(0);
    expect(normalQuantile(0.99)).toBeCloseTo(2.3263478740408408, 12);
  });
});
