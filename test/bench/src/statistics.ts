/** The middle one of the values; of an even number of them, the mean of the two in the middle. `NaN` of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const upper = Math.floor(sorted.length / 2);
  const lower = sorted.length % 2 === 0 ? upper - 1 : upper;
  return ((sorted[lower] ?? Number.NaN) + (sorted[upper] ?? Number.NaN)) / 2;
}

/** One measured cost at one size. */
export interface Point {
  readonly size: number;
  readonly cost: number;
}

/**
 * How a cost grows with the size: the exponent `b` of `cost = a × size^b` that fits best, by least squares over the logarithms. 1 is
 * linear, 2 quadratic; a fixed cost makes it smaller. `undefined` where fewer than two sizes were measured.
 */
export function growthExponent(points: readonly Point[]): number | undefined {
  const logs = points
    .filter(({ size, cost }) => size > 0 && cost > 0)
    .map(({ size, cost }) => ({ x: Math.log(size), y: Math.log(cost) }));
  const x = mean(logs.map((log) => log.x));
  const y = mean(logs.map((log) => log.y));
  const spread = sum(logs.map((log) => (log.x - x) ** 2));
  if (logs.length < 2 || spread === 0) return undefined;
  return sum(logs.map((log) => (log.x - x) * (log.y - y))) / spread;
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
