/** From here on outwards the continued fraction converges faster than the series. */
const tailStartsAt = 3;
/** Enough for full double precision from `tailStartsAt` on. */
const fractionDepth = 120;

/**
 * The probability that a standard normal variable is at most `z`.
 *
 * Near the middle by its Taylor series (G. Marsaglia, "Evaluating the Normal Distribution", Journal of Statistical Software 11(4),
 * 2004), in the tails by Laplace's continued fraction, which keeps small probabilities exact to their last digits.
 */
export function normalProbability(z: number): number {
  const distance = Math.abs(z);
  const below = distance < tailStartsAt ? 0.5 - areaFromMiddle(distance) : tailBeyond(distance);
  return z < 0 ? below : 1 - below;
}

/**
 * The value that a standard normal variable stays below with this probability.
 *
 * @param probability more than 0, less than 1
 */
export function normalQuantile(probability: number): number {
  if (probability > 0.5) return -normalQuantile(1 - probability);
  // Below the middle the distribution function is convex: Newton's steps from 0 only ever fall, until rounding stops them.
  let z = 0;
  for (;;) {
    const following = z - (normalProbability(z) - probability) / density(z);
    if (!(following < z)) return z;
    z = following;
  }
}

function density(z: number): number {
  return Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
}

function areaFromMiddle(z: number): number {
  let term = z;
  let sum = 0;
  for (let odd = 3; sum + term !== sum; odd += 2) {
    sum += term;
    term *= (z * z) / odd;
  }
  return sum * density(z);
}

function tailBeyond(z: number): number {
  let denominator = z;
  for (let level = fractionDepth; level > 0; level -= 1) denominator = z + level / denominator;
  return density(z) / denominator;
}
