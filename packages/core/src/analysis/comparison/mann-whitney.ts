import { normalProbability, normalQuantile } from "./normal.ts";
import { medianDifference, pairwiseDifference } from "./pairwise-differences.ts";

/** From `low` to `high`, in the unit of the samples. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** What the Mann-Whitney U test says of two samples. */
export interface MannWhitneyResult {
  /** Pairs in which the value of `x` is the greater one; a pair of equal values counts half. R calls it W. */
  readonly u: number;
  /** Of how many pairs: the product of the sizes of the two samples. */
  readonly pairs: number;
  /** Two-sided: how likely samples at least this different are, where both come from the same distribution. */
  readonly pValue: number;
  /** By how much `x` is shifted from `y`: the median of all pairwise differences (Hodges and Lehmann). */
  readonly estimate: number;
  /** Where the shift lies with the asked confidence. Absent where the samples are too small to give any bounds at it. */
  readonly interval?: Interval;
}

/**
 * The two-sided Mann-Whitney U test (Wilcoxon's rank sum test) by normal approximation with correction for continuity and for
 * ties, as R's `wilcox.test(x, y, exact = FALSE, correct = TRUE, conf.int = TRUE)` and Kayenta's `MannWhitney` do it, with one
 * difference. The bounds of the interval are shifts at which the statistic steps over its limit, and it steps only at pairwise
 * differences. R and Kayenta search them to within 0.0001, whatever the unit of the samples is; here they are those differences
 * themselves, which is what R's search comes to as its `tol.root` approaches 0. So it works at any scale, and without chance.
 *
 * @param x not empty, finite numbers
 * @param y not empty, finite numbers
 * @param confidenceLevel of the interval, more than 0 and less than 1
 */
export function mannWhitney(x: readonly number[], y: readonly number[], confidenceLevel: number): MannWhitneyResult {
  const xs = x.toSorted((a, b) => a - b);
  const ys = y.toSorted((a, b) => a - b);
  const pairs = xs.length * ys.length;
  const u = pairsWon(xs, ys);
  // 0 where all values are equal: every difference is 0, and nothing speaks against the same distribution.
  const deviation = standardDeviation(xs.length, ys.length, tieTerm([...xs, ...ys]));
  if (deviation === 0) return { u, pairs, pValue: 1, estimate: 0, interval: { low: 0, high: 0 } };
  // At any other shift than a pairwise difference, no value of one sample equals one of the other.
  const deviationOfShifted = standardDeviation(xs.length, ys.length, tieTerm(xs) + tieTerm(ys));
  const wanted = Math.ceil(pairs / 2 + 0.5 - normalQuantile((1 - confidenceLevel) / 2) * deviationOfShifted);
  return {
    u,
    pairs,
    pValue: twoSided(u - pairs / 2, deviation),
    estimate: medianDifference(xs, ys),
    ...(wanted <= pairs && {
      interval: { low: pairwiseDifference(xs, ys, pairs - wanted + 1), high: pairwiseDifference(xs, ys, wanted) },
    }),
  };
}

/** Pairs in which the value of `x` is the greater one, equal ones by half. Both in ascending order. */
function pairsWon(x: readonly number[], y: readonly number[]): number {
  let won = 0;
  let less = 0;
  let atMost = 0;
  for (const value of x) {
    // Past its end, y has no value, and nothing compares with that.
    while ((y[less] ?? Number.NaN) < value) less += 1;
    while ((y[atMost] ?? Number.NaN) <= value) atMost += 1;
    won += (less + atMost) / 2;
  }
  return won;
}

/** The sum of t³ − t over the groups of t equal values. */
function tieTerm(values: readonly number[]): number {
  const sizes = new Map<number, number>();
  for (const value of values) sizes.set(value, (sizes.get(value) ?? 0) + 1);
  return [...sizes.values()].reduce((sum, size) => sum + (size ** 3 - size), 0);
}

/** The standard deviation of U where both samples come from the same distribution. */
function standardDeviation(xCount: number, yCount: number, ties: number): number {
  const total = xCount + yCount;
  return Math.sqrt(((xCount * yCount) / 12) * (total + 1 - ties / (total * (total - 1))));
}

function twoSided(fromExpected: number, deviation: number): number {
  const z = Math.max(0, Math.abs(fromExpected) - 0.5) / deviation;
  return Math.min(1, 2 * normalProbability(-z));
}
