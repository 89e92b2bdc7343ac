/**
 * The `rank`-th smallest (from 1) of all differences x − y of a value of `x` and a value of `y`, without writing them all down:
 * two samples of 10,000 have a hundred million differences.
 *
 * @param x in ascending order, not empty
 * @param y in ascending order, not empty
 * @param rank from 1 to the number of pairs
 */
export function pairwiseDifference(x: readonly number[], y: readonly number[], rank: number): number {
  let low = splitDifferences(x, y, Number.NEGATIVE_INFINITY).leastAbove;
  let high = splitDifferences(x, y, Number.POSITIVE_INFINITY).greatestWithin;
  while (low < high) {
    const middle = low + (high - low) / 2;
    // Between two neighbouring floating-point numbers, the middle may round up.
    const split = splitDifferences(x, y, middle < high ? middle : low);
    if (split.within >= rank) high = split.greatestWithin;
    else low = split.leastAbove;
  }
  return low;
}

/** The median of all differences x − y: the Hodges-Lehmann estimate of how far `x` is shifted from `y`. Both in ascending order. */
export function medianDifference(x: readonly number[], y: readonly number[]): number {
  const pairs = x.length * y.length;
  const lower = pairwiseDifference(x, y, Math.ceil(pairs / 2));
  return pairs % 2 === 1 ? lower : lower / 2 + pairwiseDifference(x, y, pairs / 2 + 1) / 2;
}

interface Split {
  /** How many differences are at most the limit. */
  readonly within: number;
  readonly greatestWithin: number;
  readonly leastAbove: number;
}

function splitDifferences(x: readonly number[], y: readonly number[], limit: number): Split {
  let within = 0;
  let greatestWithin = Number.NEGATIVE_INFINITY;
  let leastAbove = Number.POSITIVE_INFINITY;
  // The greater the value of x, the later in y the first partner whose difference is within the limit.
  let partner = 0;
  for (const value of x) {
    let nearest = y[partner];
    while (nearest !== undefined && value - nearest > limit) nearest = y[(partner += 1)];
    within += y.length - partner;
    if (nearest !== undefined) greatestWithin = Math.max(greatestWithin, value - nearest);
    const previous = y[partner - 1];
    if (previous !== undefined) leastAbove = Math.min(leastAbove, value - previous);
  }
  return { within, greatestWithin, leastAbove };
}
